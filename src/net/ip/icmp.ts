// ICMP and ICMPv6 in (RFC 792, RFC 4443): echoes are answered, errors are told to the transport whose packet they quote.

import {
  EACCES,
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EMSGSIZE,
  ENETUNREACH,
  ENONET,
  ENOPROTOOPT,
  EOPNOTSUPP,
  EPROTO,
} from '../../abi/errno.ts';
import { SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6 } from '../../abi/net/errqueue.ts';
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_FRAG_NEEDED,
  ICMP_PARAMETERPROB,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  ICMP_TIMESTAMP,
  ICMP_TIMESTAMPREPLY,
  ICMPV6_DEST_UNREACH,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_ERRMSG_MAX,
  ICMPV6_MGM_QUERY,
  ICMPV6_PARAMPROB,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_TIME_EXCEED,
} from '../../abi/net/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../../abi/net/in.ts';
import { RTN_BROADCAST, RTN_LOCAL } from '../../abi/net/rtnetlink.ts';
import { ANY_V4, ANY_V6 } from '../address.ts';
import { Packet, SUM_UNCHECKED } from '../packet.ts';
import type { Stack } from '../stack.ts';
import { sumPacket, transportSum } from '../wire/checksum.ts';
import { pullPacket, slicePayload } from '../wire/clone.ts';
import type { Quoted } from '../wire/icmp.ts';
import { ICMP_MTU, ICMP_SIZE, ICMPV6_MTU, quotedIpv4, quotedIpv6 } from '../wire/icmp.ts';
import { echoIpOptions, IpOptions } from '../wire/ip_options.ts';
import { IPV4_SIZE } from '../wire/ipv4.ts';
import { inputMld } from './groups.ts';
import { inputNdp } from './ndp.ts';
import { findPath } from './path.ts';
import { IPV6_LEAST_MTU } from './pmtu.ts';

/** What icmp_err_convert says of the codes of ICMP_DEST_UNREACH. */
const UNREACHABLE: readonly number[] = [
  ENETUNREACH,
  EHOSTUNREACH,
  ENOPROTOOPT,
  ECONNREFUSED,
  EMSGSIZE,
  EOPNOTSUPP,
  ENETUNREACH,
  EHOSTDOWN,
  ENONET,
  ENETUNREACH,
  EHOSTUNREACH,
  ENETUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
];

/** The same of ICMPv6: icmpv6_err_convert(). */
const UNREACHABLE6: readonly number[] = [
  ENETUNREACH,
  EACCES,
  EHOSTUNREACH,
  EHOSTUNREACH,
  ECONNREFUSED,
  EACCES,
  EACCES,
];

/** ICMP at packet.l4. */
export function inputIcmp(stack: Stack, packet: Packet): void {
  const counters = stack.counters.icmp;
  counters.InMsgs++;
  const { view, l4 } = packet;
  if (packet.end - l4 < ICMP_SIZE) {
    counters.InErrors++;
    return;
  }
  if (packet.sum === SUM_UNCHECKED && sumPacket(packet, l4) !== 0xffff) {
    counters.InCsumErrors++;
    counters.InErrors++;
    return;
  }
  const type = view.getUint8(l4);
  counters.inType[type]!++;
  const { sysctl } = stack;
  switch (type) {
    case ICMP_ECHO:
    case ICMP_TIMESTAMP: {
      const kind = stack.addresses.kind(packet.dst);
      if (sysctl.icmpEchoIgnoreAll && type === ICMP_ECHO) return;
      if (kind !== RTN_LOCAL && (sysctl.icmpEchoIgnoreBroadcasts || kind === RTN_BROADCAST)) return;
      if (type === ICMP_ECHO) answerEcho(stack, packet, ICMP_ECHOREPLY);
      else answerTimestamp(stack, packet);
      return;
    }
    case ICMP_ECHOREPLY:
      stack.ping.input(packet);
      return;
    case ICMP_DEST_UNREACH:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETERPROB:
    case ICMP_SOURCE_QUENCH:
      inputError(stack, packet, type, view.getUint8(l4 + 1));
  }
}

