// Bringing in a whole range: MAP_POPULATE, mlock(2), MADV_POPULATE_READ and _WRITE, MADV_WILLNEED.

import { ENOMEM } from '../../abi/errno.ts';
import { PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { isDirect } from './direct.ts';
import { resolve } from './fault.ts';
import type { MemoryManager } from './mm.ts';
import { PTE_ANON, PTE_MAPPED, PTE_WRITE } from './pagetable.ts';
import { VM_SHARED } from './vma.ts';

/**
 * Faults in every accessible page of [start, end), private writable mappings as by a write. Returns 0, or the first
 * error: -ENOMEM for lack of memory or a hole in the range, -ENOENT beyond the end of a file.
 */
export function populate(mm: MemoryManager, start: number, end: number): number {
  let addr = start;
  while (addr < end) {
    const v = mm.vmas.find(addr);
    if (v === null) return -ENOMEM;
    const to = Math.min(v.end, end);
    if (v.prot === 0) return -ENOMEM;
    const write = (v.prot & PROT_WRITE) !== 0 && (v.flags & VM_SHARED) === 0;
    const r = populateWithin(mm, addr, to, write);
    if (r < 0) return r;
    addr = to;
  }
  return 0;
}

/** The same for a range inside one mapping whose rights were checked; `write` makes the pages writable. */
export function populateWithin(mm: MemoryManager, start: number, end: number, write: boolean): number {
  const v = mm.vmas.find(start)!;
  for (let a = start; a < end; a += PAGE_SIZE) {
    const f = mm.pt.flagsAt(a / PAGE_SIZE);
    if ((f & PTE_MAPPED) !== 0 && (!write || (f & PTE_WRITE) !== 0)) continue;
    if (!write && (f & PTE_ANON) === 0 && isDirect(v, a / PAGE_SIZE)) continue;
    mm.boundHostMappings();
    const r = resolve(mm, v, a, write);
    if (r < 0) return r;
  }
  return 0;
}
