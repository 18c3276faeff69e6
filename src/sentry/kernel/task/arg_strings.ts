// ArgStrings: arguments or environment of a program, as bytes. There may be megabytes of them in hundreds of thousands of
// strings, which as JavaScript strings would take a hundred times as long to make and to write.

import { stringToBytes } from '../../base/bytes.ts';

export class ArgStrings {
  /** The strings, each with its NUL, one behind the other: the first `size` bytes. */
  bytes: Uint8Array = new Uint8Array(1024);
  size = 0;
  /** Length of each with its NUL: the first `count` count. */
  lengths: Int32Array = new Int32Array(64);
  count = 0;
  /** The greatest of them. */
  longest = 0;

  /** Bytes of memory that it takes. */
  get bytesHeld(): number {
    return this.bytes.length + this.lengths.byteLength;
  }

  static of(strings: readonly string[]): ArgStrings {
    const a = new ArgStrings();
    for (const s of strings) a.push(s);
    return a;
  }

  /** Adds a byte string. */
  push(s: string): void {
    this.room(s.length + 1);
    this.bytes.set(stringToBytes(s), this.size);
    this.added(s.length + 1);
  }

  /** Makes room for `more` bytes behind the last string, keeping what is there already, and for its length. */
  room(more: number): void {
    if (this.size + more > this.bytes.length) {
      const bytes = new Uint8Array(Math.max(this.bytes.length * 2, this.size + more));
      bytes.set(this.bytes);
      this.bytes = bytes;
    }
    if (this.count < this.lengths.length) return;
    const lengths = new Int32Array(this.lengths.length * 2);
    lengths.set(this.lengths);
    this.lengths = lengths;
  }

  /** `length` bytes, which were put behind the last string, are a string with its NUL. */
  added(length: number): void {
    this.bytes[this.size + length - 1] = 0;
    this.lengths[this.count++] = length;
    if (length > this.longest) this.longest = length;
    this.size += length;
  }

  /** These with the first one replaced by others: how a script reaches its interpreter. */
  headedBy(head: readonly string[]): ArgStrings {
    const a = ArgStrings.of(head);
    const first = this.count === 0 ? 0 : this.lengths[0]!;
    const rest = this.size - first;
    a.room(rest);
    a.bytes.set(this.bytes.subarray(first, this.size), a.size);
    a.size += rest;
    const more = Math.max(0, this.count - 1);
    const lengths = new Int32Array(a.count + more + 1);
    lengths.set(a.lengths.subarray(0, a.count));
    lengths.set(this.lengths.subarray(1, 1 + more), a.count);
    a.lengths = lengths;
    a.count += more;
    a.longest = Math.max(a.longest, this.longest);
    return a;
  }
}