/** Sends the echo back, its data as they came. */
function answerEcho(stack: Stack, packet: Packet, type: number): void {
  const { l4, view, dst } = packet;
  const { isV4 } = dst;
  const own = stack.addresses.isLocal(dst);
  const path = findPath(stack, {
    src: own ? dst : isV4 ? ANY_V4 : ANY_V6,
    dst: packet.src,
    ifindex: packet.src.isLinkLocal ? packet.ifindex : 0,
    tos: packet.tos,
    mark: packet.mark,
    uid: 0,
  });
  if (typeof path === 'number') return;
  const reply = new Packet();
  slicePayload(reply, packet, l4 + ICMP_SIZE, 0, packet.end - l4 - ICMP_SIZE + packet.length);
  const at = reply.push(ICMP_SIZE);
  reply.view.setUint32(at, (type << 24) >>> 0);
  reply.view.setUint32(at + 4, view.getUint32(l4 + 4));
  reply.tos = packet.tos;
  reply.options = optionsBack(packet);
  count(stack, isV4, type);
  stack.output(reply, path, isV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, false);
}

/** An answer goes on with the routes and stamps of what is answered (RFC 1122, section 3.2.2.6): ip_options_echo(). */
function optionsBack(packet: Packet): IpOptions | null {
  const { head, l3, l4 } = packet;
  if (!packet.dst.isV4 || l4 - l3 <= IPV4_SIZE) return null;
  const back = IpOptions.compile(echoIpOptions(head.subarray(l3 + IPV4_SIZE, l4)), true);
  return typeof back === 'number' || back.bytes.length === 0 ? null : back;
}

function count(stack: Stack, isV4: boolean, type: number): void {
  const counters = isV4 ? stack.counters.icmp : stack.counters.icmp6;
  counters.OutMsgs++;
  counters.outType[type]!++;
}

/** Of an error, this much is read. */
const MOST_MESSAGE = 1280;
const DAY_MS = 86_400_000;

/** ICMP_TIMESTAMP (RFC 792): ms since midnight; ours is not the time of day, which the high bit says. */
function answerTimestamp(stack: Stack, packet: Packet): void {
  const { l4, view } = packet;
  if (packet.end - l4 < 20) return;
  const path = findPath(stack, {
    src: packet.dst,
    dst: packet.src,
    ifindex: 0,
    tos: packet.tos,
    mark: packet.mark,
    uid: 0,
  });
  if (typeof path === 'number') return;
  const reply = new Packet();
  const at = reply.push(20);
  reply.view.setUint32(at, (ICMP_TIMESTAMPREPLY << 24) >>> 0);
  reply.view.setUint32(at + 4, view.getUint32(l4 + 4));
  reply.view.setUint32(at + 8, view.getUint32(l4 + 8));
  const ms = ((Math.floor(stack.clock.monotonicNs() / 1e6) % DAY_MS) | 0x80000000) >>> 0;
  reply.view.setUint32(at + 12, ms);
  reply.view.setUint32(at + 16, ms);
  reply.options = optionsBack(packet);
  count(stack, true, ICMP_TIMESTAMPREPLY);
  stack.output(reply, path, IPPROTO_ICMP, false);
}

/** What is quoted may lie in parts, where it did not come from a wire. */
function pullMessage(packet: Packet): void {
  const size = packet.end - packet.l4 + packet.length;
  if (packet.length > 0) pullPacket(packet, packet.l4, Math.min(size, MOST_MESSAGE));
}

/** An error: about a packet of ours, if its quotation is to be believed. */
function inputError(stack: Stack, packet: Packet, type: number, code: number): void {
  pullMessage(packet);
  const { head, view, l4, end } = packet;
  const quoted = quotedIpv4(head, view, l4 + ICMP_SIZE, end);
  if (quoted === undefined) {
    stack.counters.icmp.InErrors++;
    return;
  }
  let errno = EPROTO;
  let mtu = 0;
  if (type === ICMP_DEST_UNREACH) {
    errno = UNREACHABLE[code] ?? EHOSTUNREACH;
    if (code === ICMP_FRAG_NEEDED) {
      if (stack.sysctl.ipNoPmtuDisc) return;
      // Routers before RFC 1191 tell none: half of what was sent is a guess that ends.
      mtu = view.getUint16(l4 + ICMP_MTU) || Math.max(68, (view.getUint16(l4 + ICMP_SIZE + 2) >>> 1) & ~7);
      mtu = Math.max(mtu, stack.sysctl.minPmtu);
    }
  } else if (type === ICMP_TIME_EXCEEDED) errno = EHOSTUNREACH;
  else if (type !== ICMP_PARAMETERPROB) return;
  tell(stack, packet, quoted, errno, SO_EE_ORIGIN_ICMP, type, code, mtu);
}

