// Where things lie in an address space, and stacks that grow.

import { ENOMEM } from '../../abi/errno.ts';
import { RLIMIT_AS, RLIMIT_STACK } from '../../abi/process/resource.ts';
import { randomBits } from '../../host/random.ts';
import { PAGE_SIZE, pageDown, pageUp } from '../base/page.ts';
import { GUEST_TOP } from '../platform/platform.ts';
import type { MemoryManager } from './mm.ts';
import { account, insert } from './region.ts';
import { VM_GROWSDOWN, Vma } from './vma.ts';

/** Pages that stay free below a growing stack (stack_guard_gap). */
export const STACK_GUARD: number = 256 * PAGE_SIZE;
/** vm.mmap_min_addr. */
export const MMAP_MIN_ADDR = 0x10000;
/** Random bits, in pages, of the stack's end (16 GiB) and of the mmap base (1 TiB), as Linux has them. */
const STACK_RANDOM_BITS = 22;
const MMAP_RANDOM_BITS = 28;
const MIN_GAP = 128 * 1024 * 1024;
/** A stack grows by this much at once where it may: each growth costs a fault. */
const GROW_STEP = 64 * 1024;

/** Chooses stackTop and mmapBase (arch_pick_mmap_layout in Linux). */
export function chooseLayout(mm: MemoryManager, randomize: boolean): void {
  const limit = Math.min(mm.limits.soft(RLIMIT_STACK), (GUEST_TOP / 6) * 5);
  const gap =
    Math.max(pageUp(limit), MIN_GAP) + STACK_GUARD + (randomize ? 2 ** STACK_RANDOM_BITS * PAGE_SIZE : 0);
  mm.stackTop = GUEST_TOP - (randomize ? randomBits(STACK_RANDOM_BITS) * PAGE_SIZE : 0);
  const base = GUEST_TOP - Math.min(gap, (GUEST_TOP / 6) * 5);
  mm.mmapBase = pageDown(base - (randomize ? randomBits(MMAP_RANDOM_BITS) * PAGE_SIZE : 0));
}

export function setStack(mm: MemoryManager, len: number, prot: number): number {
  const start = mm.stackTop - pageUp(len);
  if (!mm.vmas.isFree(start, mm.stackTop)) return -ENOMEM;
  insert(mm, new Vma(start, mm.stackTop, prot, 7, VM_GROWSDOWN, null, 0, null, '[stack]'));
  mm.startStack = mm.stackTop;
  return mm.stackTop;
}

/** The lowest address that nothing else may be mapped at because of this mapping: below stacks, a gap. */
export function guardStart(v: Vma): number {
  return (v.flags & VM_GROWSDOWN) !== 0 ? Math.max(0, v.start - STACK_GUARD) : v.start;
}

/** An access below a MAP_GROWSDOWN mapping: extends it down to `addr`; null when there is none or limits forbid it. */
export function growStack(mm: MemoryManager, addr: number): Vma | null {
  const i = mm.vmas.indexAbove(addr);
  if (i === mm.vmas.length) return null;
  const v = mm.vmas.at(i);
  if ((v.flags & VM_GROWSDOWN) === 0 || addr >= v.start) return null;
  let lowest = MMAP_MIN_ADDR;
  if (i > 0) {
    const below = mm.vmas.at(i - 1);
    // An inaccessible neighbour is a guard itself; another stack keeps its own distance.
    const close = (below.flags & VM_GROWSDOWN) !== 0 || below.prot === 0;
    lowest = Math.max(lowest, below.end + (close ? 0 : STACK_GUARD));
  }
  const limit = mm.limits.soft(RLIMIT_STACK);
  lowest = Math.max(lowest, v.end - pageDown(Math.min(limit, GUEST_TOP)));
  const asRoom = mm.limits.soft(RLIMIT_AS) - mm.totalPages * PAGE_SIZE;
  lowest = Math.max(lowest, v.start - pageDown(Math.max(0, Math.min(asRoom, GUEST_TOP))));
  const wanted = pageDown(addr);
  if (wanted < lowest) return null;
  const start = Math.max(lowest, Math.min(wanted, v.start - GROW_STEP));
  account(mm, v.prot, v.flags, (v.start - start) / PAGE_SIZE, 1);
  if (v.source !== null) v.pgoff -= (v.start - start) / PAGE_SIZE;
  v.start = start;
  return v;
}
