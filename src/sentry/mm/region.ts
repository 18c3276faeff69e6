// Ranges of mappings: splitting at edges, merging, accounting, and letting go of pages.

import { ENOMEM } from '../../abi/errno.ts';
import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import type { MemoryFile, Remains } from '../memfile/memfile.ts';
import { forgetDirect, mergeDirect, splitDirect } from './direct.ts';
import type { MemoryManager } from './mm.ts';
import { LEAF_PAGES, type Leaf, type PageTable, PTE_MAPPED, recycleLeaf } from './pagetable.ts';
import { VM_GROWSDOWN, VM_LOCKED, VM_SHARED, Vma } from './vma.ts';

/** Counts towards RLIMIT_DATA: private, writable, not a stack (is_data_mapping in Linux). */
export function isData(prot: number, flags: number): boolean {
  return (prot & PROT_WRITE) !== 0 && (flags & (VM_SHARED | VM_GROWSDOWN)) === 0;
}

/** Adds (sign 1) or takes off (sign -1) `pages` with these attributes. */
export function account(mm: MemoryManager, prot: number, flags: number, pages: number, sign: number): void {
  const n = pages * sign;
  mm.totalPages += n;
  if ((flags & VM_GROWSDOWN) !== 0) mm.stackPages += n;
  if (isData(prot, flags)) mm.dataPages += n;
  if ((flags & VM_LOCKED) !== 0) mm.lockedPages += n;
}

function sharedWritable(v: Vma): boolean {
  return (v.flags & VM_SHARED) !== 0 && (v.maxProt & PROT_WRITE) !== 0;
}

/** Takes the references that a new Vma stands for. */
export function hold(mm: MemoryManager, v: Vma): void {
  if (v.source !== null) v.source.addOwner(mm, sharedWritable(v));
  if (v.file !== null) v.file.ref();
}

/** Gives them back. */
export function letGo(mm: MemoryManager, v: Vma): void {
  if (v.source !== null) v.source.removeOwner(mm, sharedWritable(v));
  if (v.file !== null) v.file.unref();
}

/** Inserts a new, accounted Vma where nothing is mapped and merges it with its neighbours. */
export function insert(mm: MemoryManager, v: Vma): void {
  hold(mm, v);
  account(mm, v.prot, v.flags, v.pages, 1);
  const i = mm.vmas.indexAbove(v.start);
  mm.vmas.insertAt(i, v);
  merge(mm, v.start, v.end);
}

/** Makes `addr` an edge. */
function splitAt(mm: MemoryManager, addr: number): void {
  const i = mm.vmas.indexAbove(addr);
  if (i === mm.vmas.length) return;
  const v = mm.vmas.at(i);
  if (v.start >= addr) return;
  const pgoff = v.source === null ? 0 : v.indexAt(addr);
  const right = new Vma(addr, v.end, v.prot, v.maxProt, v.flags, v.source, pgoff, v.file, v.name);
  right.window = v.window;
  hold(mm, right);
  v.end = addr;
  splitDirect(mm, v, right);
  mm.vmas.insertAt(i + 1, right);
}

/** True when `addr` lies in a mapping and not at its edge. */
function cuts(mm: MemoryManager, addr: number): boolean {
  const v = mm.vmas.find(addr);
  return v !== null && v.start < addr;
}

/** Makes both ends edges; the index of the first mapping in [start, end) or above. -ENOMEM at vm.max_map_count. */
export function isolate(mm: MemoryManager, start: number, end: number): number {
  const splits = (cuts(mm, start) ? 1 : 0) + (cuts(mm, end) ? 1 : 0);
  if (splits > 0 && !mm.vmas.hasRoom(splits)) return -ENOMEM;
  splitAt(mm, start);
  splitAt(mm, end);
  return mm.vmas.indexAbove(start);
}

/** Merges neighbours that touch or lie in [start, end]. */
export function merge(mm: MemoryManager, start: number, end: number): void {
  const { vmas } = mm;
  const from = Math.max(0, vmas.indexAbove(start) - 1);
  if (from >= vmas.length) return;
  let left = vmas.at(from);
  let kept = from + 1;
  let i = kept;
  for (; i < vmas.length && left.start <= end; i++) {
    const right = vmas.at(i);
    if (left.continuedBy(right)) {
      left.end = right.end;
      mergeDirect(mm, left, right);
      letGo(mm, right);
      continue;
    }
    // What was merged leaves a gap, which closes once: to cut out thousands one by one would take seconds.
    if (kept !== i) vmas.list[kept] = right;
    kept++;
    left = right;
  }
  if (kept !== i) vmas.removeAt(kept, i - kept);
}

