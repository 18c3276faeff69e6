// Tracker: connections as a filter knows them (nf_conntrack): two tuples each, what a packet of either direction looks like. A packet
// belongs to a connection from its first hook on; the connection is in the table when its first packet got through.

import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import type { NetMemory } from '../memory.ts';
import type { NetClock } from '../time.ts';
import type { Tuple } from './tuple.ts';
import type { View } from './view.ts';

/** nf_conntrack_max; and what one costs. */
const MOST = 65536;
const BYTES = 640;
const SECOND_NS = 1e9;
/** As nf_conntrack_tcp_timeout_* and its like. */
const LIFE_S = {
  syn: 120,
  established: 432000,
  closing: 120,
  closed: 10,
  udp: 30,
  udpStream: 120,
  icmp: 30,
  other: 600,
};
/** New ones between two looks for old ones. */
const SWEEP_EVERY = 256;

/** Bits of conntrack's state mask. */
export const STATE_INVALID = 1;
export const STATE_ESTABLISHED = 2;
export const STATE_RELATED = 4;
export const STATE_NEW = 8;
export const STATE_SNAT = 0x40;
export const STATE_DNAT = 0x80;
export const STATE_UNTRACKED = 0x100;

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

export class Tracked {
  original: Tuple;
  reply: Tuple;
  replied = false;
  /** IPS_ASSURED: who began it has answered the answer. */
  assured = false;
  /** It is in the table. */
  confirmed = false;
  /** NAT was asked for its destination, its source. */
  dstDone = false;
  srcDone = false;
  fins = 0;
  expiresNs = 0;

  constructor(original: Tuple) {
    this.original = original;
    this.reply = original.inverse;
  }
}

/** What a packet is to a connection. */
export class Membership {
  readonly of: Tracked;
  readonly isReply: boolean;
  /** STATE_*. */
  readonly state: number;
  /** An ICMP error about it. */
  readonly related: boolean;

  constructor(of: Tracked, isReply: boolean, state: number, related: boolean) {
    this.of = of;
    this.isReply = isReply;
    this.state = state;
    this.related = related;
  }
}

export class Tracker {
  private readonly clock: NetClock;
  private readonly memory: NetMemory;
  private readonly table = new Map<string, Tracked>();
  /** Connections whose ends have not both shown that they are there, the oldest first, and the others. */
  private readonly fresh = new Set<Tracked>();
  private readonly assured = new Set<Tracked>();
  private sinceSweep = 0;

  constructor(clock: NetClock, memory: NetMemory) {
    this.clock = clock;
    this.memory = memory;
  }

  get count(): number {
    return this.fresh.size + this.assured.size;
  }

  /** The connection with a tuple, unless its time is over. */
  find(tuple: Tuple): Tracked | null {
    const t = this.table.get(tuple.key);
    if (t === undefined) return null;
    if (t.expiresNs > this.clock.monotonicNs()) return t;
    this.remove(t);
    return null;
  }

  /** What a packet is to the connections; null when it is to none (INVALID). */
  belongs(view: View): Membership | null {
    if (view.quoted !== null) {
      const t = this.find(view.quoted.inverse);
      if (t === null) return null;
      return new Membership(t, t.original.key !== view.quoted.inverse.key, STATE_RELATED, true);
    }
    const tuple = view.tuple();
    if (tuple === null) return null;
    const key = tuple.key;
    let t = this.find(tuple);
    if (t === null) {
      const { flags } = view;
      if (tuple.protocol === IPPROTO_TCP && ((flags & RST) !== 0 || (flags & (SYN | ACK)) === (SYN | ACK)))
        return null;
      t = new Tracked(tuple);
      this.touch(t, view, false);
      return new Membership(t, false, STATE_NEW, false);
    }
    // A connection that is over, and begins anew.
    if (t.fins >= 2 && tuple.protocol === IPPROTO_TCP && (view.flags & (SYN | ACK)) === SYN) {
      this.remove(t);
      return this.belongs(view);
    }
    const isReply = t.original.key !== key;
    if (isReply) t.replied = true;
    else if (t.replied && !t.assured) this.assure(t, view);
    this.touch(t, view, isReply);
    return new Membership(t, isReply, t.replied ? STATE_ESTABLISHED : STATE_NEW, false);
  }

  /**
   * Forged packets are answered too: only who goes on after the answer is there. Pings are never assured (nf_conntrack_tcp_packet(),
   * nf_conntrack_udp_packet()).
   */
  private assure(t: Tracked, view: View): void {
    const { protocol } = t.original;
    if (protocol === IPPROTO_TCP ? (view.flags & (SYN | RST)) !== 0 : protocol !== IPPROTO_UDP) return;
    t.assured = true;
    if (this.fresh.delete(t)) this.assured.add(t);
  }

  private touch(t: Tracked, view: View, isReply: boolean): void {
    const { protocol } = t.original;
    let lifeS = LIFE_S.other;
    if (protocol === IPPROTO_TCP) {
      if ((view.flags & RST) !== 0) t.fins = 3;
      else if ((view.flags & FIN) !== 0) t.fins |= isReply ? 2 : 1;
      if (t.fins >= 3) lifeS = (view.flags & RST) !== 0 ? LIFE_S.closed : LIFE_S.closing;
      else
        lifeS =
          t.fins > 0
            ? LIFE_S.closing
            : t.replied && (view.flags & SYN) === 0
              ? LIFE_S.established
              : LIFE_S.syn;
    } else if (protocol === IPPROTO_UDP) lifeS = t.replied ? LIFE_S.udpStream : LIFE_S.udp;
    else if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) lifeS = LIFE_S.icmp;
    t.expiresNs = this.clock.monotonicNs() + lifeS * SECOND_NS;
  }

  /** The first packet got through. False when the table is full, or another one was first. */
  confirm(t: Tracked): boolean {
    if (t.confirmed) return true;
    if (++this.sinceSweep >= SWEEP_EVERY) this.sweep();
    if (!this.hasRoom && !this.dropEarly()) return false;
    const [a, b] = [t.original.key, t.reply.key];
    if (this.table.has(a) || this.table.has(b)) return false;
    this.memory.take(BYTES);
    this.table.set(a, t);
    this.table.set(b, t);
    (t.assured ? this.assured : this.fresh).add(t);
    t.confirmed = true;
    return true;
  }

  private get hasRoom(): boolean {
    return this.count < MOST && this.memory.fits(BYTES);
  }

  /** Makes room by the oldest one that is not assured: early_drop(). A flood of them shuts nobody out. */
  private dropEarly(): boolean {
    const [oldest] = this.fresh;
    if (oldest === undefined) return false;
    this.remove(oldest);
    return this.hasRoom;
  }

  private remove(t: Tracked): void {
    if (!this.fresh.delete(t) && !this.assured.delete(t)) return;
    this.table.delete(t.original.key);
    this.table.delete(t.reply.key);
    this.memory.give(BYTES);
    t.confirmed = false;
  }

  private sweep(): void {
    this.sinceSweep = 0;
    const nowNs = this.clock.monotonicNs();
    for (const all of [this.fresh, this.assured])
      for (const t of all) if (t.expiresNs <= nowNs) this.remove(t);
  }

  /** Nobody filters any more. */
  clear(): void {
    for (const all of [this.fresh, this.assured]) for (const t of all) this.remove(t);
  }
}
