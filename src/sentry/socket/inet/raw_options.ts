// Options of raw sockets alone: raw(7), RFC 3542, sections 3.1 and 3.2.

import { EINVAL, ENOPROTOOPT, EOPNOTSUPP } from '../../../abi/errno.ts';
import { ICMP_FILTER, ICMPV6_FILTER } from '../../../abi/net/icmp.ts';
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IPV6,
  IPV6_CHECKSUM,
  IPV6_HDRINCL,
} from '../../../abi/net/in.ts';
import { SOCK_RAW, SOL_RAW } from '../../../abi/net/socket.ts';
import type { DatagramEndpoint } from '../../../net/endpoint.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { putIntOption } from '../options.ts';
import { type IpOptionsOf, tellOption } from './ip_options.ts';

/** struct icmp_filter and struct icmp6_filter. */
const FILTER_BYTES = 4;
const FILTER6_BYTES = 32;

/** What these options need of a socket. */
export interface RawOptionsOf extends IpOptionsOf {
  readonly endpoint: DatagramEndpoint;
}

/** Is an option of a raw socket one of these, rather than one of IP's? rawv6_setsockopt(). */
export function isRawOption(s: RawOptionsOf, level: number, name: number): boolean {
  if (s.type !== SOCK_RAW) return false;
  if (level === SOL_RAW) return true;
  if (!s.v6) return false;
  return (
    level === IPPROTO_ICMPV6 || (level === IPPROTO_IPV6 && (name === IPV6_CHECKSUM || name === IPV6_HDRINCL))
  );
}

/** setsockopt(2) for an option of which isRawOption() is true: 0, -EINVAL, -ENOPROTOOPT, -EOPNOTSUPP. */
export function setRawOption(s: RawOptionsOf, level: number, name: number, len: number): number {
  if (level === IPPROTO_ICMPV6) return setFilter6(s, name, len);
  if (!s.v6) return setFilter(s, name, len);
  if (name !== IPV6_CHECKSUM && name !== IPV6_HDRINCL) return -ENOPROTOOPT;
  if (len < 4) return -EINVAL;
  const value = scratchView.getInt32(0, true);
  if (name === IPV6_HDRINCL) return tellOption(s, IPPROTO_IPV6, name, value !== 0 ? 1 : 0, false);
  // Where ICMPv6's is, RFC 3542 says; Linux lets SOL_RAW say otherwise.
  if (s.protocol === IPPROTO_ICMPV6 && level === IPPROTO_IPV6) return -EINVAL;
  if (value > 0 && (value & 1) !== 0) return -EINVAL;
  return tellOption(s, IPPROTO_IPV6, name, Math.max(-1, value), false);
}

/** raw_seticmpfilter(): what is shorter than the word sets its first bytes. */
function setFilter(s: RawOptionsOf, name: number, len: number): number {
  if (name !== ICMP_FILTER) return -ENOPROTOOPT;
  if (s.protocol !== IPPROTO_ICMP) return -EOPNOTSUPP;
  const r = s.endpoint.getOption(SOL_RAW, name);
  if (r < 0) return r;
  let word = s.endpoint.optionValue;
  for (let i = 0; i < Math.min(len, FILTER_BYTES); i++)
    word = (word & ~(0xff << (8 * i))) | (scratch[i]! << (8 * i));
  return tellOption(s, SOL_RAW, name, word, false);
}

/** rawv6_seticmpfilter(). */
function setFilter6(s: RawOptionsOf, name: number, len: number): number {
  if (s.protocol !== IPPROTO_ICMPV6) return -EOPNOTSUPP;
  const filter = s.endpoint.icmp6Filter;
  if (name !== ICMPV6_FILTER || filter === null) return -ENOPROTOOPT;
  for (let i = 0; i < Math.min(len, FILTER6_BYTES); i++) {
    const shift = 8 * (i & 3);
    filter[i >>> 2] = (filter[i >>> 2]! & ~(0xff << shift)) | (scratch[i]! << shift);
  }
  return 0;
}

/** getsockopt(2), likewise: the length of the value in scratch. */
export function getRawOption(s: RawOptionsOf, level: number, name: number, len: number): number {
  if (level === IPPROTO_ICMPV6) {
    if (s.protocol !== IPPROTO_ICMPV6) return -EOPNOTSUPP;
    const filter = s.endpoint.icmp6Filter;
    if (name !== ICMPV6_FILTER || filter === null) return -ENOPROTOOPT;
    for (let i = 0; i < filter.length; i++) scratchView.setUint32(4 * i, filter[i]!, true);
    return Math.min(len, FILTER6_BYTES);
  }
  if (s.v6 ? name !== IPV6_CHECKSUM && name !== IPV6_HDRINCL : name !== ICMP_FILTER) return -ENOPROTOOPT;
  if (!s.v6 && s.protocol !== IPPROTO_ICMP) return -EOPNOTSUPP;
  const r = s.endpoint.getOption(s.v6 ? IPPROTO_IPV6 : SOL_RAW, name);
  return r < 0 ? r : putIntOption(s.endpoint.optionValue, len);
}
