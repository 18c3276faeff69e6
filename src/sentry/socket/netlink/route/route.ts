// RTM_*ROUTE: routing stack, rtnetlink(7).

import {
  EAFNOSUPPORT,
  EEXIST,
  EINVAL,
  ENETUNREACH,
  ENODEV,
  EOPNOTSUPP,
  ESRCH,
} from '../../../../abi/errno.ts';
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE } from '../../../../abi/net/netlink.ts';
import {
  decodeRtmsg,
  encodeRtmsg,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_COMPAT,
  RT_TABLE_MAIN,
  RTA_DST,
  RTA_GATEWAY,
  RTA_IIF,
  RTA_MARK,
  RTA_METRICS,
  RTA_MULTIPATH,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_SRC,
  RTA_TABLE,
  RTA_UID,
  RTAX_MTU,
  RTM_F_CLONED,
  RTM_NEWROUTE,
  RTN_BLACKHOLE,
  RTN_LOCAL,
  RTN_MAX,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTN_UNSPEC,
  type Rtmsg,
  SIZEOF_RTMSG,
} from '../../../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../../../abi/net/socket.ts';
import { ANY_V4, ANY_V6, type IpAddress } from '../../../../net/address.ts';
import { Route } from '../../../../net/ip/routes.ts';
import type { Stack } from '../../../../net/stack.ts';
import { countUnsupported } from '../../../base/log.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';
import { addressAttr, familyOf, putAddress } from './address_attr.ts';

/** IPv6 routes without a metric have this one (IP6_RT_PRIO_USER). */
const DEFAULT_METRIC_V6 = 1024;

/** Adds RTM_NEWROUTE or RTM_DELROUTE about a route. */
export function putRoute(w: NetlinkWriter, route: Route, type: number): void {
  const family = familyOf(route.dst);
  const body = w.begin(type, SIZEOF_RTMSG);
  encodeRtmsg(w.header, body, {
    family,
    dstLen: route.prefix,
    srcLen: 0,
    tos: 0,
    table: route.table < 256 ? route.table : RT_TABLE_COMPAT,
    protocol: route.protocol,
    scope: route.scope,
    type: route.type,
    flags: 0,
  });
  w.u32(RTA_TABLE, route.table);
  if (route.prefix > 0) putAddress(w, RTA_DST, route.dst);
  if (route.metric !== 0) w.u32(RTA_PRIORITY, route.metric);
  if (route.source !== null) putAddress(w, RTA_PREFSRC, route.source);
  if (route.gateway !== null) putAddress(w, RTA_GATEWAY, route.gateway);
  if (route.mtu !== 0) {
    const metrics = w.nestPlain(RTA_METRICS);
    w.u32(RTAX_MTU, route.mtu);
    w.endNest(metrics);
  }
  if (route.ifindex !== 0) w.u32(RTA_OIF, route.ifindex);
  w.end();
}

/** RTM_GETROUTE: a dump (1), or the way to one address. */
export function getRoute(stack: Stack, from: NetlinkAsker, request: NetlinkRequest): number {
  const { view, at, end, seq, flags } = request;
  const whole = end - at >= 16 + SIZEOF_RTMSG;
  const family = end - at > 16 ? view.getUint8(at + 16) : 0;
  if ((flags & NLM_F_DUMP) === NLM_F_DUMP) {
    const head = whole ? decodeRtmsg(view, at + 16) : null;
    const attrs = new Attributes(view, at + 16 + SIZEOF_RTMSG, end);
    const table = attrs.u32(RTA_TABLE) ?? head?.table ?? 0;
    const w = new NetlinkWriter(seq, from.port, 2);
    for (const wanted of [AF_INET, AF_INET6]) {
      if (family !== 0 && family !== wanted) continue;
      for (const route of [...stack.routes.all()].sort(inOrder))
        if (familyOf(route.dst) === wanted && (table === 0 || route.table === table))
          putRoute(w, route, RTM_NEWROUTE);
    }
    return Math.min(0, from.answer(w.finish())) || 1;
  }
  return whole ? lookup(stack, from, request, decodeRtmsg(view, at + 16)) : -EINVAL;
}

