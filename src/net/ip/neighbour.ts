// Neighbours: hardware addresses of those on the same link, found and kept as RFC 4861, section 7.3 says, for IPv4 too.

import { EHOSTUNREACH } from '../../abi/errno.ts';
import {
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_NONE,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from '../../abi/net/neighbour.ts';
import type { IpAddress } from '../address.ts';
import type { Link } from '../link/link.ts';
import type { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import { MAC_SIZE } from '../wire/ethernet.ts';
import { AddressMap } from './address_map.ts';
import { solicitArp } from './arp.ts';
import { reportUnreachable } from './icmp_error.ts';
import { solicitNeighbour } from './ndp.ts';
import { sendFrame } from './output.ts';

const HAS_ADDRESS = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
/** One with its timer and its place in the table; a packet that waits for its address, beside its bytes. */
const NEIGHBOUR_BYTES = 768;
const PACKET_BYTES = 512;
const FIXED = NUD_PERMANENT | NUD_NOARP;

export class Neighbour implements NetTimerTarget {
  readonly address: IpAddress;
  readonly link: Link;
  readonly mac: Uint8Array = new Uint8Array(MAC_SIZE);
  isRouter = false;
  /** It was taken out of the table: paths ask for another. */
  gone = false;
  private known = NUD_NONE;
  private confirmedNs = 0;
  private reachableNs = 0;
  private probes = 0;
  private readonly queue: Packet[] = [];
  private readonly stack: Stack;
  private readonly timer: NetTimer;

  constructor(stack: Stack, link: Link, address: IpAddress) {
    this.stack = stack;
    this.link = link;
    this.address = address;
    this.timer = new NetTimer(this);
  }

  /** NUD_*. Reachability is not timed: it is over when somebody looks. */
  get state(): number {
    if (this.known === NUD_REACHABLE && this.stack.clock.monotonicNs() > this.confirmedNs + this.reachableNs)
      this.known = NUD_STALE;
    return this.known;
  }

  /** Sends a packet to it, now or when its address is known. */
  send(packet: Packet): number {
    const { state } = this;
    if ((state & HAS_ADDRESS) !== 0) {
      if (state === NUD_STALE) {
        this.known = NUD_DELAY;
        this.arm(this.stack.sysctl.neighDelayMs);
      }
      return sendFrame(this.link, packet, this.mac);
    }
    // The oldest gives way: __neigh_event_send().
    if (this.queue.length >= this.stack.sysctl.neighQueue) this.paid(this.queue.shift()!);
    const { memory } = this.stack;
    if (memory.fits(packet.size + PACKET_BYTES)) {
      memory.take(packet.size + PACKET_BYTES);
      this.queue.push(packet);
    }
    if (state !== NUD_INCOMPLETE) {
      this.known = NUD_INCOMPLETE;
      this.probes = 0;
      this.solicit();
    }
    return 0;
  }

  /**
   * Somebody said that `mac` is its address: `solicited` answers to us, `override` may replace another (RFC 4861, section 7.2.5).
   * ARP's answers are both.
   */
  update(mac: Uint8Array, solicited: boolean, override: boolean): void {
    const { state } = this;
    if ((state & FIXED) !== 0) return;
    const had = (state & HAS_ADDRESS) !== 0;
    const differs = !had || !this.mac.every((b, i) => b === mac[i]);
    if (had && differs && !override) {
      if (state === NUD_REACHABLE) this.known = NUD_STALE;
      return;
    }
    if (differs) this.mac.set(mac);
    if (solicited) this.confirm();
    else if (differs) this.settle(NUD_STALE);
    this.flush();
  }

  /** Something came back from it: it hears us. */
  confirm(): void {
    const { stack } = this;
    this.confirmedNs = stack.clock.monotonicNs();
    this.reachableNs = stack.sysctl.neighReachableMs * 1e6 * (0.5 + stack.random.u32() / 0x100000000);
    this.settle(NUD_REACHABLE);
  }

  /** ip neigh add: with an address that stays. */
  fix(mac: Uint8Array, state: number): void {
    this.mac.set(mac);
    this.settle(state);
    if (state === NUD_REACHABLE) this.confirm();
    this.flush();
  }

  private settle(state: number): void {
    this.known = state;
    if (this.timer.armed) this.stack.clock.cancel(this.timer);
  }

  private flush(): void {
    for (const packet of this.queue.splice(0)) {
      this.paid(packet);
      sendFrame(this.link, packet, this.mac);
    }
  }

  /** A packet waits no longer. */
  private paid(packet: Packet): void {
    this.stack.memory.give(packet.size + PACKET_BYTES);
  }

  private arm(ms: number): void {
    const { clock } = this.stack;
    clock.arm(this.timer, clock.monotonicNs() + ms * 1e6);
  }

  private solicit(): void {
    this.probes++;
    this.arm(this.stack.sysctl.neighRetransMs);
    const to = this.known === NUD_PROBE ? this.mac : null;
    // The asker shows the address that the packet comes from, so that the answer's way is known there too.
    const source = this.queue.length > 0 ? this.queue.at(-1)!.src : null;
    if (this.address.isV4) solicitArp(this.stack, this.link, this.address, to, source);
    else solicitNeighbour(this.stack, this.link, this.address, to, source);
  }

  onTimer(): void {
    if (this.known === NUD_DELAY) {
      this.known = NUD_PROBE;
      this.probes = 0;
    }
    if (this.known !== NUD_PROBE && this.known !== NUD_INCOMPLETE) return;
    if (this.probes < this.stack.sysctl.neighProbes) {
      this.solicit();
      return;
    }
    this.known = NUD_FAILED;
    for (const packet of this.queue.splice(0)) {
      this.paid(packet);
      reportUnreachable(this.stack, packet, EHOSTUNREACH);
    }
  }

  /** It leaves the table. */
  drop(): void {
    this.gone = true;
    for (const packet of this.queue.splice(0)) this.paid(packet);
    if (this.timer.armed) this.stack.clock.cancel(this.timer);
  }
}

/** A full table is looked through this often at most: in a flood each packet asks for it, and a look costs as much as 500 packets. */
const COLLECT_NS = 50e6;

export class NeighbourTable {
  private readonly links = new Map<number, AddressMap<Neighbour>>();
  private readonly stack: Stack;
  count = 0;
  private nextCollectNs = 0;

  constructor(stack: Stack) {
    this.stack = stack;
  }

  find(ifindex: number, address: IpAddress): Neighbour | undefined {
    return this.links.get(ifindex)?.get(address);
  }

  /** The one for `address`, made when there is none; null when the table is full of those that are needed. */
  get(link: Link, address: IpAddress): Neighbour | null {
    let map = this.links.get(link.ifindex);
    if (map === undefined) {
      map = new AddressMap();
      this.links.set(link.ifindex, map);
    }
    const found = map.get(address);
    if (found !== undefined) return found;
    const { memory, sysctl } = this.stack;
    if ((this.count >= sysctl.neighMost || !memory.fits(NEIGHBOUR_BYTES)) && !this.collect()) return null;
    memory.take(NEIGHBOUR_BYTES);
    const made = new Neighbour(this.stack, link, address);
    map.set(address, made);
    this.count++;
    return made;
  }

  /** Takes out those that nobody has been sent to lately, failed ones first; false when there are none. */
  private collect(): boolean {
    const nowNs = this.stack.clock.monotonicNs();
    if (nowNs < this.nextCollectNs) return false;
    this.nextCollectNs = nowNs + COLLECT_NS;
    const before = this.count;
    for (const states of [NUD_FAILED | NUD_NONE, NUD_STALE])
      for (const n of this.all()) {
        if (this.count < before && states === NUD_STALE && this.count <= this.stack.sysctl.neighMost / 2)
          break;
        if ((n.state & states) !== 0 || (states & NUD_FAILED && n.state === NUD_NONE)) this.remove(n);
      }
    return this.count < before;
  }

  all(): Neighbour[] {
    return [...this.links.values()].flatMap((map) => [...map.values()]);
  }

  remove(n: Neighbour): void {
    if (n.gone) return;
    n.drop();
    this.stack.memory.give(NEIGHBOUR_BYTES);
    this.links.get(n.link.ifindex)?.delete(n.address);
    this.count--;
  }

  /** The stack ends. */
  clear(): void {
    for (const n of this.all()) this.remove(n);
  }

  /** The link is down or gone, or got another address. */
  flush(ifindex: number): void {
    for (const n of this.all()) if (n.link.ifindex === ifindex) this.remove(n);
  }
}
