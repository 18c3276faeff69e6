// File: an open file description (struct file): what dup and fork share. Each kind of file subclasses it.
// Operations never wait: -EAGAIN means "not now, watch queue() for poll() events"; the system-call layer parks the
// task. Positions and sizes are bytes.

import { EBADF, EINVAL, ENODEV, ENOTDIR, ENOTTY, ESPIPE } from '../../abi/errno.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../abi/events/poll.ts';
import { O_ACCMODE, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY } from '../../abi/fs/fcntl.ts';
import { SEEK_CUR, SEEK_END, SEEK_SET } from '../../abi/fs/fs.ts';
import { IN_CLOSE_NOWRITE, IN_CLOSE_WRITE } from '../../abi/fs/inotify.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import type { Cred } from '../base/cred.ts';
import type { Io } from '../base/io.ts';
import type { WaitQueue } from '../base/wait.ts';
import type { Mappable } from '../memfile/mappable.ts';
import type { VfsContext } from './context.ts';
import type { DirSink, Inode } from './inode.ts';
import type { Path } from './path.ts';
import { notifyDentry } from './watches.ts';

/**
 * The answer takes more work than one call may do at a time; ask again when others had their turn. pread() of made-up texts
 * says so, of places far behind what was read before, and what changes a file that is being copied up (shared_work.ts).
 */
export const WORKS_ON = -0x1000_0005;

/** Readiness of a file that never blocks. */
export const ALWAYS_READY = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

/** Whoever must hear that a description ends before it is released: the epoll items that watch it. */
export interface ReleaseHook {
  onFileRelease(file: File): void;
}

/** An open file with what belongs to it: its inode when that is its own, its queue. */
export const FILE_BYTES = 1536;

export abstract class File {
  /** Descriptors, mappings, parked calls and messages in flight that hold this description. */
  refs = 1;
  readonly inode: Inode;
  /** Where it was opened; null for what has no path (pipes, sockets, anonymous inodes). */
  path: Path | null = null;
  /** Status flags and access mode, O_*. */
  flags: number;
  /** Offset of the next read or write; from outside by where() and moveTo(). */
  pos = 0;
  /** Who opened it. */
  cred: Cred | null = null;
  /** F_SETOWN: a pid, or -pgid; F_SETSIG's signal (0 = SIGIO). */
  owner = 0;
  ownerSig = 0;
  /** F_SETOWN_EX named a thread, not a process. */
  ownerThread = false;
  /** Who set the owner. */
  ownerCred: Cred | null = null;
  /** What sends the owner signals while O_ASYNC is set (syscalls/signals/sigio.ts). */
  async: ReleaseHook | null = null;
  /** Head of the epoll items that watch this description; null when there are none. */
  watchers: ReleaseHook | null = null;
  /** Whose memory it takes. */
  readonly payer: Account;
  /** Counts in inode.writers. */
  private counted = false;
  /** Runs as a program: took one off inode.writers (denyWrite), and gives it back at the end. */
  deniesWrite = false;

  constructor(inode: Inode, flags: number) {
    this.inode = inode;
    this.flags = flags;
    inode.users++;
    this.payer = kernelMemory.take(FILE_BYTES);
  }

  /** Called by open(2) when everything succeeded: where the file is, and who opened it. */
  attach(path: Path, cred: Cred): void {
    this.path = path;
    this.cred = cred;
    path.dentry.pin();
    path.mount.hold();
    if (this.writable) {
      this.counted = true;
      this.inode.writers++;
    }
  }

  get readable(): boolean {
    // Access mode 3 may do neither: such a file is for ioctl only.
    const acc = this.flags & O_ACCMODE;
    return (acc === O_RDONLY || acc === O_RDWR) && (this.flags & O_PATH) === 0;
  }

  get writable(): boolean {
    const acc = this.flags & O_ACCMODE;
    return (acc === O_WRONLY || acc === O_RDWR) && (this.flags & O_PATH) === 0;
  }

  get nonblocking(): boolean {
    return (this.flags & O_NONBLOCK) !== 0;
  }

  /** True when pread, pwrite and lseek work. */
  get seekable(): boolean {
    return false;
  }

  ref(): this {
    this.refs++;
    return this;
  }

