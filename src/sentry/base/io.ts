// Where a read puts its bytes and a write takes them from: guest memory (mm's UserIo) or a kernel buffer (KernelIo).
// One Io serves one transfer; its cursor moves on with every put and take.

import { EFAULT } from '../../abi/errno.ts';

/** A cursor over the memory of one transfer. */
export abstract class Io {
  /** Bytes that the transfer may still move. */
  remaining = 0;

  /**
   * Moves min(len, remaining) bytes from src[off..] to the cursor (the direction of read(2)).
   * Returns bytes moved, short when memory faults midway; -EFAULT when nothing could be moved.
   */
  abstract put(src: Uint8Array, off: number, len: number): number;

  /** Moves min(len, remaining) bytes from the cursor to dst[off..] (the direction of write(2)); returns as put. */
  abstract take(dst: Uint8Array, off: number, len: number): number;

  /** Moves min(len, remaining) zero bytes to the cursor; returns as put. */
  abstract putZeros(len: number): number;

  /** Moves the cursor on by `n` bytes, at most `remaining`, without touching them. */
  abstract skip(n: number): void;

  /** Takes the cursor back by `n` bytes just moved (a write that could not be queued after its bytes were taken). */
  abstract rewind(n: number): void;
}

/** An Io over a buffer of the kernel: loader, sendfile, copy-up, core helpers. */
export class KernelIo extends Io {
  private readonly buffer: Uint8Array;
  private pos: number;

  constructor(buffer: Uint8Array, off = 0, len = buffer.length - off) {
    super();
    this.buffer = buffer;
    this.pos = off;
    this.remaining = len;
  }

  put(src: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    if (n < 0) return -EFAULT;
    this.buffer.set(src.subarray(off, off + n), this.pos);
    this.pos += n;
    this.remaining -= n;
    return n;
  }

  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    if (n < 0) return -EFAULT;
    dst.set(this.buffer.subarray(this.pos, this.pos + n), off);
    this.pos += n;
    this.remaining -= n;
    return n;
  }

  putZeros(len: number): number {
    const n = Math.min(len, this.remaining);
    this.buffer.fill(0, this.pos, this.pos + n);
    this.pos += n;
    this.remaining -= n;
    return n;
  }

  skip(n: number): void {
    this.pos += n;
    this.remaining -= n;
  }

  rewind(n: number): void {
    this.pos -= n;
    this.remaining += n;
  }
}
