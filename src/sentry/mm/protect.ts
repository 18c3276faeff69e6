// mprotect(2): rights of mappings, and of the pages that the stub has mapped.

import { EACCES, EINVAL, ENOMEM } from '../../abi/errno.ts';
import {
  PROT_EXEC,
  PROT_GROWSDOWN,
  PROT_GROWSUP,
  PROT_READ,
  PROT_SEM,
  PROT_WRITE,
} from '../../abi/memory/mman.ts';
import { PAGE_SIZE, pageOffset, pageUp } from '../base/page.ts';
import { GUEST_TOP } from '../platform/platform.ts';
import type { MemoryManager } from './mm.ts';
import { mayExpand } from './mmap.ts';
import { LEAF_PAGES, PTE_ANON, PTE_MAPPED, PTE_PRESENT, PTE_WRITE } from './pagetable.ts';
import { account, isData, isolate, merge, unmapStub } from './region.ts';
import { LEAF_WORK, MORE, VMA_WORK } from './slices.ts';
import { hostProt, VM_GROWSDOWN, VM_SHARED, type Vma } from './vma.ts';

const PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC;
/** Orders for one mapping. */
const MAX_ORDERS = 256;
const GROWS = PROT_GROWSDOWN | PROT_GROWSUP;

/** mprotect(2) in one go. Ranges before a failing mapping keep their new rights, as in Linux. */
export function protect(mm: MemoryManager, addr: number, length: number, protBits: number): number {
  const p = beginProtect(mm, addr, length, protBits);
  return typeof p === 'number' ? p : p.step(Number.POSITIVE_INFINITY);
}

/** Checks the arguments of mprotect(2): its work, or 0 or -errno when there is none. */
export function beginProtect(
  mm: MemoryManager,
  addr: number,
  length: number,
  protBits: number,
): Protection | number {
  if ((protBits & GROWS) === GROWS || pageOffset(addr) !== 0) return -EINVAL;
  if (length === 0) return 0;
  if (!(length > 0) || !(addr >= 0) || addr + length > GUEST_TOP) return -ENOMEM;
  if ((protBits & ~(PROT_ALL | PROT_SEM | GROWS)) !== 0) return -EINVAL;
  const prot = protBits & PROT_ALL;
  let start = addr;
  const end = addr + pageUp(length);
  const first = mm.vmas.find(start);
  if ((protBits & PROT_GROWSDOWN) !== 0) {
    const i = mm.vmas.indexAbove(start);
    if (i === mm.vmas.length || mm.vmas.at(i).start >= end) return -ENOMEM;
    if ((mm.vmas.at(i).flags & VM_GROWSDOWN) === 0) return -EINVAL;
    start = mm.vmas.at(i).start;
  } else if (first === null) return -ENOMEM;
  else if ((protBits & PROT_GROWSUP) !== 0) return -EINVAL;
  return new Protection(mm, start, end, prot);
}

/**
 * One mprotect(2). A mapping gets its new rights at once, its pages slice by slice: until then other threads may still do
 * what they could before, as on Linux while its page tables are changed.
 */
export class Protection {
  private readonly mm: MemoryManager;
  private readonly start: number;
  private readonly end: number;
  private readonly prot: number;
  private at: number;
  /** The mapping whose pages have yet to be brought in line, as it was when it changed: its pages and leaves. */
  private vma: Vma | null = null;
  private first = 0;
  private last = 0;
  private keys: readonly number[] = [];
  private next = 0;
  private reduced = false;

  constructor(mm: MemoryManager, start: number, end: number, prot: number) {
    this.mm = mm;
    this.start = start;
    this.end = end;
    this.prot = prot;
    this.at = start;
  }

  /** Goes on until `pages` are done: MORE, the result of the call, or -errno. */
  step(pages: number): number {
    const { mm } = this;
    mm.tlb.flush();
    let left = pages;
    let r = 0;
    for (;;) {
      if (this.vma !== null) left = this.alignPages(this.vma, left);
      if (this.vma === null && (r < 0 || this.at >= this.end)) break;
      if (left <= 0) {
        mm.as.flush();
        return MORE;
      }
      r = this.changeNext();
      left -= VMA_WORK;
    }
    merge(mm, this.start, Math.min(this.at, this.end));
    if (this.reduced) mm.as.flush();
    return r;
  }

