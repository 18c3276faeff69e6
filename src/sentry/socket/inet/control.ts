// Control messages of datagrams, in and out: ip(7), ipv6(7), udp(7), socket(7).

import { EINVAL, ENODEV } from '../../../abi/errno.ts';
import {
  IN_PKTINFO_IPI_IFINDEX,
  IN_PKTINFO_IPI_SPEC_DST,
  IN6_PKTINFO_IPI6_IFINDEX,
  IP_CHECKSUM,
  IP_ORIGDSTADDR,
  IP_PKTINFO,
  IP_RECVERR,
  IP_RECVOPTS,
  IP_RECVORIGDSTADDR,
  IP_RECVTOS,
  IP_RECVTTL,
  IP_RETOPTS,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_UDP,
  IPV6_2292HOPLIMIT,
  IPV6_2292PKTINFO,
  IPV6_DONTFRAG,
  IPV6_HOPLIMIT,
  IPV6_PKTINFO,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  IPV6_RECVTCLASS,
  IPV6_TCLASS,
  SIZEOF_IN_PKTINFO,
  SIZEOF_IN6_PKTINFO,
} from '../../../abi/net/in.ts';
import {
  CMSGHDR_CMSG_LEVEL,
  CMSGHDR_CMSG_TYPE,
  cmsgSpace,
  SIZEOF_CMSGHDR,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { UDP_GRO, UDP_SEGMENT } from '../../../abi/net/tcp.ts';
import { CAP_NET_RAW } from '../../../abi/process/capability.ts';
import { getU64 } from '../../../abi/u64.ts';
import { getIpv6, ipv4 } from '../../../net/address.ts';
import type { DatagramInfo } from '../../../net/endpoint.ts';
import { echoIpOptions, IpOptions, OPTIONS_MOST } from '../../../net/wire/ip_options.ts';
import { countUnsupported } from '../../base/log.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Message } from '../message.ts';
import { type IpOptionsOf, ipOption } from './ip_options.ts';
import { type StampsOf, writeStamps } from './stamps.ts';
import { checkSocketControl } from './stream_control.ts';

/** What control messages need of a socket. */
export interface ControlOf extends IpOptionsOf, StampsOf {}

/** Reads what goes with a datagram into `info`: 0, -EINVAL, -ENODEV, -EPERM. */
export function readControl(ctx: VfsContext, s: ControlOf, msg: Message, info: DatagramInfo): number {
  for (let at = 0; msg.controlLen - at >= SIZEOF_CMSGHDR; ) {
    const len = getU64(msg.view, at);
    if (len < SIZEOF_CMSGHDR || len > msg.controlLen - at) return -EINVAL;
    const level = msg.view.getInt32(at + CMSGHDR_CMSG_LEVEL, true);
    const type = msg.view.getInt32(at + CMSGHDR_CMSG_TYPE, true);
    const bytes = len - SIZEOF_CMSGHDR;
    let r = 0;
    if (level === SOL_SOCKET) r = checkSocketControl(ctx, type, bytes);
    else if (level === IPPROTO_IP) r = readIp(ctx, s, msg.view, type, at + SIZEOF_CMSGHDR, bytes, info);
    else if (level === IPPROTO_IPV6 && s.v6)
      r = readIpv6(s, msg.view, type, at + SIZEOF_CMSGHDR, bytes, info);
    else if (level === IPPROTO_UDP && s.protocol === IPPROTO_UDP) {
      if (type !== UDP_SEGMENT || bytes !== 2) return -EINVAL;
      info.segment = msg.view.getUint16(at + SIZEOF_CMSGHDR, true);
    }
    if (r < 0) return r;
    at += cmsgSpace(bytes);
  }
  return 0;
}

/** ip_cmsg_send(). */
function readIp(
  ctx: VfsContext,
  s: ControlOf,
  view: DataView,
  type: number,
  at: number,
  bytes: number,
  info: DatagramInfo,
): number {
  switch (type) {
    case IP_PKTINFO:
      if (bytes !== SIZEOF_IN_PKTINFO) return -EINVAL;
      return source(s, view, at + IN_PKTINFO_IPI_IFINDEX, at + IN_PKTINFO_IPI_SPEC_DST, true, info);
    case IP_TTL: {
      if (bytes !== 4) return -EINVAL;
      const ttl = view.getInt32(at, true);
      if (ttl < 1 || ttl > 255) return -EINVAL;
      info.ttl = ttl;
      return 0;
    }
    case IP_TOS: {
      if (bytes !== 4 && bytes !== 1) return -EINVAL;
      const tos = bytes === 4 ? view.getInt32(at, true) : view.getUint8(at);
      if (tos < 0 || tos > 255) return -EINVAL;
      info.tos = tos;
      return 0;
    }
    case IP_RETOPTS: {
      if (bytes > OPTIONS_MOST) return -EINVAL;
      const given = new Uint8Array(view.buffer, view.byteOffset + at, bytes);
      const options = IpOptions.compile(given, ctx.cred.capable(CAP_NET_RAW));
      if (typeof options === 'number') return options;
      if (options.hasSourceRoute || s.endpoint.ipOptions === undefined) break;
      info.options = options;
      return 0;
    }
  }
  countUnsupported(`control message IPPROTO_IP ${type}`);
  return -EINVAL;
}

/** ip6_datagram_send_ctl(). */
function readIpv6(
  s: ControlOf,
  view: DataView,
  type: number,
  at: number,
  bytes: number,
  info: DatagramInfo,
): number {
  switch (type) {
    case IPV6_PKTINFO:
    case IPV6_2292PKTINFO:
      if (bytes < SIZEOF_IN6_PKTINFO) return -EINVAL;
      return source(s, view, at + IN6_PKTINFO_IPI6_IFINDEX, at, false, info);
    case IPV6_HOPLIMIT:
    case IPV6_2292HOPLIMIT: {
      if (bytes !== 4) return -EINVAL;
      const hops = view.getInt32(at, true);
      if (hops < -1 || hops > 255) return -EINVAL;
      info.ttl = hops;
      return 0;
    }
    case IPV6_TCLASS: {
      if (bytes !== 4) return -EINVAL;
      const tclass = view.getInt32(at, true);
      if (tclass < -1 || tclass > 255) return -EINVAL;
      info.tos = tclass;
      return 0;
    }
    case IPV6_DONTFRAG:
      // Which packets are cut into fragments is not chosen one by one: only what holds anyhow can be asked for.
      if (bytes !== 4) return -EINVAL;
      if (view.getInt32(at, true) === ipOption(s, IPPROTO_IPV6, IPV6_DONTFRAG)) return 0;
  }
  countUnsupported(`control message IPPROTO_IPV6 ${type}`);
  return -EINVAL;
}

/** struct in_pktinfo and in6_pktinfo: the source to use, and the interface. */
function source(
  s: ControlOf,
  view: DataView,
  indexAt: number,
  addressAt: number,
  v4: boolean,
  info: DatagramInfo,
): number {
  const index = view.getInt32(indexAt, true);
  if (index !== 0 && s.ns.linkByIndex(index) === null) return -ENODEV;
  info.ifindex = index;
  const a = v4 ? ipv4(view.getUint32(addressAt)) : getIpv6(view, addressAt);
  if (!a.isAny) {
    if (!v4 && !s.ns.isLocal(a)) return -EINVAL;
    info.local = a;
  }
  return 0;
}

const data = new Uint8Array(64);
const view = new DataView(data.buffer);

function putInt(msg: Message, level: number, type: number, value: number): void {
  view.setInt32(0, value, true);
  msg.putControl(level, type, data, 4);
}

/** Tells what came with a datagram and was asked for. */
export function writeControl(ctx: VfsContext, s: ControlOf, msg: Message, info: DatagramInfo): void {
  writeStamps(ctx, s, msg, info.atNs);
  const v4 = !s.v6 || info.address?.isV4 === true;
  if (!s.v6 || v4) writeIp(s, msg, info);
  if (s.v6) writeIpv6(s, msg, info, v4);
  if (info.segment > 0 && s.protocol === IPPROTO_UDP) putInt(msg, IPPROTO_UDP, UDP_GRO, info.segment);
}

function on(s: ControlOf, level: number, name: number): boolean {
  return ipOption(s, level, name) !== 0;
}

/** ip_cmsg_recv_offset(), in its order. */
function writeIp(s: ControlOf, msg: Message, info: DatagramInfo): void {
  if (on(s, IPPROTO_IP, IP_PKTINFO)) {
    view.setInt32(0, info.ifindex, true);
    const to = info.local === null ? 0 : info.local.w3;
    // The address that a datagram to a group or to all came to is the interface's own.
    const own = info.local !== null && (info.local.isMulticast || info.local.isBroadcast);
    view.setUint32(4, own ? s.ns.addressOf(info.ifindex) : to);
    view.setUint32(8, to);
    msg.putControl(IPPROTO_IP, IP_PKTINFO, data, SIZEOF_IN_PKTINFO);
  }
  if (on(s, IPPROTO_IP, IP_RECVTTL)) putInt(msg, IPPROTO_IP, IP_TTL, info.ttl);
  if (on(s, IPPROTO_IP, IP_RECVTOS)) {
    data[0] = info.tos;
    msg.putControl(IPPROTO_IP, IP_TOS, data, 1);
  }
  if (info.came !== null) {
    if (on(s, IPPROTO_IP, IP_RECVOPTS)) msg.putControl(IPPROTO_IP, IP_RECVOPTS, info.came);
    if (on(s, IPPROTO_IP, IP_RETOPTS)) msg.putControl(IPPROTO_IP, IP_RETOPTS, echoIpOptions(info.came));
  }
  if (on(s, IPPROTO_IP, IP_RECVORIGDSTADDR)) {
    view.setUint16(0, 2, true);
    view.setUint16(2, s.endpoint.local === null ? 0 : s.endpoint.local.port);
    view.setUint32(4, info.local === null ? 0 : info.local.w3);
    view.setUint32(8, 0);
    view.setUint32(12, 0);
    msg.putControl(IPPROTO_IP, IP_ORIGDSTADDR, data, 16);
  }
  if (on(s, IPPROTO_IP, IP_CHECKSUM)) countUnsupported('IP_CHECKSUM messages');
}

/** ip6_datagram_recv_common_ctl(), ip6_datagram_recv_specific_ctl(), in their order. */
function writeIpv6(s: ControlOf, msg: Message, info: DatagramInfo, v4: boolean): void {
  const pktinfo = (type: number): void => {
    if (info.local === null) data.fill(0, 0, 16);
    else info.local.put16(view, 0);
    view.setInt32(IN6_PKTINFO_IPI6_IFINDEX, info.ifindex, true);
    msg.putControl(IPPROTO_IPV6, type, data, SIZEOF_IN6_PKTINFO);
  };
  if (on(s, IPPROTO_IPV6, IPV6_RECVPKTINFO)) pktinfo(IPV6_PKTINFO);
  if (v4) return;
  if (on(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT)) putInt(msg, IPPROTO_IPV6, IPV6_HOPLIMIT, info.ttl);
  if (on(s, IPPROTO_IPV6, IPV6_RECVTCLASS)) putInt(msg, IPPROTO_IPV6, IPV6_TCLASS, info.tos);
  if (on(s, IPPROTO_IPV6, IPV6_2292PKTINFO)) pktinfo(IPV6_2292PKTINFO);
  if (on(s, IPPROTO_IPV6, IPV6_2292HOPLIMIT)) putInt(msg, IPPROTO_IPV6, IPV6_2292HOPLIMIT, info.ttl);
}

/**
 * The messages of MSG_ERRQUEUE: what was asked for of the packet that told of the error, then struct sock_extended_err and the
 * offender (ip_recv_error(), ipv6_recv_error()).
 */
export function writeError(ctx: VfsContext, s: ControlOf, msg: Message, info: DatagramInfo): void {
  const v4 = !s.v6;
  if (info.ttl >= 0) writeControl(ctx, s, msg, info);
  view.setUint32(0, info.errno, true);
  data[4] = info.origin;
  data[5] = info.type;
  data[6] = info.code;
  data[7] = 0;
  view.setUint32(8, info.info, true);
  view.setUint32(12, 0, true);
  const at = 16;
  const size = v4 ? 16 : 28;
  data.fill(0, at, at + size);
  if (info.offender !== null) {
    view.setUint16(at, v4 ? 2 : 10, true);
    if (v4) view.setUint32(at + 4, info.offender.w3);
    else info.offender.put16(view, at + 8);
  }
  msg.putControl(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, data, at + size);
}
