// UnixSocket: what the three types of AF_UNIX sockets share: names, credentials, shutdown, options. unix(7).

import {
  EADDRINUSE,
  ECONNREFUSED,
  EEXIST,
  EINVAL,
  ENOPROTOOPT,
  ENOTCONN,
  EPROTOTYPE,
  ERANGE,
} from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLRDHUP } from '../../../abi/events/poll.ts';
import { AT_FDCWD } from '../../../abi/fs/fcntl.ts';
import { S_IFMT, S_IFSOCK } from '../../../abi/fs/stat.ts';
import { SIOCINQ, SIOCOUTQ } from '../../../abi/ioctl.ts';
import {
  AF_UNIX,
  SHUT_RDWR,
  SHUT_WR,
  SO_PASSCRED,
  SO_PEEK_OFF,
  SO_PEERCRED,
  SO_PEERGROUPS,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { decodeSockaddrUn, encodeSockaddrUn, SIZEOF_SOCKADDR_UN } from '../../../abi/net/un.ts';
import { kernelMemory } from '../../base/charge.ts';
import type { Cred } from '../../base/cred.ts';
import { failed } from '../../base/errno.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { makeNodeAt } from '../../vfs/dirops.ts';
import type { Inode } from '../../vfs/inode.ts';
import { lookup } from '../../vfs/namei.ts';
import { MAY_WRITE } from '../../vfs/permission.ts';
import type { SockAddr } from '../message.ts';
import { putIntOption } from '../options.ts';
import { READ_EVENTS, SocketFile, WRITE_EVENTS } from '../socket.ts';
import type { UnixNamespace } from './namespace.ts';
import type { Scm } from './scm.ts';

/** Connection states; the numbers are those of /proc/net/unix. */
export const SS_UNCONNECTED = 1;
export const SS_CONNECTED = 3;
/** Shown as SS_UNCONNECTED with the accepting flag. */
export const SS_LISTENING = 10;

export const ALL_EVENTS = READ_EVENTS | WRITE_EVENTS | POLLRDHUP | POLLHUP | POLLERR;

/** Offset of sun_path. */
const PATH_AT = 2;
/** __SO_ACCEPTCON, the flag of /proc/net/unix. */
const ACCEPTING_FLAG = 0x10000;

/** The bound socket of an S_IFSOCK inode. */
const endpoints = new WeakMap<Inode, UnixSocket>();

/** The socket that is bound to an inode, or null. */
export function endpointOf(inode: Inode): UnixSocket | null {
  return endpoints.get(inode) ?? null;
}

/** A socket beside its file, with the name that it may have. */
const SOCKET_BYTES = 1024;

export abstract class UnixSocket extends SocketFile {
  readonly ns: UnixNamespace;
  state = SS_UNCONNECTED;
  peer: UnixSocket | null = null;
  /** Closed: whoever still has it as peer finds out so. */
  dead = false;
  /** Made by connect(2) and not accepted yet. */
  embryo = false;
  /** A path, or an abstract name with its leading NUL; '' for none. */
  name = '';
  private boundInode: Inode | null = null;
  rcvShutdown = false;
  sndShutdown = false;
  passcred = false;
  /** SO_PEEK_OFF: -1 when off. */
  peekOff = -1;
  /** SO_PEERCRED. */
  peerPid = 0;
  peerCred: Cred | null = null;
  /** Who called listen(2): what clients see as their peer. */
  listenPid = 0;
  listenCred: Cred | null = null;
  /** References that messages hold. */
  inflight = 0;
  /** Bytes that this socket sent and nobody received yet, with overhead. */
  sentBytes = 0;
  /** Those who wait for room in this socket's queue or backlog. */
  readonly peerWait: WaitQueue = new WaitQueue();

  constructor(ctx: VfsContext, ns: UnixNamespace, type: number, flags: number) {
    super(ctx, AF_UNIX, type, 0, flags);
    this.ns = ns;
    ns.sockets.add(this);
    kernelMemory.take(SOCKET_BYTES, this.payer);
  }

  /** Descriptors and credentials in this socket's receive queue. */
  abstract queuedScms(): Scm[];
  /** Connections that wait to be accepted. */
  embryos(): readonly UnixSocket[] {
    return [];
  }
  /** Bytes that SIOCINQ tells. */
  protected abstract inqBytes(): number;
  /** True when something is there to be received. */
  protected abstract hasData(): boolean;
  /** The last reference is gone: throws away the receive queue; true when there was something in it. */
  protected abstract dropQueue(): boolean;

  override get heldToReceive(): number {
    return this.inqBytes();
  }

  override get heldToSend(): number {
    return this.sentBytes;
  }

  /** Writable as unix_writable() of Linux says: a quarter of the send buffer is in use at most. */
  protected get roomToSend(): boolean {
    return this.sentBytes * 4 <= this.options.sndbuf;
  }

  /** `n` charged bytes of this socket were received. */
  uncharge(n: number): void {
    const before = this.roomToSend;
    this.sentBytes -= n;
    if (!before && this.roomToSend && !this.waiters.empty) this.waiters.wake(WRITE_EVENTS);
  }

  /** Connects two fresh sockets: socketpair(2). */
  pairWith(ctx: VfsContext, other: UnixSocket): void {
    this.peer = other;
    other.peer = this;
    this.state = SS_CONNECTED;
    other.state = SS_CONNECTED;
    this.setPeerCred(ctx.tgid, ctx.cred);
    other.setPeerCred(ctx.tgid, ctx.cred);
  }

  setPeerCred(pid: number, cred: Cred | null): void {
    this.peerPid = pid;
    this.peerCred = cred;
  }

  /** The name in an address, or -EINVAL. */
  protected nameOf(addr: SockAddr): string | number {
    if (addr.len <= PATH_AT || addr.len > SIZEOF_SOCKADDR_UN || addr.family !== AF_UNIX) return -EINVAL;
    return decodeSockaddrUn(addr.view, 0, addr.len);
  }

  override bind(ctx: VfsContext, addr: SockAddr): number {
    if (addr.len === PATH_AT && addr.family === AF_UNIX) return this.autobind();
    const name = this.nameOf(addr);
    if (typeof name === 'number') return name;
    if (this.name !== '') return -EINVAL;
    if (name.charCodeAt(0) === 0) {
      if (this.ns.abstract.has(name)) return -EADDRINUSE;
      this.ns.abstract.set(name, this);
    } else {
      // unix_bind_bsd(): fchmod(2) of the socket before decides about the name.
      const mode = this.inode.mode & 0o7777 & ~ctx.fs.umask;
      const at = makeNodeAt(ctx, AT_FDCWD, name, S_IFSOCK | mode, 0);
      if (failed(at)) return at === -EEXIST ? -EADDRINUSE : at;
      this.boundInode = at.dentry.inode!;
      endpoints.set(this.boundInode, this);
    }
    this.name = name;
    return 0;
  }

  /** Takes a free abstract name; 0 also when there is a name already. */
  autobind(): number {
    if (this.name !== '') return 0;
    const name = this.ns.autoName();
    if (typeof name === 'number') return name;
    this.ns.abstract.set(name, this);
    this.name = name;
    return 0;
  }

  /** The socket that a name leads to: -ECONNREFUSED, -EPROTOTYPE, errors of the path. */
  protected find(ctx: VfsContext, name: string): UnixSocket | number {
    let found: UnixSocket | null;
    if (name.charCodeAt(0) === 0) found = this.ns.abstract.get(name) ?? null;
    else {
      const at = lookup(ctx, name);
      if (failed(at)) return at;
      const inode = at.dentry.inode!;
      const r = inode.permission(ctx, MAY_WRITE);
      if (r < 0) return r;
      if ((inode.mode & S_IFMT) !== S_IFSOCK) return -ECONNREFUSED;
      found = endpointOf(inode);
    }
    if (found === null) return -ECONNREFUSED;
    return found.type === this.type ? found : -EPROTOTYPE;
  }

  override getsockname(addr: SockAddr): number {
    addr.len = encodeSockaddrUn(addr.view, 0, this.name);
    return 0;
  }

  override getpeername(addr: SockAddr): number {
    if (this.peer === null) return -ENOTCONN;
    addr.len = encodeSockaddrUn(addr.view, 0, this.peer.name);
    return 0;
  }

  /** Fills the address of a message's sender: none when it has no name. */
  protected putSender(addr: SockAddr, sender: UnixSocket): void {
    addr.len = sender.name === '' ? 0 : encodeSockaddrUn(addr.view, 0, sender.name);
  }

  override shutdown(_ctx: VfsContext, how: number): number {
    if (how < 0 || how > SHUT_RDWR) return -EINVAL;
    const rd = how !== SHUT_WR;
    const wr = how !== 0;
    this.rcvShutdown ||= rd;
    this.sndShutdown ||= wr;
    this.onShutdown(rd, wr);
    this.waiters.wake(ALL_EVENTS);
    if (rd) this.peerWait.wake(ALL_EVENTS);
    return 0;
  }

  /** Lets the connected peer know. */
  protected onShutdown(_rd: boolean, _wr: boolean): void {}

  protected override release(): void {
    this.dead = true;
    this.dropFilter();
    this.ns.sockets.delete(this);
    kernelMemory.give(this.payer, SOCKET_BYTES);
    if (this.boundInode !== null) {
      if (endpointOf(this.boundInode) === this) endpoints.delete(this.boundInode);
    } else if (this.name !== '' && this.ns.abstract.get(this.name) === this)
      this.ns.abstract.delete(this.name);
    this.rcvShutdown = true;
    this.sndShutdown = true;
    this.onClose(this.dropQueue());
    this.peerWait.wake(ALL_EVENTS);
    this.ns.socketClosed();
  }

  /** The socket is closed; `unread` says that data was thrown away. */
  protected abstract onClose(unread: boolean): void;

  /** The part of poll() that the types share. */
  override poll(): number {
    let events = 0;
    if (this.error !== 0) events |= POLLERR;
    if (this.rcvShutdown) {
      events |= POLLRDHUP | READ_EVENTS;
      if (this.sndShutdown) events |= POLLHUP;
    }
    if (this.hasData()) events |= READ_EVENTS;
    if (this.state !== SS_LISTENING && this.roomToSend) events |= WRITE_EVENTS;
    return events;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    let value: number;
    // FIONREAD has SIOCINQ's number.
    if (cmd === SIOCINQ) value = this.state === SS_LISTENING ? -EINVAL : this.inqBytes();
    else if (cmd === SIOCOUTQ) value = this.sentBytes;
    else return super.ioctl(ctx, cmd, arg);
    if (value < 0) return value;
    scratchView.setInt32(0, value, true);
    return ctx.mem.copyOutExact(arg, scratch, 0, 4);
  }

  override getsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level !== SOL_SOCKET) return super.getsockopt(ctx, level, name, len);
    switch (name) {
      case SO_PASSCRED:
        return putIntOption(this.passcred ? 1 : 0, len);
      case SO_PEEK_OFF:
        return putIntOption(this.peekOff, len);
      case SO_PEERCRED: {
        const c = this.peerCred;
        scratchView.setInt32(0, this.peerPid, true);
        scratchView.setUint32(4, c === null ? 0xffffffff : c.euid, true);
        scratchView.setUint32(8, c === null ? 0xffffffff : c.egid, true);
        return Math.min(12, len);
      }
      case SO_PEERGROUPS: {
        const c = this.peerCred;
        if (c === null) return -ENOPROTOOPT;
        const bytes = 4 * c.groups.length;
        if (bytes > len || bytes > scratch.length) return -ERANGE;
        for (let i = 0; i < c.groups.length; i++) scratchView.setUint32(4 * i, c.groups[i]!, true);
        return bytes;
      }
    }
    return super.getsockopt(ctx, level, name, len);
  }

  override setsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level === SOL_SOCKET && (name === SO_PASSCRED || name === SO_PEEK_OFF)) {
      if (len < 4) return -EINVAL;
      const value = scratchView.getInt32(0, true);
      if (name === SO_PASSCRED) this.passcred = value !== 0;
      else this.peekOff = value < 0 ? -1 : value;
      return 0;
    }
    return super.setsockopt(ctx, level, name, len);
  }

  /** One line of /proc/net/unix. The address is shown as zero, as to readers without privilege. */
  procLine(): string {
    const hex = (n: number, width: number): string => n.toString(16).toUpperCase().padStart(width, '0');
    const listening = this.state === SS_LISTENING;
    const state = this.state === SS_CONNECTED ? SS_CONNECTED : SS_UNCONNECTED;
    const refs = this.refs + (this.peer === null ? 1 : 2);
    let line = `0000000000000000: ${hex(refs, 8)} 00000000 ${hex(listening ? ACCEPTING_FLAG : 0, 8)}`;
    line += ` ${hex(this.type, 4)} ${hex(state, 2)} ${String(this.inode.ino).padStart(5, ' ')}`;
    if (this.name !== '') line += ` ${this.name.replaceAll('\0', '@')}`;
    return line;
  }
}
