// FrameAllocator: hands out runs of consecutive page frames. A buddy allocator over int32 frame numbers, with a stack of
// single pages in front, so that the usual alloc and free of one page touch no list.
//
// Arrays per frame, which grow with the chunks:
//
//   counts   references; 0 = free
//   heads    order + 1 when the frame heads a free block, else 0
//   next, prev   links of the free list of that order; -1 = none
//   dirtyIn  dirty pages inside the free block that the frame heads
//   dirty    1 = the page may hold old bytes and is zeroed before it is handed out
//
// A frame that was never used, or whose page was punched out of the file, is clean: it reads as zeros and costs nothing.

import { EINVAL, ENOMEM } from '../../abi/errno.ts';
import { kernelMemory } from '../base/charge.ts';
import { PAGE_SIZE } from '../base/page.ts';

/** log2 of the frames in one chunk, and the largest block. */
export const MAX_ORDER = 18;
export const CHUNK_FRAMES: number = 1 << MAX_ORDER;

const STACK_SIZE = 1024;
/**
 * Above this many dirty free pages (64 MiB), blocks are to be punched out until PUNCH_LOW (16 MiB) are left: by the
 * kernel's loop, PUNCH_STEP (16 MiB) at a time, since the host takes a millisecond for as many.
 */
const PUNCH_HIGH = 16384;
const PUNCH_LOW = 4096;
const PUNCH_STEP = 4096;
/** Smallest block worth a host call of its own. */
const PUNCH_ORDER = 4;
/** A run of this many pages goes back to the buddy lists whole, not page by page to the stack. */
const LONG_RUN = 8;

/** What the allocator asks of the memory behind it. */
export interface FrameBacking {
  /**
   * Makes frames of chunk `index` usable: how many, or -errno. A power of two; fewer than CHUNK_FRAMES end the growth.
   */
  grow(index: number): number;
  /** Fills pages with zeros. */
  zeroPages(frame: number, pages: number): void;
  /** Gives pages back to the host; they read as zeros from now on. False when the host refuses. */
  punch(frame: number, pages: number): boolean;
  /** The limit is reached: frees up to `pages` pages if it can, returns how many. */
  reclaim(pages: number): number;
}

/** Part of all pages that are the last ones, and how many at the most. */
const RESERVE_SHARE = 1 / 32;
const RESERVE_MOST = 16384;

function chunksFor(pages: number): number {
  return Math.min(Math.ceil(pages / CHUNK_FRAMES) * 2, 4096);
}

export class FrameAllocator {
  private readonly backing: FrameBacking;
  /** Most pages that may be in use at once. */
  limitPages: number;
  usedPages = 0;
  /** They were, since somebody set this to false. */
  short = false;
  /** Free pages that still hold memory of the host. */
  dirtyFree = 0;
  /** Chunks in use so far, and the most there can be: twice the limit, so that fragmentation does not end it. */
  chunks = 0;
  private maxChunks: number;
  /** Pages there can be since the host gave less than a chunk; 0 as long as it has not. */
  private full = 0;
  counts: Int32Array = new Int32Array(0);
  private heads: Uint8Array = new Uint8Array(0);
  private next: Int32Array = new Int32Array(0);
  private prev: Int32Array = new Int32Array(0);
  private dirtyIn: Int32Array = new Int32Array(0);
  private dirty: Uint8Array = new Uint8Array(0);
  private readonly lists: Int32Array = new Int32Array(MAX_ORDER + 1).fill(-1);
  private readonly stack: Int32Array = new Int32Array(STACK_SIZE);
  private stackTop = 0;
  /** There is so much to be given back to the host that tidy() should be called. */
  untidy = false;
  /** The last giveBack() did not get as far as it should: blocks are too small, or the host refuses. */
  private stuck = false;
  /** Dirty pages of the block that take() returned last. */
  private takenDirty = 0;

  constructor(backing: FrameBacking, limitPages: number) {
    this.backing = backing;
    this.limitPages = limitPages;
    this.maxChunks = chunksFor(limitPages);
    this.resize(CHUNK_FRAMES);
  }

  /** Another limit; where the host has ended the growth, no more than there is. */
  limit(pages: number): void {
    if (this.full > 0) this.limitPages = Math.min(pages, this.full);
    else {
      this.limitPages = pages;
      this.maxChunks = Math.max(this.chunks, chunksFor(pages));
    }
  }

