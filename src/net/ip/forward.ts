// Forwarding: packets that are somebody else's, one hop on (RFC 1812, section 5; RFC 8200, section 3).

import { EHOSTUNREACH, EMSGSIZE } from '../../abi/errno.ts';
import {
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_TIME_EXCEEDED,
  ICMPV6_DEST_UNREACH,
  ICMPV6_NOROUTE,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_TIME_EXCEED,
} from '../../abi/net/icmp.ts';
import { transportHeaderSize } from '../link/gso.ts';
import type { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import { adjusted, finishSum } from '../wire/checksum.ts';
import { IPV4_DF, IPV4_FRAGMENT, IPV4_SUM, IPV4_TTL } from '../wire/ipv4.ts';
import { FRAGMENT, HeaderWalk, IPV6_HOPS, WALK_GOOD } from '../wire/ipv6.ts';
import { fragmentIpv4 } from './fragment.ts';
import { sendIcmpError } from './icmp_error.ts';
import { transmitTo } from './output.ts';
import { findPath } from './path.ts';

const walk = new HeaderWalk();

/** Sends a packet on; `packet.start` is at its network header; `passed`: filters saw it. */
export function forward(stack: Stack, packet: Packet, passed = false): void {
  const { isV4 } = packet.dst;
  if (!passed && stack.hooks !== null && !stack.hooks.through(packet)) return;
  const counters = isV4 ? stack.counters.ip : stack.counters.ip6;
  if (packet.dst.isLinkLocal || packet.src.isLinkLocal || packet.src.isAny || packet.dst.isLoopback) {
    counters.InAddrErrors++;
    return;
  }
  const path = findPath(stack, {
    src: packet.src,
    dst: packet.dst,
    ifindex: 0,
    tos: packet.tos,
    mark: packet.mark,
    uid: 0,
  });
  if (typeof path === 'number') {
    counters.InNoRoutes++;
    if (!isV4) sendIcmpError(stack, packet, ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE, 0);
    else {
      const code = path === -EHOSTUNREACH ? ICMP_HOST_UNREACH : ICMP_NET_UNREACH;
      sendIcmpError(stack, packet, ICMP_DEST_UNREACH, code, 0);
    }
    return;
  }
  if (path.broadcast || path.local) return;
  if (packet.ttl <= 1) {
    counters.InHdrErrors++;
    sendIcmpError(stack, packet, isV4 ? ICMP_TIME_EXCEEDED : ICMPV6_TIME_EXCEED, 0, 0);
    return;
  }
  // Large and unfinished packets are split and finished by the link: they must know their transport.
  if (!isV4 && packet.l4 === 0) {
    if (walk.walk(packet.view, packet.l3, packet.end) !== WALK_GOOD) return;
    packet.l4 = walk.at;
    packet.protocol = walk.protocol === FRAGMENT ? 0 : walk.protocol;
  }
  if (stack.hooks !== null && !stack.hooks.leaving(packet, path)) return;
  const { mtu } = path;
  const alone = packet.l4 - packet.l3 + transportHeaderSize(packet) + packet.segment;
  const tooBig = packet.size > mtu && (packet.segment === 0 || alone > mtu);
  const mayFragment = isV4 && (packet.view.getUint16(packet.l3 + IPV4_FRAGMENT) & IPV4_DF) === 0;
  if (tooBig && !mayFragment) {
    counters.InTooBigErrors++;
    if (isV4) sendIcmpError(stack, packet, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
    else sendIcmpError(stack, packet, ICMPV6_PKT_TOOBIG, 0, mtu);
    return;
  }
  counters.ForwDatagrams++;
  packet.ttl--;
  const { view, l3 } = packet;
  if (isV4) {
    const was = view.getUint16(l3 + IPV4_TTL);
    const is = was - 0x100;
    view.setUint16(l3 + IPV4_TTL, is);
    view.setUint16(l3 + IPV4_SUM, adjusted(view.getUint16(l3 + IPV4_SUM), was, is));
  } else view.setUint8(l3 + IPV6_HOPS, packet.ttl);
  if (!tooBig) {
    transmitTo(stack, packet, path);
    return;
  }
  finishSum(packet);
  const pieces = fragmentIpv4(packet, mtu);
  if (pieces === undefined) {
    counters.FragFails++;
    return;
  }
  counters.FragOKs++;
  counters.FragCreates += pieces.length;
  for (const piece of pieces) if (transmitTo(stack, piece, path) === -EMSGSIZE) break;
}
