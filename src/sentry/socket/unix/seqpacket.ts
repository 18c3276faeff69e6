// UnixSeqpacket: SOCK_SEQPACKET, connections that keep message boundaries.

import { ENOTCONN, EPIPE } from '../../../abi/errno.ts';
import { SOCK_SEQPACKET } from '../../../abi/net/socket.ts';
import type { Io } from '../../base/io.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Message } from '../message.ts';
import { READ_EVENTS, WRITE_EVENTS } from '../socket.ts';
import { ConnectedSocket } from './connection.ts';
import type { UnixNamespace } from './namespace.ts';
import { makePacket, PacketQueue } from './packets.ts';
import type { Scm } from './scm.ts';
import { checkSend, finishSend, parseForSend } from './send.ts';
import { SS_CONNECTED } from './unix.ts';

export class UnixSeqpacket extends ConnectedSocket {
  private readonly packets: PacketQueue = new PacketQueue();

  constructor(ctx: VfsContext, ns: UnixNamespace, flags: number) {
    super(ctx, ns, SOCK_SEQPACKET, flags);
  }

  protected override spawn(ctx: VfsContext): UnixSeqpacket {
    return new UnixSeqpacket(ctx, this.ns, 0);
  }

  override queuedScms(): Scm[] {
    return this.packets.scms();
  }

  protected override inqBytes(): number {
    return this.packets.head === null ? 0 : this.packets.head.data.length;
  }

  protected override hasData(): boolean {
    return this.packets.head !== null || super.hasData();
  }

  protected override dropQueue(): boolean {
    return this.packets.clear();
  }

  override sendmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    // A destination address is ignored: unix_seqpacket_sendmsg clears it.
    const r = checkSend(flags);
    if (r < 0) return r;
    const other = this.peer as UnixSeqpacket | null;
    if (this.state !== SS_CONNECTED || other === null) return -ENOTCONN;
    if (this.sndShutdown || other.dead || other.rcvShutdown) return -EPIPE;
    if (this.sentBytes >= this.options.sndbuf) return this.again(this.waiters, WRITE_EVENTS);
    const scm = parseForSend(ctx, msg, this, other);
    if (typeof scm === 'number') return scm;
    const p = makePacket(io, this, scm);
    return finishSend(ctx, this.ns, p, scm, other.packets, other, READ_EVENTS);
  }

  override recvmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if (this.state !== SS_CONNECTED) return -ENOTCONN;
    if (this.packets.head === null) {
      if (this.error !== 0) return -this.takeError();
      return this.rcvShutdown ? 0 : this.again(this.waiters, READ_EVENTS);
    }
    this.putSender(msg.addr, this.packets.head.sender);
    return this.packets.receive(ctx, this, io, msg, flags);
  }
}
