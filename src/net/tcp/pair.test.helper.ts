// Two TcpProtocols joined by a link, with a clock that the test turns: loss, duplication, reordering, delay, rate, MTU and GSO.

import assert from 'node:assert/strict';
import type { IpAddress } from '../address.ts';
import { ipv4 } from '../address.ts';
import type { ByteSink, ByteSource } from '../endpoint.ts';
import type { NetMemory } from '../memory.ts';
import { Packet } from '../packet.ts';
import type { Flow, NetworkLayer, Path } from '../path.ts';
import type { NetClock, NetTimer } from '../time.ts';
import type { NetRandom } from '../transport.ts';
import type { TcpEndpoint } from './endpoint.ts';
import { TcpProtocol } from './protocol.ts';

/** A clock that stands still until it is turned. */
export class HandClock implements NetClock {
  nowNs = 1e9;
  readonly timers: NetTimer[] = [];

  realtimeMs(): number {
    return Date.now();
  }

  monotonicNs(): number {
    return this.nowNs;
  }

  arm(timer: NetTimer, deadlineNs: number): void {
    if (!timer.armed) this.timers.push(timer);
    timer.index = 1;
    timer.deadlineNs = deadlineNs;
  }

  cancel(timer: NetTimer): void {
    if (!timer.armed) return;
    timer.index = -1;
    this.timers.splice(this.timers.indexOf(timer), 1);
  }

  /** The next deadline. */
  get next(): number {
    return this.timers.reduce((least, t) => Math.min(least, t.deadlineNs), Number.POSITIVE_INFINITY);
  }

  /** Goes to `ns`; fires what is due then. */
  turnTo(ns: number): void {
    this.nowNs = Math.max(this.nowNs, ns);
    for (;;) {
      let due: NetTimer | undefined;
      for (const t of this.timers)
        if (t.deadlineNs <= this.nowNs && (due === undefined || t.deadlineNs < due.deadlineNs)) due = t;
      if (due === undefined) return;
      this.cancel(due);
      due.target.onTimer(due, this.nowNs);
    }
  }
}

/** Numbers that are the same in every run. */
export class SeededRandom implements NetRandom {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0 || 1;
  }

  u32(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }

  /** 0 <= x < 1. */
  unit(): number {
    return this.u32() / 2 ** 32;
  }
}

/** Counts what is kept. */
export class CountedMemory implements NetMemory {
  used = 0;
  most = 0;
  limit = Number.POSITIVE_INFINITY;

  fits(bytes: number): boolean {
    return this.used + bytes <= this.limit;
  }

  take(bytes: number): void {
    this.used += bytes;
    this.most = Math.max(this.most, this.used);
  }

  give(bytes: number): void {
    this.used -= bytes;
    assert.ok(this.used >= 0, 'more was given back than taken');
  }
}

export interface LinkOptions {
  loss?: number;
  duplicate?: number;
  reorder?: number;
  delayNs?: number;
  /** Bytes a second; 0 for no limit. */
  rate?: number;
  /** Bytes that wait for the wire; what comes then is lost. */
  queueBytes?: number;
  mtu?: number;
  gso?: number;
  local?: boolean;
  /** Both sides' tcp_congestion_control. */
  congestion?: string;
  seed?: number;
  /** Packets for which this is true are lost: n-th that the side sends. */
  lose?: (packet: Packet, from: number) => boolean;
}

interface InFlight {
  atNs: number;
  to: number;
  packet: Packet;
}

export const ADDRESS: readonly [IpAddress, IpAddress] = [ipv4(0x0a000001), ipv4(0x0a000002)];

class Side implements NetworkLayer {
  generation = 1;
  private readonly pair: Pair;
  private readonly index: number;

  constructor(pair: Pair, index: number) {
    this.pair = pair;
    this.index = index;
  }

  route(flow: Flow): Path {
    const { link } = this.pair;
    const own = ADDRESS[this.index]!;
    return {
      src: flow.src.isAny ? own : flow.src,
      dst: flow.dst,
      ifindex: 1,
      mtu: link.mtu ?? 1500,
      local: flow.dst.equals(own) || link.local === true,
      broadcast: false,
      gso: link.gso ?? 0,
      generation: this.generation,
    };
  }

  bindable(address: IpAddress): boolean {
    return address.equals(ADDRESS[this.index]!) || this.pair.link.local === true;
  }

  output(packet: Packet, path: Path, _protocol: number, _dontFragment: boolean): number {
    packet.src = path.src;
    packet.dst = path.dst;
    return this.pair.carry(packet, this.index);
  }
}

export class Pair {
  readonly clock = new HandClock();
  readonly random: SeededRandom;
  readonly link: LinkOptions;
  readonly memory = [new CountedMemory(), new CountedMemory()] as const;
  readonly tcp: readonly [TcpProtocol, TcpProtocol];
  /** Packets on their way, by time. */
  readonly flight: InFlight[] = [];
  readonly sent: [number, number] = [0, 0];
  private freeNs: [number, number] = [0, 0];
  /** Sees every packet that is sent. */
  tap: ((packet: Packet, from: number) => void) | null = null;

  constructor(link: LinkOptions = {}) {
    this.link = link;
    this.random = new SeededRandom(link.seed ?? 1);
    const side = (i: number): TcpProtocol =>
      new TcpProtocol(
        new Side(this, i),
        this.clock,
        new SeededRandom((link.seed ?? 1) + 17 * i + 5),
        this.memory[i],
      );
    this.tcp = [side(0), side(1)];
    // Over a link that loses a quarter, Linux's five copies of a SYN|ACK are too few for one connection in 150.
    for (const tcp of this.tcp) {
      tcp.sysctl.tcp_syn_retries = 12;
      tcp.sysctl.tcp_synack_retries = 12;
      if (link.congestion !== undefined) tcp.sysctl.tcp_congestion_control = link.congestion;
    }
  }

