// PacketQueue: the receive queue of sockets that keep message boundaries (datagram, seqpacket).

import { EFAULT, EMSGSIZE, ENOBUFS } from '../../../abi/errno.ts';
import { MSG_PEEK, MSG_TRUNC } from '../../../abi/net/socket.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Io } from '../../base/io.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { Message } from '../message.ts';
import { deliver, type Scm } from './scm.ts';
import type { UnixSocket } from './unix.ts';

/** What Linux charges a message beyond its bytes: struct sk_buff and alignment. */
const OVERHEAD = 768;
/** Messages of up to this many bytes fit into that overhead. */
const SMALL = 192;
/** What SO_SNDBUF must leave free beyond the longest message. */
const RESERVE = 32;

export class Packet {
  readonly data: Uint8Array;
  readonly sender: UnixSocket;
  readonly scm: Scm | null;
  next: Packet | null = null;
  /** Who pays while it is queued. */
  payer: Account | null = null;
  constructor(data: Uint8Array, sender: UnixSocket, scm: Scm | null) {
    this.data = data;
    this.sender = sender;
    this.scm = scm;
  }
  /** Bytes that the sender is charged. */
  get charge(): number {
    return this.data.length <= SMALL ? OVERHEAD : this.data.length + OVERHEAD;
  }
}

/** True when `n` bytes never fit in one message of this sender: -EMSGSIZE. */
export function tooLong(sender: UnixSocket, n: number): boolean {
  return n > sender.options.sndbuf - RESERVE;
}

/** Copies a message in: a charged packet, or -EMSGSIZE, -EFAULT. The caller queues it. */
export function makePacket(io: Io, sender: UnixSocket, scm: Scm | null): Packet | number {
  const size = io.remaining;
  if (tooLong(sender, size)) return -EMSGSIZE;
  if (!kernelMemory.fits(size + OVERHEAD)) return -ENOBUFS;
  const data = new Uint8Array(size);
  if (size > 0) {
    const n = io.take(data, 0, size);
    if (n !== size) return n < 0 ? n : -EFAULT;
  }
  return new Packet(data, sender, scm);
}

export class PacketQueue {
  head: Packet | null = null;
  private tail: Packet | null = null;
  count = 0;

  push(p: Packet): void {
    p.sender.sentBytes += p.charge;
    p.payer = kernelMemory.take(p.data.length + OVERHEAD);
    if (this.tail === null) this.head = p;
    else this.tail.next = p;
    this.tail = p;
    this.count++;
  }

  /** Takes the first packet; its sender's charge ends. */
  private shift(): void {
    const p = this.head!;
    this.head = p.next;
    if (this.head === null) this.tail = null;
    this.count--;
    p.sender.uncharge(p.charge);
    kernelMemory.give(p.payer!, p.data.length + OVERHEAD);
  }

  /** Throws everything away; true when there was something. */
  clear(): boolean {
    const had = this.head !== null;
    while (this.head !== null) {
      const scm = this.head.scm;
      this.shift();
      scm?.discard();
    }
    return had;
  }

  scms(): Scm[] {
    const all: Scm[] = [];
    for (let p = this.head; p !== null; p = p.next) if (p.scm !== null) all.push(p.scm);
    return all;
  }

  /** Receives the first packet into `io`: bytes moved, or its length with MSG_TRUNC; -EFAULT leaves it queued. */
  receive(ctx: VfsContext, to: UnixSocket, io: Io, msg: Message, flags: number): number {
    const peek = (flags & MSG_PEEK) !== 0;
    let skip = peek && to.peekOff > 0 ? to.peekOff : 0;
    let p = this.head!;
    while (skip >= p.data.length && p.next !== null && skip > 0) {
      skip -= p.data.length;
      p = p.next;
    }
    const length = p.data.length - skip;
    const want = Math.min(length, io.remaining);
    if (want > 0) {
      const n = io.put(p.data, skip, want);
      if (n !== want) return n < 0 ? n : -EFAULT;
    }
    if (want < length) msg.flags |= MSG_TRUNC;
    let files: File[] | null = null;
    if (p.scm !== null && p.scm.files !== null)
      files = peek ? p.scm.files.map((f) => f.ref()) : p.scm.leaveFlight();
    if (peek) {
      if (to.peekOff >= 0) to.peekOff += want;
    } else {
      if (to.peekOff > 0) to.peekOff = Math.max(0, to.peekOff - p.data.length);
      this.shift();
    }
    deliver(ctx, msg, to.passcred, p.scm?.hasCred ? p.scm : null, files, flags);
    return (flags & MSG_TRUNC) !== 0 ? length : want;
  }
}
