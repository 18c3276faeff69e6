// fork(2): a copy of an address space that shares its frames until either side writes.

import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { mapAllDirect } from './direct.ts';
import type { MemoryManager } from './mm.ts';
import { mapPresent } from './pages.ts';
import { LEAF_PAGES, PTE_ANON, PTE_MAPPED, PTE_PRESENT, PTE_WRITE } from './pagetable.ts';
import { account, hold, unmapStub } from './region.ts';
import { LEAF_WORK, MORE, SLICE_PAGES, VMA_WORK } from './slices.ts';
import { hostProt, VM_DONTFORK, VM_LOCKED, VM_LOCKONFAULT, VM_SHARED, VM_WIPEONFORK, Vma } from './vma.ts';

/** Orders that a fork may spend on mapping pages ahead of the child's faults. */
const PREMAP_ORDERS = 96;

/** Orders for one mapping of the parent; what is in more pieces is taken from its stub and comes back by faults. */
const PROTECT_ORDERS = 128;

/**
 * Pages that a fork copies at once, in one mapping and in all. Both sides will write to the stack, the heap's start and
 * the data of libraries: to copy such a page costs a hundredth of the faults that sharing it would bring.
 */
const EAGER_PER_MAPPING = 64;
const EAGER_PAGES = 256;

/** What a page copied at once counts as, and orders for what comes from a file of the host: see slices.ts. */
const COPY_WORK = 4;
const DIRECT_WORK = 64;
const NO_KEYS: readonly number[] = [];

/** Mappings that premap() looks at, those without pages costing no orders; and pages. */
const PREMAP_VMAS = 1024;
const PREMAP_PAGES = 2 * SLICE_PAGES;

/**
 * One fork(2): fills the empty `child`, mapping by mapping and leaf by leaf. Whatever happens between two steps, the child
 * is a whole address space of fewer pages: files that shrink take their pages from it too, and release() ends it.
 *
 * Threads of the parent go on meanwhile, and a page that they write to while it is not shared yet is copied as they leave
 * it. What is shared nobody can write to any more when a step ends.
 */
export class ForkCopy {
  readonly mm: MemoryManager;
  readonly child: MemoryManager;
  /** Pages that may still be copied at once, and the mapping above the next to look at for that. */
  private eager: number;
  private eagerAt: number;
  /** The next mapping; the one that is being copied, its pages and leaves, and the next of these. */
  private at = 0;
  private vma: Vma | null = null;
  private first = 0;
  private last = 0;
  private keys: readonly number[] = [];
  private next = 0;
  private copied = false;

  constructor(mm: MemoryManager, child: MemoryManager) {
    this.mm = mm;
    this.child = child;
    child.mmapBase = mm.mmapBase;
    child.stackTop = mm.stackTop;
    child.startBrk = mm.startBrk;
    child.brkEnd = mm.brkEnd;
    child.startCode = mm.startCode;
    child.endCode = mm.endCode;
    child.startData = mm.startData;
    child.endData = mm.endData;
    child.startStack = mm.startStack;
    child.argStart = mm.argStart;
    child.argEnd = mm.argEnd;
    child.envStart = mm.envStart;
    child.envEnd = mm.envEnd;
    child.auxv = mm.auxv;
    if (!mm.patchable && child.patchable) child.giveUpPatches();
    // Other threads write meanwhile: only pages that nobody can write to any more make one moment's copy.
    this.eager = mm.refs === 1 ? EAGER_PAGES : 0;
    this.eagerAt = mm.vmas.length;
  }

