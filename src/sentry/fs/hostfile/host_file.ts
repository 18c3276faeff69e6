// HostFile: standard input, output and error when they are files, pipes, sockets or terminals of the host. Transfers go
// through one bounce buffer; nothing here ever waits for the host.

import { EAGAIN, EBADF, EINTR, ENODEV, ENOTTY, EPIPE, ESPIPE } from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../../abi/events/poll.ts';
import { F_GETFL, F_SETFL, O_ACCMODE, O_APPEND } from '../../../abi/fs/fcntl.ts';
import { RWF_APPEND, RWF_NOAPPEND, SEEK_CUR, SEEK_END, SEEK_SET } from '../../../abi/fs/fs.ts';
import { S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import { FIONREAD, TCGETS, TIOCGWINSZ } from '../../../abi/ioctl.ts';
import { MAP_SHARED, PROT_WRITE } from '../../../abi/memory/mman.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../../../abi/net/socket.ts';
import { RLIMIT_FSIZE } from '../../../abi/process/resource.ts';
import { SIGPIPE } from '../../../abi/signal/signal.ts';
import {
  SYS_fcntl,
  SYS_fsync,
  SYS_ioctl,
  SYS_lseek,
  SYS_pread64,
  SYS_pwrite64,
  SYS_pwritev2,
  SYS_read,
  SYS_recvfrom,
  SYS_sendto,
  SYS_write,
} from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { Io } from '../../base/io.ts';
import type { WaitQueue } from '../../base/wait.ts';
import type { Mappable } from '../../memfile/mappable.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { MAX_FILE_SIZE, writableLength } from '../../vfs/regularfile.ts';
import type { HostContent } from './host_content.ts';
import { HOW_DIRECT, HOW_POLL, HOW_SOCKET, type HostEnd } from './host_end.ts';

const BOUNCE_SIZE = 65536;
/** A pipe that poll(2) calls writable takes at least this much without waiting (PIPE_BUF). */
const POLLED_WRITE = 4096;
/** Bytes of an ioctl's structure: struct winsize, struct termios, int. */
const IOCTL_SIZES: ReadonlyMap<number, number> = new Map([
  [TIOCGWINSZ, 8],
  [TCGETS, 36],
  [FIONREAD, 4],
]);

const bounce = HostBuffer.alloc(BOUNCE_SIZE);
/** struct iovec. */
const iovec = HostBuffer.alloc(16);

/** What open files need of their inode (host_inode.ts). */
export interface HostFileInode extends Inode {
  readonly regular: boolean;
  /** What is mapped of the file: its pages; null before the first mapping. */
  readonly content: HostContent | null;
  /** The file's pages for a mapping, or null when there is nowhere to put them. */
  makeContent(): HostContent | null;
  /** A descriptor for a description with that access; -errno. */
  endFor(mode: number, append: boolean): HostEnd | number;
  /** What /proc/PID/fd says. */
  linkText(end: HostEnd): string;
}

export class HostFile extends File {
  private readonly host: HostFileInode;
  private end: HostEnd;
  /** The host's description has O_APPEND; flags say otherwise while a call has RWF_APPEND or RWF_NOAPPEND. */
  private appends: boolean;

  constructor(inode: HostFileInode, flags: number, end: HostEnd) {
    super(inode, flags);
    this.host = inode;
    this.end = end;
    this.appends = (flags & O_APPEND) !== 0;
    end.refs++;
  }

  /** Keeps a position of its own instead of sharing the host description's. */
  private get ownPos(): boolean {
    return !this.end.shared && this.seekable;
  }

  protected override release(): void {
    this.end.unref();
  }

  override describe(): string {
    return this.host.linkText(this.end);
  }

  override get seekable(): boolean {
    return (this.inode.mode & S_IFMT) === S_IFREG;
  }

  override read(ctx: VfsContext, io: Io): number {
    return this.ownPos ? super.read(ctx, io) : this.transferIn(io, -1);
  }

  override write(ctx: VfsContext, io: Io): number {
    if (!this.ownPos) return this.transferOut(ctx, io, -1);
    if ((this.flags & O_APPEND) === 0) return super.write(ctx, io);
    // The host finds the end of the file, and says where that was.
    const n = this.transferOut(ctx, io, -1);
    if (n > 0) this.pos = hostCall(SYS_lseek, this.end.fd, 0, SEEK_CUR);
    return n;
  }

  override pread(_ctx: VfsContext, io: Io, off: number): number {
    return this.seekable ? this.transferIn(io, off) : -ESPIPE;
  }

  override pwrite(ctx: VfsContext, io: Io, off: number): number {
    return this.seekable ? this.transferOut(ctx, io, off) : -ESPIPE;
  }

  /** One host read of at most the bounce buffer; `off` -1 uses the host's position. */
  private transferIn(io: Io, off: number): number {
    if (!this.readable) return -EBADF;
    if (io.remaining <= 0) return 0;
    const end = this.end;
    if (end.pending !== null) return this.fromPending(io, end.pending);
    const want = Math.min(io.remaining, BOUNCE_SIZE);
    const n = this.hostRead(want, off);
    end.queue.rearm(0);
    if (n <= 0) return n;
    const moved = io.put(bounce.u8, 0, n);
    const kept = Math.max(moved, 0);
    if (kept < n && off < 0) {
      // The host's bytes are gone from it: they wait here for a better buffer.
      if (this.seekable) hostCall(SYS_lseek, end.fd, kept - n, SEEK_CUR);
      else end.pending = bounce.u8.slice(kept, n);
    }
    return moved;
  }

  private fromPending(io: Io, pending: Uint8Array): number {
    const moved = io.put(pending, 0, Math.min(io.remaining, pending.length));
    if (moved > 0) this.end.pending = moved === pending.length ? null : pending.slice(moved);
    return moved;
  }

  private hostRead(len: number, off: number): number {
    const { fd, how } = this.end;
    if (how === HOW_POLL && (this.end.poll() & (POLLIN | POLLHUP | POLLERR)) === 0) return -EAGAIN;
    let n: number;
    do {
      if (off >= 0) n = hostCall(SYS_pread64, fd, bounce.addr, len, off);
      else if (how === HOW_SOCKET) n = hostCall(SYS_recvfrom, fd, bounce.addr, len, MSG_DONTWAIT);
      else n = hostCall(SYS_read, fd, bounce.addr, len);
    } while (n === -EINTR);
    return n;
  }

  /** Host writes until `io` is empty or the host takes no more. */
  private transferOut(ctx: VfsContext, io: Io, off: number): number {
    if (!this.writable) return -EBADF;
    const { how } = this.end;
    const allowed = this.seekable ? this.withinLimit(ctx, off, io.remaining) : io.remaining;
    if (allowed < 0) return allowed;
    const rest = io.remaining - allowed;
    let total = 0;
    while (io.remaining > rest) {
      if (how === HOW_POLL && (this.end.poll() & (POLLOUT | POLLERR)) === 0) break;
      const taken = io.take(
        bounce.u8,
        0,
        Math.min(io.remaining - rest, how === HOW_POLL ? POLLED_WRITE : BOUNCE_SIZE),
      );
      if (taken <= 0) return total > 0 ? total : taken;
      const n = this.hostWrite(taken, off < 0 ? off : off + total);
      const done = Math.max(n, 0);
      if (done < taken) io.rewind(taken - done);
      total += done;
      if (n < 0) {
        if (n === -EPIPE) ctx.raise(SIGPIPE);
        if (n !== -EAGAIN && total === 0) return n;
        break;
      }
      if (done < taken) break;
    }
    this.end.queue.rearm(0);
    if (total > 0 && this.host.content !== null)
      this.host.content.written(
        off >= 0 ? off + total : hostCall(SYS_lseek, this.end.fd, 0, SEEK_CUR),
        total,
      );
    return total > 0 || io.remaining === 0 ? total : -EAGAIN;
  }

  /** RLIMIT_FSIZE of the guest's: how many of `len` bytes may be written. */
  private withinLimit(ctx: VfsContext, off: number, len: number): number {
    if (ctx.rlimit(RLIMIT_FSIZE) > MAX_FILE_SIZE) return len;
    let at = off;
    if ((this.flags & O_APPEND) !== 0) {
      this.inode.refresh(ctx);
      at = this.inode.size;
    } else if (off < 0) at = hostCall(SYS_lseek, this.end.fd, 0, SEEK_CUR);
    return writableLength(ctx, at, len);
  }

  private hostWrite(len: number, off: number): number {
    const { fd, how } = this.end;
    const append = (this.flags & O_APPEND) !== 0;
    let n: number;
    do {
      if (append !== this.appends && this.seekable) n = this.writeAs(append, len, off);
      else if (off >= 0) n = hostCall(SYS_pwrite64, fd, bounce.addr, len, off);
      else if (how === HOW_SOCKET)
        n = hostCall(SYS_sendto, fd, bounce.addr, len, MSG_DONTWAIT | MSG_NOSIGNAL);
      else n = hostCall(SYS_write, fd, bounce.addr, len);
    } while (n === -EINTR);
    return n;
  }

  private writeAs(append: boolean, len: number, off: number): number {
    iovec.view.setBigUint64(0, BigInt(bounce.addr), true);
    iovec.view.setBigUint64(8, BigInt(len), true);
    const flag = append ? RWF_APPEND : RWF_NOAPPEND;
    return hostCall(SYS_pwritev2, this.end.fd, iovec.addr, 1, off, 0, flag);
  }

  override where(): number {
    if (!this.ownPos && this.seekable) this.pos = hostCall(SYS_lseek, this.end.fd, 0, SEEK_CUR);
    return this.pos;
  }

  override moveTo(pos: number): void {
    this.pos = pos;
    if (!this.ownPos && this.seekable) hostCall(SYS_lseek, this.end.fd, pos, SEEK_SET);
  }

  override lseek(ctx: VfsContext, off: number, whence: number): number {
    if (!this.seekable) return -ESPIPE;
    if (this.ownPos && whence <= SEEK_END) {
      this.inode.refresh(ctx);
      return super.lseek(ctx, off, whence);
    }
    // SEEK_DATA and SEEK_HOLE included; the host checks `whence`, which never reaches it out of this range.
    if (whence < SEEK_SET || whence > SEEK_END + 2 || !Number.isSafeInteger(off))
      return super.lseek(ctx, -1, SEEK_SET);
    const r = hostCall(SYS_lseek, this.end.fd, off, whence);
    if (r >= 0) this.pos = r;
    return r;
  }

  /** F_SETFL: O_APPEND of the caller's description is the caller's, as outside; of our own there is one of each kind. */
  override onFlags(): void {
    if (!this.seekable) return;
    const append = this.flags & O_APPEND;
    this.appends = append !== 0;
    if (!this.ownPos) {
      const old = hostCall(SYS_fcntl, this.end.fd, F_GETFL, 0);
      if (old >= 0 && (old & O_APPEND) !== append)
        hostCall(SYS_fcntl, this.end.fd, F_SETFL, (old & ~O_APPEND) | append);
      return;
    }
    if (this.end.append === (append !== 0)) return;
    const end = this.host.endFor(this.flags & O_ACCMODE, append !== 0);
    if (typeof end === 'number') return;
    end.refs++;
    this.end.unref();
    this.end = end;
  }

  /** Shared mappings are for looking: nobody would carry back what is written there. */
  override get mapsWrites(): boolean {
    return false;
  }

  override mmap(_ctx: VfsContext, prot: number, flags: number): Mappable | number {
    if (!this.host.regular || ((flags & MAP_SHARED) !== 0 && (prot & PROT_WRITE) !== 0)) return -ENODEV;
    return this.host.makeContent() ?? -ENODEV;
  }

  override fsync(): number {
    return hostCall(SYS_fsync, this.end.fd);
  }

  override poll(): number {
    if (this.end.how === HOW_DIRECT) return super.poll();
    const events = this.end.poll();
    return this.end.pending === null ? events : events | POLLIN;
  }

  override queue(): WaitQueue | null {
    return this.end.how === HOW_DIRECT ? null : this.end.queue;
  }

  /** Looking requests only: what would change the host's terminal or device is refused. */
  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    const size = IOCTL_SIZES.get(cmd);
    if (size === undefined) return -ENOTTY;
    const r = hostCall(SYS_ioctl, this.end.fd, cmd, bounce.addr);
    return r < 0 ? r : ctx.mem.copyOutExact(arg, bounce.u8, 0, size);
  }
}
