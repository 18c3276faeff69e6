// NETLINK_ROUTE: rtnetlink(7). Which message goes where, who may change things, and who is told of changes.

import { EINVAL, ENODEV, EOPNOTSUPP, EPERM } from '../../../../abi/errno.ts';
import { IFLA_IFNAME } from '../../../../abi/net/if_link.ts';
import { NETLINK_ROUTE } from '../../../../abi/net/netlink.ts';
import {
  decodeIfinfomsg,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETNSID,
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
  SIZEOF_IFINFOMSG,
} from '../../../../abi/net/rtnetlink.ts';
import { AF_BRIDGE } from '../../../../abi/net/socket.ts';
import { CAP_NET_ADMIN } from '../../../../abi/process/capability.ts';
import type { InterfaceAddress } from '../../../../net/ip/addresses.ts';
import type { Route, Rule } from '../../../../net/ip/routes.ts';
import type { Link } from '../../../../net/link/link.ts';
import type { Stack, StackObserver } from '../../../../net/stack.ts';
import { countUnsupported } from '../../../base/log.ts';
import type { VfsContext } from '../../../vfs/context.ts';
import type { NetlinkAsker, NetlinkProtocol, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';
import { delAddr, getAddr, newAddr, putAddr } from './addr.ts';
import { delFdb, getFdb, newFdb } from './fdb.ts';
import { getLink, named, putLink } from './link.ts';
import { delNeigh, getNeigh, newNeigh } from './neigh.ts';
import { createLink, delLink, mayChange } from './new_link.ts';
import { delRoute, getRoute, newRoute, putRoute } from './route.ts';
import { delRule, getRule, newRule, putRule } from './rule.ts';
import { setLink } from './set_link.ts';
import { getNsid, NamespaceIds, type NetworkFinder } from './world.ts';

/** A message about neighbours may be about a bridge's. */
function ofBridge(request: NetlinkRequest): boolean {
  return request.view.getUint8(request.at + 16) === AF_BRIDGE;
}

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

export class RouteProtocol implements NetlinkProtocol, StackObserver {
  readonly groups = RTNLGRP_MAX;
  readonly anyoneHears = true;
  readonly anyoneSends = false;
  private readonly stack: Stack;
  private readonly listeners: RouteListeners;
  private readonly finder: NetworkFinder;
  private readonly ids: NamespaceIds = new NamespaceIds();

  constructor(stack: Stack, listeners: RouteListeners, finder: NetworkFinder) {
    this.stack = stack;
    this.finder = finder;
    this.listeners = listeners;
    stack.observer = this;
  }

  request(ctx: VfsContext, from: NetlinkAsker, request: NetlinkRequest): number {
    const { type } = request;
    if (type > RTM_MAX) return -EOPNOTSUPP;
    if (request.end - request.at < LEAST) return 0;
    if ((type & KIND_MASK) !== KIND_GET && !ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
    const { stack } = this;
    switch (type) {
      case RTM_GETLINK:
        return getLink(stack, this.ids, from, request);
      case RTM_NEWLINK:
      case RTM_SETLINK:
      case RTM_DELLINK:
        return this.changeLink(ctx, request);
      case RTM_GETNSID:
        return getNsid(this.ids, this.finder, ctx, from, request);
      case RTM_GETADDR:
        return getAddr(stack, from, request);
      case RTM_NEWADDR:
        return this.done(newAddr(stack, request));
      case RTM_DELADDR:
        return this.done(delAddr(stack, request));
      case RTM_GETROUTE:
        return getRoute(stack, from, request);
      case RTM_NEWROUTE:
        return this.done(newRoute(stack, request));
      case RTM_DELROUTE:
        return this.done(delRoute(stack, request));
      case RTM_GETNEIGH:
        return ofBridge(request) ? getFdb(stack, from, request) : getNeigh(stack, from, request);
      case RTM_NEWNEIGH:
        return ofBridge(request) ? newFdb(stack, request) : newNeigh(stack, request);
      case RTM_DELNEIGH:
        return ofBridge(request) ? delFdb(stack, request) : delNeigh(stack, request);
      case RTM_GETRULE:
        return getRule(stack, from, request);
      case RTM_NEWRULE:
      case RTM_DELRULE: {
        const rule = type === RTM_NEWRULE ? newRule(stack, request) : delRule(stack, request);
        if (typeof rule === 'number') return rule;
        this.ruleChanged(rule, type);
        return 0;
      }
    }
    countUnsupported(`NETLINK_ROUTE message ${type}`);
    return -EOPNOTSUPP;
  }

  /** RTM_NEWLINK, RTM_SETLINK, RTM_DELLINK. */
  private changeLink(ctx: VfsContext, request: NetlinkRequest): number {
    const { stack, finder } = this;
    const { view, at, end, type } = request;
    if (end - at < 16 + SIZEOF_IFINFOMSG) return -EINVAL;
    const { index, family } = decodeIfinfomsg(view, at + 16);
    const attrs = new Attributes(view, at + 16 + SIZEOF_IFINFOMSG, end);
    const link = named(stack, index, attrs);
    if (family === AF_BRIDGE) {
      countUnsupported(`NETLINK_ROUTE message ${type} of AF_BRIDGE`);
      return -EOPNOTSUPP;
    }
    if (type === RTM_DELLINK) {
      if (index <= 0 && !attrs.has(IFLA_IFNAME)) return -EINVAL;
      return delLink(link);
    }
    if (link === null) return type === RTM_NEWLINK ? createLink(ctx, finder, stack, request) : -ENODEV;
    const r = type === RTM_NEWLINK ? mayChange(link, request.flags, attrs) : 0;
    return r < 0 ? r : setLink(ctx, finder, stack, link, request);
  }

  /** What a request changed was told by the stack. */
  private done(result: object | number): number {
    return typeof result === 'number' ? result : 0;
  }

  linkChanged(link: Link): void {
    this.tell(RTNLGRP_LINK, (w) => putLink(w, link, RTM_NEWLINK, this.ids));
  }

  linkRemoved(link: Link): void {
    this.tell(RTNLGRP_LINK, (w) => putLink(w, link, RTM_DELLINK, this.ids));
  }

  addressChanged(a: InterfaceAddress, added: boolean): void {
    const group = a.address.isV4 ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR;
    this.tell(group, (w) => putAddr(w, a, added ? RTM_NEWADDR : RTM_DELADDR));
  }

  routeChanged(route: Route, added: boolean): void {
    const group = route.dst.isV4 ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE;
    this.tell(group, (w) => putRoute(w, route, added ? RTM_NEWROUTE : RTM_DELROUTE));
  }

  private ruleChanged(rule: Rule, type: number): void {
    const group = rule.isV4 ? RTNLGRP_IPV4_RULE : RTNLGRP_IPV6_RULE;
    this.tell(group, (w) => putRule(w, this.stack, rule, type));
  }

  /** Those who hear a group are told (rtnl_notify). */
  private tell(group: number, put: (w: NetlinkWriter) => void): void {
    if (!this.listeners.heard(NETLINK_ROUTE, group)) return;
    const w = new NetlinkWriter(0, 0, 0);
    put(w);
    this.listeners.multicast(NETLINK_ROUTE, group, w.finish(), 0, null);
  }
}
