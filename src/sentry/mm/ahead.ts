// Mapping ahead: telling the stub of pages that the guest will touch, along with orders that have to be given anyway. An
// exchange with the stub costs tens of microseconds, one more order in it about one.

import { PROT_EXEC, PROT_WRITE } from '../../abi/memory/mman.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { mapAllDirect } from './direct.ts';
import type { MemoryManager } from './mm.ts';
import { addPages, copyFilePages, isImageData, mapPresent } from './pages.ts';
import { LEAF_PAGES } from './pagetable.ts';
import { VM_SHARED, type Vma } from './vma.ts';

const SLOT = LEAF_PAGES - 1;
/** Pages that a mapping of code has mapped ahead of its first use. */
const AHEAD_MAX = 2048;
/** Orders after which it is enough. */
const AHEAD_ORDERS = 32;
/** Pages of data that are copied before anybody asks. */
const DATA_MAX = 512;

/** Maps what MemoryManager.mapSoon() put off. */
export function mapSoon(mm: MemoryManager): void {
  for (const addr of mm.soon) {
    const v = mm.vmas.find(addr);
    if (v?.fresh === true) mapAhead(mm, v);
  }
  mm.soon.length = 0;
}

/**
 * Maps ahead what is present of a mapping, or all of it from the host's file: the segments of a program are used at once, and one order for a run of pages
 * costs less than the faults that it saves. Of what will be written only
 * the data of small images is copied now; the rest is left to the first write.
 */
export function mapAhead(mm: MemoryManager, vma: Vma): void {
  vma.fresh = false;
  if (vma.prot === 0) return;
  if (isImageData(vma)) {
    if (vma.pages <= DATA_MAX) copyData(mm, vma);
    return;
  }
  if ((vma.prot & PROT_WRITE) !== 0 && (vma.source !== null || (vma.flags & VM_SHARED) !== 0)) return;
  if (mapAllDirect(mm, vma)) return;
  const first = vma.start / PAGE_SIZE;
  const most = (vma.prot & PROT_EXEC) !== 0 ? AHEAD_MAX : LEAF_PAGES;
  const last = Math.min(vma.end / PAGE_SIZE, first + most);
  let orders = 0;
  for (let pn = first; pn < last && orders < AHEAD_ORDERS; ) {
    const base = pn - (pn & SLOT);
    const hi = Math.min(LEAF_PAGES, last - base);
    const leaf = mm.pt.make(pn);
    if (vma.source !== null) addPages(mm, vma, leaf, base, pn - base, hi, false, true);
    orders += mapPresent(mm, vma, leaf, base, pn - base, hi);
    mm.pt.prune(base / LEAF_PAGES);
    pn = base + hi;
  }
}

/** Gives a mapping of an image's data its own pages, as far as the file's cache has them. */
function copyData(mm: MemoryManager, vma: Vma): void {
  const last = vma.end / PAGE_SIZE;
  for (let pn = vma.start / PAGE_SIZE; pn < last; pn++) {
    if (mm.pt.flagsAt(pn) !== 0) continue;
    const at = vma.pgoff + pn - vma.start / PAGE_SIZE;
    if (vma.source!.residentRun(at, 1) === 0) continue;
    if (copyFilePages(mm, vma, mm.pt.make(pn), pn) < 0) return;
  }
}
