// UserIo: the Io of guest memory, one range or a struct iovec array. One object per address space, aimed anew for every
// transfer.

import { EFAULT, EINVAL } from '../../abi/errno.ts';
import { UIO_MAXIOV } from '../../abi/fs/uio.ts';
import { Io } from '../base/io.ts';
import { GUEST_TOP } from '../platform/platform.ts';
import type { MemoryManager } from './mm.ts';

/** Most bytes that one read or write moves (INT_MAX rounded down to a page). */
export const MAX_RW_COUNT = 0x7fff_f000;
const IOVEC_SIZE = 16;
const FIRST_SEGMENTS = 8;
const TWO32 = 0x1_0000_0000;

const raw = new Uint8Array(UIO_MAXIOV * IOVEC_SIZE);
const words = new Uint32Array(raw.buffer);

export class UserIo extends Io {
  private readonly mm: MemoryManager;
  /** Grown to what the longest array so far needed: every process has one of these objects. */
  private bases: Float64Array = new Float64Array(FIRST_SEGMENTS);
  private lens: Float64Array = new Float64Array(FIRST_SEGMENTS);
  private count = 0;
  private index = 0;
  /** Bytes of segment `index` that are done. */
  private at = 0;

  constructor(mm: MemoryManager) {
    super();
    this.mm = mm;
  }

  /** One range; longer ones than MAX_RW_COUNT are cut, negative lengths are empty. */
  aim(addr: number, len: number): this {
    const n = len > 0 ? Math.min(len, MAX_RW_COUNT) : 0;
    this.bases[0] = addr;
    this.lens[0] = n;
    return this.begin(1, n);
  }

  /** A struct iovec array (import_iovec in Linux): -EINVAL for its count or a negative length, -EFAULT. */
  aimVector(addr: number, count: number): this | number {
    if (count < 0 || count > UIO_MAXIOV) return -EINVAL;
    if (this.mm.copyInExact(addr, raw, 0, count * IOVEC_SIZE) !== 0) return -EFAULT;
    if (count > this.bases.length) {
      this.bases = new Float64Array(UIO_MAXIOV);
      this.lens = new Float64Array(UIO_MAXIOV);
    }
    let total = 0;
    for (let i = 0; i < count; i++) {
      const base = words[i * 4 + 1]! * TWO32 + words[i * 4]!;
      let len = words[i * 4 + 3]! * TWO32 + words[i * 4 + 2]!;
      if (words[i * 4 + 3]! >= 0x8000_0000) return -EINVAL;
      if (base + len > GUEST_TOP && len > 0) return -EFAULT;
      len = Math.min(len, MAX_RW_COUNT - total);
      this.bases[i] = base;
      this.lens[i] = len;
      total += len;
    }
    return this.begin(count, total);
  }

  /** What it is aimed at: address and length of each part. */
  parts(): Float64Array {
    const { count } = this;
    const out = new Float64Array(2 * count);
    out.set(this.bases.subarray(0, count));
    out.set(this.lens.subarray(0, count), count);
    return out;
  }

  /** Aims at what parts() said. */
  aimParts(parts: Float64Array): this {
    const count = parts.length / 2;
    this.bases.set(parts.subarray(0, count));
    this.lens.set(parts.subarray(count));
    let total = 0;
    for (let i = 0; i < count; i++) total += this.lens[i]!;
    return this.begin(count, total);
  }

  private begin(count: number, total: number): this {
    this.count = count;
    this.index = 0;
    this.at = 0;
    this.remaining = total;
    return this;
  }

  private advance(n: number): void {
    this.at += n;
    this.remaining -= n;
  }

  /** Bytes left in the current segment after skipping finished ones. */
  private segment(): number {
    let left = this.lens[this.index]! - this.at;
    while (left === 0 && this.index + 1 < this.count) {
      this.index++;
      this.at = 0;
      left = this.lens[this.index]!;
    }
    return left;
  }

  put(src: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    let done = 0;
    while (done < n) {
      const k = Math.min(this.segment(), n - done);
      const r = this.mm.copyOut(this.bases[this.index]! + this.at, src, off + done, k);
      if (r < 0) break;
      this.advance(r);
      done += r;
      if (r < k) break;
    }
    return done > 0 || n <= 0 ? done : -EFAULT;
  }

  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    let done = 0;
    while (done < n) {
      const k = Math.min(this.segment(), n - done);
      const r = this.mm.copyIn(this.bases[this.index]! + this.at, dst, off + done, k);
      if (r < 0) break;
      this.advance(r);
      done += r;
      if (r < k) break;
    }
    return done > 0 || n <= 0 ? done : -EFAULT;
  }

  putZeros(len: number): number {
    const n = Math.min(len, this.remaining);
    let done = 0;
    while (done < n) {
      const k = Math.min(this.segment(), n - done);
      const r = this.mm.zeroOut(this.bases[this.index]! + this.at, k);
      if (r < 0) break;
      this.advance(r);
      done += r;
      if (r < k) break;
    }
    return done > 0 || n <= 0 ? done : -EFAULT;
  }

  skip(n: number): void {
    for (let left = n; left > 0; ) {
      const k = Math.min(this.segment(), left);
      if (k === 0) return;
      this.advance(k);
      left -= k;
    }
  }

  rewind(n: number): void {
    let left = n;
    this.remaining += n;
    while (left > this.at) {
      left -= this.at;
      this.index--;
      this.at = this.lens[this.index]!;
    }
    this.at -= left;
  }
}
