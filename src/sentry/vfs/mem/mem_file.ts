// MemFile: a regular file in memory, over a page cache.

import { EFBIG, ENOSPC, EOPNOTSUPP, EPERM } from '../../../abi/errno.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE } from '../../../abi/fs/falloc.ts';
import { F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_WRITE } from '../../../abi/fs/fcntl.ts';
import type { U64 } from '../../../abi/u64.ts';
import { type Account, fileMemory } from '../../base/charge.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import { PageCache } from '../../memfile/pagecache.ts';
import type { VfsContext } from '../context.ts';
import type { File } from '../file.ts';
import { RegularFile, writableLength } from '../regularfile.ts';
import { stampModify } from '../times.ts';
import { MemInode, type MemOwner } from './mem_inode.ts';

/** Pages that one slice of fallocate(2) makes present: see kernel/task/block.ts. */
const RESERVE_STEP = 512;

export class MemFile extends MemInode {
  /** Pages of this file that somebody pays for. */
  private accounted = 0;
  private filePayer: Account | null = null;

  constructor(fs: MemOwner, mode: number, ino: U64 = fs.nextIno()) {
    super(fs, ino, mode);
  }

  /** The content, made when first needed. */
  protected content(): PageCache {
    return (this.pages ??= new PageCache(this.fs.memfile, 0, null, this.fs.quota));
  }

  override open(_ctx: VfsContext, flags: number): File | number {
    this.content();
    return new RegularFile(this, flags);
  }

  override refresh(_ctx: VfsContext): number {
    this.account();
    return 0;
  }

  /** Brings the block count up to date with what reads, writes and faults did. */
  protected account(): void {
    const pages = this.pages === null ? 0 : this.pages.pages;
    this.count(pages - this.accounted);
    this.blocks = pages * (PAGE_SIZE / 512);
  }

  override prepareWrite(_ctx: VfsContext, off: number, len: number): number {
    this.account();
    const first = Math.floor(off / PAGE_SIZE);
    const end = Math.ceil((off + len) / PAGE_SIZE);
    // Only pages that are not there yet need room. They count from now on, so that a file written once does too.
    let need = 0;
    let at = first;
    for (; at < end; at++) {
      if (this.pages !== null && this.pages.peek(at) >= 0) continue;
      if (!this.hasRoom(need + 1)) break;
      need++;
    }
    this.count(need);
    if (at === end) return len;
    return at === first ? -ENOSPC : at * PAGE_SIZE - off;
  }

  private hasRoom(pages: number): boolean {
    const payer = this.filePayer ?? fileMemory.current;
    return pages <= this.fs.quota.room && fileMemory.fits(pages * PAGE_SIZE, payer);
  }

  /** Counts `pages` more, or fewer. Who wrote to it first pays for all. */
  private count(pages: number): void {
    if (pages === 0) return;
    this.accounted += pages;
    this.filePayer = fileMemory.take(pages * PAGE_SIZE, this.filePayer ?? fileMemory.current);
  }

  override truncate(ctx: VfsContext, size: number): number {
    const pages = this.content();
    if (size > this.size) {
      if ((this.seals & F_SEAL_GROW) !== 0) return -EPERM;
      if (
        writableLength(ctx, size, 0) < 0 ||
        writableLength(ctx, this.size, size - this.size) !== size - this.size
      )
        return -EFBIG;
    } else if (size < this.size && (this.seals & F_SEAL_SHRINK) !== 0) return -EPERM;
    pages.truncate(size);
    this.size = size;
    this.account();
    stampModify(ctx, this);
    this.wrote();
    return 0;
  }

  override fallocate(ctx: VfsContext, mode: number, off: number, len: number, done: number): number {
    const keep = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0)
      return -EOPNOTSUPP;
    const pages = this.content();
    const punch = (mode & FALLOC_FL_PUNCH_HOLE) !== 0;
    const zero = (mode & FALLOC_FL_ZERO_RANGE) !== 0;
    if (punch && (!keep || zero)) return -EOPNOTSUPP;
    if (punch || zero) {
      if ((this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
    }
    const end = off + len;
    if (!punch && !keep && end > this.size) {
      if ((this.seals & F_SEAL_GROW) !== 0) return -EPERM;
      if (writableLength(ctx, this.size, end - this.size) !== end - this.size) return -EFBIG;
    }
    let r = 0;
    if ((punch || zero) && done === 0) r = pages.punchHole(off, len);
    if (r === 0) r = punch ? len : this.reserve(pages, off, len, keep, done);
    this.account();
    if (r < 0) return r;
    this.size = pages.size;
    stampModify(ctx, this);
    this.wrote();
    return r;
  }

  /** Makes pages of a range present, of which `done` bytes are: how many bytes are then, or -ENOSPC. */
  private reserve(pages: PageCache, off: number, len: number, keep: boolean, done: number): number {
    const first = Math.floor(off / PAGE_SIZE);
    const to = keep ? Math.min(off + len, Math.max(pages.size, off)) : off + len;
    const last = Math.ceil(to / PAGE_SIZE);
    if (done === 0) {
      // All of it or nothing.
      this.account();
      const need = Math.max(0, last - first - pages.presentIn(first, last));
      const free = this.fs.memfile.limitPages - this.fs.memfile.usedPages;
      if (need > free || !this.hasRoom(need)) return -ENOSPC;
    }
    const from = Math.floor((off + done) / PAGE_SIZE);
    // What comes from a file of the host has to be read.
    const upTo = Math.min(last, from + (pages.source === null ? RESERVE_STEP : RESERVE_STEP / 8));
    const whole = upTo === last;
    const end = whole ? off + len : upTo * PAGE_SIZE;
    if (!keep && end > pages.size) pages.truncate(end);
    if (upTo > from && pages.ensure(from, upTo - from) < 0) return -ENOSPC;
    return whole ? len : end - off;
  }

  override evict(): void {
    if (this.pages !== null) {
      this.pages.drop();
      this.account();
      this.pages = null;
    }
    super.evict();
  }
}
