// Regular files: reads and writes are the host's own, through one bounce buffer, so that inside and outside see the same at
// once; only mappings have pages of their own (bind_content.ts). Descriptions inside with the same access share a descriptor
// of the host, for they keep their offsets themselves.

import { EACCES, EFBIG, EINTR, EINVAL, ENFILE, EOPNOTSUPP, EOVERFLOW, ESTALE } from '../../../abi/errno.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE } from '../../../abi/fs/falloc.ts';
import { O_ACCMODE, O_APPEND, O_DSYNC, O_RDONLY, O_RDWR, O_SYNC, O_WRONLY } from '../../../abi/fs/fcntl.ts';
import { RWF_APPEND, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE } from '../../../abi/fs/fs.ts';
import { S_ISGID, S_ISUID } from '../../../abi/fs/stat.ts';
import { MAP_SHARED } from '../../../abi/memory/mman.ts';
import { RLIMIT_FSIZE } from '../../../abi/process/resource.ts';
import {
  SYS_fallocate,
  SYS_fdatasync,
  SYS_fsync,
  SYS_ftruncate,
  SYS_lseek,
  SYS_pread64,
  SYS_pwrite64,
  SYS_pwritev2,
} from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import { trees } from '../../../host/trees.ts';
import type { Account } from '../../base/charge.ts';
import type { Io } from '../../base/io.ts';
import type { Mappable } from '../../memfile/mappable.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import { MAY_READ, MAY_WRITE } from '../../vfs/permission.ts';
import { MAX_FILE_SIZE, writableLength } from '../../vfs/regularfile.ts';
import { BindContent, type ContentWorld } from './bind_content.ts';
import { BindInode, type BindWorld } from './bind_inode.ts';
import { hostFiles } from './host_files.ts';
import { openPlace, type Place, statFd } from './host_place.ts';

/** What one call of the host's moves at most: an append of no more is one there too. */
const BOUNCE_SIZE = 1 << 20;
const bounce = HostBuffer.alloc(BOUNCE_SIZE);
/** struct iovec. */
const iovec = HostBuffer.alloc(16);

/** What files need of their file system beside what all inodes do. */
interface FileWorld extends BindWorld, ContentWorld {
  readonly memfile: MemoryFile;
}

/** A descriptor of the host's, shared by descriptions inside. */
export class HostEnd {
  readonly fd: number;
  /** O_RDONLY, O_WRONLY or O_RDWR. */
  readonly access: number;
  refs = 1;
  private readonly inode: BindFileInode;

  private readonly user: Account;

  constructor(inode: BindFileInode, fd: number, access: number, user: Account) {
    this.inode = inode;
    this.fd = fd;
    this.access = access;
    this.user = user;
  }

  get reads(): boolean {
    return this.access !== O_WRONLY;
  }

  get writes(): boolean {
    return this.access !== O_RDONLY;
  }

  ref(): this {
    this.refs++;
    return this;
  }

  unref(): void {
    if (--this.refs > 0) return;
    trees.close(this.fd);
    hostFiles.give(this.user);
    this.inode.endClosed(this);
  }
}

export class BindFileInode extends BindInode {
  declare readonly fs: FileWorld;
  private readonly ends: HostEnd[] = [];
  /** What is or was mapped of it. */
  content: BindContent | null = null;
  /** The descriptor that the file was made with: the open that made it may use it whatever the mode says. */
  private birth: HostEnd | null = null;

  constructor(fs: FileWorld, place: Place) {
    super(fs, place);
    this.mayHaveCaps = false;
  }

  protected override ownFd(): number {
    return this.anyFd();
  }

  /** A descriptor of the file, of any access; -1 for none. */
  anyFd(): number {
    return this.ends.length > 0 ? this.ends[0]!.fd : -1;
  }

  endClosed(end: HostEnd): void {
    this.ends.splice(this.ends.indexOf(end), 1);
  }

  /** It was made through `fd`, which its first open gets; made by mknod(2) it is not opened, and the next call lets go of it. */
  made(fd: number, user: Account): void {
    if (lastMade !== null) lastMade.forgetBirth();
    this.birth = new HostEnd(this, fd, O_RDWR, user);
    this.ends.push(this.birth);
    lastMade = this;
  }

  private forgetBirth(): void {
    const end = this.birth;
    this.birth = null;
    if (lastMade === this) lastMade = null;
    if (end !== null) end.unref();
  }

  override open(ctx: VfsContext, flags: number): File | number {
    if (this.size > MAX_FILE_SIZE) return -EOVERFLOW;
    const access = flags & O_ACCMODE;
    // Access mode 3 may do neither: such a file is for ioctl only.
    const end = this.endFor(ctx, access === O_ACCMODE ? O_RDWR : access);
    if (typeof end === 'number') return end;
    this.forgetBirth();
    this.content?.revalidate();
    return new BindFile(this, flags, end);
  }

