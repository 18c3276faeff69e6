// Network address translation: which tuple a connection's packets have on the other side (nf_nat_setup_info()), and their rewriting.

import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import { IpAddress } from '../address.ts';
import { type Packet, SUM_MISSING } from '../packet.ts';
import type { NetRandom } from '../transport.ts';
import { adjusted, finishSum, sumOffset } from '../wire/checksum.ts';
import { pullPacket } from '../wire/clone.ts';
import { IPV4_DST, IPV4_SRC, sealIpv4 } from '../wire/ipv4.ts';
import { IPV6_DST, IPV6_SRC } from '../wire/ipv6.ts';
import type { Target } from './target.ts';
import type { Membership, Tracked, Tracker } from './track.ts';
import { Tuple } from './tuple.ts';
import type { View } from './view.ts';

/** Ports that are tried for a connection of its own. */
const TRIES = 128;

function hasPorts(protocol: number): boolean {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_UDP;
}

/** One of the addresses of a target's range, the same for the same peer. */
function addressOf(target: Target, peer: IpAddress, otherwise: IpAddress): IpAddress {
  const { low, high } = target;
  if (low === null || high === null) return otherwise;
  const span = high.w3 - low.w3 + 1;
  if (span <= 1 || low.w0 !== high.w0 || low.w1 !== high.w1 || low.w2 !== high.w2) return low;
  return new IpAddress(low.w0, low.w1, low.w2, low.w3 + (peer.hash % span));
}

/** Gives the destination of a new connection another name. */
export function translateDestination(t: Tracked, target: Target, otherwise: IpAddress): void {
  const { reply: r } = t;
  const address = addressOf(target, r.dst, otherwise);
  const ports = hasPorts(r.protocol) && target.lowPort > 0;
  const span = Math.max(1, target.highPort - target.lowPort + 1);
  const port = ports ? target.lowPort + (span > 1 ? r.dport % span : 0) : r.sport;
  t.reply = new Tuple(r.protocol, address, port, r.dst, r.dport);
}

/** Gives the source of a new connection another name, one that no other connection has. False when there is none. */
export function translateSource(
  t: Tracked,
  target: Target | null,
  otherwise: IpAddress,
  tracker: Tracker,
  random: NetRandom,
): boolean {
  const { reply: r } = t;
  const address = target === null ? otherwise : addressOf(target, r.src, otherwise);
  const low = target?.lowPort ?? 0;
  const high = target?.highPort ?? 0;
  const make = (port: number): Tuple =>
    new Tuple(r.protocol, r.src, hasPorts(r.protocol) ? r.sport : port, address, port);
  const was = r.dport;
  let reply = make(low > 0 && (was < low || was > high) ? low : was);
  for (let n = 0; n < TRIES && tracker.find(reply) !== null; n++) {
    const from = low > 0 ? low : was < 1024 ? 600 : 1024;
    const to = low > 0 ? high : was < 1024 ? 1023 : 65535;
    reply = make(from + (random.u32() % (to - from + 1)));
  }
  if (tracker.find(reply) !== null) return false;
  t.reply = reply;
  return true;
}

/** What the inverse direction's tuple says: its source is our destination. */
function inverseOf(m: Membership): Tuple {
  return m.isReply ? m.of.original : m.of.reply;
}

/** Before routing: to where does it go really? */
export function rewriteDestination(v: View, m: Membership): void {
  const { src, sport } = inverseOf(m);
  if (m.related) {
    rewriteQuoted(v, m);
    setAddress(v.packet, v.l3, false, src);
    v.packet.dst = src;
  } else rewrite(v, false, src, sport);
}

/** Behind routing: from whom does it come really? */
export function rewriteSource(v: View, m: Membership): void {
  const { dst, dport } = inverseOf(m);
  if (!m.related) {
    rewrite(v, true, dst, dport);
    return;
  }
  // An error comes from a router on the way, or from the peer that has another name here.
  const own = m.isReply ? m.of.reply.src : m.of.original.src;
  if (!v.packet.src.equals(own) || dst.equals(own)) return;
  setAddress(v.packet, v.l3, true, dst);
  v.packet.src = dst;
}

