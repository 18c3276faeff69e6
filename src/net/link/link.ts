// Link: one interface of a stack, and the device behind it.

import { ENETDOWN } from '../../abi/errno.ts';
import { ARPHRD_ETHER, IFF_LOWER_UP, IFF_RUNNING, IFF_UP } from '../../abi/net/if.ts';
import type { Packet } from '../packet.ts';
import { finishSum } from '../wire/checksum.ts';
import { ZERO_MAC } from '../wire/ethernet.ts';
import { splitPacket } from './gso.ts';

/** Who takes packets that came in. */
export interface PacketSink {
  deliver(packet: Packet): void;
}

/** What carries packets. Ethernet devices get and give frames; others packets that begin with IP's header. */
export interface LinkDevice {
  sink: PacketSink | null;
  /** Most bytes of a packet with `segment` set; 0 when it takes none. */
  readonly gso: number;
  /** Takes packets whose checksum is missing. */
  readonly sums: boolean;
  /** 0, -ENOBUFS, ... Never delivers anything before it returns. */
  transmit(packet: Packet): number;
}

/** The stack of a link. */
export interface LinkOwner {
  receive(link: Link, packet: Packet): void;
  /** Somebody listens to what goes out. */
  readonly tapped: boolean;
  outgoing(link: Link, packet: Packet): void;
}

/** /proc/net/dev, struct rtnl_link_stats64. */
export class LinkCounters {
  rxPackets = 0;
  rxBytes = 0;
  rxErrors = 0;
  rxDropped = 0;
  multicast = 0;
  txPackets = 0;
  txBytes = 0;
  txErrors = 0;
  txDropped = 0;
}

export class Link implements PacketSink {
  /** Given by the stack. */
  ifindex = 0;
  name: string;
  mtu: number;
  /** ARPHRD_*. */
  readonly hardware: number;
  address: Uint8Array;
  /** IFF_*. */
  flags: number;
  txQueueLength = 1000;
  readonly counters = new LinkCounters();
  readonly device: LinkDevice;
  owner: LinkOwner | null = null;

  constructor(
    name: string,
    device: LinkDevice,
    hardware: number,
    mtu: number,
    flags: number,
    address: Uint8Array = ZERO_MAC,
  ) {
    this.name = name;
    this.device = device;
    this.hardware = hardware;
    this.mtu = mtu;
    this.flags = flags;
    this.address = address;
    device.sink = this;
  }

  get isUp(): boolean {
    return (this.flags & IFF_UP) !== 0;
  }

  /** Frames have Ethernet headers. */
  get isEthernet(): boolean {
    return this.hardware === ARPHRD_ETHER;
  }

  get gso(): number {
    return this.device.gso;
  }

  /** IFF_UP with what follows from it. */
  setUp(up: boolean): void {
    const bits = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;
    this.flags = up ? this.flags | bits : this.flags & ~bits;
  }

  /** Sends a packet, split and with its checksum where the device wants that. 0, -ENETDOWN, -ENOBUFS. */
  send(packet: Packet): number {
    if (!this.isUp) return -ENETDOWN;
    if (packet.segment > 0 && packet.size > this.device.gso) {
      let result = 0;
      for (const piece of splitPacket(packet)) {
        const r = this.sendOne(piece);
        if (r < 0) result = r;
      }
      return result;
    }
    return this.sendOne(packet);
  }

  private sendOne(packet: Packet): number {
    if (!this.device.sums) finishSum(packet);
    const { owner, counters } = this;
    if (owner?.tapped) owner.outgoing(this, packet);
    const size = packet.size;
    const r = this.device.transmit(packet);
    if (r < 0) {
      counters.txDropped++;
      return r;
    }
    counters.txPackets++;
    counters.txBytes += size;
    return 0;
  }

  deliver(packet: Packet): void {
    if (!this.isUp || this.owner === null) {
      this.counters.rxDropped++;
      return;
    }
    this.counters.rxPackets++;
    this.counters.rxBytes += packet.size;
    packet.ifindex = this.ifindex;
    this.owner.receive(this, packet);
  }
}
