// Fragments in: what came of a datagram is kept until all of it is there. Bounded in bytes and in time; a datagram whose
// fragments overlap is thrown away (RFC 5722, and as Linux does for IPv4 too).

import type { IpAddress } from '../address.ts';
import type { NetMemory } from '../memory.ts';
import { Packet, SUM_UNCHECKED } from '../packet.ts';
import type { NetClock, NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';

/** What a fragment costs beside its bytes. */
const OVERHEAD = 256;
/** Of one datagram: 64 KiB in pieces of 8 would be 8192. */
const MOST_FRAGMENTS = 1024;
const MOST_SIZE = 65535;
const ROOM = 64;

/** Room in head before a datagram that was put together. */
export const REASSEMBLED_AT: number = ROOM;

class Fragment {
  readonly from: number;
  readonly to: number;
  readonly data: Uint8Array;

  constructor(from: number, data: Uint8Array) {
    this.from = from;
    this.to = from + data.length;
    this.data = data;
  }
}

/** One datagram of which something is missing. */
export class Datagram {
  readonly key: string;
  readonly deadlineNs: number;
  readonly fragments: Fragment[] = [];
  /** Bytes of payload, known from the last fragment; -1 before. */
  total = -1;
  have = 0;
  charged = 0;
  /** The first fragment as it came, with its headers: whole packets get them, ICMP quotes it. */
  first: Packet | null = null;
  /** It overlapped: all that comes is dropped until the time is over. */
  spoilt = false;

  constructor(key: string, deadlineNs: number) {
    this.key = key;
    this.deadlineNs = deadlineNs;
  }
}

/** Told of datagrams whose time is over. */
export interface ReassemblyOwner {
  reassemblyTimedOut(first: Packet | null): void;
}

export const ADD_WAITS = 0;
export const ADD_DONE = 1;
export const ADD_DROPPED = 2;

/** One of IPv4 and one of IPv6. */
export class Reassembly implements NetTimerTarget {
  /** ipfrag_high_thresh and ipfrag_time. */
  highBytes: number;
  timeNs: number;
  /** After ADD_DONE: bytes of payload. */
  done: Datagram | null = null;
  bytes = 0;
  private readonly datagrams = new Map<string, Datagram>();
  private readonly clock: NetClock;
  private readonly memory: NetMemory;
  private readonly owner: ReassemblyOwner;
  private readonly timer: NetTimer;

  constructor(clock: NetClock, memory: NetMemory, owner: ReassemblyOwner, highBytes: number, timeS: number) {
    this.clock = clock;
    this.memory = memory;
    this.owner = owner;
    this.highBytes = highBytes;
    this.timeNs = timeS * 1e9;
    this.timer = new NetTimer(this);
  }

  /** Datagrams that wait for more. */
  get waiting(): number {
    return this.datagrams.size;
  }

  /** Takes payload[from..] of a fragment. `packet` is kept when it is the first. */
  add(
    src: IpAddress,
    dst: IpAddress,
    id: number,
    protocol: number,
    from: number,
    last: boolean,
    data: Uint8Array,
    packet: Packet,
  ): number {
    const key = `${src.w0},${src.w1},${src.w3},${src.w2},${dst.w0},${dst.w1},${dst.w3},${dst.w2},${id},${protocol}`;
    let d = this.datagrams.get(key);
    if (d === undefined) {
      d = new Datagram(key, this.clock.monotonicNs() + this.timeNs);
      if (!this.charge(d, OVERHEAD)) return ADD_DROPPED;
      this.datagrams.set(key, d);
      if (!this.timer.armed) this.clock.arm(this.timer, d.deadlineNs);
    }
    if (d.spoilt) return ADD_DROPPED;
    const to = from + data.length;
    if (to > MOST_SIZE || (!last && data.length % 8 !== 0)) return this.spoil(d);
    if (last ? d.total >= 0 && d.total !== to : d.total >= 0 && to > d.total) return this.spoil(d);
    if (last && d.fragments.length > 0 && d.fragments.at(-1)!.to > to) return this.spoil(d);
    let at = d.fragments.length;
    while (at > 0 && d.fragments[at - 1]!.from >= from) at--;
    const next = d.fragments[at];
    const before = at > 0 ? d.fragments[at - 1] : undefined;
    // The same once more is a duplicate, and harmless: RFC 8200, section 4.5.
    if (next !== undefined && next.from === from && next.to === to) return ADD_DROPPED;
    if ((next !== undefined && next.from < to) || (before !== undefined && before.to > from))
      return this.spoil(d);
    if (d.fragments.length >= MOST_FRAGMENTS || !this.charge(d, data.length + OVERHEAD)) return this.spoil(d);
    d.fragments.splice(at, 0, new Fragment(from, data));
    d.have += data.length;
    if (last) d.total = to;
    if (from === 0) d.first = packet;
    if (d.have !== d.total || d.first === null) return ADD_WAITS;
    this.drop(d);
    this.done = d;
    return ADD_DONE;
  }

  private charge(d: Datagram, bytes: number): boolean {
    // The oldest make room: somebody who sends halves forever shall not keep others out.
    while (this.bytes + bytes > this.highBytes || !this.memory.fits(bytes)) {
      const oldest = this.datagrams.values().next();
      if (oldest.done === true || oldest.value === d) return false;
      this.drop(oldest.value);
    }
    this.bytes += bytes;
    d.charged += bytes;
    this.memory.take(bytes);
    return true;
  }

  /** Keeps the place but not the bytes: what still comes of it must not begin it anew. */
  private spoil(d: Datagram): number {
    d.spoilt = true;
    d.fragments.length = 0;
    d.first = null;
    this.give(d, d.charged - OVERHEAD);
    return ADD_DROPPED;
  }

  private give(d: Datagram, bytes: number): void {
    this.bytes -= bytes;
    d.charged -= bytes;
    this.memory.give(bytes);
  }

  private drop(d: Datagram): void {
    this.datagrams.delete(d.key);
    this.give(d, d.charged);
    if (this.datagrams.size === 0 && this.timer.armed) this.clock.cancel(this.timer);
  }

  onTimer(_timer: NetTimer, nowNs: number): void {
    for (const d of this.datagrams.values()) {
      if (d.deadlineNs > nowNs) {
        this.clock.arm(this.timer, d.deadlineNs);
        return;
      }
      this.drop(d);
      this.owner.reassemblyTimedOut(d.first);
    }
  }
}

/** The whole: `headers` as they are to stand before the payload, which lies behind them in one piece. */
export function joinDatagram(d: Datagram, headers: Uint8Array): Packet {
  const head = new Uint8Array(ROOM + headers.length + d.total);
  head.set(headers, ROOM);
  for (const f of d.fragments) head.set(f.data, ROOM + headers.length + f.from);
  const packet = new Packet(head, ROOM);
  packet.sum = SUM_UNCHECKED;
  packet.l3 = ROOM;
  packet.ifindex = d.first!.ifindex;
  packet.atNs = d.first!.atNs;
  return packet;
}
