// Which of our addresses a packet to somebody comes from: fib_select's way for IPv4, RFC 6724 section 5 for IPv6.

import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from '../../abi/net/rtnetlink.ts';
import type { IpAddress } from '../address.ts';
import { parseAddress } from '../address.ts';
import type { InterfaceAddress } from './addresses.ts';
import { scopeOf } from './addresses.ts';

/** The source for `dst` through an interface, by way of `hop`; undefined when no address will do. */
export function selectSource(
  all: readonly InterfaceAddress[],
  dst: IpAddress,
  hop: IpAddress,
  ifindex: number,
): IpAddress | undefined {
  return dst.isV4 ? selectV4(all, hop, ifindex) : selectV6(all, dst, ifindex);
}

/** The interface's address whose net the next hop is in, else its first, else the first of any other but loopback. */
function selectV4(all: readonly InterfaceAddress[], hop: IpAddress, ifindex: number): IpAddress | undefined {
  let first: IpAddress | undefined;
  let other: IpAddress | undefined;
  for (const a of all) {
    if (!a.address.isV4 || !a.usable) continue;
    if (a.ifindex !== ifindex) {
      if (other === undefined && a.scope < RT_SCOPE_HOST) other = a.address;
      continue;
    }
    if (hop.inPrefix(a.peer ?? a.address, a.prefix)) return a.address;
    first ??= a.address;
  }
  return first ?? other;
}

/** Scopes of RFC 4291, section 2.7, of unicast addresses too. */
function scope6(a: IpAddress): number {
  if (a.isMulticast) return (a.w0 >>> 16) & 0xf;
  const s = scopeOf(a);
  return s === RT_SCOPE_UNIVERSE ? 0xe : s === RT_SCOPE_LINK ? 2 : 1;
}

/** The policy table of RFC 6724, section 2.1: [prefix, bits, label], longest first. */
const LABELS: readonly (readonly [IpAddress, number, number])[] = (
  [
    ['::1', 128, 0],
    ['::', 96, 3],
    ['2001::', 32, 5],
    ['3ffe::', 16, 12],
    ['2002::', 16, 2],
    ['fec0::', 10, 11],
    ['fc00::', 7, 13],
    ['::', 0, 1],
  ] as const
).map(([text, bits, label]) => [parseAddress(text)!, bits, label] as const);

function labelOf(a: IpAddress): number {
  for (const [prefix, bits, label] of LABELS) if (a.inPrefix(prefix, bits)) return label;
  return 1;
}

/** Leading bits that two addresses share. */
function commonBits(a: IpAddress, b: IpAddress, most: number): number {
  const words = [a.w0 ^ b.w0, a.w1 ^ b.w1, a.w2 ^ b.w2, a.w3 ^ b.w3];
  let bits = 0;
  for (const w of words) {
    if (w !== 0) return Math.min(most, bits + Math.clz32(w));
    bits += 32;
  }
  return Math.min(most, bits);
}

function selectV6(all: readonly InterfaceAddress[], dst: IpAddress, ifindex: number): IpAddress | undefined {
  let best: InterfaceAddress | undefined;
  const own = dst.isMulticast || dst.isLinkLocal;
  for (const a of all) {
    if (a.address.isV4 || !a.usable || (own && a.ifindex !== ifindex)) continue;
    if (best === undefined || better(a, best, dst, ifindex)) best = a;
  }
  return best?.address;
}

/** Is `a` a better source than `b`? Rules 1, 2, 3, 5, 6 and 8. */
function better(a: InterfaceAddress, b: InterfaceAddress, dst: IpAddress, ifindex: number): boolean {
  if (a.address.equals(dst) !== b.address.equals(dst)) return a.address.equals(dst);
  const [sa, sb, sd] = [scope6(a.address), scope6(b.address), scope6(dst)];
  if (sa !== sb) return sa < sb ? sa >= sd : sb < sd;
  if (a.deprecated !== b.deprecated) return b.deprecated;
  if ((a.ifindex === ifindex) !== (b.ifindex === ifindex)) return a.ifindex === ifindex;
  const label = labelOf(dst);
  const [la, lb] = [labelOf(a.address) === label, labelOf(b.address) === label];
  if (la !== lb) return la;
  return commonBits(a.address, dst, a.prefix) > commonBits(b.address, dst, b.prefix);
}