function inputError6(stack: Stack, packet: Packet, type: number, code: number): void {
  pullMessage(packet);
  const { head, view, l4, end } = packet;
  const quoted = quotedIpv6(head, view, l4 + ICMP_SIZE, end);
  if (quoted === undefined) {
    stack.counters.icmp6.InErrors++;
    return;
  }
  let errno = EPROTO;
  let mtu = 0;
  if (type === ICMPV6_DEST_UNREACH) errno = UNREACHABLE6[code] ?? EPROTO;
  else if (type === ICMPV6_PKT_TOOBIG) {
    errno = EMSGSIZE;
    // RFC 8201, section 4: below the least there is nothing to believe.
    mtu = Math.max(view.getUint32(l4 + ICMPV6_MTU), IPV6_LEAST_MTU);
  } else if (type === ICMPV6_TIME_EXCEED) errno = EHOSTUNREACH;
  tell(stack, packet, quoted, errno, SO_EE_ORIGIN_ICMP6, type, code, mtu);
}

function tell(
  stack: Stack,
  packet: Packet,
  quoted: Quoted,
  errno: number,
  origin: number,
  type: number,
  code: number,
  mtu: number,
): void {
  if (!stack.addresses.isLocal(quoted.src)) return;
  const report = {
    errno,
    fatal: errno !== EMSGSIZE,
    origin,
    type,
    code,
    mtu,
    offender: packet.src,
    to: packet.dst,
    ifindex: packet.ifindex,
    ttl: packet.ttl,
    tos: packet.tos,
    src: quoted.src,
    dst: quoted.dst,
    quoted: quoted.transport,
  };
  const { protocol } = quoted;
  const isPing = protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6;
  const known =
    (stack.raw.count > 0 && stack.raw.owns(report, protocol)) ||
    (isPing ? stack.ping.owns(report) : stack.transports[protocol]?.owns(report) === true);
  if (!known) return;
  if (mtu > 0) stack.pmtus.learn(quoted.dst, mtu, stack.sysctl.mtuExpiresS * 1e9);
  if (stack.raw.count > 0) stack.raw.error(report, protocol);
  if (isPing) stack.ping.error(report);
  else stack.transports[protocol]?.error(report);
}

/** ICMPv6 at packet.l4. */
export function inputIcmpv6(stack: Stack, packet: Packet): void {
  const counters = stack.counters.icmp6;
  counters.InMsgs++;
  const { view, l4 } = packet;
  if (packet.end - l4 < ICMP_SIZE) {
    counters.InErrors++;
    return;
  }
  if (packet.sum === SUM_UNCHECKED && transportSum(packet, l4, IPPROTO_ICMPV6) !== 0) {
    counters.InCsumErrors++;
    counters.InErrors++;
    return;
  }
  const type = view.getUint8(l4);
  counters.inType[type]!++;
  if (type === ICMPV6_ECHO_REQUEST) {
    if (!stack.sysctl.icmp6EchoIgnoreAll) answerEcho(stack, packet, ICMPV6_ECHO_REPLY);
  } else if (type === ICMPV6_ECHO_REPLY) stack.ping.input(packet);
  else if (type >= ICMPV6_MGM_QUERY && type <= 132) inputMld(stack, packet);
  else if (type >= 133 && type <= 137) {
    pullMessage(packet);
    inputNdp(stack, packet);
  } else if (type <= ICMPV6_ERRMSG_MAX) {
    if (type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB)
      inputError6(stack, packet, type, view.getUint8(l4 + 1));
  }
}
