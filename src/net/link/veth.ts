// veth(4): two Ethernet devices, each of which is the other's wire, in one stack or in two. Packets cross as they are: large, and
// without the checksum that nobody would look at.

import { ARPHRD_ETHER, IFF_BROADCAST, IFF_MULTICAST } from '../../abi/net/if.ts';
import type { Packet } from '../packet.ts';
import { Link, type LinkDevice, type PacketSink } from './link.ts';
import { WireEnd, type Wires } from './wire.ts';

/** IP's longest packet with an Ethernet header and a VLAN tag. */
export const WHOLE = 65535 + 18;
const ETHERNET_MTU = 1500;

export class VethDevice implements LinkDevice {
  readonly gso = WHOLE;
  readonly sums = true;
  readonly uso = true;
  private readonly wires: Wires;
  private readonly end: WireEnd = new WireEnd();
  /** Set by vethPair; null once the pair is gone. */
  link: Link | null = null;
  peer: VethDevice | null = null;

  constructor(wires: Wires) {
    this.wires = wires;
  }

  get sink(): PacketSink | null {
    return this.end.sink;
  }

  set sink(sink: PacketSink | null) {
    this.end.sink = sink;
  }

  transmit(packet: Packet): number {
    const { peer } = this;
    if (peer === null) return 0;
    // What the sender's stack noted is not the receiver's: skb_scrub_packet().
    packet.mark = 0;
    packet.priority = 0;
    packet.atNs = 0;
    return this.wires.push(peer.end, packet);
  }

  /** There is a carrier while both ends are up. */
  upChanged(): void {
    const { link, peer } = this;
    const other = peer?.link ?? null;
    if (link === null || other === null) return;
    const on = link.isUp && other.isUp;
    link.carrierTo(on);
    other.carrierTo(on);
  }

  /** Takes the pair apart. */
  cut(): void {
    const { peer } = this;
    this.peer = null;
    if (peer !== null) peer.peer = null;
  }
}

/** An Ethernet interface of software, down. */
export function etherLink(name: string, kind: string, device: LinkDevice, address: Uint8Array): Link {
  const link = new Link(name, device, ARPHRD_ETHER, ETHERNET_MTU, IFF_BROADCAST | IFF_MULTICAST, address);
  link.kind = kind;
  return link;
}

/** The two ends, in no stack yet. */
export function vethPair(
  wires: Wires,
  a: string,
  aMac: Uint8Array,
  b: string,
  bMac: Uint8Array,
): [Link, Link] {
  const left = new VethDevice(wires);
  const right = new VethDevice(wires);
  left.peer = right;
  right.peer = left;
  const links: [Link, Link] = [etherLink(a, 'veth', left, aMac), etherLink(b, 'veth', right, bMac)];
  left.link = links[0];
  right.link = links[1];
  for (const link of links) link.carrierTo(false);
  return links;
}

/** The other end of a pair; null for what is none. */
export function vethPeer(link: Link): Link | null {
  return link.device instanceof VethDevice ? (link.device.peer?.link ?? null) : null;
}