/** munmap of an aligned range: 0, or -ENOMEM when a split would make too many mappings. */
export function unmapRange(mm: MemoryManager, start: number, end: number): number {
  if (mm.vmas.isFree(start, end)) return 0;
  // Only a hole in the middle of a mapping leaves more of them than there were.
  const around = mm.vmas.find(start);
  if (around !== null && around.start < start && end < around.end && !mm.vmas.hasRoom(1)) return -ENOMEM;
  splitAt(mm, start);
  splitAt(mm, end);
  const first = mm.vmas.indexAbove(start);
  zapRange(mm, start, end);
  let i = first;
  while (i < mm.vmas.length && mm.vmas.at(i).start < end) i++;
  const gone = mm.vmas.list.slice(first, i);
  mm.vmas.removeAt(first, i - first);
  for (const v of gone) {
    account(mm, v.prot, v.flags, v.pages, -1);
    letGo(mm, v);
  }
  return 0;
}

/** Drops every page of an aligned range, from the stub first; the mappings stay. */
export function zapRange(mm: MemoryManager, start: number, end: number): void {
  const first = start / PAGE_SIZE;
  const last = end / PAGE_SIZE;
  mm.noteRss();
  const direct = forgetDirect(mm, first, last);
  if (!mm.pt.any(first, last)) {
    // No frame is given up: the order may wait until somebody enters user mode.
    if (direct) mm.unmapHost(start, end - start);
    return;
  }
  mm.tlb.flush();
  mm.unmapHost(start, end - start);
  // No thread may still write to a frame that is about to be someone else's.
  mm.as.flush();
  const keys = mm.pt.keys(first, last);
  const buried: Leaf[] = [];
  for (const key of keys) {
    const base = key * LEAF_PAGES;
    if (keys.length > FEW_LEAVES && base >= first && base + LEAF_PAGES <= last) {
      buried.push(mm.pt.detach(key)!);
      continue;
    }
    const leaf = mm.pt.leaves.get(key)!;
    dropPages(mm.memfile, mm.pt, leaf, Math.max(0, first - base), Math.min(LEAF_PAGES, last - base));
    mm.pt.prune(key);
  }
  if (buried.length > 0) mm.memfile.bury(new DeadLeaves(mm.memfile, buried));
}

/** Drops every page of an address space that the stub no longer has. */
export function zapAll(mm: MemoryManager): void {
  const { pt, memfile } = mm;
  if (pt.leaves.size > FEW_LEAVES) {
    const keys = [...pt.leaves.keys()];
    memfile.bury(
      new DeadLeaves(
        memfile,
        keys.map((key) => pt.detach(key)!),
      ),
    );
  } else for (const leaf of pt.leaves.values()) dropPages(memfile, pt, leaf, 0, LEAF_PAGES);
  pt.reset();
}

/** What is in more leaves than these is freed later, in steps. */
const FEW_LEAVES = 16;
/** Pages freed by one step. */
const FREE_STEP = 4096;

/** Leaves of pages that are mapped nowhere any more. */
class DeadLeaves implements Remains {
  private readonly memfile: MemoryFile;
  private readonly leaves: Leaf[];

  constructor(memfile: MemoryFile, leaves: Leaf[]) {
    this.memfile = memfile;
    this.leaves = leaves;
  }

  free(): number {
    let freed = 0;
    for (let leaf = this.leaves.pop(); leaf !== undefined; leaf = this.leaves.pop()) {
      freed += leaf.count;
      dropPages(this.memfile, null, leaf, 0, LEAF_PAGES);
      recycleLeaf(leaf);
      if (freed >= FREE_STEP) break;
    }
    return freed;
  }
}

/** Takes a range from the stub; the pages stay ours and come back by faults. */
export function unmapStub(mm: MemoryManager, start: number, end: number): void {
  mm.unmapHost(start, end - start);
  const first = start / PAGE_SIZE;
  const last = end / PAGE_SIZE;
  forgetDirect(mm, first, last);
  for (const key of mm.pt.keys(first, last)) {
    const flags = mm.pt.leaves.get(key)!.flags;
    const base = key * LEAF_PAGES;
    const to = Math.min(LEAF_PAGES, last - base);
    for (let i = Math.max(0, first - base); i < to; i++) flags[i]! &= ~PTE_MAPPED;
  }
}

/** Releases the frames of slots [from, to) of a leaf, in runs; `pt` is null when the leaf is in no table any more. */
function dropPages(memfile: MemoryFile, pt: PageTable | null, leaf: Leaf, from: number, to: number): void {
  let start = -1;
  let run = 0;
  for (let i = from; i < to; i++) {
    if (leaf.flags[i] === 0) continue;
    const frame = leaf.frames[i]!;
    if (pt !== null) pt.clear(leaf, i);
    else {
      leaf.flags[i] = 0;
      leaf.count--;
    }
    if (run > 0 && frame === start + run) {
      run++;
      continue;
    }
    if (run > 0) memfile.unrefRun(start, run);
    start = frame;
    run = 1;
  }
  if (run > 0) memfile.unrefRun(start, run);
}
