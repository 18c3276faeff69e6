// UnixDatagram: SOCK_DGRAM, reliable and in order, as AF_UNIX datagrams are.

import { ECONNREFUSED, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPERM, EPIPE } from '../../../abi/errno.ts';
import { POLLOUT } from '../../../abi/events/poll.ts';
import { AF_UNSPEC, SOCK_DGRAM } from '../../../abi/net/socket.ts';
import type { Io } from '../../base/io.ts';
import { Waiter, type Wakeable } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Message, SockAddr } from '../message.ts';
import { READ_EVENTS, type SocketFile, WRITE_EVENTS } from '../socket.ts';
import type { UnixNamespace } from './namespace.ts';
import { makePacket, Packet, PacketQueue, tooLong } from './packets.ts';
import type { Scm } from './scm.ts';
import { checkSend, finishSend, parseForSend } from './send.ts';
import { SS_CONNECTED, SS_UNCONNECTED, UnixSocket } from './unix.ts';

/** /proc/sys/net/unix/max_dgram_qlen. */
const MAX_QUEUE = 10;

export class UnixDatagram extends UnixSocket implements Wakeable {
  private readonly packets: PacketQueue = new PacketQueue();
  /** On the peer's peerWait while poll() found that peer's queue full: then its progress makes this one writable. */
  private readonly peerWaiter: Waiter = new Waiter(this, POLLOUT);

  constructor(ctx: VfsContext, ns: UnixNamespace, flags: number) {
    super(ctx, ns, SOCK_DGRAM, flags);
  }

  override queuedScms(): Scm[] {
    return this.packets.scms();
  }

  protected override inqBytes(): number {
    return this.packets.head === null ? 0 : this.packets.head.data.length;
  }

  protected override hasData(): boolean {
    return this.packets.head !== null;
  }

  protected override dropQueue(): boolean {
    return this.packets.clear();
  }

  protected override onClose(): void {
    this.peerWaiter.remove();
  }

  override listen(): number {
    return -EOPNOTSUPP;
  }

  override accept(): SocketFile | number {
    return -EOPNOTSUPP;
  }

  /** More messages wait than the queue's length, as Linux counts. */
  private get full(): boolean {
    return this.packets.count > MAX_QUEUE;
  }

  /** A socket that is connected to another one takes messages from it alone. */
  private accepts(from: UnixDatagram): boolean {
    return this.peer === null || this.peer === from;
  }

  override connect(ctx: VfsContext, addr: SockAddr): number {
    if (addr.len >= 2 && addr.family === AF_UNSPEC) {
      this.setPeer(null);
      return 0;
    }
    const name = this.nameOf(addr);
    if (typeof name === 'number') return name;
    if (this.passcred && this.name === '') {
      const r = this.autobind();
      if (r < 0) return r;
    }
    const other = this.find(ctx, name);
    if (typeof other === 'number') return other;
    if (!(other as UnixDatagram).accepts(this)) return -EPERM;
    this.setPeer(other);
    return 0;
  }

  private setPeer(other: UnixSocket | null): void {
    this.peerWaiter.remove();
    this.peer = other;
    this.state = other === null ? SS_UNCONNECTED : SS_CONNECTED;
    // A change of peer may have made this socket writable.
    this.waiters.wake(WRITE_EVENTS);
  }

  override sendmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    const bad = checkSend(flags);
    if (bad < 0) return bad;
    const other = this.destination(ctx, msg);
    if (typeof other === 'number') return other;
    if (this.sndShutdown) return -EPIPE;
    if (tooLong(this, io.remaining)) return -EMSGSIZE;
    if (this.passcred && this.name === '') {
      const r = this.autobind();
      if (r < 0) return r;
    }
    if (other.dead) {
      if (this.peer === other) this.setPeer(null);
      return -ECONNREFUSED;
    }
    if (!other.accepts(this)) return -EPERM;
    if (other.rcvShutdown) return -EPIPE;
    if (other !== this && other.peer !== this && other.full) return this.again(other.peerWait, WRITE_EVENTS);
    if (this.sentBytes >= this.options.sndbuf) return this.again(this.waiters, WRITE_EVENTS);
    const scm = parseForSend(ctx, msg, this, other);
    if (typeof scm === 'number') return scm;
    let p = makePacket(io, this, scm);
    if (other.filter !== null && typeof p !== 'number') {
      const n = other.filter.admitsBytes(p.data);
      // Thrown away, and the sender is not told.
      if (n === 0) {
        scm?.discard();
        return p.data.length;
      }
      const size = p.data.length;
      if (n < size) {
        p = new Packet(p.data.slice(0, n), this, scm);
        const r = finishSend(ctx, this.ns, p, scm, other.packets, other, READ_EVENTS);
        return r < 0 ? r : size;
      }
    }
    return finishSend(ctx, this.ns, p, scm, other.packets, other, READ_EVENTS);
  }

  /** Where a message goes: its address, or the peer. */
  private destination(ctx: VfsContext, msg: Message): UnixDatagram | number {
    if (msg.addr.len > 0) {
      const name = this.nameOf(msg.addr);
      if (typeof name === 'number') return name;
      return this.find(ctx, name) as UnixDatagram | number;
    }
    return this.peer === null ? -ENOTCONN : (this.peer as UnixDatagram);
  }

  override recvmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if (this.packets.head === null) {
      if (this.error !== 0) return -this.takeError();
      // Linux ends only a blocking receive after shutdown(2); a non-blocking one sees EAGAIN.
      if (this.rcvShutdown && !this.mustNotWait(flags)) return 0;
      return this.again(this.waiters, READ_EVENTS);
    }
    const wasFull = this.full;
    this.putSender(msg.addr, this.packets.head.sender);
    const n = this.packets.receive(ctx, this, io, msg, flags);
    if (wasFull && !this.full) this.peerWait.wake(WRITE_EVENTS);
    return n;
  }

  override poll(): number {
    const events = super.poll();
    const other = this.peer as UnixDatagram | null;
    if ((events & POLLOUT) === 0 || other === null || other === this || other.peer === this || !other.full)
      return events;
    if (this.peerWaiter.queue === null) other.peerWait.add(this.peerWaiter);
    return events & ~WRITE_EVENTS;
  }

  /** The peer's queue has room again. */
  onReady(_waiter: Waiter, _events: number): void {
    this.peerWaiter.remove();
    this.waiters.wake(WRITE_EVENTS);
  }
}
