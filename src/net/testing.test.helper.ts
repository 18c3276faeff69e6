// For tests: a clock that is turned by hand, random numbers that repeat, stacks and what moves bytes in and out of them.

import { ARPHRD_ETHER, IFF_BROADCAST, IFF_MULTICAST } from '../abi/net/if.ts';
import { IFA_F_NODAD, IFA_F_PERMANENT } from '../abi/net/if_addr.ts';
import { parseAddress } from './address.ts';
import type { ByteSink, ByteSource, DatagramEndpoint } from './endpoint.ts';
import { DatagramInfo } from './endpoint.ts';
import { InterfaceAddress } from './ip/addresses.ts';
import { channelPair } from './link/channel.ts';
import type { LinkDevice } from './link/link.ts';
import { Link } from './link/link.ts';
import type { NetMemory } from './memory.ts';
import { Stack } from './stack.ts';
import type { NetClock, NetTimer } from './time.ts';
import type { NetRandom } from './transport.ts';

/** Time passes when `advance` says so. */
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
    this.cancel(timer);
    timer.deadlineNs = deadlineNs;
    timer.index = 0;
    let at = this.timers.length;
    while (at > 0 && this.timers[at - 1]!.deadlineNs > deadlineNs) at--;
    this.timers.splice(at, 0, timer);
  }

  cancel(timer: NetTimer): void {
    const at = this.timers.indexOf(timer);
    if (at >= 0) this.timers.splice(at, 1);
    timer.index = -1;
  }

  /** Lets `ns` pass, and all timers that are due by then fire in order. */
  advance(ns: number): void {
    const untilNs = this.nowNs + ns;
    for (let n = 0; n < 1_000_000; n++) {
      const timer = this.timers[0];
      if (timer === undefined || timer.deadlineNs > untilNs) break;
      this.cancel(timer);
      this.nowNs = Math.max(this.nowNs, timer.deadlineNs);
      timer.target.onTimer(timer, this.nowNs);
    }
    this.nowNs = untilNs;
  }

  /** All that is due now. */
  settle(): void {
    this.advance(0);
  }
}

/** The same numbers in each run (xorshift32). */
export class SeededRandom implements NetRandom {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 1;
  }

  u32(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return this.state >>> 0;
  }
}

/** Counts. */
export class CountedMemory implements NetMemory {
  used = 0;
  most = Number.POSITIVE_INFINITY;

  fits(bytes: number): boolean {
    return this.used + bytes <= this.most;
  }

  take(bytes: number): void {
    this.used += bytes;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** Takes a stack's tables apart: then nobody pays for anything of it. */
export function clearTables(stack: Stack): void {
  stack.neighbours.clear();
  stack.routes.clear();
}

/** A stack with lo up. */
export function newStack(clock: NetClock, seed = 1, memory: NetMemory = new CountedMemory()): Stack {
  const stack = new Stack(clock, new SeededRandom(seed), memory);
  stack.setUp(stack.loopback, true);
  return stack;
}

/** An Ethernet interface around a device, up, with addresses written as "10.0.0.1/24". */
export function addEthernet(
  stack: Stack,
  name: string,
  device: LinkDevice,
  mac: number,
  addresses: string[],
): Link {
  const link = new Link(
    name,
    device,
    ARPHRD_ETHER,
    1500,
    IFF_BROADCAST | IFF_MULTICAST,
    Uint8Array.of(2, 0, 0, 0, 0, mac),
  );
  stack.addLink(link);
  stack.setUp(link, true);
  for (const text of addresses) addAddress(stack, link, text);
  return link;
}

export function addAddress(stack: Stack, link: Link, text: string): InterfaceAddress {
  const [address, prefix] = text.split('/');
  const a = parseAddress(address!)!;
  const bits = Number(prefix);
  const broadcast = a.isV4 && bits < 31 ? a.masked(bits, true) : null;
  const made = new InterfaceAddress(a, bits, link.ifindex, IFA_F_PERMANENT | IFA_F_NODAD, broadcast);
  stack.addAddress(made);
  return made;
}

/** Two stacks on one wire: 10.0.0.1 and 10.0.0.2, fd00::1 and fd00::2. */
export function newPair(clock: HandClock, gso = 0, sums = false): [Stack, Stack] {
  const [a, b] = [newStack(clock, 1), newStack(clock, 2)];
  const [left, right] = channelPair(clock, clock, gso, sums);
  addEthernet(a, 'eth0', left, 1, ['10.0.0.1/24', 'fd00::1/64']);
  addEthernet(b, 'eth0', right, 2, ['10.0.0.2/24', 'fd00::2/64']);
  clock.advance(2e9);
  return [a, b];
}

export class BytesSource implements ByteSource {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    dst.set(this.bytes.subarray(this.at, this.at + n), off);
    this.at += n;
    return n;
  }
}

export class BytesSink implements ByteSink {
  readonly bytes: Uint8Array;
  length = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  get remaining(): number {
    return this.bytes.length - this.length;
  }

  put(src: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    this.bytes.set(src.subarray(off, off + n), this.length);
    this.length += n;
    return n;
  }
}

/** Sends bytes to "address port", or to whom the endpoint is connected. */
export function sendBytes(
  e: DatagramEndpoint,
  bytes: Uint8Array,
  to: string | null = null,
  port = 0,
): number {
  const info = new DatagramInfo();
  if (to !== null) {
    info.address = parseAddress(to)!;
    info.port = port;
  }
  return e.send(new BytesSource(bytes), info, 0);
}

/** What is received: bytes and info, or the errno. */
export function receiveBytes(
  e: DatagramEndpoint,
  flags = 0,
  size = 70000,
): { bytes: Uint8Array; info: DatagramInfo } | number {
  const info = new DatagramInfo();
  const sink = new BytesSink(size);
  const r = e.receive(sink, info, flags);
  return r < 0 ? r : { bytes: sink.bytes.slice(0, sink.length), info };
}

/** `length` bytes that tell where they belong. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + seed) & 0xff;
  return bytes;
}
