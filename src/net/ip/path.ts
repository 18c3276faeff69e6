// NetPath: the answer of the routing tables, with what output needs: link, next hop and, once it was found, the neighbour.

import { EHOSTUNREACH, ENETUNREACH, ENODEV } from '../../abi/errno.ts';
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST } from '../../abi/net/rtnetlink.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V4, ANY_V6, LOOPBACK_V4, LOOPBACK_V6 } from '../address.ts';
import type { Link } from '../link/link.ts';
import type { Flow, Path } from '../path.ts';
import type { Stack } from '../stack.ts';
import type { Neighbour } from './neighbour.ts';
import type { PathMtus } from './pmtu.ts';
import { selectSource } from './source.ts';

/** Of one packet with headers: what the length field of IPv4 holds. */
const MOST = 65535;

export class NetPath implements Path {
  readonly src: IpAddress;
  readonly dst: IpAddress;
  readonly link: Link;
  readonly nextHop: IpAddress;
  readonly local: boolean;
  readonly broadcast: boolean;
  readonly multicast: boolean;
  readonly generation: number;
  /** Whose packets go there. */
  readonly uid: number;
  /** Of link and route. */
  private readonly baseMtu: number;
  private readonly pmtus: PathMtus;
  neighbour: Neighbour | null = null;

  constructor(
    src: IpAddress,
    dst: IpAddress,
    link: Link,
    nextHop: IpAddress,
    type: number,
    mtu: number,
    pmtus: PathMtus,
    generation: number,
    uid: number,
  ) {
    this.src = src;
    this.dst = dst;
    this.link = link;
    this.nextHop = nextHop;
    this.local = type === RTN_LOCAL;
    this.broadcast = type === RTN_BROADCAST;
    this.multicast = dst.isMulticast;
    this.baseMtu = dst.isV4 ? Math.min(mtu, MOST) : mtu;
    this.pmtus = pmtus;
    this.generation = generation;
    this.uid = uid;
  }

  get ifindex(): number {
    return this.link.ifindex;
  }

  get mtu(): number {
    return this.local || this.pmtus.size === 0 ? this.baseMtu : this.pmtus.limit(this.dst, this.baseMtu);
  }

  // Links that take no large packets split them themselves, which is still cheaper than to make many.
  get gso(): number {
    return MOST;
  }
}

/** NetworkLayer.route. */
export function findPath(stack: Stack, flow: Flow): NetPath | number {
  const { isV4 } = flow.dst;
  const dst = !flow.dst.isAny ? flow.dst : !flow.src.isAny ? flow.src : isV4 ? LOOPBACK_V4 : LOOPBACK_V6;
  if (flow.ifindex !== 0) {
    const link = stack.link(flow.ifindex);
    if (link === null) return -ENODEV;
    if (!link.isUp) return -ENETUNREACH;
  }
  let { ifindex } = flow;
  // Groups and 255.255.255.255 go out where the source lives, when nobody says where.
  if (ifindex === 0 && isV4 && !flow.src.isAny && (dst.isMulticast || dst.isBroadcast))
    ifindex = stack.addresses.get(flow.src)?.ifindex ?? 0;
  const asked: Flow =
    dst === flow.dst && ifindex === flow.ifindex
      ? flow
      : { src: flow.src, dst, ifindex, tos: flow.tos, mark: flow.mark, uid: flow.uid };
  const route = stack.routes.lookup(asked);
  if (typeof route === 'number') return route === -ENETUNREACH ? onLink(stack, asked) : route;
  let { type } = route;
  if (type !== RTN_LOCAL && isV4 && dst.isBroadcast) type = RTN_BROADCAST;
  if (dst.isMulticast) type = RTN_MULTICAST;
  const link = type === RTN_LOCAL ? stack.loopback : stack.link(route.ifindex);
  if (link === null) return -EHOSTUNREACH;
  // What is for us has its way also while lo is down: it gets no further.
  if (!link.isUp && type !== RTN_LOCAL) return -ENETUNREACH;
  const nextHop = route.gateway !== null && type !== RTN_MULTICAST ? route.gateway : dst;
  let { src } = flow;
  if (src.isAny) {
    const chosen =
      type === RTN_LOCAL
        ? (route.source ?? dst)
        : (route.source ?? selectSource(stack.addresses.all, dst, nextHop, link.ifindex));
    if (chosen === undefined && !isV4) return -EHOSTUNREACH;
    src = chosen ?? (isV4 ? ANY_V4 : ANY_V6);
  }
  const mtu = route.mtu > 0 ? Math.min(route.mtu, link.mtu) : link.mtu;
  return new NetPath(src, dst, link, nextHop, type, mtu, stack.pmtus, stack.generation, flow.uid);
}

/** With an interface and without a route, everybody is a neighbour there: ip_route_output_key_hash_rcu(). */
function onLink(stack: Stack, flow: Flow): NetPath | number {
  const link = flow.ifindex === 0 ? null : stack.link(flow.ifindex);
  if (link === null || (!flow.dst.isV4 && !flow.dst.isMulticast && !flow.dst.isLinkLocal))
    return -ENETUNREACH;
  const src = !flow.src.isAny
    ? flow.src
    : (selectSource(stack.addresses.all, flow.dst, flow.dst, link.ifindex) ?? flow.src);
  const type = flow.dst.isBroadcast ? RTN_BROADCAST : 0;
  return new NetPath(src, flow.dst, link, flow.dst, type, link.mtu, stack.pmtus, stack.generation, flow.uid);
}
