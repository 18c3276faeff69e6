// View: a packet as a filter looks at it: where its transport is, its ports, and what an ICMP error quotes. One object, aimed anew.

import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import { getIpv4, getIpv6 } from '../address.ts';
import type { Packet } from '../packet.ts';
import { pullPacket } from '../wire/clone.ts';
import {
  IPV4_DST,
  IPV4_FRAGMENT,
  IPV4_OFFSET_MASK,
  IPV4_PROTOCOL,
  IPV4_SIZE,
  IPV4_SRC,
} from '../wire/ipv4.ts';
import { FRAGMENT, HeaderWalk, IPV6_DST, IPV6_SIZE, IPV6_SRC, WALK_GOOD } from '../wire/ipv6.ts';
import { Tuple } from './tuple.ts';

const walk = new HeaderWalk();
/** ICMP's error types: those that quote a packet. */
const ERRORS_V4 = [3, 4, 5, 11, 12];
const ECHOES_V4 = [0, 8];
const ECHOES_V6 = [128, 129];
/** Bytes of a transport's header that are looked at. */
const LOOK = 20;

export class View {
  packet!: Packet;
  v6 = false;
  l3 = 0;
  /** Where the transport begins; -1 when it is in another fragment. */
  l4 = 0;
  protocol = 0;
  /** -1: it has none, or they are in another fragment. */
  sport = -1;
  dport = -1;
  /** TCP's. */
  flags = 0;
  /** ICMP's; -1. */
  type = -1;
  code = 0;
  /** The tuple of the packet that an ICMP error quotes, and where its header is. */
  quoted: Tuple | null = null;
  quotedAt = 0;
  quotedL4 = 0;
  /** Bytes of the packet from its network header on. */
  size = 0;

  aim(packet: Packet): this {
    this.packet = packet;
    this.v6 = !packet.dst.isV4;
    this.l3 = packet.l3;
    this.size = packet.end - packet.l3 + packet.length;
    this.sport = this.dport = this.type = -1;
    this.flags = this.code = 0;
    this.quoted = null;
    this.protocol = packet.protocol;
    let { l4 } = packet;
    if (this.v6) {
      if (l4 === 0) {
        l4 = walk.walk(packet.view, packet.l3, packet.end) === WALK_GOOD ? walk.at : -1;
        this.protocol = l4 < 0 ? 0 : walk.protocol;
        if (this.protocol === FRAGMENT) l4 = -1;
      }
    } else {
      l4 = packet.l3 + (packet.view.getUint8(packet.l3) & 0xf) * 4;
      this.protocol = packet.view.getUint8(packet.l3 + IPV4_PROTOCOL);
      if ((packet.view.getUint16(packet.l3 + IPV4_FRAGMENT) & IPV4_OFFSET_MASK) !== 0) l4 = -1;
    }
    this.l4 = l4;
    if (l4 >= 0) this.readTransport();
    return this;
  }

  private readTransport(): void {
    const { packet, l4, protocol } = this;
    pullPacket(packet, l4, Math.min(LOOK, packet.end - l4 + packet.length));
    const { view, end } = packet;
    if ((protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) && l4 + 4 <= end) {
      this.sport = view.getUint16(l4);
      this.dport = view.getUint16(l4 + 2);
      if (protocol === IPPROTO_TCP && l4 + 14 <= end) this.flags = view.getUint8(l4 + 13);
    }
    if (protocol !== (this.v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) || l4 + 8 > end) return;
    this.type = view.getUint8(l4);
    this.code = view.getUint8(l4 + 1);
    if (this.v6 ? ECHOES_V6.includes(this.type) : ECHOES_V4.includes(this.type)) {
      this.sport = view.getUint16(l4 + 4);
      this.dport = 0;
    } else if (this.v6 ? this.type < 128 : ERRORS_V4.includes(this.type)) this.readQuoted();
  }

  private readQuoted(): void {
    const { packet } = this;
    const at = this.l4 + 8;
    pullPacket(packet, at, Math.min(this.v6 ? 128 : 68, packet.end - at + packet.length));
    const { view, end } = packet;
    let l4: number;
    let protocol: number;
    if (this.v6) {
      if (at + IPV6_SIZE > end || walk.walk(view, at, end) !== WALK_GOOD) return;
      l4 = walk.at;
      protocol = walk.protocol;
    } else {
      if (at + IPV4_SIZE > end) return;
      l4 = at + (view.getUint8(at) & 0xf) * 4;
      protocol = view.getUint8(at + IPV4_PROTOCOL);
    }
    let sport = 0;
    let dport = 0;
    if (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) {
      if (l4 + 4 > end) return;
      sport = view.getUint16(l4);
      dport = view.getUint16(l4 + 2);
    } else if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
      if (l4 + 6 > end) return;
      sport = dport = view.getUint16(l4 + 4);
    }
    const src = this.v6 ? getIpv6(view, at + IPV6_SRC) : getIpv4(view, at + IPV4_SRC);
    const dst = this.v6 ? getIpv6(view, at + IPV6_DST) : getIpv4(view, at + IPV4_DST);
    this.quoted = new Tuple(protocol, src, sport, dst, dport);
    this.quotedAt = at;
    this.quotedL4 = l4;
  }

  /** The connection that the packet is of; null when none is kept of such. */
  tuple(): Tuple | null {
    const { packet, protocol } = this;
    if (this.l4 < 0) return null;
    const ports = protocol === IPPROTO_TCP || protocol === IPPROTO_UDP;
    if (ports && this.sport < 0) return null;
    if ((protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) && this.sport < 0) return null;
    if (ports || this.sport < 0)
      return new Tuple(protocol, packet.src, Math.max(0, this.sport), packet.dst, Math.max(0, this.dport));
    // Echo and its answer have one identifier, which is that of both directions.
    return new Tuple(protocol, packet.src, this.sport, packet.dst, this.sport);
  }
}