  /** Goes on until `pages` are done: MORE or 0. */
  step(pages: number): number {
    const { mm, child } = this;
    if (this.copied) {
      premap(child);
      return 0;
    }
    mm.tlb.flush();
    let left = pages;
    while (this.eager > 0 && this.eagerAt > 0) {
      if (left <= 0) return MORE;
      const v = mm.vmas.at(--this.eagerAt);
      left -= VMA_WORK;
      if ((v.flags & (VM_SHARED | VM_DONTFORK | VM_WIPEONFORK)) !== 0) continue;
      const copied = copyEagerly(mm, child, v, Math.min(this.eager, EAGER_PER_MAPPING));
      this.eager -= copied;
      left -= copied * COPY_WORK;
    }
    for (;;) {
      if (this.vma !== null) left = this.copyLeaves(this.vma, left);
      if (this.vma === null && this.at === mm.vmas.length) break;
      if (left <= 0) {
        // No thread of the parent may write any more to what the child shares by now.
        mm.as.flush();
        return MORE;
      }
      this.beginMapping(mm.vmas.at(this.at++));
      left -= VMA_WORK;
    }
    child.peakTotalPages = child.totalPages;
    mm.as.flush();
    this.copied = true;
    if (pages < PREMAP_PAGES) return MORE;
    premap(child);
    return 0;
  }

  /** Gives the child a mapping; its pages are next. */
  private beginMapping(v: Vma): void {
    const { mm, child } = this;
    if ((v.flags & VM_DONTFORK) !== 0) return;
    // Locks are not inherited (mlock(2)).
    const flags = v.flags & ~(VM_LOCKED | VM_LOCKONFAULT);
    const copy = new Vma(v.start, v.end, v.prot, v.maxProt, flags, v.source, v.pgoff, v.file, v.name);
    hold(child, copy);
    account(child, copy.prot, copy.flags, copy.pages, 1);
    child.vmas.insertAt(child.vmas.length, copy);
    this.first = v.start / PAGE_SIZE;
    this.last = v.end / PAGE_SIZE;
    this.keys = (v.flags & VM_WIPEONFORK) !== 0 ? NO_KEYS : mm.pt.keys(this.first, this.last);
    this.next = 0;
    this.vma = v;
  }

  /** Shares pages of the mapping that is being copied; what is left of `pages`. */
  private copyLeaves(v: Vma, pages: number): number {
    const { mm, child, keys } = this;
    const from = this.next;
    let left = pages;
    let i = from;
    for (; i < keys.length && left > 0; i++) left -= LEAF_WORK + (mm.pt.leaves.get(keys[i]!)?.count ?? 0);
    if (i > from) copyPages(mm, child, v, keys, from, i, this.first, this.last);
    this.next = i;
    if (i < keys.length) return left;
    this.vma = null;
    if (v.directFrom === v.directTo) return left;
    mapAllDirect(child, child.vmas.at(child.vmas.length - 1));
    return left - DIRECT_WORK;
  }
}

/** Gives the child its own copies of the writable pages of one mapping, unless they are more than `most`; how many. */
function copyEagerly(mm: MemoryManager, child: MemoryManager, v: Vma, most: number): number {
  const first = v.start / PAGE_SIZE;
  const last = v.end / PAGE_SIZE;
  const own = PTE_ANON | PTE_WRITE;
  const keys = mm.pt.keys(first, last);
  let pages = 0;
  for (const key of keys) {
    const { flags } = mm.pt.leaves.get(key)!;
    const to = Math.min(LEAF_PAGES, last - key * LEAF_PAGES);
    for (let i = Math.max(0, first - key * LEAF_PAGES); i < to; i++) if ((flags[i]! & own) === own) pages++;
    if (pages > most) return 0;
  }
  if (pages === 0) return 0;
  let frame = mm.memfile.allocToOverwrite(pages);
  if (frame < 0) return 0;
  for (const key of keys) {
    const leaf = mm.pt.leaves.get(key)!;
    const to = Math.min(LEAF_PAGES, last - key * LEAF_PAGES);
    for (let i = Math.max(0, first - key * LEAF_PAGES); i < to; i++) {
      if ((leaf.flags[i]! & own) !== own) continue;
      mm.memfile.copy(frame, leaf.frames[i]!);
      child.pt.set(key * LEAF_PAGES + i, frame, PTE_PRESENT | PTE_ANON);
      frame++;
    }
  }
  return pages;
}

