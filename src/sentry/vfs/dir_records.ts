// DirRecords: all entries of a directory as getdents64(2) gives them, for directories that do not change. To copy a
// run of them costs a hundredth of what making them one by one does.

import { DIRENT64_D_OFF, dirent64Size, encodeDirent64 } from '../../abi/fs/dirent.ts';
import { getU64, type U64 } from '../../abi/u64.ts';

export class DirRecords {
  readonly bytes: Uint8Array;
  /** Where each record ends in `bytes`. */
  readonly ends: Uint32Array;
  private readonly view: DataView;
  private count = 0;

  /** Room for `count` entries, whose names have `nameBytes` bytes altogether. */
  constructor(count: number, nameBytes: number) {
    // Rounding up takes less than 8 bytes of each.
    this.bytes = new Uint8Array(count * (dirent64Size(0) + 7) + nameBytes);
    this.view = new DataView(this.bytes.buffer);
    this.ends = new Uint32Array(count);
  }

  /** Adds an entry; `next` is the cookie after it. */
  add(name: string, ino: U64, type: number, next: number): void {
    const at = this.start(this.count);
    this.ends[this.count++] = at + encodeDirent64(this.view, at, ino, next, type, name);
  }

  /** The cookie after record `index`. */
  next(index: number): number {
    return getU64(this.view, this.start(index) + DIRENT64_D_OFF);
  }

  /** Where record `index` starts in `bytes`. */
  start(index: number): number {
    return index === 0 ? 0 : this.ends[index - 1]!;
  }

  /** How many records from `index` on fit in `room` bytes. */
  fitting(index: number, room: number): number {
    const most = this.start(index) + room;
    let lo = index;
    let hi = this.count;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.ends[mid]! <= most) lo = mid + 1;
      else hi = mid;
    }
    return lo - index;
  }

  get length(): number {
    return this.count;
  }
}