  /**
   * A run of `pages` consecutive frames, each with one reference, whose first frame is a multiple of `alignPages` (a power
   * of two). Without `zeroed` they hold old bytes of anybody: the caller overwrites all of them before anyone sees one.
   * -ENOMEM at the limit, -EINVAL beyond a chunk; the host's error when it gives no memory at all.
   */
  alloc(pages: number, alignPages: number, zeroed = true): number {
    // What the guest makes the kernel keep is of its memory too.
    const room = this.limitPages - kernelMemory.used / PAGE_SIZE - pages;
    if (this.usedPages > room - this.reserve) {
      this.backing.reclaim(pages);
      if (this.usedPages > room - this.reserve) this.short = true;
      if (this.usedPages > room) return -ENOMEM;
    }
    if (pages === 1 && alignPages === 1 && this.stackTop > 0) {
      const f = this.stack[--this.stackTop]!;
      this.dirtyFree--;
      this.dirty[f] = 0;
      if (zeroed) this.backing.zeroPages(f, 1);
      this.counts[f] = 1;
      this.usedPages++;
      return f;
    }
    const span = Math.max(pages, alignPages);
    if (pages < 1 || span > CHUNK_FRAMES) return -EINVAL;
    const order = 32 - Math.clz32(span - 1);
    const f = this.take(order);
    if (f < 0) return f;
    let left = this.takenDirty;
    const size = 1 << order;
    if (pages < size) left -= this.addRange(f + pages, size - pages);
    if (left > 0) this.clean(f, pages, zeroed);
    this.dirtyFree -= left;
    this.counts.fill(1, f, f + pages);
    this.usedPages += pages;
    return f;
  }

  /** The last pages: when they are touched somebody has to give memory up, and until he has, others live on them. */
  private get reserve(): number {
    return Math.min(RESERVE_MOST, this.limitPages * RESERVE_SHARE);
  }

  /** The last pages are in use now. */
  get tight(): boolean {
    return this.usedPages > this.limitPages - kernelMemory.used / PAGE_SIZE - this.reserve;
  }

  ref(frame: number): void {
    this.counts[frame]!++;
  }

  /** Drops one reference; the last one frees the frame. */
  unref(frame: number): void {
    const left = --this.counts[frame]!;
    if (left > 0) return;
    if (left < 0) throw new Error(`frame ${frame} freed twice`);
    this.usedPages--;
    this.freeOne(frame);
  }

  /** unref of `pages` consecutive frames. */
  unrefRun(frame: number, pages: number): void {
    const counts = this.counts;
    const end = frame + pages;
    let start = -1;
    for (let f = frame; f < end; f++) {
      const left = --counts[f]!;
      if (left === 0) {
        if (start < 0) start = f;
        continue;
      }
      if (left < 0) throw new Error(`frame ${f} freed twice`);
      if (start >= 0) this.freeRun(start, f - start);
      start = -1;
    }
    if (start >= 0) this.freeRun(start, end - start);
  }

  private freeRun(frame: number, pages: number): void {
    this.usedPages -= pages;
    if (pages < LONG_RUN) {
      for (let f = frame; f < frame + pages; f++) this.freeOne(f);
      return;
    }
    this.dirty.fill(1, frame, frame + pages);
    this.dirtyFree += pages;
    this.addRange(frame, pages);
    if (this.dirtyFree > PUNCH_HIGH) this.untidy = true;
  }

  private freeOne(frame: number): void {
    if (this.stackTop === STACK_SIZE) this.drain(STACK_SIZE / 2);
    this.dirty[frame] = 1;
    this.dirtyFree++;
    this.stack[this.stackTop++] = frame;
  }

  /** Moves single pages down to `keep` from the stack into the buddy lists, where they find their neighbours. */
  private drain(keep: number): void {
    // The oldest go: those on top are the ones whose bytes the caches still hold.
    const n = this.stackTop - keep;
    for (let i = 0; i < n; i++) this.addBlock(this.stack[i]!, 0, 1);
    this.stack.copyWithin(0, n, this.stackTop);
    this.stackTop = keep;
    if (this.dirtyFree > PUNCH_HIGH) this.untidy = true;
  }

  /** One step of giving pages back to the host; `untidy` tells whether there is more to do. */
  tidy(): void {
    this.giveBack(Math.max(PUNCH_LOW, this.dirtyFree - PUNCH_STEP), PUNCH_STEP);
    if (this.dirtyFree <= PUNCH_LOW || this.stuck) this.untidy = false;
  }

  /**
   * Punches free blocks until at most `keep` dirty free pages are left, or no block is large enough; at most `most` pages
   * in one host call.
   */
  giveBack(keep: number, most = Number.POSITIVE_INFINITY): void {
    this.stuck = false;
    for (let order = MAX_ORDER; order >= PUNCH_ORDER && this.dirtyFree > keep; order--) {
      for (let f = this.lists[order]!; f >= 0 && this.dirtyFree > keep; f = this.next[f]!) {
        const end = f + (1 << order);
        while (this.dirtyIn[f]! > 0 && this.dirtyFree > keep) {
          const from = this.dirty.indexOf(1, f);
          const to = Math.min(end, from + most);
          if (!this.backing.punch(from, to - from)) {
            this.stuck = true;
            return;
          }
          let gone = 0;
          for (let i = from; i < to; i++) gone += this.dirty[i]!;
          this.dirty.fill(0, from, to);
          this.dirtyIn[f]! -= gone;
          this.dirtyFree -= gone;
        }
      }
    }
    this.stuck = this.dirtyFree > keep;
  }

