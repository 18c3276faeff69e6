// ICMP errors that we send (RFC 1122, section 3.2.2; RFC 4443, section 2.4): never about errors, groups or broadcasts, and not
// too many of them.

import { SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6 } from '../../abi/net/errqueue.ts';
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_HOST_UNREACH,
  ICMP_TIMESTAMP,
  ICMP_TIMESTAMPREPLY,
  ICMPV6_ADDR_UNREACH,
  ICMPV6_DEST_UNREACH,
  ICMPV6_PARAMPROB,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_UNK_OPTION,
} from '../../abi/net/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../../abi/net/in.ts';
import { RTN_LOCAL } from '../../abi/net/rtnetlink.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V4, ANY_V6 } from '../address.ts';
import { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { PathError } from '../transport.ts';
import { finishSum } from '../wire/checksum.ts';
import { ICMP_SIZE } from '../wire/icmp.ts';
import { IPV4_FRAGMENT, IPV4_OFFSET_MASK, IPV4_SIZE } from '../wire/ipv4.ts';
import { FRAGMENT, HeaderWalk, IPV6_SIZE } from '../wire/ipv6.ts';
import { AddressMap } from './address_map.ts';
import { findPath } from './path.ts';

/** Most bytes of an error: RFC 1812, section 4.3.2.3; RFC 4443, section 2.4 (c). */
const MOST_V4 = 576;
const MOST_V6 = 1280;
/** Peers whose rate is remembered. */
const MOST_PEERS = 256;
const PEER_BURST = 6;

class Peer {
  credit = PEER_BURST;
  atNs = 0;
}

/** A bucket for all and one for each peer: icmp_ratelimit, icmp_msgs_per_sec. */
export class ErrorRate {
  private credit = -1;
  private atNs = 0;
  private readonly peers = new AddressMap<Peer>();

  /** May an error go to `peer` now? */
  allow(stack: Stack, peer: IpAddress): boolean {
    const { sysctl } = stack;
    const nowNs = stack.clock.monotonicNs();
    if (this.credit < 0) this.credit = sysctl.icmpMsgsBurst;
    else {
      const earned = ((nowNs - this.atNs) * sysctl.icmpMsgsPerSec) / 1e9;
      this.credit = Math.min(sysctl.icmpMsgsBurst, this.credit + earned);
    }
    this.atNs = nowNs;
    if (this.credit < 1) return false;
    if (sysctl.icmpRatelimitMs > 0 && !peer.isLoopback) {
      let p = this.peers.get(peer);
      if (p === undefined) {
        if (this.peers.size >= MOST_PEERS) this.peers.clear();
        p = new Peer();
        p.atNs = nowNs;
        this.peers.set(peer, p);
      }
      p.credit = Math.min(PEER_BURST, p.credit + (nowNs - p.atNs) / (sysctl.icmpRatelimitMs * 1e6));
      p.atNs = nowNs;
      if (p.credit < 1) return false;
      p.credit--;
    }
    this.credit--;
    return true;
  }
}

const walk = new HeaderWalk();

/** Is the packet one that must not be answered with an error? */
function unanswerable(stack: Stack, packet: Packet, type: number, code: number): boolean {
  const { src, dst, l3, view } = packet;
  if (src.isAny || src.isMulticast) return true;
  if (dst.isV4) {
    if (stack.addresses.kind(src) > RTN_LOCAL || stack.addresses.kind(dst) > RTN_LOCAL) return true;
    if ((view.getUint16(l3 + IPV4_FRAGMENT) & IPV4_OFFSET_MASK) !== 0) return true;
    if (packet.protocol !== IPPROTO_ICMP) return false;
    if (packet.end - packet.l4 < 1) return true;
    const of = view.getUint8(packet.l4);
    return of !== ICMP_ECHO && of !== ICMP_ECHOREPLY && of !== ICMP_TIMESTAMP && of !== ICMP_TIMESTAMPREPLY;
  }
  if (dst.isMulticast) {
    const allowed = type === ICMPV6_PKT_TOOBIG || (type === ICMPV6_PARAMPROB && code === ICMPV6_UNK_OPTION);
    if (!allowed) return true;
  }
  walk.walk(view, l3, packet.end);
  let { protocol, at } = walk;
  if (protocol === FRAGMENT) {
    if (at + 8 > packet.end || view.getUint16(at + 2) >>> 3 !== 0) return true;
    protocol = view.getUint8(at);
    at += 8;
  }
  return (
    protocol === IPPROTO_ICMPV6 && (at >= packet.end || view.getUint8(at) < 128 || view.getUint8(at) === 137)
  );
}

/** Sends an error about a packet that came in, whose l3, src and dst are set. `info` is the word behind the checksum. */
export function sendIcmpError(stack: Stack, about: Packet, type: number, code: number, info: number): void {
  if (unanswerable(stack, about, type, code)) return;
  const { isV4 } = about.dst;
  const counters = isV4 ? stack.counters.icmp : stack.counters.icmp6;
  if (!stack.errorRate.allow(stack, about.src)) {
    counters.OutRateLimited++;
    return;
  }
  const own = stack.addresses.isLocal(about.dst);
  const path = findPath(stack, {
    src: own ? about.dst : isV4 ? ANY_V4 : ANY_V6,
    dst: about.src,
    ifindex: about.src.isLinkLocal ? about.ifindex : 0,
    tos: 0,
    mark: about.mark,
    uid: 0,
  });
  if (typeof path === 'number') return;
  const packet = new Packet();
  const room = isV4 ? MOST_V4 - IPV4_SIZE - ICMP_SIZE : MOST_V6 - IPV6_SIZE - ICMP_SIZE;
  const whole = quote(about, room);
  packet.append(whole);
  const at = packet.push(ICMP_SIZE);
  packet.view.setUint16(at, (type << 8) | code);
  packet.view.setUint32(at + 4, info >>> 0);
  packet.tos = isV4 ? (about.tos & 0x1e) | 0xc0 : 0;
  counters.OutMsgs++;
  counters.outType[type]!++;
  stack.output(packet, path, isV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, false);
}

/** The first bytes of a packet from its network header on, copied. */
function quote(about: Packet, most: number): Uint8Array {
  if (about.l4 > about.l3) finishSum(about);
  const inHead = about.end - about.l3;
  const quoted = new Uint8Array(Math.min(most, inHead + about.length));
  quoted.set(about.head.subarray(about.l3, about.l3 + Math.min(inHead, quoted.length)));
  let at = inHead;
  for (const part of about.parts) {
    if (at >= quoted.length) break;
    quoted.set(part.subarray(0, quoted.length - at), at);
    at += part.length;
  }
  return quoted;
}

/** Tells a transport of a packet of ours that could not go on its way. */
function reportOwn(stack: Stack, packet: Packet, errno: number, type: number, code: number): void {
  const transport = stack.transports[packet.protocol];
  const { head, l4, end } = packet;
  if (end - l4 < ICMP_SIZE) return;
  const report: PathError = {
    errno,
    fatal: true,
    origin: packet.dst.isV4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6,
    type,
    code,
    mtu: 0,
    offender: packet.src,
    to: null,
    ifindex: 0,
    ttl: -1,
    tos: -1,
    src: packet.src,
    dst: packet.dst,
    quoted: new DataView(head.buffer, head.byteOffset + l4, end - l4),
  };
  transport?.error(report);
  if (stack.raw.count > 0) stack.raw.error(report, packet.protocol);
}

/** A neighbour did not answer: its packets' senders are told, by call or by ICMP (arp_error_report(), ndisc_error_report()). */
export function reportUnreachable(stack: Stack, packet: Packet, errno: number): void {
  const v4 = packet.dst.isV4;
  const type = v4 ? ICMP_DEST_UNREACH : ICMPV6_DEST_UNREACH;
  const code = v4 ? ICMP_HOST_UNREACH : ICMPV6_ADDR_UNREACH;
  if (stack.addresses.isLocal(packet.src)) reportOwn(stack, packet, errno, type, code);
  else sendIcmpError(stack, packet, type, code, 0);
}
