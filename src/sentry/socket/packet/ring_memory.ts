// RingMemory: the pages of one ring, which the Sentry and the guest share, and RingPages: both rings of a socket as mmap(2) sees
// them, one behind the other. Whatever is read here was written by a guest.
//
//   ring:   [ block 0: frame frame ... ] [ block 1 ] ...      block_size is a multiple of a page; all pages are there at once

import { ENOENT, ENOMEM } from '../../../abi/errno.ts';
import { type Account, fileMemory } from '../../base/charge.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import type { DonatedFile, Mappable } from '../../memfile/mappable.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';

export class RingMemory {
  private readonly memfile: MemoryFile;
  private readonly frame: number;
  readonly pages: number;
  private readonly payer: Account;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  private readonly words: Int32Array;

  private constructor(memfile: MemoryFile, frame: number, pages: number, payer: Account) {
    this.memfile = memfile;
    this.frame = frame;
    this.pages = pages;
    this.payer = payer;
    const at = memfile.byteOffset(frame);
    const length = pages * PAGE_SIZE;
    this.bytes = memfile.u8(frame).subarray(at, at + length);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, length);
    this.words = memfile.i32(frame).subarray(at / 4, (at + length) / 4);
  }

  /** Pages of a ring, at most what one chunk of the memory file holds; -ENOMEM. */
  static create(memfile: MemoryFile, bytes: number): RingMemory | number {
    if (!fileMemory.fits(bytes)) return -ENOMEM;
    const frame = memfile.alloc(bytes / PAGE_SIZE);
    if (frame < 0) return -ENOMEM;
    return new RingMemory(memfile, frame, bytes / PAGE_SIZE, fileMemory.take(bytes));
  }

  free(): void {
    fileMemory.give(this.payer, this.pages * PAGE_SIZE);
    this.memfile.unrefRun(this.frame, this.pages);
  }

  frameOf(page: number): number {
    return this.frame + page;
  }

  /** A status word: whoever sees a new one sees what was written before it. */
  status(at: number): number {
    return Atomics.load(this.words, at >>> 2);
  }

  setStatus(at: number, status: number): void {
    Atomics.store(this.words, at >>> 2, status);
  }
}

/** What a socket's mappings show: packet_mmap(). */
export class RingPages implements Mappable {
  /** Parts of mappings that there are: rings stay as they are meanwhile. */
  mapped = 0;
  rx: RingMemory | null = null;
  tx: RingMemory | null = null;
  readonly directEnd = 0;

  get pages(): number {
    return (this.rx?.pages ?? 0) + (this.tx?.pages ?? 0);
  }

  getPage(index: number): number {
    const { rx, tx } = this;
    const behind = index - (rx?.pages ?? 0);
    if (behind < 0) return rx!.frameOf(index);
    return tx !== null && behind < tx.pages ? tx.frameOf(behind) : -ENOENT;
  }

  residentRun(index: number, max: number): number {
    return Math.max(0, Math.min(max, this.pages - index));
  }

  presentRun(index: number, max: number): number {
    return this.residentRun(index, max);
  }

  directFile(): DonatedFile | null {
    return null;
  }

  addOwner(): void {
    this.mapped++;
  }

  removeOwner(): void {
    this.mapped--;
  }

  sync(): number {
    return 0;
  }
}
