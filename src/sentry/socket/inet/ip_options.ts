// Options of ip(7) and ipv6(7): checked as Linux checks them, remembered, told to the endpoint.

import { EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT, ENOTCONN, EPERM } from '../../../abi/errno.ts';
import {
  IP_MREQ_IMR_INTERFACE,
  IP_MREQN_IMR_ADDRESS,
  IP_MREQN_IMR_IFINDEX,
  IP_MTU,
  IP_MULTICAST_IF,
  IP_MULTICAST_TTL,
  IP_OPTIONS,
  IP_PROTOCOL,
  IP_TOS,
  IP_TTL,
  IP_UNICAST_IF,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_MIN_MTU,
  IPV6_MTU,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_IF,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  IPV6_UNICAST_IF,
  IPV6_V6ONLY,
  SIZEOF_IP_MREQ,
  SIZEOF_IP_MREQN,
} from '../../../abi/net/in.ts';
import { SOCK_RAW, SOCK_STREAM } from '../../../abi/net/socket.ts';
import { CAP_NET_ADMIN, CAP_NET_RAW } from '../../../abi/process/capability.ts';
import { type IpAddress, ipv4 } from '../../../net/address.ts';
import type { EndpointOwner, Name, PacketFilter } from '../../../net/endpoint.ts';
import { IpOptions, OPTIONS_MOST } from '../../../net/wire/ip_options.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { putIntOption } from '../options.ts';
import { IP_ROWS, KEPT, NOT_STREAM, optionKey, PRIVILEGED, RAW_ONLY, SWITCH } from './ip_rows.ts';
import type { InetNamespace } from './namespace.ts';

/** What both kinds of endpoints know. */
export interface AnyEndpoint {
  owner: EndpointOwner | null;
  readonly local: Name | null;
  readonly remote: Name | null;
  bind(address: IpAddress, port: number): number;
  setOption(level: number, name: number, value: number): number;
  getOption(level: number, name: number): number;
  setFilter(filter: PacketFilter | null): number;
  optionValue: number;
  poll(): number;
  takeError(): number;
  /** IP_OPTIONS; undefined where there are none. */
  ipOptions?: IpOptions | null;
  /** When bytes of a stream came is to be remembered. */
  stamping?: boolean;
}

/** What options need of a socket. */
export interface IpOptionsOf {
  readonly ns: InetNamespace;
  /** SO_COOKIE. */
  readonly cookie: number;
  readonly v6: boolean;
  readonly type: number;
  readonly protocol: number;
  readonly endpoint: AnyEndpoint;
  /** Options that were set, and which an endpoint may have to know. */
  readonly set: Map<number, number>;
  /** IP_MULTICAST_IF as it was set: getsockopt(2) tells the address. */
  multicastAddress: number;
}

/** INET_ECN_MASK: of a stream's TOS, the protocol has these bits. */
const ECN_MASK = 3;

/** The value of a numeric option; 0 of one that nobody knows. */
export function ipOption(s: IpOptionsOf, level: number, name: number): number {
  const key = optionKey(level, name);
  return s.set.get(key) ?? IP_ROWS.get(key)?.first ?? 0;
}

/** Tells the endpoint of an option, and remembers it for another one. */
export function tellOption(
  s: IpOptionsOf,
  level: number,
  name: number,
  value: number,
  kept: boolean,
): number {
  const r = s.endpoint.setOption(level, name, value);
  if (r < 0 && !(r === -ENOPROTOOPT && kept)) {
    if (r === -ENOPROTOOPT) countUnsupported(`setsockopt ${level} ${name} ${value}`);
    return r;
  }
  s.set.set(optionKey(level, name), value);
  return 0;
}

/** Is `level` one of IP's, for this socket? AF_INET6 sockets that are not raw have both. */
export function isIpLevel(s: IpOptionsOf, level: number): boolean {
  if (level === IPPROTO_IPV6) return s.v6;
  return level === IPPROTO_IP && (!s.v6 || s.type !== SOCK_RAW);
}

/** The number in scratch: an int, or at the level of IPv4 one byte; NaN when it is too short. */
function numberIn(level: number, len: number): number {
  if (len >= 4) return scratchView.getInt32(0, true);
  return level === IPPROTO_IP && len >= 1 ? scratchView.getUint8(0) : Number.NaN;
}

