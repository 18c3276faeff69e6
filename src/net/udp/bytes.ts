// BytesSource: bytes that are in memory already, as a send takes them.

import type { ByteSource } from '../endpoint.ts';

export class BytesSource implements ByteSource {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    dst.set(this.bytes.subarray(this.at, this.at + n), off);
    this.at += n;
    return n;
  }
}
