// NETLINK_ROUTE: rtnetlink(7). Which message goes where, who may change things, and who is told of changes.

import { EOPNOTSUPP, EPERM } from '../../../../abi/errno.ts';
import { NETLINK_ROUTE } from '../../../../abi/net/netlink.ts';
import {
  RTM_DELADDR,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETROUTE,
  RTM_GETRULE,
  RTM_MAX,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTM_SETLINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_RULE,
  RTNLGRP_LINK,
  RTNLGRP_MAX,
} from '../../../../abi/net/rtnetlink.ts';
import { CAP_NET_ADMIN } from '../../../../abi/process/capability.ts';
import type { InterfaceAddress } from '../../../../net/ip/addresses.ts';
import type { Route, Rule } from '../../../../net/ip/routes.ts';
import type { Link } from '../../../../net/link/link.ts';
import type { Stack } from '../../../../net/stack.ts';
import { countUnsupported } from '../../../base/log.ts';
import type { VfsContext } from '../../../vfs/context.ts';
import type { NetlinkAsker, NetlinkProtocol, NetlinkRequest } from '../protocol.ts';
import { NetlinkWriter } from '../writer.ts';
import { delAddr, getAddr, newAddr, putAddr } from './addr.ts';
import { getLink, putLink, setLink } from './link.ts';
import { delNeigh, getNeigh, newNeigh } from './neigh.ts';
import { delRoute, getRoute, newRoute, putRoute } from './route.ts';
import { delRule, getRule, newRule, putRule } from './rule.ts';

/** struct rtgenmsg behind nlmsghdr: what a message has at the least. */
const LEAST = 17;
/** The last two bits of a type: new, delete, get, set. */
const KIND_MASK = 3;
const KIND_GET = 2;

/** Who hears of changes: the namespace's netlink sockets. */
export interface RouteListeners {
  heard(protocol: number, group: number): boolean;
  multicast(
    protocol: number,
    group: number,
    messages: readonly Uint8Array[],
    fromPort: number,
    except: null,
  ): void;
}

export class RouteProtocol implements NetlinkProtocol {
  readonly groups = RTNLGRP_MAX;
  readonly anyoneHears = true;
  readonly anyoneSends = false;
  private readonly stack: Stack;
  private readonly listeners: RouteListeners;

  constructor(stack: Stack, listeners: RouteListeners) {
    this.stack = stack;
    this.listeners = listeners;
  }

  request(ctx: VfsContext, from: NetlinkAsker, request: NetlinkRequest): number {
    const { type } = request;
    if (type > RTM_MAX) return -EOPNOTSUPP;
    if (request.end - request.at < LEAST) return 0;
    if ((type & KIND_MASK) !== KIND_GET && !ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
    const { stack } = this;
    switch (type) {
      case RTM_GETLINK:
        return getLink(stack, from, request);
      case RTM_NEWLINK:
      case RTM_SETLINK:
        return this.told(setLink(stack, request), (link) => this.linkChanged(link, from, request));
      case RTM_GETADDR:
        return getAddr(stack, from, request);
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const a = type === RTM_NEWADDR ? newAddr(stack, request) : delAddr(stack, request);
        return this.told(a, (address) => this.addressChanged(address, type, from, request));
      }
      case RTM_GETROUTE:
        return getRoute(stack, from, request);
      case RTM_NEWROUTE:
      case RTM_DELROUTE: {
        const r = type === RTM_NEWROUTE ? newRoute(stack, request) : delRoute(stack, request);
        return this.told(r, (route) => this.routeChanged(route, type, from, request));
      }
      case RTM_GETNEIGH:
        return getNeigh(stack, from, request);
      case RTM_NEWNEIGH:
        return newNeigh(stack, request);
      case RTM_DELNEIGH:
        return delNeigh(stack, request);
      case RTM_GETRULE:
        return getRule(stack, from, request);
      case RTM_NEWRULE:
      case RTM_DELRULE: {
        const r = type === RTM_NEWRULE ? newRule(stack, request) : delRule(stack, request);
        return this.told(r, (rule) => this.ruleChanged(rule, type, from, request));
      }
    }
    countUnsupported(`NETLINK_ROUTE message ${type}`);
    return -EOPNOTSUPP;
  }

  private told<T extends object>(result: T | number, tell: (what: T) => void): number {
    if (typeof result === 'number') return result;
    tell(result);
    return 0;
  }

  /** An interface has changed: by a request, or by an ioctl or a device (from null). */
  linkChanged(link: Link, from: NetlinkAsker | null = null, request: NetlinkRequest | null = null): void {
    this.tell(RTNLGRP_LINK, from, request, (w) => putLink(w, link, RTM_NEWLINK));
  }

  addressChanged(
    a: InterfaceAddress,
    type: number,
    from: NetlinkAsker | null = null,
    request: NetlinkRequest | null = null,
  ): void {
    const group = a.address.isV4 ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR;
    this.tell(group, from, request, (w) => putAddr(w, a, type));
  }

  routeChanged(
    route: Route,
    type: number,
    from: NetlinkAsker | null = null,
    request: NetlinkRequest | null = null,
  ): void {
    const group = route.dst.isV4 ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE;
    this.tell(group, from, request, (w) => putRoute(w, route, type));
  }

  private ruleChanged(rule: Rule, type: number, from: NetlinkAsker, request: NetlinkRequest): void {
    const group = rule.isV4 ? RTNLGRP_IPV4_RULE : RTNLGRP_IPV6_RULE;
    this.tell(group, from, request, (w) => putRule(w, this.stack, rule, type));
  }

  /** Those who hear a group are told what a request changed, with its number and port (rtnl_notify). */
  private tell(
    group: number,
    from: NetlinkAsker | null,
    request: NetlinkRequest | null,
    put: (w: NetlinkWriter) => void,
  ): void {
    if (!this.listeners.heard(NETLINK_ROUTE, group)) return;
    const w = new NetlinkWriter(request?.seq ?? 0, from?.port ?? 0, 0);
    put(w);
    this.listeners.multicast(NETLINK_ROUTE, group, w.finish(), 0, null);
  }
}
