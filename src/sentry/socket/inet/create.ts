// socket(2) with AF_INET and AF_INET6: which sockets there are, and who may have them (inet_create(), inet6_create()).

import { EACCES, EINVAL, EPERM, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from '../../../abi/errno.ts';
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IP,
  IPPROTO_MAX,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
} from '../../../abi/net/in.ts';
import { AF_INET6, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM } from '../../../abi/net/socket.ts';
import { CAP_NET_RAW } from '../../../abi/process/capability.ts';
import { kernelMemory } from '../../base/charge.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { InetDatagram } from './datagram.ts';
import type { InetSocket } from './inet.ts';
import type { InetNamespace } from './namespace.ts';
import { InetStream } from './stream.ts';

/** Makes a socket in `ns`: -EINVAL, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -EPERM, -EACCES, -ENOBUFS. */
export function createInet(
  ctx: VfsContext,
  ns: InetNamespace,
  family: number,
  type: number,
  protocol: number,
  flags: number,
): InetSocket | number {
  if (protocol < 0 || protocol >= IPPROTO_MAX) return -EINVAL;
  const ping = family === AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
  switch (type) {
    case SOCK_STREAM: {
      if (protocol !== IPPROTO_IP && protocol !== IPPROTO_TCP) return -EPROTONOSUPPORT;
      const ep = ns.stack.stream(family, kernelMemory.current, ctx.cred.fsuid);
      return typeof ep === 'number' ? ep : new InetStream(ctx, ns, family, ep, false, flags);
    }
    case SOCK_DGRAM: {
      if (protocol === ping && !mayPing(ctx, ns)) return -EACCES;
      if (protocol === IPPROTO_IP) return datagram(ctx, ns, family, type, IPPROTO_UDP, flags);
      if (protocol !== IPPROTO_UDP && protocol !== IPPROTO_UDPLITE && protocol !== ping)
        return -EPROTONOSUPPORT;
      return datagram(ctx, ns, family, type, protocol, flags);
    }
    case SOCK_RAW:
      if (protocol === IPPROTO_IP) return -EPROTONOSUPPORT;
      if (!ctx.cred.capable(CAP_NET_RAW)) return -EPERM;
      return datagram(ctx, ns, family, type, protocol, flags);
  }
  return -ESOCKTNOSUPPORT;
}

function datagram(
  ctx: VfsContext,
  ns: InetNamespace,
  family: number,
  type: number,
  protocol: number,
  flags: number,
): InetSocket | number {
  const ep = ns.stack.datagram(family, type, protocol, kernelMemory.current);
  return typeof ep === 'number' ? ep : new InetDatagram(ctx, ns, family, type, protocol, ep, flags);
}

/** ping_init_sock(): one of the caller's groups is in ping_group_range. */
function mayPing(ctx: VfsContext, ns: InetNamespace): boolean {
  const { pingGroupLow, pingGroupHigh } = ns.net;
  const within = (gid: number): boolean => gid >= pingGroupLow && gid <= pingGroupHigh;
  return within(ctx.cred.egid) || ctx.cred.groups.some(within);
}
