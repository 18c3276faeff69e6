// fork(2): a copy of an address space that shares its frames until either side writes.

import { PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { mapAllDirect } from './direct.ts';
import { hostProt, mapPresent } from './fault.ts';
import type { MemoryManager } from './mm.ts';
import { LEAF_PAGES, PTE_ANON, PTE_MAPPED, PTE_PRESENT, PTE_WRITE } from './pagetable.ts';
import { account, hold, unmapStub } from './region.ts';
import { VM_DONTFORK, VM_LOCKED, VM_LOCKONFAULT, VM_SHARED, VM_WIPEONFORK, Vma } from './vma.ts';

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

/** Copies mappings and pages of `mm` into the empty `child`; 0 or -ENOMEM. */
export function forkInto(mm: MemoryManager, child: MemoryManager): number {
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
  mm.tlb.flush();
  // Other threads write meanwhile: only pages that nobody can write to any more make one moment's copy.
  let eager = mm.refs === 1 ? EAGER_PAGES : 0;
  for (let i = mm.vmas.length - 1; i >= 0; i--) {
    const v = mm.vmas.at(i);
    if (eager > 0 && (v.flags & (VM_SHARED | VM_DONTFORK | VM_WIPEONFORK)) === 0)
      eager -= copyEagerly(mm, child, v, Math.min(eager, EAGER_PER_MAPPING));
  }
  for (let i = 0; i < mm.vmas.length; i++) {
    const v = mm.vmas.at(i);
    if ((v.flags & VM_DONTFORK) !== 0) continue;
    // Locks are not inherited (mlock(2)).
    const flags = v.flags & ~(VM_LOCKED | VM_LOCKONFAULT);
    const copy = new Vma(v.start, v.end, v.prot, v.maxProt, flags, v.source, v.pgoff, v.file, v.name);
    hold(child, copy);
    account(child, copy.prot, copy.flags, copy.pages, 1);
    child.vmas.insertAt(child.vmas.length, copy);
    if ((v.flags & VM_WIPEONFORK) === 0) copyPages(mm, child, v);
    if (v.directFrom !== v.directTo) mapAllDirect(child, copy);
  }
  child.peakTotalPages = child.totalPages;
  // No thread of the parent may write any more to what the child now shares.
  mm.as.flush();
  premap(child);
  return 0;
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

/** Shares the pages of one mapping; private ones lose their write access in the parent. */
function copyPages(mm: MemoryManager, child: MemoryManager, v: Vma): void {
  const first = v.start / PAGE_SIZE;
  const last = v.end / PAGE_SIZE;
  const priv = (v.flags & VM_SHARED) === 0;
  const counts = mm.memfile.counts;
  const prot = hostProt(v.prot & ~PROT_WRITE);
  // Runs of pages that the stub has: the host's mprotect stops at the first hole.
  let runStart = -1;
  let runEnd = -1;
  let orders = 0;
  for (const key of mm.pt.keys(first, last)) {
    const leaf = mm.pt.leaves.get(key)!;
    const base = key * LEAF_PAGES;
    const from = Math.max(0, first - base);
    const to = Math.min(LEAF_PAGES, last - base);
    let copy = child.pt.leaves.get(key);
    if (copy === undefined) {
      copy = child.pt.add(key);
    }
    for (let i = from; i < to; i++) {
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
  if (orders >= PROTECT_ORDERS) unmapStub(mm, v.start, v.end);
  else if (runStart >= 0) protectRun(mm, runStart, runEnd, prot);
}

function protectRun(mm: MemoryManager, from: number, to: number, prot: number): void {
  mm.protectHost(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
}

/** Maps what the child will touch first, in the order of its addresses from the stack down, while orders are cheap. */
function premap(child: MemoryManager): void {
  let left = PREMAP_ORDERS;
  for (let i = child.vmas.length - 1; i >= 0 && left > 0; i--) {
    const v = child.vmas.at(i);
    if (v.prot === 0) continue;
    const first = v.start / PAGE_SIZE;
    const last = v.end / PAGE_SIZE;
    for (const key of child.pt.keys(first, last)) {
      const base = key * LEAF_PAGES;
      const lo = Math.max(0, first - base);
      left -= mapPresent(child, v, child.pt.leaves.get(key)!, base, lo, Math.min(LEAF_PAGES, last - base));
      if (left <= 0) break;
    }
  }
}