  /** A descriptor that can do at least `access`, the caller's to unref; -errno. */
  endFor(ctx: VfsContext | null, access: number): HostEnd | number {
    for (const end of this.ends) if (end.access === access || end.access === O_RDWR) return end.ref();
    return this.newEnd(ctx, access);
  }

  /** A descriptor with exactly this access: stubs are given none that could write. */
  exactEnd(access: number): HostEnd | number {
    for (const end of this.ends) if (end.access === access) return end.ref();
    return this.newEnd(null, access);
  }

  private newEnd(ctx: VfsContext | null, access: number): HostEnd | number {
    const user = hostFiles.take();
    if (user === null) return -ENFILE;
    const fd = this.openHost(ctx, access);
    if (fd < 0) {
      hostFiles.give(user);
      return fd;
    }
    const end = new HostEnd(this, fd, access, user);
    this.ends.push(end);
    return end;
  }

  private openHost(ctx: VfsContext | null, access: number): number {
    const known = this.anyFd();
    if (known >= 0) return trees.reopen(known, access);
    const fd = openPlace(this.place, access);
    // Another file has the name now. It is the one to be opened when the caller may.
    return fd === -ESTALE && this.changed(ctx, access) ? openPlace(this.place, access) : fd;
  }

  private changed(ctx: VfsContext | null, access: number): boolean {
    const { dev, ino } = this.place;
    this.refresh();
    if (this.place.ino === ino && this.place.dev === dev) return false;
    const mask = access === O_RDONLY ? MAY_READ : access === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
    return ctx === null || this.permission(ctx, mask) === 0;
  }

  protected override get replaceable(): boolean {
    return this.ends.length === 0 && (this.content === null || !this.content.mapped) && super.replaceable;
  }

  protected override replace(): boolean {
    if (!super.replace()) return false;
    this.content = null;
    return true;
  }

  /** A descriptor for changing the content; the caller's to unref. */
  private writer(): HostEnd | number {
    return this.endFor(null, O_WRONLY);
  }

  override truncate(ctx: VfsContext, size: number): number {
    const end = this.writer();
    if (typeof end === 'number') return end;
    statFd(end.fd);
    this.absorb();
    let r = 0;
    if (size > this.size && writableLength(ctx, this.size, size - this.size) !== size - this.size) r = -EFBIG;
    if (r === 0) {
      this.content?.writeBack();
      r = hostCall(SYS_ftruncate, end.fd, size);
    }
    if (r === 0) {
      this.dropPrivs(ctx);
      this.refresh();
      this.content?.resized();
    }
    end.unref();
    return r;
  }

  override fallocate(ctx: VfsContext, mode: number, off: number, len: number, _done: number): number {
    // Others move content, which no file system in here does.
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0)
      return -EOPNOTSUPP;
    const end = this.writer();
    if (typeof end === 'number') return end;
    statFd(end.fd);
    this.absorb();
    const to = off + len;
    let r = 0;
    if ((mode & FALLOC_FL_KEEP_SIZE) === 0 && to > this.size) {
      if (writableLength(ctx, this.size, to - this.size) !== to - this.size) r = -EFBIG;
    }
    if (r === 0) {
      this.content?.writeBack();
      do r = hostCall(SYS_fallocate, end.fd, mode, off, len);
      while (r === -EINTR);
    }
    if (r === 0) {
      this.dropPrivs(ctx);
      this.refresh();
      this.content?.revalidate();
    }
    end.unref();
    return r < 0 ? r : len;
  }

  /** A write of a program's is done. */
  wroteTo(ctx: VfsContext, end: number): void {
    if (end > this.size) this.size = end;
    if ((this.mode & (S_ISUID | S_ISGID)) !== 0) {
      this.dropPrivs(ctx);
      this.refresh();
    }
  }

  /** The pages for mappings. */
  makeContent(): BindContent {
    return (this.content ??= new BindContent(this.fs.memfile, this));
  }

  override wrote(): void {}

  get world(): ContentWorld {
    return this.fs;
  }

  override close(): void {
    this.forgetBirth();
    this.content = null;
  }
}

/** The file made last, as long as its first descriptor was not given away. */
let lastMade: BindFileInode | null = null;

export class BindFile extends File {
  private readonly file: BindFileInode;
  private readonly end: HostEnd;

  constructor(inode: BindFileInode, flags: number, end: HostEnd) {
    super(inode, flags);
    this.file = inode;
    this.end = end;
  }

