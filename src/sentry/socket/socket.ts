// SocketFile: a socket of any family as a file: what the system calls need of it. Families subclass it (unix/).
//
// Operations never wait. One that returns -EAGAIN has set waitQueue and waitEvents to what a blocking call is to watch
// before it tries again; sends and receives of a blocking caller stop at the socket's timeouts.

import { EAGAIN, EINVAL, EOPNOTSUPP } from '../../abi/errno.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM } from '../../abi/events/poll.ts';
import { O_RDWR } from '../../abi/fs/fcntl.ts';
import { SOCKFS_MAGIC } from '../../abi/fs/magic.ts';
import { S_IFSOCK } from '../../abi/fs/stat.ts';
import { MSG_DONTWAIT, SOL_SOCKET } from '../../abi/net/socket.ts';
import type { Io } from '../base/io.ts';
import { WaitQueue } from '../base/wait.ts';
import { AnonFs, AnonInode } from '../vfs/anon.ts';
import type { VfsContext } from '../vfs/context.ts';
import { File } from '../vfs/file.ts';
import { type Filtered, replaceFilter, type SocketFilter } from './filter.ts';
import { Message, type SockAddr } from './message.ts';
import { getSocketOption, SocketOptions, setSocketOption } from './options.ts';

export const sockFs: AnonFs = new AnonFs('sockfs', SOCKFS_MAGIC);

export const READ_EVENTS = POLLIN | POLLRDNORM;
export const WRITE_EVENTS = POLLOUT | POLLWRNORM | POLLWRBAND;

/** For read(2) and write(2), which carry neither address nor control messages. */
const plain: Message = new Message();

/** Not an option that is read from guest memory as a whole. */
export const NOT_LARGE = 1 << 30;

export abstract class SocketFile extends File implements Filtered {
  readonly family: number;
  /** SOCK_STREAM, SOCK_DGRAM, ... */
  readonly type: number;
  readonly protocol: number;
  readonly options: SocketOptions = new SocketOptions();
  /** SO_ERROR: an errno that the next operation reports, 0 for none. */
  error = 0;
  filter: SocketFilter | null = null;
  filterLocked = false;
  /** Everybody who polls this socket. */
  readonly waiters: WaitQueue = new WaitQueue();
  /** After -EAGAIN: what to watch. */
  waitQueue: WaitQueue = this.waiters;
  waitEvents = 0;

  constructor(ctx: VfsContext, family: number, type: number, protocol: number, flags: number) {
    super(new AnonInode(sockFs, S_IFSOCK | 0o777, ctx), O_RDWR | flags);
    this.family = family;
    this.type = type;
    this.protocol = protocol;
    this.cred = ctx.cred;
  }

  abstract bind(ctx: VfsContext, addr: SockAddr): number;
  abstract connect(ctx: VfsContext, addr: SockAddr): number;
  /** The connection made, or -EAGAIN, -errno. `flags` may hold O_NONBLOCK for the new socket. */
  abstract accept(ctx: VfsContext, flags: number): SocketFile | number;
  abstract listen(ctx: VfsContext, backlog: number): number;
  abstract shutdown(ctx: VfsContext, how: number): number;
  /** Sends what fits of `io`; bytes, -EAGAIN, -errno. `flags` are MSG_*. */
  abstract sendmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number;
  /** Receives into `io`; bytes (more than were moved with MSG_TRUNC), 0 at the end, -EAGAIN, -errno. */
  abstract recvmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number;
  /** Fills the own, or the peer's, address. */
  abstract getsockname(addr: SockAddr): number;
  abstract getpeername(addr: SockAddr): number;

  /** True when bytes form a stream: a blocking send goes on until all are sent, MSG_WAITALL has a meaning. */
  get streaming(): boolean {
    return false;
  }

  /** True when connections are waited for: SO_ACCEPTCONN. */
  get listening(): boolean {
    return false;
  }

  /**
   * getsockopt(2): writes the value to scratch, at most `len` bytes of it; its length or -errno.
   * Families handle their own levels and options and leave the rest to this.
   */
  getsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level !== SOL_SOCKET) return -EOPNOTSUPP;
    return getSocketOption(ctx, this, name, len);
  }

  /** setsockopt(2): the value is in scratch, `len` bytes. */
  setsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level !== SOL_SOCKET) return -EOPNOTSUPP;
    return setSocketOption(ctx, this, name, len);
  }

  /** Options that are larger than scratch, at `addr` in guest memory; NOT_LARGE leaves them to setsockopt and getsockopt. */
  setLargeOption(_ctx: VfsContext, _level: number, _name: number, _addr: number, _len: number): number {
    return NOT_LARGE;
  }

  getLargeOption(_ctx: VfsContext, _level: number, _name: number, _addr: number, _len: number): number {
    return NOT_LARGE;
  }

  get heldToReceive(): number {
    return 0;
  }

  get heldToSend(): number {
    return 0;
  }

  filterChanges(_filter: SocketFilter | null): number {
    return 0;
  }

  /** The socket ends: its filter is not paid for any more. */
  protected dropFilter(): void {
    if (this.filter !== null) replaceFilter(this, null);
  }

  /** SO_ERROR: tells the pending error and forgets it. */
  takeError(): number {
    const e = this.error;
    this.error = 0;
    return e;
  }

  /** -EAGAIN, to be retried when `queue` tells one of `events`. */
  protected again(queue: WaitQueue, events: number): number {
    this.waitQueue = queue;
    this.waitEvents = events;
    return -EAGAIN;
  }

  /** A connect(2) is under way. */
  get connecting(): boolean {
    return false;
  }

  /** What connect(2) says when its time is over (SO_SNDTIMEO in socket(7)); `already`: it found one under way. */
  connectTimedOut(_already: boolean): number {
    return -EAGAIN;
  }

  /** True when this send or receive must not wait. */
  mustNotWait(flags: number): boolean {
    return this.nonblocking || (flags & MSG_DONTWAIT) !== 0;
  }

  override read(ctx: VfsContext, io: Io): number {
    if (io.remaining === 0) return 0;
    plain.clear();
    return this.recvmsg(ctx, io, plain, 0);
  }

  override write(ctx: VfsContext, io: Io): number {
    plain.clear();
    return this.sendmsg(ctx, io, plain, 0);
  }

  override get readTimeoutNs(): number {
    return this.options.rcvTimeoutNs;
  }

  override get writeTimeoutNs(): number {
    return this.options.sndTimeoutNs;
  }

  override queue(): WaitQueue {
    return this.waiters;
  }

  override fsync(): number {
    return -EINVAL;
  }

  override describe(): string {
    return `socket:[${this.inode.ino}]`;
  }
}
