// Direct mappings: pages that the stub has from the host's own file, so that all sandboxes share the host's page cache
// and a whole segment costs one order. Only mappings that cannot be written have them.
//
// A Vma keeps one range of pages, directFrom up to directTo: what is not in the page table there, or is there as an
// unmapped page of the file's cache (the kernel read it), the stub may have from the file. Both have the same content
// until the cache says otherwise (leaveHostFile). What is MAPPED or ANON in the page table is what the table says.

import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import type { DonatedFile } from '../memfile/mappable.ts';
import type { MemoryManager } from './mm.ts';
import { LEAF_PAGES, PTE_ANON, PTE_MAPPED } from './pagetable.ts';
import type { Vma } from './vma.ts';
import { hostProt } from './vma.ts';

const SLOT = LEAF_PAGES - 1;
/** Pages that are mapped anew where the stub should have had them. */
const AGAIN = 64;
/** Orders for one mapping ahead of faults. */
const AHEAD_ORDERS = 32;
/** Pages of a mapping that are mapped ahead of faults. */
const AHEAD_MAX = 16384;

/** The host's file that the mapping may show, or null. */
export function directFile(mm: MemoryManager, vma: Vma): DonatedFile | null {
  if (vma.source === null || vma.prot === 0 || (vma.prot & PROT_WRITE) !== 0) return null;
  return mm.platform.mapsFiles ? vma.source.directFile() : null;
}

/** The stub may have page `pn` from the host's file, unless the page table says more. */
export function isDirect(vma: Vma, pn: number): boolean {
  return pn >= vma.directFrom && pn < vma.directTo;
}

function setDirect(mm: MemoryManager, vma: Vma, from: number, to: number): void {
  mm.directPages += to - from - (vma.directTo - vma.directFrom);
  vma.directFrom = from === to ? 0 : from;
  vma.directTo = from === to ? 0 : to;
}

function addDirect(mm: MemoryManager, vma: Vma, from: number, to: number): void {
  if (vma.directFrom === vma.directTo) setDirect(mm, vma, from, to);
  else setDirect(mm, vma, Math.min(vma.directFrom, from), Math.max(vma.directTo, to));
}

/** Gives `right` its part of the range of `left`, from which it was just cut off. */
export function splitDirect(mm: MemoryManager, left: Vma, right: Vma): void {
  const cut = right.start / PAGE_SIZE;
  const { directFrom: from, directTo: to } = left;
  if (to <= cut) return;
  setDirect(mm, left, Math.min(from, cut), cut);
  setDirect(mm, right, Math.max(from, cut), to);
}

/** Gives `left` the range of `right`, which it swallows. */
export function mergeDirect(mm: MemoryManager, left: Vma, right: Vma): void {
  const { directFrom: from, directTo: to } = right;
  if (from === to) return;
  setDirect(mm, right, 0, 0);
  addDirect(mm, left, from, to);
}

/** Pages [first, last) leave the stub by an order of the caller's; true when some of them may have been direct. */
export function forgetDirect(mm: MemoryManager, first: number, last: number): boolean {
  if (mm.directPages === 0) return false;
  let some = false;
  const { vmas } = mm;
  const end = last * PAGE_SIZE;
  for (let i = vmas.indexAbove(first * PAGE_SIZE); i < vmas.length && vmas.at(i).start < end; i++) {
    const v = vmas.at(i);
    const { directFrom: from, directTo: to } = v;
    if (from === to || to <= first || from >= last) continue;
    some = true;
    if (first <= from) setDirect(mm, v, Math.min(last, to), to);
    else if (last >= to) setDirect(mm, v, from, first);
  }
  return some;
}

/** The page table says what the stub has there. */
function tabled(mm: MemoryManager, pn: number): boolean {
  return (mm.pt.flagsAt(pn) & (PTE_ANON | PTE_MAPPED)) !== 0;
}

/** Where the pages from `pn` on that are not in the table end, at `end` at the latest. Steps over absent leaves. */
function runEnd(mm: MemoryManager, pn: number, end: number): number {
  let p = pn;
  while (p < end) {
    const leaf = mm.pt.find(p);
    if (leaf === null || leaf.count === 0) p += LEAF_PAGES - (p & SLOT);
    else if (tabled(mm, p)) return p;
    else p++;
  }
  return end;
}

function runStart(mm: MemoryManager, pn: number, start: number): number {
  let p = pn;
  while (p > start) {
    const leaf = mm.pt.find(p - 1);
    if (leaf === null || leaf.count === 0) p -= ((p - 1) & SLOT) + 1;
    else if (tabled(mm, p - 1)) return p;
    else p--;
  }
  return start;
}

/** First page behind those of the mapping that its host file has. */
function fileEnd(vma: Vma): number {
  const first = vma.start / PAGE_SIZE;
  return Math.min(vma.end / PAGE_SIZE, first + vma.source!.directEnd - vma.pgoff);
}

function order(mm: MemoryManager, vma: Vma, file: DonatedFile, from: number, to: number): boolean {
  const index = vma.pgoff + from - vma.start / PAGE_SIZE;
  if (!mm.mapHostFile(from * PAGE_SIZE, file, index, to - from, hostProt(vma.prot))) return false;
  addDirect(mm, vma, from, to);
  return true;
}

/** Has the stub map the file at page `pn` and around it; false when it has to be a page of the cache. */
export function mapDirect(mm: MemoryManager, vma: Vma, pn: number): boolean {
  const file = directFile(mm, vma);
  if (file === null || pn >= fileEnd(vma) || tabled(mm, pn)) return false;
  let lo = vma.start / PAGE_SIZE;
  let hi = fileEnd(vma);
  if (isDirect(vma, pn)) {
    // Part of the range was unmapped, or another thread was here first. Patched pages are not in the table.
    const n = mm.patches.size > 0 ? 1 : AGAIN;
    lo = Math.max(lo, pn - (pn % n));
    hi = Math.min(hi, pn - (pn % n) + n);
  } else if (pn < vma.directFrom) hi = Math.min(hi, vma.directFrom);
  else lo = Math.max(lo, vma.directTo);
  return order(mm, vma, file, runStart(mm, pn, lo), runEnd(mm, pn, hi));
}

/** Has the stub map what it may of a mapping, of which it has nothing yet; false when nothing is direct. */
export function mapAllDirect(mm: MemoryManager, vma: Vma): boolean {
  const file = directFile(mm, vma);
  if (file === null) return false;
  let pn = vma.start / PAGE_SIZE;
  const end = Math.min(fileEnd(vma), pn + AHEAD_MAX);
  let left = AHEAD_ORDERS;
  while (pn < end && left > 0) {
    const to = runEnd(mm, pn, end);
    if (to === pn) {
      pn++;
      continue;
    }
    if (!order(mm, vma, file, pn, to)) return false;
    pn = to;
    left--;
  }
  return left < AHEAD_ORDERS;
}
