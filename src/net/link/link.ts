// Link: one interface of a stack, and the device behind it.

import { ENETDOWN } from '../../abi/errno.ts';
import { ARPHRD_ETHER, IFF_LOWER_UP, IFF_RUNNING, IFF_UP } from '../../abi/net/if.ts';
import { IPPROTO_UDP } from '../../abi/net/in.ts';
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
  /** Datagrams of one send (UDP_SEGMENT) pass as one packet too. */
  readonly uso?: boolean;
  /** 0, -ENOBUFS, ... Never delivers anything before it returns. */
  transmit(packet: Packet): number;
  /** Its interface went up or down. */
  upChanged?(): void;
}

/** An interface that others are ports of: a bridge. */
export interface LinkMaster {
  readonly link: Link;
  /** A frame that came in on a port; the packet is the master's from then on. */
  input(port: Link, packet: Packet): void;
  /** A port got or lost its carrier, another address or MTU. */
  portChanged(port: Link): void;
  /** A port leaves. */
  release(port: Link): void;
}

/** Interfaces that take part of what comes in on another: those of its VLANs. */
export interface LinkUppers {
  readonly all: readonly Link[];
  /** True when the frame is one of theirs. */
  input(packet: Packet): boolean;
  /** The interface below got or lost its carrier; has a smaller MTU: those that got it too. */
  carrierChanged(): void;
  mtuChanged(most: number): readonly Link[];
}

/** What an interface of software costs whoever made it. */
export interface LinkPayer {
  /** It is gone for good. */
  gone(): void;
}

/** The stack of a link. */
export interface LinkOwner {
  receive(link: Link, packet: Packet): void;
  /** Somebody listens to what goes out. */
  readonly tapped: boolean;
  outgoing(link: Link, packet: Packet): void;
  /** The interface has a carrier now, or none any more. */
  carrierChanged(link: Link): void;
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
  /** IFLA_INFO_KIND: 'veth', 'bridge', ...; nothing for what no request has made. */
  kind = '';
  /** Whether IF_OPER_UP follows from the carrier; a device that never looked says IF_OPER_UNKNOWN. */
  operKnown = true;
  carrier = true;
  carrierUps = 0;
  carrierDowns = 0;
  /** IFLA_GROUP, IFLA_IFALIAS. */
  group = 0;
  alias = '';
  /** Of which bridge it is a port. */
  master: LinkMaster | null = null;
  uppers: LinkUppers | null = null;
  payer: LinkPayer | null = null;
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
    this.flags = up ? this.flags | IFF_UP : this.flags & ~IFF_UP;
    this.showCarrier();
  }

  /** dev_get_flags(): what is not up does not run. */
  private showCarrier(): void {
    const bits = IFF_RUNNING | IFF_LOWER_UP;
    this.flags = this.isUp && this.carrier ? this.flags | bits : this.flags & ~bits;
  }

  /** Up, and with somebody at the other end. */
  get isReady(): boolean {
    return this.isUp && this.carrier;
  }

  /** netif_carrier_on(), netif_carrier_off(). */
  carrierTo(on: boolean): void {
    if (this.carrier === on) return;
    this.carrier = on;
    this.operKnown = true;
    if (on) this.carrierUps++;
    else this.carrierDowns++;
    this.showCarrier();
    this.owner?.carrierChanged(this);
  }

  /** Sends a packet, split and with its checksum where the device wants that. 0, -ENETDOWN, -ENOBUFS. */
  send(packet: Packet): number {
    if (!this.isUp) return -ENETDOWN;
    // As into a queueing discipline that drops all: nobody is told.
    if (!this.carrier) {
      this.counters.txDropped++;
      return 0;
    }
    if (packet.segment > 0 && (packet.size > this.device.gso || this.mustSplitUdp(packet))) {
      let result = 0;
      for (const piece of splitPacket(packet)) {
        const r = this.sendOne(piece);
        if (r < 0) result = r;
      }
      return result;
    }
    return this.sendOne(packet);
  }

  private mustSplitUdp(packet: Packet): boolean {
    return packet.protocol === IPPROTO_UDP && this.device.uso !== true;
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