  /** The dirty pages of a run that leaves the free lists: zeroes them when asked to. */
  private clean(frame: number, pages: number, zeroed: boolean): void {
    const dirty = this.dirty;
    if (!zeroed) {
      dirty.fill(0, frame, frame + pages);
      return;
    }
    const end = frame + pages;
    let f = frame;
    while (f < end) {
      if (dirty[f] === 0) {
        f++;
        continue;
      }
      const start = f;
      while (f < end && dirty[f] === 1) f++;
      // Filled rather than punched out: the host then has a page, which costs the guest's first touch half.
      this.backing.zeroPages(start, f - start);
      dirty.fill(0, start, f);
    }
  }

  /** Takes a free block of exactly `order` off the lists, splitting a larger one or growing the file. */
  private take(order: number): number {
    for (;;) {
      for (let o = order; o <= MAX_ORDER; o++) {
        const f = this.lists[o]!;
        if (f >= 0) return this.split(f, o, order);
      }
      if (this.stackTop > 0 && order > 0) {
        this.drain(0);
        if (this.stackTop > 0) continue;
        let found = false;
        for (let o = order; o <= MAX_ORDER && !found; o++) found = this.lists[o]! >= 0;
        if (found) continue;
      }
      if (this.chunks === this.maxChunks) return -ENOMEM;
      const r = this.backing.grow(this.chunks);
      if (r < 0) return this.chunks === 0 ? r : -ENOMEM;
      const start = this.chunks++ * CHUNK_FRAMES;
      const end = start + CHUNK_FRAMES;
      if (end > this.counts.length) this.resize(Math.max(end, this.counts.length * 2));
      this.addBlock(start, 31 - Math.clz32(r), 0);
      if (r === CHUNK_FRAMES) continue;
      this.maxChunks = this.chunks;
      this.full = start + r;
      this.limitPages = Math.min(this.limitPages, this.full);
    }
  }

  /** Makes room for `cap` frames in the arrays, keeping what they hold. */
  private resize(cap: number): void {
    const grow = <T extends Int32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.counts = grow(this.counts, new Int32Array(cap));
    this.heads = grow(this.heads, new Uint8Array(cap));
    this.next = grow(this.next, new Int32Array(cap));
    this.prev = grow(this.prev, new Int32Array(cap));
    this.dirtyIn = grow(this.dirtyIn, new Int32Array(cap));
    this.dirty = grow(this.dirty, new Uint8Array(cap));
  }

  private split(f: number, from: number, to: number): number {
    let dirty = this.dirtyIn[f]!;
    this.removeBlock(f, from);
    for (let o = from; o > to; ) {
      o--;
      const half = 1 << o;
      const upper = dirty === 0 ? 0 : dirty === 2 * half ? half : this.countDirty(f + half, half);
      this.pushBlock(f + half, o, upper);
      dirty -= upper;
    }
    this.takenDirty = dirty;
    return f;
  }

  private countDirty(frame: number, pages: number): number {
    let n = 0;
    for (let f = frame; f < frame + pages; f++) n += this.dirty[f]!;
    return n;
  }

  /** Puts a run back as the largest aligned blocks; returns its dirty pages. */
  private addRange(frame: number, pages: number): number {
    let total = 0;
    for (let f = frame, left = pages; left > 0; ) {
      const align = f === 0 ? MAX_ORDER : 31 - Math.clz32(f & -f);
      const order = Math.min(align, 31 - Math.clz32(left), MAX_ORDER);
      const d = this.countDirty(f, 1 << order);
      total += d;
      this.addBlock(f, order, d);
      f += 1 << order;
      left -= 1 << order;
    }
    return total;
  }

  /** Adds a free block, merging it with its free buddies. */
  private addBlock(frame: number, order: number, dirtyPages: number): void {
    let f = frame;
    let o = order;
    let d = dirtyPages;
    while (o < MAX_ORDER) {
      const buddy = f ^ (1 << o);
      if (this.heads[buddy] !== o + 1) break;
      d += this.dirtyIn[buddy]!;
      this.removeBlock(buddy, o);
      if (buddy < f) f = buddy;
      o++;
    }
    this.pushBlock(f, o, d);
  }

  private pushBlock(f: number, order: number, dirtyPages: number): void {
    const first = this.lists[order]!;
    this.heads[f] = order + 1;
    this.dirtyIn[f] = dirtyPages;
    this.next[f] = first;
    this.prev[f] = -1;
    if (first >= 0) this.prev[first] = f;
    this.lists[order] = f;
  }

  private removeBlock(f: number, order: number): void {
    const n = this.next[f]!;
    const p = this.prev[f]!;
    this.heads[f] = 0;
    if (p < 0) this.lists[order] = n;
    else this.next[p] = n;
    if (n >= 0) this.prev[n] = p;
  }
}