/** setsockopt(2) at the levels of IP: 0, -EINVAL, -ENOPROTOOPT, -EPERM. Memberships are elsewhere. */
export function setIpOption(
  ctx: VfsContext,
  s: IpOptionsOf,
  level: number,
  name: number,
  len: number,
): number {
  const v4 = level === IPPROTO_IP;
  if (v4 && name === IP_OPTIONS) {
    return setOptions(ctx, s, len);
  }
  if (v4 ? name === IP_MULTICAST_IF : name === IPV6_MULTICAST_IF) return setMulticastIf(s, v4, len);
  const value = numberIn(level, len);
  if (v4 ? name === IP_UNICAST_IF : name === IPV6_UNICAST_IF) return setUnicastIf(s, level, name, value, len);
  if (!v4 && name === IPV6_MTU)
    return Number.isNaN(value) || (value !== 0 && value < IPV6_MIN_MTU) ? -EINVAL : 0;
  const row = IP_ROWS.get(optionKey(level, name));
  if (row === undefined) {
    countUnsupported(`setsockopt ${level} ${name}`);
    return -ENOPROTOOPT;
  }
  if ((row.bits & RAW_ONLY) !== 0 && s.type !== SOCK_RAW) return -ENOPROTOOPT;
  if ((row.bits & NOT_STREAM) !== 0 && s.type === SOCK_STREAM) return v4 ? -EINVAL : -ENOPROTOOPT;
  // ip_setsockopt() takes no value at all for 0 in most options, and refuses where the value has a range.
  let v = value;
  if (Number.isNaN(v)) {
    if (!v4 || (row.bits & SWITCH) === 0) return -EINVAL;
    v = 0;
  }
  if ((row.bits & SWITCH) !== 0) v = v !== 0 ? 1 : 0;
  if (v < row.least || v > row.most) return -EINVAL;
  if (v !== 0 && (row.bits & PRIVILEGED) !== 0) {
    if (!ctx.cred.capable(CAP_NET_ADMIN) && !ctx.cred.capable(CAP_NET_RAW)) return -EPERM;
  }
  if (v4) {
    if (name === IP_TTL && v === 0) return -EINVAL;
    if (name === IP_MULTICAST_TTL && v === -1) v = 1;
    if (name === IP_TOS) {
      v &= 0xff;
      if (s.type === SOCK_STREAM) v = (v & ~ECN_MASK) | (ipOption(s, level, name) & ECN_MASK);
    }
  } else {
    if (name === IPV6_V6ONLY && s.endpoint.local !== null) return -EINVAL;
    if (name === IPV6_MULTICAST_HOPS && v === -1) v = 1;
    if (name === IPV6_TCLASS && v === -1) v = 0;
    if (name === IPV6_TCLASS && s.type === SOCK_STREAM)
      v = (v & ~ECN_MASK) | (ipOption(s, level, name) & ECN_MASK);
  }
  return tellOption(s, level, name, v, (row.bits & KEPT) !== 0 || v === row.first);
}

/** IP_MULTICAST_IF takes an address or an index, IPV6_MULTICAST_IF an index: the endpoint gets an index. */
function setMulticastIf(s: IpOptionsOf, v4: boolean, len: number): number {
  if (s.type === SOCK_STREAM) return v4 ? -EINVAL : -ENOPROTOOPT;
  if (len < 4) return -EINVAL;
  let index = 0;
  if (!v4) {
    index = scratchView.getInt32(0, true);
    if (index !== 0 && s.ns.linkByIndex(index) === null) return -ENODEV;
    return tellOption(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, index, false);
  }
  let address = 0;
  if (len >= SIZEOF_IP_MREQN) {
    address = scratchView.getUint32(IP_MREQN_IMR_ADDRESS);
    index = scratchView.getInt32(IP_MREQN_IMR_IFINDEX, true);
  } else if (len >= SIZEOF_IP_MREQ) address = scratchView.getUint32(IP_MREQ_IMR_INTERFACE);
  else address = scratchView.getUint32(0);
  if (index !== 0) {
    if (s.ns.linkByIndex(index) === null) return -EADDRNOTAVAIL;
  } else if (address !== 0) {
    index = s.ns.linkOfAddress(ipv4(address));
    if (index === 0) return -EADDRNOTAVAIL;
  }
  const r = tellOption(s, IPPROTO_IP, IP_MULTICAST_IF, index, false);
  if (r === 0) s.multicastAddress = address;
  return r;
}

