// Strip: takes a range from the stub in slices. Nothing changes for the guest: what is touched meanwhile comes back by
// faults. What follows, in one go, finds little that the host has to unmap.

import { PAGE_SIZE } from '../base/page.ts';
import type { MemoryManager } from './mm.ts';
import { LEAF_PAGES } from './pagetable.ts';
import { unmapStub } from './region.ts';
import { LEAF_WORK, MORE } from './slices.ts';

export class Strip {
  private readonly mm: MemoryManager;
  private readonly first: number;
  private readonly last: number;
  private readonly keys: readonly number[];
  private next = 0;
  private readonly mapOrders: number;

  constructor(mm: MemoryManager, start: number, end: number) {
    this.mm = mm;
    this.mapOrders = mm.mapOrders;
    this.first = start / PAGE_SIZE;
    this.last = end / PAGE_SIZE;
    this.keys = mm.pt.keys(this.first, this.last);
  }

  /** More than `most` pages are present in a range. */
  static worthwhile(mm: MemoryManager, start: number, end: number, most: number): boolean {
    if (mm.pt.anonPages + mm.pt.filePages <= most) return false;
    let pages = 0;
    for (const key of mm.pt.keys(start / PAGE_SIZE, end / PAGE_SIZE)) {
      pages += mm.pt.leaves.get(key)!.count;
      if (pages > most) return true;
    }
    return false;
  }

  /** The stub has nothing there now: no page of the address space was mapped since the beginning. */
  get bare(): boolean {
    return this.next === this.keys.length && this.mapOrders === this.mm.mapOrders;
  }

  /** Goes on until `pages` are done: MORE or 0. */
  step(pages: number): number {
    const { mm, keys } = this;
    let left = pages;
    while (this.next < keys.length && left > 0) {
      // Leaves that lie side by side go by one order.
      const from = keys[this.next]!;
      let to = from;
      while (this.next < keys.length && left > 0 && keys[this.next] === to) {
        left -= LEAF_WORK + (mm.pt.leaves.get(to)?.count ?? 0);
        this.next++;
        to++;
      }
      const start = Math.max(this.first, from * LEAF_PAGES);
      const end = Math.min(this.last, to * LEAF_PAGES);
      unmapStub(mm, start * PAGE_SIZE, end * PAGE_SIZE);
    }
    mm.as.flush();
    return this.next < keys.length ? MORE : 0;
  }
}
