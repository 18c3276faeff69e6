// PageTable: which frame stands behind each page, and in what state. Leaves cover 2 MiB each.
//
//   page number pn = addr / 4096      leaf key = floor(pn / 512)      slot = pn & 511

import { type Account, kernelMemory } from '../base/charge.ts';

/** The page has a frame, on which this table holds a reference. */
export const PTE_PRESENT = 1;
/** The frame belongs to this and forked address spaces (anonymous, or a private copy), not to a file's cache. */
export const PTE_ANON = 2;
/** The stub has the page mapped. */
export const PTE_MAPPED = 4;
/** Writes need no further look: the stub's mapping, when there is one, allows them. */
export const PTE_WRITE = 8;

export const LEAF_PAGES = 512;

export class Leaf {
  readonly frames: Int32Array = new Int32Array(LEAF_PAGES);
  readonly flags: Uint8Array = new Uint8Array(LEAF_PAGES);
  /** Entries that are present. */
  count = 0;
}

/** Leaves that were given up, all flags zero: fork and exit come in pairs, and typed arrays are costly to make. */
const spare: Leaf[] = [];
const SPARE_MAX = 1024;

/** An empty leaf; `frames` may hold old numbers, which mean nothing while the flags are zero. */
export function newLeaf(): Leaf {
  return spare.pop() ?? new Leaf();
}

/** Takes back a leaf whose count is zero. */
export function recycleLeaf(leaf: Leaf): void {
  if (spare.length < SPARE_MAX) spare.push(leaf);
}

/** A leaf. */
export const LEAF_BYTES = 3072;

export class PageTable {
  readonly leaves: Map<number, Leaf> = new Map();
  private readonly payer: Account = kernelMemory.take(0);
  private lastKey = -1;
  private lastLeaf: Leaf | null = null;
  /** Present pages that are PTE_ANON, and those that are not. */
  anonPages = 0;
  filePages = 0;

  /** The leaf of a page, or null. */
  find(pn: number): Leaf | null {
    const key = Math.floor(pn / LEAF_PAGES);
    if (key === this.lastKey) return this.lastLeaf;
    const leaf = this.leaves.get(key);
    if (leaf === undefined) return null;
    this.lastKey = key;
    this.lastLeaf = leaf;
    return leaf;
  }

  make(pn: number): Leaf {
    const found = this.find(pn);
    if (found !== null) return found;
    const leaf = this.add(Math.floor(pn / LEAF_PAGES));
    this.lastKey = Math.floor(pn / LEAF_PAGES);
    this.lastLeaf = leaf;
    return leaf;
  }

  /** There is a leaf for the page, or memory for one. */
  mayMake(pn: number): boolean {
    return this.find(pn) !== null || kernelMemory.fits(LEAF_BYTES - kernelMemory.slack, this.payer);
  }

  /** A leaf where there is none. */
  add(key: number): Leaf {
    const leaf = newLeaf();
    this.leaves.set(key, leaf);
    kernelMemory.take(LEAF_BYTES, this.payer);
    return leaf;
  }

  /** Installs a page; the caller's reference moves in. */
  set(pn: number, frame: number, flags: number): void {
    const leaf = this.make(pn);
    const i = pn & (LEAF_PAGES - 1);
    leaf.frames[i] = frame;
    leaf.flags[i] = flags;
    leaf.count++;
    if ((flags & PTE_ANON) !== 0) this.anonPages++;
    else this.filePages++;
  }

  /** Forgets a present page; its reference is the caller's. The leaf stays, even when empty. */
  clear(leaf: Leaf, i: number): void {
    if ((leaf.flags[i]! & PTE_ANON) !== 0) this.anonPages--;
    else this.filePages--;
    leaf.flags[i] = 0;
    leaf.count--;
  }

  /** Drops the leaf with this key if nothing is left in it. */
  prune(key: number): void {
    const leaf = this.leaves.get(key);
    if (leaf === undefined || leaf.count > 0) return;
    this.leaves.delete(key);
    recycleLeaf(leaf);
    kernelMemory.give(this.payer, LEAF_BYTES);
    this.lastKey = -1;
    this.lastLeaf = null;
  }

