// A byte queue of bounded capacity in one buffer that grows on demand: what pipes and stream sockets hold.
//
//   buffer:  [ ....... | first .. size bytes .. | ....... ]     data may wrap around the end

import { ENOMEM } from '../../abi/errno.ts';
import { type Account, kernelMemory } from './charge.ts';
import type { Io } from './io.ts';

const NOTHING = new Uint8Array(0);
const FIRST_SIZE = 4096;
/** An empty ring above this size gives its buffer back. */
const KEEP_SIZE = 65536;

export class ByteRing {
  /** Most bytes that it may hold. */
  capacity: number;
  /** Bytes that it holds. */
  size = 0;
  private buffer: Uint8Array = NOTHING;
  private first = 0;
  /** Who pays for the buffer. */
  private payer: Account | null = null;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Bytes that still fit; 0 also when the capacity was lowered below the size. */
  get free(): number {
    return this.size < this.capacity ? this.capacity - this.size : 0;
  }

  /** Appends up to `max` bytes of `io`, as many as fit; bytes moved, or -EFAULT when none could be taken, -ENOMEM. */
  fill(io: Io, max: number): number {
    let n = io.remaining;
    if (n > max) n = max;
    const free = this.free;
    if (n > free) n = free;
    if (n <= 0) return 0;
    if (this.size + n > this.buffer.length && !this.grow(this.size + n)) return -ENOMEM;
    const end = this.buffer.length;
    let at = this.first + this.size;
    if (at >= end) at -= end;
    const run = end - at;
    let done = io.take(this.buffer, at, Math.min(n, run));
    if (done < 0) return done;
    if (done === run && n > run) {
      const more = io.take(this.buffer, 0, n - run);
      if (more > 0) done += more;
    }
    this.size += done;
    return done;
  }

  /** Moves up to `max` bytes from `skip` on to `io` and leaves them here; bytes moved, or -EFAULT when none. */
  copyTo(io: Io, max: number, skip = 0): number {
    let n = io.remaining;
    if (n > max) n = max;
    if (n > this.size - skip) n = this.size - skip;
    if (n <= 0) return 0;
    const end = this.buffer.length;
    let at = this.first + skip;
    if (at >= end) at -= end;
    const run = end - at;
    let done = io.put(this.buffer, at, Math.min(n, run));
    if (done < 0) return done;
    if (done === run && n > run) {
      const more = io.put(this.buffer, 0, n - run);
      if (more > 0) done += more;
    }
    return done;
  }

  /** Moves up to `max` bytes out to `io`; bytes moved, or -EFAULT when none. */
  drain(io: Io, max: number): number {
    const n = this.copyTo(io, max);
    if (n > 0) this.drop(n);
    return n;
  }

  /** Forgets the first `n` bytes, n <= size. */
  drop(n: number): void {
    this.size -= n;
    if (this.size === 0) {
      this.first = 0;
      if (this.buffer.length > KEEP_SIZE) this.setBuffer(NOTHING);
      return;
    }
    this.first += n;
    if (this.first >= this.buffer.length) this.first -= this.buffer.length;
  }

  /** The longest run from the first byte on that lies in one piece: a view, valid until the ring changes. */
  head(max: number): Uint8Array {
    const run = Math.min(max, this.size, this.buffer.length - this.first);
    return this.buffer.subarray(this.first, this.first + run);
  }

  /** Forgets everything and gives the buffer back. */
  clear(): void {
    this.size = 0;
    this.first = 0;
    this.setBuffer(NOTHING);
  }

  private setBuffer(next: Uint8Array): void {
    const before = this.buffer.length;
    if (this.payer !== null && before > 0) kernelMemory.give(this.payer, before);
    this.payer = next.length > 0 ? kernelMemory.take(next.length) : null;
    this.buffer = next;
  }

  private grow(need: number): boolean {
    let length = Math.max(FIRST_SIZE, this.buffer.length);
    while (length < need) length *= 2;
    length = Math.max(need, Math.min(length, this.capacity));
    if (!kernelMemory.fits(length - this.buffer.length)) return false;
    const next = new Uint8Array(length);
    const run = Math.min(this.size, this.buffer.length - this.first);
    next.set(this.buffer.subarray(this.first, this.first + run), 0);
    next.set(this.buffer.subarray(0, this.size - run), run);
    this.setBuffer(next);
    this.first = 0;
    return true;
  }
}
