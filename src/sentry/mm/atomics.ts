// Atomic access to guest words, and what makes two addresses the same futex.

import { EFAULT } from '../../abi/errno.ts';
import { GUEST_TOP } from '../platform/platform.ts';
import { ATOMIC_FAULT, type MemoryManager } from './mm.ts';
import { readFrame, writeFrame } from './user.ts';
import { VM_SHARED } from './vma.ts';

const PER_PAGE = 1 / 4096;

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
  if (v === null || readFrame(mm, Math.floor(addr * PER_PAGE)) < 0) return -EFAULT;
  if ((v.flags & VM_SHARED) === 0 || v.source === null) return 0;
  mm.futexObject = v.source;
  mm.futexOffset = v.pgoff * 4096 + (addr - v.start);
  return 0;
}
