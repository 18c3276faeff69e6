// Bringing in a whole range, in slices: MAP_POPULATE, mlock(2), MADV_POPULATE_READ and _WRITE.

import { EFAULT, EINVAL, ENOMEM } from '../../abi/errno.ts';
import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { isDirect } from './direct.ts';
import { resolve } from './fault.ts';
import type { MemoryManager } from './mm.ts';
import { PTE_ANON, PTE_MAPPED, PTE_WRITE } from './pagetable.ts';
import { VM_SHARED, type Vma } from './vma.ts';

/** Pages brought in by one slice: some tenths of a millisecond, up to one. */
const SLICE_PAGES = 128;

/** What bringing in a page takes, where passing over one that is there takes 1; and what one slice may take. */
const RESOLVE = 8;
const SLICE = SLICE_PAGES * RESOLVE;

/** What the slice in progress may still take. */
let left = 0;

/**
 * Faults in accessible pages of [start, end), private writable mappings as by a write, until a slice of work is done.
 * Returns where to go on, `end` when all is there, or the first error: -ENOMEM for lack of memory or a hole in the range
 * (which `holes` passes over, and with them what nobody may access), -ENOENT beyond the end of a file.
 */
export function populateSlice(mm: MemoryManager, start: number, end: number, holes = false): number {
  left = SLICE;
  let addr = start;
  while (addr < end && left > 0) {
    const i = mm.vmas.indexAbove(addr);
    const v = i < mm.vmas.length ? mm.vmas.at(i) : null;
    if (v === null || v.start > addr || v.prot === 0) {
      if (!holes) return -ENOMEM;
      left -= RESOLVE;
      addr = v === null ? end : v.start > addr ? v.start : v.end;
      continue;
    }
    const write = (v.prot & PROT_WRITE) !== 0 && (v.flags & VM_SHARED) === 0;
    addr = populateWithin(mm, v, addr, Math.min(v.end, end), write);
    if (addr < 0) return addr;
  }
  return Math.min(addr, end);
}

/** The same for MADV_POPULATE_READ and _WRITE: -ENOMEM for gaps, -EINVAL without the right, -EFAULT where a SIGBUS would come. */
export function populateSliceFor(mm: MemoryManager, start: number, end: number, write: boolean): number {
  left = SLICE;
  let addr = start;
  while (addr < end && left > 0) {
    const v = mm.vmas.find(addr);
    if (v === null) return -ENOMEM;
    if (v.prot === 0 || (write && (v.prot & PROT_WRITE) === 0)) return -EINVAL;
    addr = populateWithin(mm, v, addr, Math.min(v.end, end), write);
    if (addr < 0) return addr === -ENOMEM ? -ENOMEM : -EFAULT;
  }
  return addr;
}

/** All of a range that is known to be small. */
export function populate(mm: MemoryManager, start: number, end: number): void {
  for (let at = start; at >= 0 && at < end; ) at = populateSlice(mm, at, end);
}

/** A range inside one mapping whose rights were checked; `write` makes the pages writable. Where it stopped, or -errno. */
function populateWithin(mm: MemoryManager, v: Vma, start: number, end: number, write: boolean): number {
  let a = start;
  for (; a < end && left > 0; a += PAGE_SIZE) {
    left--;
    const f = mm.pt.flagsAt(a / PAGE_SIZE);
    if ((f & PTE_MAPPED) !== 0 && (!write || (f & PTE_WRITE) !== 0)) continue;
    if (!write && (f & PTE_ANON) === 0 && isDirect(v, a / PAGE_SIZE)) continue;
    mm.boundHostMappings();
    // With one page of a file come those around it.
    const before = mm.pt.anonPages + mm.pt.filePages;
    const r = resolve(mm, v, a, write);
    if (r < 0) return r;
    left -= RESOLVE * Math.max(1, mm.pt.anonPages + mm.pt.filePages - before);
  }
  return a;
}