/** IP_UNICAST_IF and IPV6_UNICAST_IF: an index in network order. */
function setUnicastIf(s: IpOptionsOf, level: number, name: number, value: number, len: number): number {
  if (len !== 4 || Number.isNaN(value)) return -EINVAL;
  const index = scratchView.getInt32(0);
  if (index !== 0 && s.ns.linkByIndex(index) === null) return -EADDRNOTAVAIL;
  return tellOption(s, level, name, index, index === 0);
}

/** IP_OPTIONS; sockets of the host send none. */
function setOptions(ctx: VfsContext, s: IpOptionsOf, len: number): number {
  if (len > OPTIONS_MOST) return -EINVAL;
  const options = IpOptions.compile(scratch.subarray(0, len), ctx.cred.capable(CAP_NET_RAW));
  if (typeof options === 'number') return options;
  if (s.endpoint.ipOptions === undefined || options.hasSourceRoute) {
    if (len === 0) return 0;
    countUnsupported('setsockopt IP_OPTIONS');
    return -ENOPROTOOPT;
  }
  s.endpoint.ipOptions = len === 0 ? null : options;
  return 0;
}

/** getsockopt(2) at the levels of IP: the length of the value in scratch, -ENOPROTOOPT, -ENOTCONN. */
export function getIpOption(s: IpOptionsOf, level: number, name: number, len: number): number {
  const v4 = level === IPPROTO_IP;
  if (v4) {
    switch (name) {
      case IP_OPTIONS: {
        const given = s.endpoint.ipOptions?.given;
        if (given === undefined) return 0;
        scratch.set(given);
        return Math.min(given.length, len);
      }
      case IP_MTU:
        return getMtu(s, level, name, len);
      case IP_PROTOCOL:
        return putIntOption(s.protocol, len);
      case IP_MULTICAST_IF:
        scratchView.setUint32(0, s.multicastAddress);
        return Math.min(4, len);
      case IP_UNICAST_IF:
        scratchView.setInt32(0, s.set.get(optionKey(level, name)) ?? 0);
        return Math.min(4, len);
    }
  } else {
    switch (name) {
      case IPV6_MTU:
        return getMtu(s, level, name, len);
      case IPV6_MULTICAST_IF:
        return putIntOption(s.set.get(optionKey(level, name)) ?? 0, len);
      case IPV6_UNICAST_IF:
        scratchView.setInt32(0, s.set.get(optionKey(level, name)) ?? 0);
        return Math.min(4, len);
    }
  }
  const row = IP_ROWS.get(optionKey(level, name));
  // ip_getsockopt() tells those of raw sockets of all.
  if (row === undefined || (!v4 && (row.bits & RAW_ONLY) !== 0 && s.type !== SOCK_RAW)) {
    countUnsupported(`getsockopt ${level} ${name}`);
    return -ENOPROTOOPT;
  }
  let v = ipOption(s, level, name);
  if (v === -1 && name === (v4 ? IP_TTL : IPV6_UNICAST_HOPS)) v = s.ns.net.defaultTtl;
  return v4 ? putShort(v, len) : putIntOption(v, len);
}

/** What ip_getsockopt() does with a buffer that is no int: one byte, when the value fits. */
function putShort(v: number, len: number): number {
  if (len >= 4 || len === 0 || v < 0 || v > 255) return putIntOption(v, len);
  scratchView.setUint8(0, v);
  return 1;
}

/** IP_MTU, IPV6_MTU: of the path of a connected socket. */
function getMtu(s: IpOptionsOf, level: number, name: number, len: number): number {
  if (s.endpoint.remote === null) return -ENOTCONN;
  const r = s.endpoint.getOption(level, name);
  return r < 0 ? r : putIntOption(s.endpoint.optionValue, len);
}