/** As a dump of Linux's trie has them: by destination. */
function inOrder(a: Route, b: Route): number {
  const [x, y] = [a.dst, b.dst];
  return (
    x.w0 - y.w0 || x.w1 - y.w1 || x.w2 - y.w2 || x.w3 - y.w3 || b.prefix - a.prefix || a.metric - b.metric
  );
}

function lookup(stack: Stack, from: NetlinkAsker, request: NetlinkRequest, head: Rtmsg): number {
  const { view, at, end, seq } = request;
  if (head.family !== AF_INET && head.family !== AF_INET6) return -EAFNOSUPPORT;
  const attrs = new Attributes(view, at + 16 + SIZEOF_RTMSG, end);
  const any = head.family === AF_INET ? ANY_V4 : ANY_V6;
  const dst = addressAttr(attrs, RTA_DST, head.family) ?? any;
  const src = addressAttr(attrs, RTA_SRC, head.family) ?? any;
  if (attrs.has(RTA_IIF)) {
    countUnsupported('RTM_GETROUTE with RTA_IIF');
    return -EOPNOTSUPP;
  }
  const route = stack.routes.lookup({
    src,
    dst,
    ifindex: attrs.u32(RTA_OIF) ?? 0,
    tos: head.tos,
    mark: attrs.u32(RTA_MARK) ?? 0,
    uid: attrs.u32(RTA_UID) ?? 0,
  });
  if (typeof route === 'number') return route;
  const w = new NetlinkWriter(seq, from.port, 0);
  const body = w.begin(RTM_NEWROUTE, SIZEOF_RTMSG);
  encodeRtmsg(w.header, body, {
    family: head.family,
    dstLen: head.family === AF_INET ? 32 : 128,
    srcLen: 0,
    tos: head.tos,
    table: route.table < 256 ? route.table : RT_TABLE_COMPAT,
    protocol: 0,
    scope: 0,
    type: route.type,
    flags: head.family === AF_INET ? RTM_F_CLONED : 0,
  });
  w.u32(RTA_TABLE, route.table);
  putAddress(w, RTA_DST, dst);
  if (route.gateway !== null) putAddress(w, RTA_GATEWAY, route.gateway);
  if (route.ifindex !== 0) w.u32(RTA_OIF, route.ifindex);
  const source = route.source ?? sourceOn(stack, route, dst);
  if (source !== null) putAddress(w, RTA_PREFSRC, source);
  w.u32(RTA_UID, attrs.u32(RTA_UID) ?? 0);
  w.end();
  return from.answer(w.finish());
}

/** The first address of the route's interface. */
function sourceOn(stack: Stack, route: Route, dst: IpAddress): IpAddress | null {
  if (route.type === RTN_LOCAL) return dst;
  for (const a of stack.addresses.all)
    if (a.ifindex === route.ifindex && a.address.isV4 === dst.isV4) return a.address;
  return null;
}

/** Types of routes that lead nowhere, and need no interface. */
function leadsNowhere(type: number): boolean {
  return type === RTN_BLACKHOLE || type === RTN_UNREACHABLE || type === RTN_PROHIBIT || type === RTN_THROW;
}

