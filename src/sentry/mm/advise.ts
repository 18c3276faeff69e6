// Attributes and advice on ranges of mappings: madvise(2), mlock(2) and its kin, mincore(2).

import { EINVAL, ENOMEM } from '../../abi/errno.ts';
import {
  MADV_COLD,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
} from '../../abi/memory/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import type { MemoryManager } from './mm.ts';
import { PTE_ANON } from './pagetable.ts';
import { account, isolate, merge, zapRange } from './region.ts';
import {
  VM_DONTDUMP,
  VM_DONTFORK,
  VM_HUGEPAGE,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_NOHUGEPAGE,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_SPECIAL,
  VM_WIPEONFORK,
  type Vma,
} from './vma.ts';

/**
 * Clears and sets VM_* flags on the mapped parts of an aligned range. 0; -ENOMEM when parts were not mapped (the others
 * are changed all the same) or at vm.max_map_count.
 */
export function changeFlags(
  mm: MemoryManager,
  start: number,
  end: number,
  clear: number,
  set: number,
): number {
  let gap = false;
  let at = start;
  let i = isolate(mm, start, end);
  if (i < 0) return i;
  for (; i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const v = mm.vmas.at(i);
    if (v.start > at) gap = true;
    at = v.end;
    const flags = (v.flags & ~clear) | set;
    if (flags === v.flags) continue;
    account(mm, v.prot, v.flags, v.pages, -1);
    v.flags = flags;
    account(mm, v.prot, v.flags, v.pages, 1);
  }
  merge(mm, start, end);
  return gap || at < end ? -ENOMEM : 0;
}

/** True for advice that advise() knows. */
export function knownAdvice(advice: number): boolean {
  switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_FREE:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
      return true;
    default:
      return false;
  }
}

/** madvise(2) on an aligned, non-empty range, for knownAdvice(). Gaps end in -ENOMEM after the rest was done. */
export function advise(mm: MemoryManager, start: number, end: number, advice: number): number {
  let gap = false;
  let at = start;
  while (at < end) {
    const i = mm.vmas.indexAbove(at);
    if (i === mm.vmas.length || mm.vmas.at(i).start >= end) {
      gap = true;
      break;
    }
    const v = mm.vmas.at(i);
    if (v.start > at) {
      gap = true;
      at = v.start;
    }
    const to = Math.min(v.end, end);
    const r = adviseWithin(mm, v, at, to, advice);
    if (r < 0) return r;
    at = to;
  }
  return gap ? -ENOMEM : 0;
}

function adviseWithin(mm: MemoryManager, v: Vma, start: number, end: number, advice: number): number {
  const anonymous = v.source === null;
  switch (advice) {
    case MADV_NORMAL:
      return changeFlags(mm, start, end, VM_RAND_READ | VM_SEQ_READ, 0);
    case MADV_RANDOM:
      return changeFlags(mm, start, end, VM_SEQ_READ, VM_RAND_READ);
    case MADV_SEQUENTIAL:
      return changeFlags(mm, start, end, VM_RAND_READ, VM_SEQ_READ);
    case MADV_DONTNEED:
      if ((v.flags & (VM_LOCKED | VM_SPECIAL)) !== 0) return -EINVAL;
      zapRange(mm, start, end);
      return 0;
    case MADV_DONTNEED_LOCKED:
      if ((v.flags & VM_SPECIAL) !== 0) return -EINVAL;
      zapRange(mm, start, end);
      return 0;
    case MADV_FREE:
      // The kernel may free the pages at any time from now on: it does so at once.
      if (!anonymous) return -EINVAL;
      zapRange(mm, start, end);
      return 0;
    case MADV_DONTFORK:
      return changeFlags(mm, start, end, 0, VM_DONTFORK);
    case MADV_DOFORK:
      return (v.flags & VM_SPECIAL) !== 0 ? -EINVAL : changeFlags(mm, start, end, VM_DONTFORK, 0);
    case MADV_WIPEONFORK:
      return anonymous ? changeFlags(mm, start, end, 0, VM_WIPEONFORK) : -EINVAL;
    case MADV_KEEPONFORK:
      return changeFlags(mm, start, end, VM_WIPEONFORK, 0);
    case MADV_DONTDUMP:
      return changeFlags(mm, start, end, 0, VM_DONTDUMP);
    case MADV_DODUMP:
      return (v.flags & VM_SPECIAL) !== 0 ? -EINVAL : changeFlags(mm, start, end, VM_DONTDUMP, 0);
    case MADV_HUGEPAGE:
      return changeFlags(mm, start, end, VM_NOHUGEPAGE, VM_HUGEPAGE);
    case MADV_NOHUGEPAGE:
      return changeFlags(mm, start, end, VM_HUGEPAGE, VM_NOHUGEPAGE);
    case MADV_COLD:
    case MADV_PAGEOUT:
      return (v.flags & VM_LOCKED) !== 0 ? -EINVAL : 0;
    default:
      return 0;
  }
}

/** Pages of an aligned range that are locked already: they count once towards RLIMIT_MEMLOCK. */
export function lockedPagesIn(mm: MemoryManager, start: number, end: number): number {
  let pages = 0;
  for (let i = mm.vmas.indexAbove(start); i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const v = mm.vmas.at(i);
    if ((v.flags & VM_LOCKED) !== 0) pages += (Math.min(v.end, end) - Math.max(v.start, start)) / PAGE_SIZE;
  }
  return pages;
}

/** Sets VM_LOCKED and VM_LOCKONFAULT as `flags` say on an aligned range; locked pages are to be brought in. -ENOMEM for gaps. */
export function setLocked(mm: MemoryManager, start: number, end: number, flags: number): number {
  const r = changeFlags(mm, start, end, VM_LOCKED | VM_LOCKONFAULT, flags);
  if (r >= 0 && flags === VM_LOCKED) mm.toBringIn(start, end);
  return r;
}

/** mlockall(2) and munlockall(2) on what is mapped now. */
export function setAllLocked(mm: MemoryManager, flags: number): void {
  const n = mm.vmas.length;
  if (n === 0) return;
  const start = mm.vmas.at(0).start;
  const end = mm.vmas.at(n - 1).end;
  changeFlags(mm, start, end, VM_LOCKED | VM_LOCKONFAULT, flags);
  if (flags === VM_LOCKED) mm.toBringIn(start, end);
}

/** mincore(2): 1 in out[i] for each page i of the range that is in memory; -ENOMEM for gaps. */
export function residency(mm: MemoryManager, start: number, pages: number, out: Uint8Array): number {
  for (let i = 0; i < pages; i++) {
    const addr = start + i * PAGE_SIZE;
    const v = mm.vmas.find(addr);
    if (v === null) return -ENOMEM;
    const flags = mm.pt.flagsAt(addr / PAGE_SIZE);
    if (flags === 0) out[i] = v.source !== null && v.source.residentRun(v.indexAt(addr), 1) > 0 ? 1 : 0;
    else if ((flags & PTE_ANON) === 0) out[i] = 1;
    else out[i] = mm.memfile.touched(mm.pt.find(addr / PAGE_SIZE)!.frames[(addr / PAGE_SIZE) & 511]!) ? 1 : 0;
  }
  return 0;
}