  carry(packet: Packet, from: number): number {
    const { link, random } = this;
    this.sent[from]!++;
    const ipSize = packet.src.isV4 ? 20 : 40;
    assert.ok(ipSize + packet.size <= 65535, 'no IPv4 packet is that large');
    const header = packet.end - packet.start;
    if (packet.segment > 0) assert.ok(ipSize + packet.size <= (link.gso ?? 0), 'larger than GSO');
    else
      assert.ok(ipSize + packet.size <= (link.mtu ?? 1500), `larger than the MTU: ${ipSize + packet.size}`);
    if (packet.segment > 0)
      assert.ok(ipSize + header + packet.segment <= (link.mtu ?? 1500), 'segments larger than the MTU');
    this.tap?.(packet, from);
    if (link.lose?.(packet, from) || random.unit() < (link.loss ?? 0)) return 0;
    let at = this.clock.nowNs;
    if (link.rate) {
      if (link.queueBytes && (this.freeNs[from]! - at) * link.rate > link.queueBytes * 1e9) return 0;
      at = Math.max(at, this.freeNs[from]!) + ((ipSize + packet.size) * 1e9) / link.rate;
      this.freeNs[from] = at;
    }
    at += link.delayNs ?? 0;
    if (random.unit() < (link.reorder ?? 0)) at += random.unit() * 3 * (link.delayNs ?? 1e6);
    this.put(at, 1 - from, packet);
    if (random.unit() < (link.duplicate ?? 0)) this.put(at + random.unit() * 1e6, 1 - from, packet);
    return 0;
  }

  private put(atNs: number, to: number, packet: Packet): void {
    let i = this.flight.length;
    while (i > 0 && this.flight[i - 1]!.atNs > atNs) i--;
    this.flight.splice(i, 0, { atNs, to, packet });
  }

  /** What a receiver gets: headers of its own, as from a wire. */
  private deliver(f: InFlight): void {
    const { packet } = f;
    const copy = new Packet(packet.head.slice(packet.start, packet.end), 0, packet.end - packet.start);
    copy.l4 = packet.l4 - packet.start;
    copy.src = packet.src;
    copy.dst = packet.dst;
    copy.tos = packet.tos;
    copy.segment = packet.segment;
    copy.sum = 1;
    for (const part of packet.parts) copy.append(part);
    this.tcp[f.to]!.input(copy);
  }

  /** Lets time pass to `ns` from now; what happens in it happens. */
  pass(ns: number, each: (() => void) | null = null): void {
    const end = this.clock.nowNs + ns;
    this.until(() => false, end, each);
    this.clock.turnTo(end);
  }

  /** Until something is true; false when that was not before `endNs`. */
  until(done: () => boolean, endNs: number, each: (() => void) | null = null): boolean {
    for (;;) {
      each?.();
      if (done()) return true;
      const next = Math.min(this.flight[0]?.atNs ?? Number.POSITIVE_INFINITY, this.clock.next);
      if (next > endNs || next === Number.POSITIVE_INFINITY) return false;
      this.clock.turnTo(next);
      while (this.flight.length > 0 && this.flight[0]!.atNs <= this.clock.nowNs)
        this.deliver(this.flight.shift()!);
    }
  }

  /** A listening endpoint of side 1, and a connection from side 0 that is established; both ends. */
  connected(port = 80): [TcpEndpoint, TcpEndpoint, TcpEndpoint] {
    const listener = this.tcp[1].open(false);
    assert.equal(listener.bind(ADDRESS[1], port), 0);
    assert.equal(listener.listen(16), 0);
    const client = this.tcp[0].open(false);
    assert.equal(client.connect(ADDRESS[1], port), -115);
    let server: unknown = -1;
    assert.ok(
      this.until(() => {
        if (typeof server === 'number') server = listener.accept();
        return client.state === 1 && typeof server !== 'number';
      }, this.clock.nowNs + 1e13),
      'no connection',
    );
    return [client, server as TcpEndpoint, listener];
  }

  get timers(): number {
    return this.clock.timers.length;
  }
}

export class Bytes implements ByteSource, ByteSink {
  readonly data: Uint8Array;
  at = 0;

  constructor(data: Uint8Array | number) {
    this.data = typeof data === 'number' ? new Uint8Array(data) : data;
  }

  get remaining(): number {
    return this.data.length - this.at;
  }

  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    dst.set(this.data.subarray(this.at, this.at + n), off);
    this.at += n;
    return n;
  }

  put(src: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    this.data.set(src.subarray(off, off + n), this.at);
    this.at += n;
    return n;
  }

  get text(): string {
    return Buffer.from(this.data.subarray(0, this.at)).toString('latin1');
  }
}

/** Sends text; bytes taken. */
export function say(endpoint: TcpEndpoint, text: string, flags = 0): number {
  return endpoint.send(new Bytes(Buffer.from(text, 'latin1')), flags);
}

/** What can be read now, as text; or -errno. */
export function hear(endpoint: TcpEndpoint, most = 65536, flags = 0): string | number {
  const to = new Bytes(most);
  const n = endpoint.receive(to, flags, 0);
  return n < 0 ? n : to.text;
}

/** Bytes that say where they belong. */
export function pattern(n: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(n);
  for (let i = 0; i < n; i++) bytes[i] = (i * 7 + (i >>> 8) * 13 + (i >>> 16) * 31 + seed) & 255;
  return bytes;
}
