// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST of a stream: where its peer was going before the packet filter led it here
// (<linux/netfilter_ipv4.h>, <linux/netfilter_ipv6/ip6_tables.h>). Proxies ask for it.

import { EINVAL, ENOENT, ENOPROTOOPT } from '../../../abi/errno.ts';
import {
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  SIZEOF_SOCKADDR_IN,
  SIZEOF_SOCKADDR_IN6,
} from '../../../abi/net/in.ts';
import { AF_INET, AF_INET6 } from '../../../abi/net/socket.ts';
import type { StreamEndpoint } from '../../../net/endpoint.ts';
import { Tuple } from '../../../net/filter/tuple.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { SockAddr } from '../message.ts';
import { NOT_LARGE } from '../socket.ts';
import type { InetNamespace } from './namespace.ts';
import { writeName } from './sockaddr.ts';

/** SO_ORIGINAL_DST, and IPv6's by the same number. */
const SO_ORIGINAL_DST = 80;
const told = new SockAddr();

/** What is asked here of a socket. */
export interface OriginalOf {
  readonly ns: InetNamespace;
  readonly v6: boolean;
  readonly endpoint: StreamEndpoint;
}

/**
 * getorigdst(), ipv6_getorigdst(): writes the address to `addr`; the caller's length stays as it is. -ENOENT when the connection is none
 * that is tracked, -ENOPROTOOPT where there is no packet filter; NOT_LARGE when it is another option.
 */
export function getOriginalOption(
  ctx: VfsContext,
  s: OriginalOf,
  level: number,
  name: number,
  addr: number,
  len: number,
): number {
  if (name !== SO_ORIGINAL_DST || (level !== IPPROTO_IP && !(level === IPPROTO_IPV6 && s.v6)))
    return NOT_LARGE;
  const filter = s.ns.stack.filter();
  if (filter === null) return -ENOPROTOOPT;
  const v4 = level === IPPROTO_IP;
  if (len < (v4 ? SIZEOF_SOCKADDR_IN : SIZEOF_SOCKADDR_IN6)) return -EINVAL;
  const { local, remote } = s.endpoint;
  if (local === null || remote === null || remote.address.isV4 !== v4) return -ENOENT;
  const reply = new Tuple(IPPROTO_TCP, local.address, local.port, remote.address, remote.port);
  const tracked = filter.tracker.find(reply);
  if (tracked === null) return -ENOENT;
  const { dst, dport } = tracked.original;
  writeName(told, v4 ? AF_INET : AF_INET6, dst, dport);
  return ctx.mem.copyOutExact(addr, told.bytes, 0, told.len);
}
