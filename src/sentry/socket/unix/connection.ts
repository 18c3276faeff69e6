// ConnectedSocket: listen, connect and accept of the connection-oriented types (stream, seqpacket).

import { ECONNREFUSED, ECONNRESET, EINVAL, EISCONN } from '../../../abi/errno.ts';
import { POLLHUP } from '../../../abi/events/poll.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { SockAddr } from '../message.ts';
import { READ_EVENTS, type SocketFile, WRITE_EVENTS } from '../socket.ts';
import { ALL_EVENTS, SS_CONNECTED, SS_LISTENING, SS_UNCONNECTED, UnixSocket } from './unix.ts';

/** /proc/sys/net/core/somaxconn. */
const SOMAXCONN = 4096;

export abstract class ConnectedSocket extends UnixSocket {
  /** Connections that wait for accept(2). */
  private backlog: ConnectedSocket[] = [];
  private backlogMax = 0;

  /** A socket of the same type. */
  protected abstract spawn(ctx: VfsContext): ConnectedSocket;

  override embryos(): readonly UnixSocket[] {
    return this.backlog;
  }

  override get listening(): boolean {
    return this.state === SS_LISTENING;
  }

  /** More than the backlog's length waits, as Linux counts. */
  private get backlogFull(): boolean {
    return this.backlog.length > this.backlogMax;
  }

  override listen(ctx: VfsContext, backlog: number): number {
    if (this.name === '' || this.state === SS_CONNECTED) return -EINVAL;
    const max = backlog < 0 || backlog > SOMAXCONN ? SOMAXCONN : backlog;
    if (max > this.backlogMax) this.peerWait.wake(ALL_EVENTS);
    this.backlogMax = max;
    this.state = SS_LISTENING;
    this.listenPid = ctx.tgid;
    this.listenCred = ctx.cred;
    this.setPeerCred(ctx.tgid, ctx.cred);
    return 0;
  }

  override connect(ctx: VfsContext, addr: SockAddr): number {
    const name = this.nameOf(addr);
    if (typeof name === 'number') return name;
    if (this.passcred && this.name === '') {
      const r = this.autobind();
      if (r < 0) return r;
    }
    const other = this.find(ctx, name);
    if (typeof other === 'number') return other;
    if (other.state !== SS_LISTENING || other.rcvShutdown || !(other instanceof ConnectedSocket))
      return -ECONNREFUSED;
    if (other.backlogFull) return this.again(other.peerWait, WRITE_EVENTS);
    if (this.state === SS_CONNECTED) return -EISCONN;
    if (this.state === SS_LISTENING) return -EINVAL;
    const child = other.spawn(ctx);
    child.embryo = true;
    child.name = other.name;
    child.passcred = other.passcred;
    child.peer = this;
    child.state = SS_CONNECTED;
    child.setPeerCred(ctx.tgid, ctx.cred);
    this.peer = child;
    this.state = SS_CONNECTED;
    this.setPeerCred(other.listenPid, other.listenCred);
    other.backlog.push(child);
    other.waiters.wake(READ_EVENTS);
    return 0;
  }

  override accept(ctx: VfsContext, flags: number): SocketFile | number {
    if (this.state !== SS_LISTENING) return -EINVAL;
    const wasFull = this.backlogFull;
    const child = this.backlog.shift();
    if (child === undefined) return this.rcvShutdown ? -EINVAL : this.again(this.waiters, READ_EVENTS);
    child.embryo = false;
    child.flags |= flags;
    child.cred = ctx.cred;
    if (wasFull) this.peerWait.wake(WRITE_EVENTS);
    return child;
  }

  protected override hasData(): boolean {
    return this.backlog.length > 0;
  }

  override poll(): number {
    let events = super.poll();
    if (this.state === SS_UNCONNECTED) events |= POLLHUP;
    return events;
  }

  protected override onShutdown(rd: boolean, wr: boolean): void {
    const other = this.peer;
    if (other === null) return;
    other.sndShutdown ||= rd;
    other.rcvShutdown ||= wr;
    other.waiters.wake(ALL_EVENTS);
  }

  protected override onClose(unread: boolean): void {
    const other = this.peer;
    if (other !== null && !other.dead) {
      other.rcvShutdown = true;
      other.sndShutdown = true;
      if (unread || this.embryo) other.error = ECONNRESET;
      other.waiters.wake(ALL_EVENTS);
    }
    const waiting = this.backlog;
    this.backlog = [];
    for (const child of waiting) child.unref();
  }
}