/**
 * Shares pages [first, last) of one mapping in the leaves keys[from] up to keys[to]; private ones lose their write access in
 * the parent.
 */
function copyPages(
  mm: MemoryManager,
  child: MemoryManager,
  v: Vma,
  keys: readonly number[],
  from: number,
  to: number,
  first: number,
  last: number,
): void {
  const priv = (v.flags & VM_SHARED) === 0;
  const counts = mm.memfile.counts;
  const prot = hostProt(v.prot & ~PROT_WRITE);
  // Runs of pages that the stub has: the host's mprotect stops at the first hole.
  let runStart = -1;
  let runEnd = -1;
  let orders = 0;
  for (let k = from; k < to; k++) {
    const key = keys[k]!;
    const leaf = mm.pt.leaves.get(key);
    if (leaf === undefined) continue;
    const base = key * LEAF_PAGES;
    const lo = Math.max(0, first - base);
    const hi = Math.min(LEAF_PAGES, last - base);
    let copy = child.pt.leaves.get(key);
    if (copy === undefined) {
      copy = child.pt.add(key);
    }
    for (let i = lo; i < hi; i++) {
      const f = leaf.flags[i]!;
      if ((f & PTE_PRESENT) === 0 || copy.flags[i] !== 0) continue;
      const frame = leaf.frames[i]!;
      counts[frame]!++;
      copy.frames[i] = frame;
      copy.count++;
      if ((f & PTE_ANON) !== 0) child.pt.anonPages++;
      else child.pt.filePages++;
      if (!priv) {
        copy.flags[i] = f & (PTE_PRESENT | PTE_ANON | PTE_WRITE);
        continue;
      }
      copy.flags[i] = f & (PTE_PRESENT | PTE_ANON);
      if ((f & PTE_WRITE) === 0) continue;
      leaf.flags[i] = f & ~PTE_WRITE;
      if ((f & PTE_MAPPED) === 0) continue;
      if (runEnd !== base + i) {
        if (runStart >= 0 && ++orders < PROTECT_ORDERS) protectRun(mm, runStart, runEnd, prot);
        runStart = base + i;
      }
      runEnd = base + i + 1;
    }
  }
  if (orders >= PROTECT_ORDERS) {
    const start = Math.max(first, keys[from]! * LEAF_PAGES);
    const end = Math.min(last, (keys[to - 1]! + 1) * LEAF_PAGES);
    unmapStub(mm, start * PAGE_SIZE, end * PAGE_SIZE);
  } else if (runStart >= 0) protectRun(mm, runStart, runEnd, prot);
}

function protectRun(mm: MemoryManager, from: number, to: number, prot: number): void {
  mm.protectHost(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
}

/** Maps what the child will touch first, in the order of its addresses from the stack down, while orders are cheap. */
function premap(child: MemoryManager): void {
  let left = PREMAP_ORDERS;
  let pages = PREMAP_PAGES;
  const lowest = Math.max(0, child.vmas.length - PREMAP_VMAS);
  for (let i = child.vmas.length - 1; i >= lowest && left > 0 && pages > 0; i--) {
    const v = child.vmas.at(i);
    if (v.prot === 0) continue;
    const first = v.start / PAGE_SIZE;
    const last = v.end / PAGE_SIZE;
    for (const key of child.pt.keys(first, last)) {
      const base = key * LEAF_PAGES;
      const lo = Math.max(0, first - base);
      const leaf = child.pt.leaves.get(key)!;
      left -= mapPresent(child, v, leaf, base, lo, Math.min(LEAF_PAGES, last - base));
      pages -= leaf.count;
      if (left <= 0 || pages <= 0) break;
    }
  }
}
