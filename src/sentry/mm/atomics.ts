// Atomic access to guest words, and what makes two addresses the same futex.

import { EFAULT } from '../../abi/errno.ts';
import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { GUEST_TOP } from '../platform/platform.ts';
import type { MemoryManager } from './mm.ts';
import { LEAF_PAGES, PTE_ANON } from './pagetable.ts';
import { readFrame, writeFrame } from './user.ts';
import { VM_SHARED } from './vma.ts';

const PER_PAGE = 1 / 4096;
const SLOT = LEAF_PAGES - 1;
/** In the offset of a word in memory of one's own that was named without FUTEX_PRIVATE_FLAG (FUT_OFF_MMSHARED). */
const MM_SHARED = 2;

/** From the 32-bit atomics: the address is bad. No int32 has this value. */
export const ATOMIC_FAULT = 0x1_0000_0000;

export function load32(mm: MemoryManager, addr: number): number {
  const pn = Math.floor(addr * PER_PAGE);
  const frame = readFrame(mm, pn);
  if (frame < 0) return ATOMIC_FAULT;
  return Atomics.load(mm.memfile.i32(frame), (mm.memfile.byteOffset(frame) + (addr - pn * 4096)) >> 2);
}

export function store32(mm: MemoryManager, addr: number, value: number): number {
  const pn = Math.floor(addr * PER_PAGE);
  const frame = writeFrame(mm, pn);
  if (frame < 0) return -EFAULT;
  Atomics.store(mm.memfile.i32(frame), (mm.memfile.byteOffset(frame) + (addr - pn * 4096)) >> 2, value | 0);
  return 0;
}

export function compareExchange32(mm: MemoryManager, addr: number, expected: number, value: number): number {
  const pn = Math.floor(addr * PER_PAGE);
  const frame = writeFrame(mm, pn);
  if (frame < 0) return ATOMIC_FAULT;
  const at = (mm.memfile.byteOffset(frame) + (addr - pn * 4096)) >> 2;
  return Atomics.compareExchange(mm.memfile.i32(frame), at, expected | 0, value | 0);
}

export function futexKey(mm: MemoryManager, addr: number, shared: boolean): number {
  if (!(addr >= 0 && addr < GUEST_TOP)) return -EFAULT;
  mm.futexObject = mm;
  mm.futexOffset = addr;
  if (!shared) return 0;
  const v = mm.vmas.find(addr);
  const pn = Math.floor(addr * PER_PAGE);
  if (v === null || readFrame(mm, pn) < 0) return -EFAULT;
  if ((v.flags & VM_SHARED) === 0 || v.source === null) {
    // get_futex_key(): the word is meant to be written, which gives a private mapping a page of its own.
    if ((v.prot & PROT_WRITE) !== 0) {
      mm.futexOffset = addr + MM_SHARED;
      return 0;
    }
    // A page of its own that cannot change is nothing to wait for; a page of the file is whatever maps it.
    const leaf = mm.pt.find(pn);
    if (v.source === null || (leaf !== null && (leaf.flags[pn & SLOT]! & PTE_ANON) !== 0)) return -EFAULT;
  }
  mm.futexObject = v.source;
  mm.futexOffset = v.pgoff * 4096 + (addr - v.start);
  return 0;
}
