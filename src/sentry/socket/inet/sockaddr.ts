// struct sockaddr_in and sockaddr_in6 in and out: ip(7), ipv6(7).

import { EAFNOSUPPORT, EINVAL } from '../../../abi/errno.ts';
import {
  SIZEOF_SOCKADDR_IN,
  SIZEOF_SOCKADDR_IN6,
  SOCKADDR_IN_SIN_ADDR,
  SOCKADDR_IN_SIN_PORT,
  SOCKADDR_IN6_SIN6_ADDR,
  SOCKADDR_IN6_SIN6_FLOWINFO,
  SOCKADDR_IN6_SIN6_PORT,
  SOCKADDR_IN6_SIN6_SCOPE_ID,
} from '../../../abi/net/in.ts';
import { AF_INET, AF_INET6 } from '../../../abi/net/socket.ts';
import {
  ANY_V4,
  ANY_V6,
  getIpv4,
  getIpv6,
  type IpAddress,
  ipv4,
  LOOPBACK_V4,
  LOOPBACK_V6,
} from '../../../net/address.ts';
import type { SockAddr } from '../message.ts';

/** SIN6_LEN_RFC2133: a sockaddr_in6 without its scope is one, too. */
const OLD_IN6 = 24;

/** What an address says. One for all: valid until the next is read. */
export class Told {
  address: IpAddress = ANY_V4;
  port = 0;
  /** sin6_scope_id; 0 for none. */
  scope = 0;
}

export const told: Told = new Told();

/** Reads a sockaddr_in whose family the caller has looked at; -EINVAL when it is too short. */
export function readIn(addr: SockAddr): number {
  if (addr.len < SIZEOF_SOCKADDR_IN) return -EINVAL;
  told.port = addr.view.getUint16(SOCKADDR_IN_SIN_PORT);
  told.address =
    addr.view.getUint32(SOCKADDR_IN_SIN_ADDR) === 0 ? ANY_V4 : getIpv4(addr.view, SOCKADDR_IN_SIN_ADDR);
  told.scope = 0;
  return 0;
}

/** Reads a sockaddr_in6, which may lack its last field; -EINVAL when it is too short. */
export function readIn6(addr: SockAddr): number {
  if (addr.len < OLD_IN6) return -EINVAL;
  told.port = addr.view.getUint16(SOCKADDR_IN6_SIN6_PORT);
  const a = getIpv6(addr.view, SOCKADDR_IN6_SIN6_ADDR);
  told.address = a.isAny ? (a.isV4 ? ANY_V4 : ANY_V6) : a;
  told.scope = addr.len >= SIZEOF_SOCKADDR_IN6 ? addr.view.getUint32(SOCKADDR_IN6_SIN6_SCOPE_ID, true) : 0;
  return 0;
}

/** Reads the address that a socket of `family` is to go to: -EINVAL, -EAFNOSUPPORT. */
export function readPeer(addr: SockAddr, family: number): number {
  const v6 = family === AF_INET6;
  if (addr.len < (v6 ? OLD_IN6 : SIZEOF_SOCKADDR_IN)) return -EINVAL;
  if (addr.family !== family) return -EAFNOSUPPORT;
  return v6 ? readIn6(addr) : readIn(addr);
}

/** Connecting to no address in particular is connecting to this machine. */
export function orLoopback(a: IpAddress): IpAddress {
  if (!a.isAny) return a;
  return a.isV4 ? LOOPBACK_V4 : LOOPBACK_V6;
}

/** Writes a name as a socket of `family` sees it: IPv4 as mapped addresses in AF_INET6. */
export function writeName(
  addr: SockAddr,
  family: number,
  address: IpAddress | null,
  port: number,
  scope = 0,
): void {
  const { view } = addr;
  view.setUint16(0, family, true);
  view.setUint16(SOCKADDR_IN_SIN_PORT, port);
  if (family === AF_INET) {
    view.setUint32(SOCKADDR_IN_SIN_ADDR, address === null ? 0 : address.w3);
    view.setUint32(8, 0);
    view.setUint32(12, 0);
    addr.len = SIZEOF_SOCKADDR_IN;
    return;
  }
  const a = address ?? ANY_V6;
  view.setUint32(SOCKADDR_IN6_SIN6_FLOWINFO, 0);
  a.put16(view, SOCKADDR_IN6_SIN6_ADDR);
  view.setUint32(SOCKADDR_IN6_SIN6_SCOPE_ID, a.isLinkLocal && !a.isV4 ? scope : 0, true);
  addr.len = SIZEOF_SOCKADDR_IN6;
}

/** The address of a guest's struct in_addr at `at`, which may be 0.0.0.0. */
export function inAddr(view: DataView, at: number): IpAddress {
  return ipv4(view.getUint32(at));
}
