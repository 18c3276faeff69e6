// Pages: entering those of a file's cache into the page table, copying them for private mappings, and telling the stub of
// what is there. What faults (fault.ts) and mapping ahead (ahead.ts) have in common.

import { EIO, ENOENT, ENOMEM } from '../../abi/errno.ts';
import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { isDirect } from './direct.ts';
import type { MemoryManager } from './mm.ts';
import { LEAF_PAGES, type Leaf, PTE_ANON, PTE_MAPPED, PTE_PRESENT, PTE_WRITE } from './pagetable.ts';
import { hostProt, VM_IMAGE, VM_SHARED, type Vma } from './vma.ts';

const SLOT = LEAF_PAGES - 1;
/** Pages that one write copies of a program or library, whose data is written all over while it starts. */
export const IMAGE_COW = 128;

/** Enters one page of a file's cache for the kernel's own use, the stub having it from the host's file, if at all. */
export function bringIn(mm: MemoryManager, vma: Vma, pn: number): number {
  if (mm.pt.flagsAt(pn) !== 0) return 0;
  const frame = vma.source!.getPage(vma.pgoff + pn - vma.start / PAGE_SIZE, false);
  if (frame < 0) return fileError(frame);
  addFilePage(mm, mm.pt.make(pn), pn & SLOT, frame, false);
  return 0;
}

/** Enters the pages of slots [lo, hi) that the file's cache has, or with `present` false can cheaply have. */
export function addPages(
  mm: MemoryManager,
  vma: Vma,
  leaf: Leaf,
  base: number,
  lo: number,
  hi: number,
  writable: boolean,
  present: boolean,
): void {
  const source = vma.source!;
  const first = vma.start / PAGE_SIZE;
  let s = lo;
  while (s < hi) {
    const at = vma.pgoff + base + s - first;
    const run = present ? source.presentRun(at, hi - s) : source.residentRun(at, hi - s);
    for (const end = s + run; s < end; s++) {
      if (leaf.flags[s] !== 0) continue;
      const f = source.getPage(vma.pgoff + base + s - first, writable);
      if (f < 0) break;
      addFilePage(mm, leaf, s, f, writable);
    }
    s++;
  }
}

export function fileError(e: number): number {
  return e === -ENOMEM || e === -ENOENT ? e : -EIO;
}

/** Enters a cache's page, with a reference of our own at once: the next getPage may evict what nobody holds. */
export function addFilePage(
  mm: MemoryManager,
  leaf: Leaf,
  slot: number,
  frame: number,
  writable: boolean,
): void {
  mm.memfile.ref(frame);
  leaf.frames[slot] = frame;
  leaf.flags[slot] = writable ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
  leaf.count++;
  mm.pt.filePages++;
}

/** Data of a program or library: relocated and written page after page while it starts. */
export function isImageData(vma: Vma): boolean {
  return (vma.flags & (VM_IMAGE | VM_SHARED)) === VM_IMAGE && (vma.prot & PROT_WRITE) !== 0;
}

/**
 * A first write to a private file page: a copy of the cache's page. Of an image's data, at the first access even, all
 * untouched pages around it too; of other files what somebody else writes must show until then.
 */
export function copyFilePages(mm: MemoryManager, vma: Vma, leaf: Leaf, pn: number): number {
  const source = vma.source!;
  const memfile = mm.memfile;
  const first = vma.start / PAGE_SIZE;
  const r = source.getPage(vma.pgoff + pn - first, false);
  if (r < 0) return fileError(r);
  const i = pn & SLOT;
  const base = pn - i;
  let lo = i;
  let hi = i + 1;
  if (isImageData(vma)) {
    const from = Math.max(i - (i % IMAGE_COW), first - base);
    const to = Math.min(i - (i % IMAGE_COW) + IMAGE_COW, vma.end / PAGE_SIZE - base);
    while (lo > from && leaf.flags[lo - 1] === 0 && isAtHand(vma, base + lo - 1)) lo--;
    while (hi < to && leaf.flags[hi] === 0 && isAtHand(vma, base + hi)) hi++;
  }
  let frame = memfile.allocToOverwrite(hi - lo);
  if (frame < 0) {
    lo = i;
    hi = i + 1;
    frame = memfile.allocToOverwrite(1);
    if (frame < 0) return -ENOMEM;
  }
  for (let s = lo; s < hi; s++) {
    const old = source.getPage(vma.pgoff + base + s - first, false);
    if (old < 0) {
      // Evicted meanwhile, and not to be had again: what is copied so far counts if it has the page.
      memfile.unrefRun(frame + (s - lo), hi - s);
      if (s <= i) {
        for (let k = lo; k < s; k++) mm.pt.clear(leaf, k);
        if (s > lo) memfile.unrefRun(frame, s - lo);
        return fileError(old);
      }
      hi = s;
      break;
    }
    memfile.copy(frame + (s - lo), old);
    mm.pt.set(base + s, frame + (s - lo), PTE_PRESENT | PTE_ANON | PTE_MAPPED | PTE_WRITE);
  }
  mm.mapHost((base + lo) * PAGE_SIZE, frame, hi - lo, hostProt(vma.prot), true);
  return 0;
}

/** The file's cache has the page `pn` of a mapping, or gets it from the host without waiting for a disk. */
function isAtHand(vma: Vma, pn: number): boolean {
  return vma.source!.residentRun(vma.pgoff + pn - vma.start / PAGE_SIZE, 1) === 1;
}

/**
 * Tells the stub of the pages in slots [lo, hi) that are present and not mapped: one order per run of frames. Pages of a
 * cache that the stub has from the host's file are left as they are.
 */
export function mapPresent(
  mm: MemoryManager,
  vma: Vma,
  leaf: Leaf,
  base: number,
  lo: number,
  hi: number,
): number {
  const flags = leaf.flags;
  const frames = leaf.frames;
  const priv = (vma.flags & VM_SHARED) === 0;
  const mayWrite = (vma.prot & PROT_WRITE) !== 0;
  const direct = vma.directFrom !== vma.directTo;
  let orders = 0;
  let s = lo;
  while (s < hi) {
    const f = flags[s]!;
    const skip = direct && (f & PTE_ANON) === 0 && isDirect(vma, base + s);
    if (skip || (f & (PTE_PRESENT | PTE_MAPPED)) !== PTE_PRESENT) {
      s++;
      continue;
    }
    const start = s;
    const frame = frames[s]!;
    const write = mayWrite && writable(mm, f, frame, priv);
    do {
      flags[s] = write ? flags[s]! | PTE_MAPPED | PTE_WRITE : (flags[s]! | PTE_MAPPED) & ~PTE_WRITE;
      s++;
    } while (
      s < hi &&
      (flags[s]! & (PTE_PRESENT | PTE_MAPPED)) === PTE_PRESENT &&
      frames[s] === frame + (s - start) &&
      (!direct || (flags[s]! & PTE_ANON) === (f & PTE_ANON)) &&
      (mayWrite && writable(mm, flags[s]!, frames[s]!, priv)) === write
    );
    const prot = write ? vma.prot : vma.prot & ~PROT_WRITE;
    mm.mapHost((base + start) * PAGE_SIZE, frame, s - start, hostProt(prot));
    orders++;
  }
  return orders;
}

function writable(mm: MemoryManager, flags: number, frame: number, priv: boolean): boolean {
  return priv ? (flags & PTE_ANON) !== 0 && mm.memfile.refs(frame) === 1 : (flags & PTE_WRITE) !== 0;
}
