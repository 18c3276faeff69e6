// What comes in: checked, put together, and then ours, somebody else's, or nobody's.

import {
  ICMP_DEST_UNREACH,
  ICMP_PARAMETERPROB,
  ICMP_PROT_UNREACH,
  ICMPV6_PARAMPROB,
  ICMPV6_UNK_NEXTHDR,
} from '../../abi/net/icmp.ts';
import { ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, IFF_LOOPBACK, IFF_PROMISC } from '../../abi/net/if.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IGMP } from '../../abi/net/in.ts';
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST } from '../../abi/net/rtnetlink.ts';
import type { IpAddress } from '../address.ts';
import { getIpv4, getIpv6 } from '../address.ts';
import type { Link } from '../link/link.ts';
import type { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import { pullPacket, trimPacket } from '../wire/clone.ts';
import { ETHERNET_SIZE, ETHERNET_TYPE, isGroupMac, isMac } from '../wire/ethernet.ts';
import { receiveIpOptions } from '../wire/ip_options.ts';
import {
  checkIpv4,
  checkIpv4Options,
  IPV4_DST,
  IPV4_FRAGMENT,
  IPV4_ID,
  IPV4_LENGTH,
  IPV4_MF,
  IPV4_OFFSET_MASK,
  IPV4_PROTOCOL,
  IPV4_SIZE,
  IPV4_SRC,
  IPV4_TOS,
  IPV4_TTL,
  OPTIONS_BAD,
  OPTIONS_GOOD,
  sealIpv4,
} from '../wire/ipv4.ts';
import {
  checkIpv6,
  FRAGMENT,
  FRAGMENT_SIZE,
  HeaderWalk,
  IPV6_DST,
  IPV6_HOPS,
  IPV6_LENGTH,
  IPV6_SIZE,
  IPV6_SRC,
  NO_NEXT,
  WALK_DROP,
  WALK_GOOD,
  WALK_PROBLEM,
} from '../wire/ipv6.ts';
import { inputArp } from './arp.ts';
import { forward } from './forward.ts';
import { inputIgmp } from './groups.ts';
import { inputIcmp, inputIcmpv6 } from './icmp.ts';
import { sendIcmpError } from './icmp_error.ts';
import { ADD_DONE, joinDatagram } from './reassembly.ts';

/** Stack.receive, after the taps. */
export function input(stack: Stack, link: Link, packet: Packet): void {
  if (!link.isEthernet) {
    // What went into lo was written here: what is known of it needs no look.
    if (packet.l4 > 0 && (link.flags & IFF_LOOPBACK) !== 0) {
      (packet.dst.isV4 ? stack.counters.ip : stack.counters.ip6).InReceives++;
      // Of groups, lo hears those that somebody there has joined, as other interfaces do.
      if (!packet.dst.isMulticast || stack.groups.has(packet.dst, link.ifindex)) deliverOwn(stack, packet);
    } else if (packet.end > packet.start) {
      packet.l3 = packet.start;
      if (packet.view.getUint8(packet.start) >>> 4 === 6) inputIpv6(stack, link, packet);
      else inputIpv4(stack, link, packet);
    }
    return;
  }
  if (!pullPacket(packet, packet.start, ETHERNET_SIZE)) {
    link.counters.rxErrors++;
    return;
  }
  const { start, head } = packet;
  if (!isGroupMac(head, start) && !isMac(head, start, link.address)) {
    if ((link.flags & IFF_PROMISC) === 0) link.counters.rxDropped++;
    return;
  }
  const type = packet.view.getUint16(start + ETHERNET_TYPE);
  packet.start = start + ETHERNET_SIZE;
  packet.l3 = packet.start;
  packet.l4 = 0;
  if (type === ETH_P_IP) inputIpv4(stack, link, packet);
  else if (type === ETH_P_IPV6) inputIpv6(stack, link, packet);
  else if (type === ETH_P_ARP) inputArp(stack, link, packet);
}

function pullSome(packet: Packet, size: number): void {
  if (packet.length > 0) pullPacket(packet, packet.start, Math.min(size, packet.size));
}

/** RFC 1122, section 3.2.1: of an address that nobody sends from, or to. */
function isMartian(stack: Stack, link: Link, src: IpAddress, dst: IpAddress): boolean {
  if (src.isMulticast || src.w3 >>> 28 === 0xf) return true;
  if (src.isAny && !dst.isBroadcast && !dst.isMulticast) return true;
  if (dst.w3 >>> 24 === 0) return true;
  if ((link.flags & IFF_LOOPBACK) !== 0) return false;
  return src.isLoopback || dst.isLoopback || stack.addresses.kind(src) >= RTN_LOCAL;
}

/** An IPv4 packet at packet.start. */
export function inputIpv4(stack: Stack, link: Link, packet: Packet): void {
  const counters = stack.counters.ip;
  counters.InReceives++;
  pullSome(packet, 60 + 60);
  const l3 = packet.start;
  const size = checkIpv4(packet.view, l3, packet.end - l3, packet.size);
  if (size < 0) {
    counters.InHdrErrors++;
    return;
  }
  const length = packet.view.getUint16(l3 + IPV4_LENGTH);
  if (length < packet.size) trimPacket(packet, length);
  const { view } = packet;
  packet.src = getIpv4(view, l3 + IPV4_SRC);
  packet.dst = getIpv4(view, l3 + IPV4_DST);
  packet.protocol = view.getUint8(l3 + IPV4_PROTOCOL);
  packet.tos = view.getUint8(l3 + IPV4_TOS);
  packet.ttl = view.getUint8(l3 + IPV4_TTL);
  packet.l4 = l3 + size;
  if (isMartian(stack, link, packet.src, packet.dst)) {
    counters.InAddrErrors++;
    return;
  }
  if (size > IPV4_SIZE) {
    const options = checkIpv4Options(view, l3 + IPV4_SIZE, l3 + size);
    if (options !== OPTIONS_GOOD) {
      counters.InHdrErrors++;
      if (options === OPTIONS_BAD) sendIcmpError(stack, packet, ICMP_PARAMETERPROB, 0, IPV4_SIZE << 24);
      return;
    }
  }
  const kind = stack.addresses.kind(packet.dst);
  if (kind === RTN_MULTICAST) counters.InMcastPkts++;
  else if (kind === RTN_BROADCAST) counters.InBcastPkts++;
  if (kind === RTN_LOCAL || kind === RTN_BROADCAST) deliverIpv4(stack, packet);
  else if (kind === RTN_MULTICAST) {
    if (stack.groups.has(packet.dst, link.ifindex)) deliverIpv4(stack, packet);
  } else if (stack.sysctl.ipForward) forward(stack, packet);
  else counters.InAddrErrors++;
}

function deliverIpv4(stack: Stack, packet: Packet): void {
  const { l3, view } = packet;
  const word = view.getUint16(l3 + IPV4_FRAGMENT);
  if ((word & (IPV4_MF | IPV4_OFFSET_MASK)) === 0) {
    deliverOwn(stack, packet);
    return;
  }
  const { reassembly4: r, counters } = stack;
  counters.ip.ReasmReqds++;
  const data = payloadOf(packet);
  const from = (word & IPV4_OFFSET_MASK) * 8;
  const last = (word & IPV4_MF) === 0;
  const id = view.getUint16(l3 + IPV4_ID);
  if (r.add(packet.src, packet.dst, id, packet.protocol, from, last, data, packet) !== ADD_DONE) return;
  counters.ip.ReasmOKs++;
  const { first } = r.done!;
  const whole = joinDatagram(r.done!, first!.head.subarray(first!.l3, first!.l4));
  r.done = null;
  const size = first!.l4 - first!.l3;
  if (whole.size > 65535) return;
  whole.view.setUint16(whole.l3 + IPV4_LENGTH, whole.size);
  whole.view.setUint16(whole.l3 + IPV4_FRAGMENT, 0);
  sealIpv4(whole.view, whole.l3, size);
  whole.l4 = whole.l3 + size;
  takeOver(whole, first!);
  deliverOwn(stack, whole);
}

function takeOver(whole: Packet, first: Packet): void {
  whole.src = first.src;
  whole.dst = first.dst;
  whole.protocol = first.protocol;
  whole.tos = first.tos;
  whole.ttl = first.ttl;
}

/** What is behind the network header, in one piece. */
function payloadOf(packet: Packet): Uint8Array {
  const inHead = packet.head.subarray(packet.l4, packet.end);
  if (packet.length === 0) return inHead;
  const all = new Uint8Array(inHead.length + packet.length);
  all.set(inHead);
  let at = inHead.length;
  for (const part of packet.parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const walk = new HeaderWalk();

/** An IPv6 packet at packet.start. */
export function inputIpv6(stack: Stack, link: Link, packet: Packet): void {
  const counters = stack.counters.ip6;
  counters.InReceives++;
  pullSome(packet, 512);
  const l3 = packet.start;
  if (!checkIpv6(packet.view, l3, packet.end - l3, packet.size)) {
    counters.InHdrErrors++;
    return;
  }
  const length = IPV6_SIZE + packet.view.getUint16(l3 + IPV6_LENGTH);
  if (length < packet.size) trimPacket(packet, length);
  const { view } = packet;
  packet.src = getIpv6(view, l3 + IPV6_SRC);
  packet.dst = getIpv6(view, l3 + IPV6_DST);
  packet.tos = (view.getUint16(l3) >>> 4) & 0xff;
  packet.ttl = view.getUint8(l3 + IPV6_HOPS);
  const { src, dst } = packet;
  const loops = (link.flags & IFF_LOOPBACK) !== 0;
  // RFC 4291, sections 2.5.2, 2.5.3 and 2.7; mapped addresses are no packets' (RFC 4942, section 2.2).
  if (
    src.isMulticast ||
    src.isV4 ||
    dst.isV4 ||
    dst.isAny ||
    (!loops && (src.isLoopback || dst.isLoopback))
  ) {
    counters.InAddrErrors++;
    return;
  }
  const kind = stack.addresses.kind(dst);
  if (kind === RTN_MULTICAST) counters.InMcastPkts++;
  if (kind === RTN_MULTICAST ? !stack.groups.has(dst, link.ifindex) : kind !== RTN_LOCAL) {
    if (kind !== RTN_MULTICAST && stack.sysctl.ip6Forwarding) forward(stack, packet);
    else counters.InAddrErrors++;
    return;
  }
  const r = walk.walk(view, l3, packet.end);
  if (badHeaders(stack, packet, r)) return;
  if (walk.protocol === FRAGMENT) {
    inputFragment6(stack, packet, walk.at, walk.nextAt);
    return;
  }
  packet.protocol = walk.protocol;
  packet.l4 = walk.at;
  deliverOwn(stack, packet);
}

function badHeaders(stack: Stack, packet: Packet, r: number): boolean {
  if (r === WALK_GOOD) return walk.protocol === NO_NEXT;
  stack.counters.ip6.InHdrErrors++;
  if (r === WALK_DROP) return true;
  // RFC 4443, section 2.4 (e.3): of a group only the option that demands it is answered.
  if (!packet.dst.isMulticast || r === WALK_PROBLEM)
    sendIcmpError(stack, packet, ICMPV6_PARAMPROB, walk.code, walk.pointer);
  return true;
}

function inputFragment6(stack: Stack, packet: Packet, at: number, nextAt: number): void {
  const { view, l3 } = packet;
  const { counters, reassembly6: r } = stack;
  if (at + FRAGMENT_SIZE > packet.end) {
    counters.ip6.InHdrErrors++;
    return;
  }
  counters.ip6.ReasmReqds++;
  const word = view.getUint16(at + 2);
  const from = word & 0xfff8;
  const last = (word & 1) === 0;
  packet.protocol = view.getUint8(at);
  packet.l4 = at + FRAGMENT_SIZE;
  const data = payloadOf(packet);
  // RFC 8200, section 4.5: lengths that are no multiples of 8, and datagrams that would be too long.
  if (!last && data.length % 8 !== 0) {
    sendIcmpError(stack, packet, ICMPV6_PARAMPROB, 0, IPV6_LENGTH);
    return;
  }
  if (from + data.length > 65535) {
    sendIcmpError(stack, packet, ICMPV6_PARAMPROB, 0, at + 2 - l3);
    return;
  }
  let done = joined6(packet, at, nextAt, from, last);
  if (done === null) {
    if (r.add(packet.src, packet.dst, view.getUint32(at + 4), 0, from, last, data, packet) !== ADD_DONE)
      return;
    counters.ip6.ReasmOKs++;
    const first = r.done!.first!;
    const fragmentAt = first.l4 - FRAGMENT_SIZE;
    const headers = first.head.slice(first.l3, fragmentAt);
    done = joinDatagram(r.done!, headers);
    r.done = null;
    takeOver(done, first);
    done.view.setUint16(done.l3 + IPV6_LENGTH, done.size - IPV6_SIZE);
    done.l4 = done.l3 + headers.length;
    setNext(done, first.protocol);
  }
  const result = walk.from(done.view, done.l3, done.protocol, done.l4, done.l4, done.end);
  if (badHeaders(stack, done, result)) return;
  if (walk.protocol === FRAGMENT) return;
  done.protocol = walk.protocol;
  done.l4 = walk.at;
  deliverOwn(stack, done);
}

/** An atomic fragment is whole by itself (RFC 6946). */
function joined6(packet: Packet, at: number, nextAt: number, from: number, last: boolean): Packet | null {
  if (from !== 0 || !last) return null;
  packet.view.setUint8(nextAt, packet.view.getUint8(at));
  return packet;
}

/** Names the protocol in the header before the fragment header that is gone. */
function setNext(packet: Packet, protocol: number): void {
  let nextAt = packet.l3 + 6;
  let at = packet.l3 + IPV6_SIZE;
  while (at < packet.l4) {
    nextAt = at;
    at += 8 + packet.view.getUint8(at + 1) * 8;
  }
  packet.view.setUint8(nextAt, protocol);
}

/** ip_rcv_options(): routes are recorded and stamps put by us too, after the checksum was looked at. False when the options are wrong. */
function receiveOptions(stack: Stack, packet: Packet): boolean {
  const { head, view, l3, l4, dst } = packet;
  const own = stack.addresses.kind(dst) === RTN_LOCAL ? dst.w3 : 0;
  if (!receiveIpOptions(head, view, l3 + IPV4_SIZE, l4, own, stack.clock.realtimeMs())) {
    stack.counters.ip.InHdrErrors++;
    return false;
  }
  return true;
}

/** A whole packet for us: raw sockets, then its protocol. l4, src, dst and protocol are set. `passed`: filters saw it. */
export function deliverOwn(stack: Stack, packet: Packet, passed = false): void {
  if (!passed && stack.hooks !== null && !stack.hooks.local(packet)) return;
  const { protocol } = packet;
  const { isV4 } = packet.dst;
  if (isV4 && packet.l4 - packet.l3 > IPV4_SIZE && !receiveOptions(stack, packet)) return;
  const counters = isV4 ? stack.counters.ip : stack.counters.ip6;
  const wasRaw = stack.raw.count > 0 && stack.raw.deliver(packet);
  counters.InDelivers++;
  if (isV4) {
    if (protocol === IPPROTO_ICMP) {
      inputIcmp(stack, packet);
      return;
    }
    if (protocol === IPPROTO_IGMP) {
      inputIgmp(stack, packet);
      return;
    }
  } else if (protocol === IPPROTO_ICMPV6) {
    inputIcmpv6(stack, packet);
    return;
  }
  const transport = stack.transports[protocol];
  if (transport !== undefined && transport !== null) {
    transport.input(packet);
    return;
  }
  if (wasRaw) return;
  counters.InUnknownProtos++;
  if (isV4) sendIcmpError(stack, packet, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
  else sendIcmpError(stack, packet, ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR, 6);
}