/** The route that a request describes; -errno. */
function described(stack: Stack, request: NetlinkRequest, adding: boolean): Route | number {
  const { view, at, end } = request;
  if (end - at < 16 + SIZEOF_RTMSG) return -EINVAL;
  const head = decodeRtmsg(view, at + 16);
  if (head.family !== AF_INET && head.family !== AF_INET6) return -EAFNOSUPPORT;
  const v4 = head.family === AF_INET;
  if (head.dstLen > (v4 ? 32 : 128) || head.type > RTN_MAX) return -EINVAL;
  const attrs = new Attributes(view, at + 16 + SIZEOF_RTMSG, end);
  if (attrs.has(RTA_MULTIPATH)) {
    countUnsupported('RTA_MULTIPATH');
    return -EOPNOTSUPP;
  }
  const dst = addressAttr(attrs, RTA_DST, head.family) ?? (v4 ? ANY_V4 : ANY_V6);
  const gateway = addressAttr(attrs, RTA_GATEWAY, head.family);
  const source = addressAttr(attrs, RTA_PREFSRC, head.family);
  if (gateway === null || source === null) return -EINVAL;
  if (v4 && !dst.masked(head.dstLen).equals(dst)) return -EINVAL;
  const type = head.type === RTN_UNSPEC ? RTN_UNICAST : head.type;
  const table = attrs.u32(RTA_TABLE) ?? (head.table === 0 ? RT_TABLE_MAIN : head.table);
  let ifindex = attrs.u32(RTA_OIF) ?? 0;
  if (adding && !leadsNowhere(type)) {
    if (ifindex !== 0 && stack.link(ifindex) === null) return -ENODEV;
    if (ifindex === 0 && gateway !== undefined) {
      // The gateway must be a neighbour: its interface is the route's.
      const way = stack.routes.lookup({
        src: v4 ? ANY_V4 : ANY_V6,
        dst: gateway,
        ifindex: 0,
        tos: 0,
        mark: 0,
        uid: 0,
      });
      if (typeof way === 'number' || way.gateway !== null) return -ENETUNREACH;
      ifindex = way.ifindex;
    }
    if (ifindex === 0) return -ENODEV;
  }
  const route = new Route(dst, head.dstLen, ifindex, type, table);
  route.protocol = head.protocol;
  route.scope = head.scope === 0 ? scopeOfRoute(type, gateway !== undefined, v4) : head.scope;
  route.gateway = gateway ?? null;
  route.source = source ?? null;
  route.metric = attrs.u32(RTA_PRIORITY) ?? (v4 || !adding ? 0 : DEFAULT_METRIC_V6);
  route.mtu = attrs.nested(RTA_METRICS)?.u32(RTAX_MTU) ?? 0;
  return route;
}

function scopeOfRoute(type: number, viaGateway: boolean, v4: boolean): number {
  if (!v4 || viaGateway || leadsNowhere(type)) return RT_SCOPE_UNIVERSE;
  return type === RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK;
}

/** RTM_NEWROUTE: the route, or -errno. */
export function newRoute(stack: Stack, request: NetlinkRequest): Route | number {
  const route = described(stack, request, true);
  if (typeof route === 'number') return route;
  const old = stack.routes
    .table(route.table)
    .find((r) => r.prefix === route.prefix && r.metric === route.metric && r.dst.equals(route.dst));
  if (old !== undefined && (request.flags & NLM_F_EXCL) !== 0) return -EEXIST;
  if (old === undefined && (request.flags & NLM_F_CREATE) === 0) return -ESRCH;
  if (old !== undefined && (request.flags & NLM_F_REPLACE) !== 0) stack.routes.remove(old);
  const r = stack.routes.add(route);
  return r < 0 ? r : route;
}

/** RTM_DELROUTE: the first route that agrees in what is told; -ESRCH. */
export function delRoute(stack: Stack, request: NetlinkRequest): Route | number {
  const asked = described(stack, request, false);
  if (typeof asked === 'number') return asked;
  const found = stack.routes
    .table(asked.table)
    .find(
      (r) =>
        r.prefix === asked.prefix &&
        r.dst.equals(asked.dst) &&
        (asked.ifindex === 0 || r.ifindex === asked.ifindex) &&
        (asked.metric === 0 || r.metric === asked.metric) &&
        (asked.gateway === null || (r.gateway?.equals(asked.gateway) ?? false)),
    );
  if (found === undefined) return -ESRCH;
  const r = stack.routes.remove(found);
  return r < 0 ? r : found;
}