  /** Takes a leaf out with all its pages, whose references are the caller's. */
  detach(key: number): Leaf | null {
    const leaf = this.leaves.get(key);
    if (leaf === undefined) return null;
    this.leaves.delete(key);
    kernelMemory.give(this.payer, LEAF_BYTES);
    this.lastKey = -1;
    this.lastLeaf = null;
    let anon = 0;
    for (let i = 0; i < LEAF_PAGES; i++) anon += (leaf.flags[i]! & PTE_ANON) >> 1;
    this.anonPages -= anon;
    this.filePages -= leaf.count - anon;
    return leaf;
  }

  /**
   * Moves what is in pages [first, last) up by `shift`, to where nothing is: no page is MAPPED then, and with `bare` none is
   * now. What fills a leaf and lands in one goes as it is.
   */
  move(first: number, last: number, shift: number, bare: boolean): void {
    const whole = shift % LEAF_PAGES === 0;
    for (const key of this.keys(first, last)) {
      const leaf = this.leaves.get(key)!;
      const base = key * LEAF_PAGES;
      const lo = Math.max(0, first - base);
      const hi = Math.min(LEAF_PAGES, last - base);
      if (!bare) for (let i = lo; i < hi; i++) leaf.flags[i]! &= ~PTE_MAPPED;
      const to = Math.floor((base + shift) / LEAF_PAGES);
      if (whole && lo === 0 && hi === LEAF_PAGES && this.leaves.get(to) === undefined) {
        this.leaves.delete(key);
        this.leaves.set(to, leaf);
        this.lastKey = -1;
        this.lastLeaf = null;
        continue;
      }
      // A leaf's pages go to two leaves at most. Those of a full one need no counting, which code that is run once does slowly.
      const full = leaf.count === LEAF_PAGES;
      for (let at = lo; at < hi; ) {
        const slot = (base + at + shift) % LEAF_PAGES;
        const n = Math.min(hi - at, LEAF_PAGES - slot);
        this.movePart(leaf, at, n, base + at + shift, full);
        at += n;
      }
      this.prune(key);
    }
  }

  /** Moves `n` slots of a leaf from `at` on to the pages from `pn` on, which lie in one leaf and are not there. */
  private movePart(leaf: Leaf, at: number, n: number, pn: number, full: boolean): void {
    let count = n;
    if (!full) {
      count = 0;
      for (let i = at; i < at + n; i++) if (leaf.flags[i] !== 0) count++;
    }
    if (count === 0) return;
    const to = this.make(pn);
    const slot = pn % LEAF_PAGES;
    to.frames.set(leaf.frames.subarray(at, at + n), slot);
    to.flags.set(leaf.flags.subarray(at, at + n), slot);
    to.count += count;
    leaf.flags.fill(0, at, at + n);
    leaf.count -= count;
  }

  flagsAt(pn: number): number {
    const leaf = this.find(pn);
    return leaf === null ? 0 : leaf.flags[pn & (LEAF_PAGES - 1)]!;
  }

  /** Forgets all leaves, which are empty. */
  reset(): void {
    for (const leaf of this.leaves.values()) recycleLeaf(leaf);
    kernelMemory.give(this.payer, this.leaves.size * LEAF_BYTES);
    this.leaves.clear();
    this.lastKey = -1;
    this.lastLeaf = null;
  }

  /** Keys of the leaves that exist for pages [first, end), in order. */
  keys(first: number, end: number): number[] {
    const out: number[] = [];
    const from = Math.floor(first / LEAF_PAGES);
    const to = Math.ceil(end / LEAF_PAGES);
    if (to - from <= this.leaves.size) {
      for (let k = from; k < to; k++) if (this.leaves.has(k)) out.push(k);
    } else {
      let last = -1;
      let sorted = true;
      for (const k of this.leaves.keys()) {
        if (k < from || k >= to) continue;
        if (k < last) sorted = false;
        last = k;
        out.push(k);
      }
      if (!sorted) out.sort((a, b) => a - b);
    }
    return out;
  }

  /** True when some page of [first, end) is present. */
  any(first: number, end: number): boolean {
    for (const key of this.keys(first, end)) {
      const leaf = this.leaves.get(key)!;
      if (leaf.count === 0) continue;
      const base = key * LEAF_PAGES;
      const to = Math.min(LEAF_PAGES, end - base);
      for (let i = Math.max(0, first - base); i < to; i++) if (leaf.flags[i] !== 0) return true;
    }
    return false;
  }
}