  /** New rights for what there is of the next mapping: 0 or -errno. */
  private changeNext(): number {
    const { mm, at, end, prot } = this;
    const v = mm.vmas.find(at);
    if (v === null) return -ENOMEM;
    const to = Math.min(v.end, end);
    if (v.prot !== prot) {
      if ((prot & ~v.maxProt) !== 0) return -EACCES;
      if (
        !isData(v.prot, v.flags) &&
        isData(prot, v.flags) &&
        mayExpandData(mm, v, (to - at) / PAGE_SIZE) < 0
      )
        return -ENOMEM;
      const i = isolate(mm, at, to);
      if (i < 0) return i;
      if ((v.prot & ~prot) !== 0) this.reduced = true;
      const changed = mm.vmas.at(i);
      change(mm, changed, prot);
      this.first = changed.start / PAGE_SIZE;
      this.last = changed.end / PAGE_SIZE;
      this.keys = mm.pt.keys(this.first, this.last);
      this.next = 0;
      if (this.keys.length > 0) this.vma = changed;
    }
    this.at = to;
    return 0;
  }

  /** Brings pages of the mapping that changed in line with its rights; what is left of `pages`. */
  private alignPages(v: Vma, pages: number): number {
    const { mm, keys, first, last } = this;
    const from = this.next;
    let left = pages;
    let i = from;
    for (; i < keys.length && left > 0; i++) {
      const leaf = mm.pt.leaves.get(keys[i]!);
      left -= LEAF_WORK + (leaf === undefined ? 0 : leaf.count);
    }
    applyRights(mm, v, keys, from, i, first, last);
    this.next = i;
    if (i === keys.length) this.vma = null;
    return left;
  }
}

function mayExpandData(mm: MemoryManager, v: Vma, pages: number): number {
  // The pages count in RLIMIT_AS already.
  mm.totalPages -= pages;
  const r = mayExpand(mm, PROT_WRITE, v.flags, pages);
  mm.totalPages += pages;
  return r;
}

/** New rights for one whole mapping. */
function change(mm: MemoryManager, v: Vma, prot: number): void {
  if (v.directFrom !== v.directTo) {
    // They come back by faults, from wherever the new rights let them come.
    unmapStub(mm, v.start, v.end);
    mm.as.flush();
  }
  account(mm, v.prot, v.flags, v.pages, -1);
  v.prot = prot;
  account(mm, v.prot, v.flags, v.pages, 1);
}

/**
 * Brings pages [first, last) of a mapping in the leaves keys[from] up to keys[to] in line with its rights: one order for
 * each run of pages that end with equal rights. A page that the stub lacks ends a run: the host's mprotect stops at the
 * first hole.
 */
function applyRights(
  mm: MemoryManager,
  v: Vma,
  keys: readonly number[],
  from: number,
  to: number,
  first: number,
  last: number,
): void {
  const mayWrite = (v.prot & PROT_WRITE) !== 0;
  const priv = (v.flags & VM_SHARED) === 0;
  let runStart = -1;
  let runEnd = -1;
  let runWrite = false;
  let orders = 0;
  for (let k = from; k < to; k++) {
    const leaf = mm.pt.leaves.get(keys[k]!);
    if (leaf === undefined) continue;
    const base = keys[k]! * LEAF_PAGES;
    const end = Math.min(LEAF_PAGES, last - base);
    for (let i = Math.max(0, first - base); i < end; i++) {
      const f = leaf.flags[i]!;
      if ((f & PTE_PRESENT) === 0) continue;
      // A shared page becomes writable again at its next write, so that its cache learns of it.
      const write = mayWrite && priv && (f & PTE_ANON) !== 0 && mm.memfile.refs(leaf.frames[i]!) === 1;
      leaf.flags[i] = write ? f | PTE_WRITE : f & ~PTE_WRITE;
      if ((f & PTE_MAPPED) === 0) continue;
      if (runStart >= 0 && (runWrite !== write || runEnd !== base + i)) {
        if (++orders <= MAX_ORDERS) order(mm, v, runStart, runEnd, runWrite);
        runStart = -1;
      }
      if (runStart < 0) {
        runStart = base + i;
        runWrite = write;
      }
      runEnd = base + i + 1;
    }
  }
  // What is in too many pieces is taken from the stub whole and comes back by faults.
  if (orders > MAX_ORDERS) {
    const start = Math.max(first, keys[from]! * LEAF_PAGES);
    const end = Math.min(last, (keys[to - 1]! + 1) * LEAF_PAGES);
    unmapStub(mm, start * PAGE_SIZE, end * PAGE_SIZE);
  } else if (runStart >= 0) order(mm, v, runStart, runEnd, runWrite);
}

function order(mm: MemoryManager, v: Vma, from: number, to: number, write: boolean): void {
  const prot = hostProt(write ? v.prot : v.prot & ~PROT_WRITE);
  mm.protectHost(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
}