  /** Drops one reference; the last one releases the file. */
  unref(): void {
    if (--this.refs !== 0) return;
    kernelMemory.give(this.payer, FILE_BYTES);
    if (this.watchers !== null) this.watchers.onFileRelease(this);
    if (this.async !== null) this.async.onFileRelease(this);
    const inode = this.inode;
    if (inode.locks !== null) inode.locks.releaseFile(this);
    this.release();
    if (this.deniesWrite) inode.writers++;
    const path = this.path;
    if (path !== null) {
      if ((this.flags & O_PATH) === 0)
        notifyDentry(path.dentry, this.writable ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
      path.dentry.unpin();
      if (this.counted) inode.writers--;
    }
    if (--inode.users === 0) {
      if (inode.nlink === 0) inode.evict();
      else if (inode.aliases === 0) inode.forget();
    }
    // Last: with the mount the whole file system may go.
    if (path !== null) path.mount.drop();
  }

  /**
   * 0 when open(2) is complete; -EAGAIN while a FIFO waits on queue() for its other end. The open handler pins the file
   * and parks until this is 0; an interrupted open drops the file. Never -EAGAIN with O_NONBLOCK.
   */
  openWait(): number {
    return 0;
  }

  /** SO_RCVTIMEO: how long a blocking read may wait, in ns. */
  get readTimeoutNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** SO_SNDTIMEO: how long a blocking write may wait, in ns. */
  get writeTimeoutNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** The last reference is gone: free what it held. */
  protected release(): void {}

  /** A descriptor of `ctx` to this file is being closed (POSIX locks go, whatever other descriptors remain). */
  flush(ctx: VfsContext): number {
    const locks = this.inode.locks;
    if (locks !== null && (this.flags & O_PATH) === 0) locks.releaseOwner(ctx.fds);
    return 0;
  }

  /** Reads at the file's position and moves it; bytes, 0 at end, -EAGAIN, -errno. */
  read(ctx: VfsContext, io: Io): number {
    const n = this.pread(ctx, io, this.pos);
    if (n > 0) this.pos += n;
    return n;
  }

  /**
   * Writes at the file's position and moves it. A short count is not final: a blocking write(2) calls again with the
   * rest until -EAGAIN, then parks (pipes, stream sockets and terminals take what fits).
   */
  write(ctx: VfsContext, io: Io): number {
    const n = this.pwrite(ctx, io, this.pos);
    if (n > 0) this.pos += n;
    return n;
  }

  pread(_ctx: VfsContext, _io: Io, _off: number): number {
    return this.seekable ? -EINVAL : -ESPIPE;
  }

  pwrite(_ctx: VfsContext, _io: Io, _off: number): number {
    return this.seekable ? -EINVAL : -ESPIPE;
  }

  /** Events that hold now (EPOLL* bits, the same values as POLL*). */
  poll(): number {
    return ALWAYS_READY;
  }

  /** Where to wait for poll() to change; null when it never does. */
  queue(): WaitQueue | null {
    return null;
  }

  /** Where the next read or write is: whoever is not the file itself asks here, for the position may be the host's. */
  where(): number {
    return this.pos;
  }

  /** Sets where the next read or write is. */
  moveTo(pos: number): void {
    this.pos = pos;
  }

  lseek(_ctx: VfsContext, off: number, whence: number): number {
    if (!this.seekable) return -ESPIPE;
    let base = 0;
    if (whence === SEEK_CUR) base = this.pos;
    else if (whence === SEEK_END) base = this.inode.size;
    else if (whence !== SEEK_SET) return -EINVAL;
    const to = base + off;
    if (to < 0 || to > Number.MAX_SAFE_INTEGER) return -EINVAL;
    this.pos = to;
    return to;
  }

  /** Emits directory entries from this.pos on, moving it. */
  readdir(_ctx: VfsContext, _sink: DirSink): number {
    return -ENOTDIR;
  }

  ioctl(_ctx: VfsContext, _cmd: number, _arg: number): number {
    return -ENOTTY;
  }

  /** A descriptor of the host's through which the content can be written as it is, for copies that the host makes; -1 for none. */
  get writeFd(): number {
    return -1;
  }

  /** What mmap maps; -ENODEV when the file cannot be mapped. */
  mmap(_ctx: VfsContext, _prot: number, _flags: number): Mappable | number {
    return -ENODEV;
  }

  /** What mmap(2) says to a mapping of `pages` pages from page `pgoff` on: 0 but for what is mapped as a whole. */
  mayMap(_pgoff: number, _pages: number): number {
    return 0;
  }

  /** Shared mappings may be written through, when the file was opened for it. */
  get mapsWrites(): boolean {
    return true;
  }

  fsync(_ctx: VfsContext): number {
    return -EINVAL;
  }

  /** fallocate(2) on an open file: see Inode. */
  fallocate(ctx: VfsContext, mode: number, off: number, len: number, done: number): number {
    return this.inode.fallocate(ctx, mode, off, len, done);
  }

  /** fcntl F_GETPIPE_SZ / F_SETPIPE_SZ (`size` -1 asks): bytes, or -errno. */
  pipeSize(_ctx: VfsContext, _size: number): number {
    return -EBADF;
  }

  /** fcntl F_ADD_SEALS. */
  addSeals(_seals: number): number {
    return -EINVAL;
  }

  /** fcntl F_GET_SEALS. */
  getSeals(): number {
    return -EINVAL;
  }

  /** fcntl(F_SETFL) hook after flags changed. */
  onFlags(): void {}

  /** Lines of /proc/PID/fdinfo/N that only this kind of file has ("eventfd-count: ...\n"). */
  fdinfo(): string {
    return '';
  }

  /** The text of /proc/PID/fd/N for a file without a path, such as "pipe:[12]". */
  describe(): string {
    return `anon_inode:[${this.inode.ino}]`;
  }
}

/** The file of an O_PATH descriptor: names a place and does nothing else. */
export class PathFile extends File {
  override read(): number {
    return -EBADF;
  }
  override write(): number {
    return -EBADF;
  }
  override lseek(): number {
    return -EBADF;
  }
  override ioctl(): number {
    return -EBADF;
  }
}
