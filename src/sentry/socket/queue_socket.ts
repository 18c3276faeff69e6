// QueueSocket: what AF_PACKET and AF_NETLINK sockets share: whole messages that wait, each charged to whoever made it come, a filter
// before them, and calls that neither family has.

import { EFAULT, EOPNOTSUPP } from '../../abi/errno.ts';
import { POLLERR } from '../../abi/events/poll.ts';
import { MSG_OOB, MSG_PEEK, MSG_TRUNC } from '../../abi/net/socket.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import type { Io } from '../base/io.ts';
import type { VfsContext } from '../vfs/context.ts';
import type { Message } from './message.ts';
import { READ_EVENTS, SocketFile, WRITE_EVENTS } from './socket.ts';

/** What a message is charged beyond its bytes: struct sk_buff. */
export const MESSAGE_OVERHEAD = 768;

/** A message that waits. */
export class QueuedMessage {
  readonly bytes: Uint8Array;
  private readonly payer: Account;

  constructor(bytes: Uint8Array, payer: Account = kernelMemory.current) {
    this.bytes = bytes;
    this.payer = kernelMemory.take(this.charge, payer);
  }

  get charge(): number {
    return this.bytes.length + MESSAGE_OVERHEAD;
  }

  free(): void {
    kernelMemory.give(this.payer, this.charge);
  }
}

export abstract class QueueSocket<Q extends QueuedMessage> extends SocketFile {
  private readonly waiting: Q[] = [];
  /** What waits, as SO_RCVBUF counts it. */
  queued = 0;

  /** SIOCINQ: length of the next message; 0 for none. */
  get nextLength(): number {
    return this.waiting[0]?.bytes.length ?? 0;
  }

  /** What a receive with MSG_OOB gets. */
  protected abstract readonly oobError: number;
  /** Tells sender and control messages of what is received. */
  protected abstract tell(ctx: VfsContext, q: Q, msg: Message): void;

  override get heldToReceive(): number {
    return this.queued;
  }

  override accept(): number {
    return -EOPNOTSUPP;
  }

  override listen(): number {
    return -EOPNOTSUPP;
  }

  override shutdown(): number {
    return -EOPNOTSUPP;
  }

  /** Is there room for a message that nobody here asked for? */
  protected hasRoom(length: number, payer: Account = kernelMemory.current): boolean {
    const charge = length + MESSAGE_OVERHEAD;
    return this.queued + charge <= this.options.rcvbuf && kernelMemory.fits(charge, payer);
  }

  protected push(q: Q): void {
    this.waiting.push(q);
    this.queued += q.charge;
    if (!this.waiters.empty) this.waiters.wake(READ_EVENTS);
  }

  override recvmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if ((flags & MSG_OOB) !== 0) return this.oobError;
    if (this.error !== 0) return -this.takeError();
    const q = this.waiting[0];
    if (q === undefined) return this.again(this.waiters, READ_EVENTS);
    const { length } = q.bytes;
    const want = Math.min(length, io.remaining);
    if (want > 0) {
      const n = io.put(q.bytes, 0, want);
      if (n !== want) return n < 0 ? n : -EFAULT;
    }
    if (want < length) msg.flags |= MSG_TRUNC;
    this.tell(ctx, q, msg);
    if ((flags & MSG_PEEK) === 0) {
      this.waiting.shift();
      this.queued -= q.charge;
      q.free();
    }
    return (flags & MSG_TRUNC) !== 0 ? length : want;
  }

  override poll(): number {
    let events = WRITE_EVENTS;
    if (this.waiting.length > 0) events |= READ_EVENTS;
    if (this.error !== 0) events |= POLLERR | READ_EVENTS;
    return events;
  }

  protected override release(): void {
    this.dropFilter();
    this.purge();
  }

  /** Forgets what waits. */
  protected purge(): void {
    for (const q of this.waiting) q.free();
    this.waiting.length = 0;
    this.queued = 0;
  }
}
