// ICMP and ICMPv6 messages (RFC 792; RFC 4443, section 2.1), and what is quoted in their errors.
//
//   0: type   1: code   2: checksum   4: id, sequence | unused, MTU | pointer   8: data

import type { IpAddress } from '../address.ts';
import { getIpv4, getIpv6 } from '../address.ts';
import { IPV4_DST, IPV4_FRAGMENT, IPV4_OFFSET_MASK, IPV4_PROTOCOL, IPV4_SIZE, IPV4_SRC } from './ipv4.ts';
import { FRAGMENT, HeaderWalk, IPV6_DST, IPV6_SIZE, IPV6_SRC, WALK_GOOD } from './ipv6.ts';

export const ICMP_SIZE = 8;
export const ICMP_SUM = 2;
export const ICMP_ID = 4;
export const ICMP_SEQUENCE = 6;
export const ICMP_MTU = 6;
export const ICMPV6_MTU = 4;
/** Errors quote at least this much of the transport. */
export const QUOTED_LEAST = 8;

/** The packet that an ICMP error quotes. */
export class Quoted {
  readonly src: IpAddress;
  readonly dst: IpAddress;
  readonly protocol: number;
  readonly transport: DataView;
  /** Where its transport header begins in the buffer. */
  readonly at: number;

  constructor(src: IpAddress, dst: IpAddress, protocol: number, transport: DataView, at: number) {
    this.src = src;
    this.dst = dst;
    this.protocol = protocol;
    this.transport = transport;
    this.at = at;
  }
}

const walk = new HeaderWalk();

/** Reads the quoted IPv4 packet bytes[at..end); undefined when it is none, no first fragment, or too short. */
export function quotedIpv4(bytes: Uint8Array, view: DataView, at: number, end: number): Quoted | undefined {
  if (end - at < IPV4_SIZE || view.getUint8(at) >>> 4 !== 4) return undefined;
  const size = (view.getUint8(at) & 0xf) * 4;
  if (size < IPV4_SIZE || end - at < size + QUOTED_LEAST) return undefined;
  if ((view.getUint16(at + IPV4_FRAGMENT) & IPV4_OFFSET_MASK) !== 0) return undefined;
  const start = at + size;
  return new Quoted(
    getIpv4(view, at + IPV4_SRC),
    getIpv4(view, at + IPV4_DST),
    view.getUint8(at + IPV4_PROTOCOL),
    new DataView(bytes.buffer, bytes.byteOffset + start, end - start),
    start,
  );
}

/** The same of IPv6, whose extension headers are walked over. */
export function quotedIpv6(bytes: Uint8Array, view: DataView, at: number, end: number): Quoted | undefined {
  if (end - at < IPV6_SIZE || view.getUint8(at) >>> 4 !== 6) return undefined;
  if (walk.walk(view, at, end) !== WALK_GOOD) return undefined;
  if (walk.protocol === FRAGMENT) {
    if (walk.at + 8 > end || view.getUint16(walk.at + 2) >>> 3 !== 0) return undefined;
    const next = view.getUint8(walk.at);
    if (walk.from(view, at, next, walk.at + 8, walk.at, end) !== WALK_GOOD) return undefined;
  }
  if (end - walk.at < QUOTED_LEAST) return undefined;
  return new Quoted(
    getIpv6(view, at + IPV6_SRC),
    getIpv6(view, at + IPV6_DST),
    walk.protocol,
    new DataView(bytes.buffer, bytes.byteOffset + walk.at, end - walk.at),
    walk.at,
  );
}
