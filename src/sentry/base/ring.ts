// A byte queue of bounded capacity in one buffer that grows on demand: what pipes and stream sockets hold.
//
//   buffer:  [ ....... | first .. size bytes .. | ....... ]     data may wrap around the end

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

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Bytes that still fit; 0 also when the capacity was lowered below the size. */
  get free(): number {
    return this.size < this.capacity ? this.capacity - this.size : 0;
  }

  /** Appends up to `max` bytes of `io`, as many as fit; bytes moved, or -EFAULT when none could be taken. */
  fill(io: Io, max: number): number {
    let n = io.remaining;
    if (n > max) n = max;
    const free = this.free;
    if (n > free) n = free;
    if (n <= 0) return 0;
    if (this.size + n > this.buffer.length) this.grow(this.size + n);
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
      if (this.buffer.length > KEEP_SIZE) this.buffer = NOTHING;
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
    this.buffer = NOTHING;
  }

  private grow(need: number): void {
    let length = Math.max(FIRST_SIZE, this.buffer.length);
    while (length < need) length *= 2;
    const next = new Uint8Array(Math.max(need, Math.min(length, this.capacity)));
    const run = Math.min(this.size, this.buffer.length - this.first);
    next.set(this.buffer.subarray(this.first, this.first + run), 0);
    next.set(this.buffer.subarray(0, this.size - run), run);
    this.buffer = next;
    this.first = 0;
  }
}
