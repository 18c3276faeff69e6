// A bounded FIFO of bytes that grows on demand, for terminal input and output on its way.

const FIRST_CAPACITY = 1024;

export class ByteQueue {
  /** Bytes that it takes at most. */
  readonly limit: number;
  /** Bytes that wait. */
  length = 0;
  private buffer: Uint8Array = new Uint8Array(0);
  private head = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get room(): number {
    return this.limit - this.length;
  }

  /** Appends one byte; false when full. */
  push(byte: number): boolean {
    if (this.length >= this.limit) return false;
    if (this.length === this.buffer.length) this.grow(this.length + 1);
    let at = this.head + this.length;
    if (at >= this.buffer.length) at -= this.buffer.length;
    this.buffer[at] = byte;
    this.length++;
    return true;
  }

  /** Appends up to len bytes of src[off..]; returns how many. */
  write(src: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.limit - this.length);
    if (n <= 0) return 0;
    if (this.length + n > this.buffer.length) this.grow(this.length + n);
    let at = this.head + this.length;
    if (at >= this.buffer.length) at -= this.buffer.length;
    const first = Math.min(n, this.buffer.length - at);
    this.buffer.set(src.subarray(off, off + first), at);
    if (first < n) this.buffer.set(src.subarray(off + first, off + n), 0);
    this.length += n;
    return n;
  }

  /** Moves up to len bytes to dst[off..], oldest first; returns how many. */
  read(dst: Uint8Array, off: number, len: number): number {
    const n = this.peek(dst, off, len);
    this.drop(n);
    return n;
  }

  /** Like read(), but the bytes stay. */
  peek(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.length);
    const first = Math.min(n, this.buffer.length - this.head);
    dst.set(this.buffer.subarray(this.head, this.head + first), off);
    if (first < n) dst.set(this.buffer.subarray(0, n - first), off + first);
    return n;
  }

  /** Forgets the oldest n bytes. */
  drop(n: number): void {
    const gone = Math.min(n, this.length);
    this.length -= gone;
    this.head = this.length === 0 ? 0 : (this.head + gone) % this.buffer.length;
  }

  /** Keeps only the oldest n bytes. */
  truncate(n: number): void {
    if (n < this.length) this.length = n;
  }

  clear(): void {
    this.head = 0;
    this.length = 0;
  }

  private grow(need: number): void {
    const capacity = Math.min(this.limit, Math.max(need, FIRST_CAPACITY, this.buffer.length * 2));
    const bigger = new Uint8Array(capacity);
    const kept = this.peek(bigger, 0, this.length);
    this.buffer = bigger;
    this.head = 0;
    this.length = kept;
  }
}
