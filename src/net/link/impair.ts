// A device around another that treats packets as bad networks do (tc-netem(8)): loses, duplicates, reorders, delays, corrupts,
// and limits the rate. Both directions have settings of their own.

import { ENOBUFS } from '../../abi/errno.ts';
import { Packet } from '../packet.ts';
import type { NetClock, NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import type { NetRandom } from '../transport.ts';
import { clonePacket } from '../wire/clone.ts';
import type { LinkDevice, PacketSink } from './link.ts';

/** Shares are of 1, times in ns. */
export class Impairment {
  loss = 0;
  duplicate = 0;
  corrupt = 0;
  /** This share overtakes: it is sent without the delay. */
  reorder = 0;
  delayNs = 0;
  /** Up to this much more. Packets keep their order all the same. */
  jitterNs = 0;
  /** Bytes per second; 0 for no limit. */
  rate = 0;
  /** Bytes that may wait. */
  queueBytes = 16 << 20;
}

class Waiting {
  readonly dueNs: number;
  readonly packet: Packet;

  constructor(dueNs: number, packet: Packet) {
    this.dueNs = dueNs;
    this.packet = packet;
  }
}

/** One direction. */
class Direction implements NetTimerTarget {
  readonly settings: Impairment;
  private readonly device: ImpairedDevice;
  private readonly outwards: boolean;
  private readonly timer: NetTimer;
  private readonly waiting: Waiting[] = [];
  private bytes = 0;
  /** When the wire is free again, and when the last packet arrives. */
  private freeNs = 0;
  private lastNs = 0;

  constructor(device: ImpairedDevice, settings: Impairment, outwards: boolean) {
    this.device = device;
    this.settings = settings;
    this.outwards = outwards;
    this.timer = new NetTimer(this);
  }

  take(packet: Packet): number {
    const s = this.settings;
    if (this.device.hits(s.loss)) return 0;
    if (this.device.hits(s.duplicate)) this.hold(clonePacket(packet));
    return this.hold(this.device.hits(s.corrupt) ? this.device.spoilt(packet) : packet);
  }

  private hold(packet: Packet): number {
    const s = this.settings;
    const { clock } = this.device;
    const size = packet.size;
    const nowNs = clock.monotonicNs();
    if (this.bytes + size > s.queueBytes) return -ENOBUFS;
    let dueNs = nowNs;
    if (s.rate > 0) {
      this.freeNs = Math.max(this.freeNs, nowNs) + Math.ceil((size * 1e9) / s.rate);
      dueNs = this.freeNs;
    }
    if (!this.device.hits(s.reorder)) {
      dueNs += s.delayNs + Math.floor(s.jitterNs * this.device.share());
      dueNs = Math.max(dueNs, this.lastNs);
      this.lastNs = dueNs;
    }
    let at = this.waiting.length;
    while (at > 0 && this.waiting[at - 1]!.dueNs > dueNs) at--;
    this.waiting.splice(at, 0, new Waiting(dueNs, packet));
    this.bytes += size;
    clock.arm(this.timer, this.waiting[0]!.dueNs);
    return 0;
  }

  onTimer(_timer: NetTimer, nowNs: number): void {
    while (this.waiting.length > 0 && this.waiting[0]!.dueNs <= nowNs) {
      const { packet } = this.waiting.shift()!;
      this.bytes -= packet.size;
      if (this.outwards) this.device.inner.transmit(packet);
      else this.device.sink?.deliver(packet);
    }
    if (this.waiting.length > 0) this.device.clock.arm(this.timer, this.waiting[0]!.dueNs);
  }
}

export class ImpairedDevice implements LinkDevice, PacketSink {
  sink: PacketSink | null = null;
  // Each packet on the wire meets its own fate, and a spoilt one is to be found by its checksum.
  readonly gso = 0;
  readonly sums = false;
  readonly inner: LinkDevice;
  readonly clock: NetClock;
  private readonly random: NetRandom;
  private readonly outward: Direction;
  private readonly inward: Direction;

  constructor(inner: LinkDevice, clock: NetClock, random: NetRandom, out: Impairment, into: Impairment) {
    this.inner = inner;
    this.clock = clock;
    this.random = random;
    this.outward = new Direction(this, out, true);
    this.inward = new Direction(this, into, false);
    inner.sink = this;
  }

  transmit(packet: Packet): number {
    return this.outward.take(packet);
  }

  deliver(packet: Packet): void {
    this.inward.take(packet);
  }

  /** A number from 0 up to 1. */
  share(): number {
    return this.random.u32() / 0x100000000;
  }

  /** Is this one of the share? */
  hits(share: number): boolean {
    return share > 0 && this.share() < share;
  }

  /** The packet with one bit turned. */
  spoilt(packet: Packet): Packet {
    const bytes = packet.bytes();
    const bit = this.random.u32() % Math.max(8, bytes.length * 8);
    if (bytes.length > 0) bytes[bit >>> 3] = bytes[bit >>> 3]! ^ (1 << (bit & 7));
    const copy = new Packet(bytes, 0);
    copy.sum = 0;
    return copy;
  }
}
