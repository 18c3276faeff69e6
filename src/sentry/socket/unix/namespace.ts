// UnixNamespace: what the AF_UNIX sockets of one kernel share: abstract names, the list of sockets, what is in flight.

import { ENOSPC, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from '../../../abi/errno.ts';
import { AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM } from '../../../abi/net/socket.ts';
import { CAP_SYS_ADMIN, CAP_SYS_RESOURCE } from '../../../abi/process/capability.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { UnixDatagram } from './datagram.ts';
import { collectGarbage } from './gc.ts';
import { UnixSeqpacket } from './seqpacket.ts';
import { UnixStream } from './stream.ts';
import type { UnixSocket } from './unix.ts';

/** Names that autobind may give: five hexadecimal digits. */
const AUTO_NAMES = 0x100000;
/** Above this many descriptors in flight, sends look for garbage first; again when there are twice as many. */
const GC_AT = 16000;
/** Garbage is looked for when one socket in this many has closed. */
const CLOSES_SHARE = 16;

export class UnixNamespace {
  /** Sockets by abstract name, with its leading NUL. */
  readonly abstract: Map<string, UnixSocket> = new Map();
  /** Every socket that is not closed: /proc/net/unix, garbage collection. */
  readonly sockets: Set<UnixSocket> = new Set();
  /** Sockets that messages hold. */
  readonly inflightSockets: Set<UnixSocket> = new Set();
  /** Descriptors in flight by the uid that sent them. */
  private readonly inflightByUid: Map<number, number> = new Map();
  inflight = 0;
  private lastAuto = 0;
  private collecting = false;
  /** Sockets that closed since garbage was last looked for. */
  private closes = 0;
  private gcAt = GC_AT;

  /** Makes a socket of a type: socket(2) with AF_UNIX. -EPROTONOSUPPORT, -ESOCKTNOSUPPORT. */
  create(ctx: VfsContext, type: number, protocol: number, flags: number): UnixSocket | number {
    if (protocol !== 0 && protocol !== AF_UNIX) return -EPROTONOSUPPORT;
    switch (type) {
      case SOCK_STREAM:
        return new UnixStream(ctx, this, flags);
      case SOCK_SEQPACKET:
        return new UnixSeqpacket(ctx, this, flags);
      case SOCK_DGRAM:
      case SOCK_RAW:
        return new UnixDatagram(ctx, this, flags);
    }
    return -ESOCKTNOSUPPORT;
  }

  /** Makes two sockets that are connected to each other: socketpair(2). */
  createPair(
    ctx: VfsContext,
    type: number,
    protocol: number,
    flags: number,
  ): readonly [UnixSocket, UnixSocket] | number {
    const a = this.create(ctx, type, protocol, flags);
    if (typeof a === 'number') return a;
    const b = this.create(ctx, type, protocol, flags);
    if (typeof b === 'number') {
      a.unref();
      return b;
    }
    a.pairWith(ctx, b);
    return [a, b];
  }

  /** A free abstract name; -ENOSPC when all are taken. */
  autoName(): string | number {
    for (let tries = 0; tries < AUTO_NAMES; tries++) {
      this.lastAuto = (this.lastAuto + 1) % AUTO_NAMES;
      const name = `\0${this.lastAuto.toString(16).padStart(5, '0')}`;
      if (!this.abstract.has(name)) return name;
    }
    return -ENOSPC;
  }

  /** May the caller have `count` more descriptors in flight (too_many_unix_fds in Linux)? */
  maySend(ctx: VfsContext, count: number): boolean {
    if (this.inflight + count > this.gcAt) {
      this.collect();
      this.gcAt = Math.max(GC_AT, 2 * this.inflight);
    }
    const now = this.inflightByUid.get(ctx.cred.uid) ?? 0;
    if (now <= ctx.rlimit(RLIMIT_NOFILE)) return true;
    return ctx.cred.capable(CAP_SYS_RESOURCE) || ctx.cred.capable(CAP_SYS_ADMIN);
  }

  addInflight(uid: number, count: number): void {
    this.inflight += count;
    const now = (this.inflightByUid.get(uid) ?? 0) + count;
    if (now === 0) this.inflightByUid.delete(uid);
    else this.inflightByUid.set(uid, now);
  }

  /** A socket closed: others may be garbage now. A search looks at all sockets, so many closes share one. */
  socketClosed(): void {
    if (++this.closes * CLOSES_SHARE >= this.sockets.size) this.collect();
  }

  /** Frees sockets that only messages among themselves hold. */
  collect(): void {
    if (this.collecting || this.inflightSockets.size === 0) return;
    this.closes = 0;
    this.collecting = true;
    collectGarbage(this);
    this.collecting = false;
  }

  /** The rows of /proc/net/unix. */
  procRows(): string {
    let out = '';
    for (const s of this.sockets) out += `${s.procLine()}\n`;
    return out;
  }
}