  protected override release(): void {
    this.file.content?.writeBack();
    this.end.unref();
  }

  override flush(ctx: VfsContext): number {
    const r = this.file.content?.writeBack() ?? 0;
    const f = super.flush(ctx);
    return r < 0 ? r : f;
  }

  override get seekable(): boolean {
    return true;
  }

  override pread(_ctx: VfsContext, io: Io, off: number): number {
    this.file.content?.writeBack(off, off + io.remaining);
    let total = 0;
    while (io.remaining > 0) {
      const want = Math.min(io.remaining, BOUNCE_SIZE);
      let n: number;
      do n = hostCall(SYS_pread64, this.end.fd, bounce.addr, want, off + total);
      while (n === -EINTR);
      if (n <= 0) return total > 0 ? total : n;
      const put = io.put(bounce.u8, 0, n);
      if (put < 0) return total > 0 ? total : put;
      total += put;
      if (put < n || n < want) break;
    }
    return total;
  }

  override write(ctx: VfsContext, io: Io): number {
    const n = this.pwrite(ctx, io, this.pos);
    if (n > 0) this.pos = (this.flags & O_APPEND) !== 0 ? this.appendedTo : this.pos + n;
    return n;
  }

  /** Where the last append ended. */
  private appendedTo = 0;

  override pwrite(ctx: VfsContext, io: Io, at: number): number {
    const append = (this.flags & O_APPEND) !== 0;
    if (io.remaining === 0) return 0;
    const len = this.lengthToWrite(ctx, at, io.remaining, append);
    if (len < 0) return len;
    const { content } = this.file;
    if (append) content?.writeBack();
    else content?.writeBack(at, at + len);
    let total = 0;
    let r = 0;
    let to = at;
    while (total < len) {
      const taken = io.take(bounce.u8, 0, Math.min(len - total, BOUNCE_SIZE));
      if (taken <= 0) {
        r = taken;
        break;
      }
      do
        r = append ? this.append(taken) : hostCall(SYS_pwrite64, this.end.fd, bounce.addr, taken, at + total);
      while (r === -EINTR);
      if (r < taken) io.rewind(taken - Math.max(r, 0));
      if (r < 0) break;
      total += r;
      to = append ? hostCall(SYS_lseek, this.end.fd, 0, SEEK_CUR) : at + total;
      content?.wrote(to - r, r, bounce.u8);
      if (r < taken) break;
    }
    if (total === 0) return r;
    if (append) this.appendedTo = to;
    if ((this.flags & (O_SYNC | O_DSYNC)) !== 0) {
      r = hostCall((this.flags & O_SYNC) === O_SYNC ? SYS_fsync : SYS_fdatasync, this.end.fd);
      if (r < 0) return r;
    }
    this.file.wroteTo(ctx, to);
    return total;
  }

  /** The host puts the bytes at the end of the file in one step, as for everybody else who appends to it. */
  private append(len: number): number {
    putU64(iovec.view, 0, bounce.addr);
    putU64(iovec.view, 8, len);
    return hostCall(SYS_pwritev2, this.end.fd, iovec.addr, 1, -1, -1, RWF_APPEND);
  }

  /** RLIMIT_FSIZE of the guest's, and the largest file. */
  private lengthToWrite(ctx: VfsContext, at: number, len: number, append: boolean): number {
    if (append) {
      if (ctx.rlimit(RLIMIT_FSIZE) > MAX_FILE_SIZE) return len;
      this.file.refresh(ctx);
    }
    return writableLength(ctx, append ? this.file.size : at, len);
  }

  override lseek(ctx: VfsContext, off: number, whence: number): number {
    if (whence === SEEK_END) this.file.refresh(ctx);
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) return super.lseek(ctx, off, whence);
    if (!Number.isSafeInteger(off)) return -EINVAL;
    this.file.content?.writeBack();
    const to = hostCall(SYS_lseek, this.end.fd, off, whence);
    if (to >= 0) this.pos = to;
    return to;
  }

  override mmap(_ctx: VfsContext, _prot: number, flags: number): Mappable | number {
    if (!this.end.reads) return -EACCES;
    const content = this.file.makeContent();
    const r = content.prepare(this.end, (flags & MAP_SHARED) !== 0 && this.writable);
    return r < 0 ? r : content;
  }

  override get writeFd(): number {
    return this.end.writes && this.file.content === null ? this.end.fd : -1;
  }

  override fsync(_ctx: VfsContext): number {
    const { content } = this.file;
    content?.revalidate();
    const r = content?.takeError() ?? 0;
    const s = hostCall(SYS_fsync, this.end.fd);
    return r < 0 ? r : s;
  }
}
