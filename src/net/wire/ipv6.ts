// The header of IPv6 and its extension headers (RFC 8200, sections 3 and 4).
//
//   0: version, class, flow label   4: payload length   6: next header   7: hop limit   8: source   24: destination

import type { IpAddress } from '../address.ts';

export const IPV6_SIZE = 40;
export const IPV6_LENGTH = 4;
export const IPV6_NEXT = 6;
export const IPV6_HOPS = 7;
export const IPV6_SRC = 8;
export const IPV6_DST = 24;
export const FRAGMENT_SIZE = 8;
/** More than this many extension headers is nobody's honest packet. */
const MOST_HEADERS = 8;

export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const NO_NEXT = 59;
export const DESTINATION = 60;

/** Is there a header at `at`, and all that it announces? */
export function checkIpv6(view: DataView, at: number, room: number, total: number): boolean {
  if (room < IPV6_SIZE || view.getUint8(at) >>> 4 !== 6) return false;
  return IPV6_SIZE + view.getUint16(at + IPV6_LENGTH) <= total;
}

/** Writes a header at `at`. */
export function putIpv6(
  view: DataView,
  at: number,
  src: IpAddress,
  dst: IpAddress,
  next: number,
  length: number,
  hops: number,
  trafficClass: number,
  label: number,
): void {
  view.setUint32(at, (0x60000000 | ((trafficClass & 0xff) << 20) | (label & 0xfffff)) >>> 0);
  view.setUint32(at + 4, ((length << 16) | ((next & 0xff) << 8) | (hops & 0xff)) >>> 0);
  src.put16(view, at + IPV6_SRC);
  dst.put16(view, at + IPV6_DST);
}

/** What a walk along the headers found. One is reused: nobody keeps it. */
export class HeaderWalk {
  /** The transport's protocol, FRAGMENT, or NO_NEXT, and where it begins. */
  protocol = 0;
  at = 0;
  /** Where the byte lies that names `protocol`. */
  nextAt = 0;
  /** Code and pointer of the ICMPv6 parameter problem, when walk() says so. */
  code = 0;
  pointer = 0;
  /** The router alert option is there (MLD). */
  alert = false;

  /** Walks to the transport or to a fragment header. */
  walk(view: DataView, l3: number, end: number): number {
    return this.from(view, l3, view.getUint8(l3 + IPV6_NEXT), l3 + IPV6_SIZE, l3 + IPV6_NEXT, end);
  }

  /** Goes on behind a header that was dealt with. */
  from(view: DataView, l3: number, protocol: number, start: number, nextAt: number, end: number): number {
    let next = protocol;
    let at = start;
    this.nextAt = nextAt;
    this.alert = false;
    for (let n = 0; n < MOST_HEADERS; n++) {
      this.protocol = next;
      this.at = at;
      if (next !== HOP_BY_HOP && next !== ROUTING && next !== DESTINATION) return WALK_GOOD;
      if (at + 8 > end) return WALK_DROP;
      const size = 8 + view.getUint8(at + 1) * 8;
      if (at + size > end) return WALK_DROP;
      if (next === HOP_BY_HOP && at !== l3 + IPV6_SIZE) return this.problem(1, this.nextAt - l3);
      if (next === ROUTING) {
        // RFC 5095 and RFC 8200, section 4.4: one that still has segments to visit is not for us.
        if (view.getUint8(at + 3) !== 0) return this.problem(0, at + 2 - l3);
      } else {
        const r = this.options(view, l3, at + 2, at + size);
        if (r !== WALK_GOOD) return r;
      }
      next = view.getUint8(at);
      this.nextAt = at;
      at += size;
    }
    return WALK_DROP;
  }

  private problem(code: number, pointer: number): number {
    this.code = code;
    this.pointer = pointer;
    return WALK_PROBLEM;
  }

  /** Options of a header: RFC 8200, section 4.2. The two high bits say what to do with those that one does not know. */
  private options(view: DataView, l3: number, from: number, to: number): number {
    let i = from;
    while (i < to) {
      const type = view.getUint8(i);
      if (type === 0) {
        i++;
        continue;
      }
      if (i + 1 >= to) return WALK_DROP;
      const size = 2 + view.getUint8(i + 1);
      if (i + size > to) return WALK_DROP;
      if (type === 5) this.alert = true;
      else if (type !== 1 && type >>> 6 !== 0) {
        if (type >>> 6 === 1) return WALK_DROP;
        this.problem(2, i - l3);
        return type >>> 6 === 2 ? WALK_PROBLEM : WALK_PROBLEM_UNLESS_GROUP;
      }
      i += size;
    }
    return WALK_GOOD;
  }
}

export const WALK_GOOD = 0;
export const WALK_DROP = 1;
/** Drop it and send the ICMPv6 parameter problem. */
export const WALK_PROBLEM = 2;
/** The same, but not when it came to a group. */
export const WALK_PROBLEM_UNLESS_GROUP = 3;
