// How many pages a fault brings in: more while faults go upwards, and more where much of the neighbourhood is in use
// already, so that a large array costs few faults and a sparse one little memory. Always a power of two, at most a leaf.

import { LEAF_PAGES } from './pagetable.ts';
import { VM_HUGEPAGE, VM_RAND_READ, type Vma } from './vma.ts';

/** 256 KiB. */
const SMALL = 64;

/** Window for private anonymous memory around page `pn`; `present` pages of its 2 MiB are there. */
export function anonWindow(vma: Vma, pn: number, present: number): number {
  if ((vma.flags & VM_HUGEPAGE) !== 0) return LEAF_PAGES;
  if ((vma.flags & VM_RAND_READ) !== 0) return SMALL;
  // Allocators that go upwards in steps of their own may leave out a few pages.
  const left = pn - vma.nextFault;
  const upwards = left === 0 || (left > 0 && left < vma.window / 4);
  let w = upwards ? Math.min(vma.window * 2, LEAF_PAGES) : SMALL;
  if (w < SMALL) w = SMALL;
  vma.window = w;
  return Math.max(w, dense(present));
}

/**
 * Window for pages of a file: only pages that are present already are mapped along, and a run of them costs one order
 * whatever its length, so the window is wide.
 */
export function fileWindow(vma: Vma): number {
  return (vma.flags & VM_RAND_READ) !== 0 ? SMALL : LEAF_PAGES;
}

/** At most about four times what is in use. */
function dense(present: number): number {
  if (present >= 256) return LEAF_PAGES;
  return present >= 128 ? 128 : SMALL;
}