function setAddress(packet: Packet, l3: number, source: boolean, to: IpAddress): void {
  const { view } = packet;
  const was = source ? packet.src : packet.dst;
  if (was.equals(to)) return;
  if (to.isV4) {
    to.put(view, l3 + (source ? IPV4_SRC : IPV4_DST));
    sealIpv4(view, l3, (view.getUint8(l3) & 0xf) * 4);
  } else to.put(view, l3 + (source ? IPV6_SRC : IPV6_DST));
}

function rewrite(v: View, source: boolean, to: IpAddress, port: number): void {
  const { packet, l4, protocol } = v;
  const was = source ? packet.src : packet.dst;
  const wasPort = source ? v.sport : v.dport;
  const moves = !was.equals(to);
  // The identifier of an echo is its port, of both ends.
  const echo = protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6;
  const renumbers = l4 >= 0 && (echo ? source && v.sport !== port : hasPorts(protocol) && wasPort !== port);
  if (!moves && !renumbers) return;
  const { view } = packet;
  const sumAt = l4 < 0 ? -1 : l4 + sumOffset(protocol);
  const summed =
    packet.sum !== SUM_MISSING &&
    l4 >= 0 &&
    sumOffset(protocol) >= 0 &&
    !(protocol === IPPROTO_UDP && view.getUint16(sumAt) === 0);
  let sum = summed ? view.getUint16(sumAt) : 0;
  if (moves) {
    if (summed && protocol !== IPPROTO_ICMP) sum = adjustedFor(sum, was, to);
    setAddress(packet, v.l3, source, to);
    if (source) packet.src = to;
    else packet.dst = to;
  }
  if (renumbers) {
    const at = echo ? l4 + 4 : source ? l4 : l4 + 2;
    const word = view.getUint16(at);
    view.setUint16(at, port);
    if (summed) sum = adjusted(sum, word, port);
    if (source || echo) v.sport = port;
    else v.dport = port;
  }
  if (summed) view.setUint16(sumAt, sum === 0 && protocol === IPPROTO_UDP ? 0xffff : sum);
}

function adjustedFor(checksum: number, was: IpAddress, is: IpAddress): number {
  let sum = checksum;
  const words = (a: number, b: number): void => {
    sum = adjusted(adjusted(sum, a >>> 16, b >>> 16), a & 0xffff, b & 0xffff);
  };
  words(was.w3, is.w3);
  if (was.isV4) return sum;
  words(was.w0, is.w0);
  words(was.w1, is.w1);
  words(was.w2, is.w2);
  return sum;
}

/** The packet that an ICMP error quotes gets the name that its sender knows. */
function rewriteQuoted(v: View, m: Membership): void {
  const { packet, quotedAt: at, quotedL4: l4 } = v;
  // It went the other way: as the inverse direction's packets look before any rewriting.
  const { src, sport, dst, dport, protocol } = inverseOf(m);
  pullPacket(packet, packet.l4, packet.size);
  const { view } = packet;
  if (src.isV4) {
    src.put(view, at + IPV4_SRC);
    dst.put(view, at + IPV4_DST);
    sealIpv4(view, at, (view.getUint8(at) & 0xf) * 4);
  } else {
    src.put(view, at + IPV6_SRC);
    dst.put(view, at + IPV6_DST);
  }
  if (hasPorts(protocol)) {
    view.setUint16(l4, sport);
    view.setUint16(l4 + 2, dport);
  } else if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) view.setUint16(l4 + 4, sport);
  packet.sum = SUM_MISSING;
  // Its pseudo-header has the address that it goes to from now on.
  const was = packet.dst;
  packet.dst = src;
  const l4Before = packet.l4;
  packet.l4 = v.l4;
  packet.protocol = v.protocol;
  finishSum(packet);
  packet.l4 = l4Before;
  packet.dst = was;
}
