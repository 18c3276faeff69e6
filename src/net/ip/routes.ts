// Routing tables and the rules that choose among them: ip-route(8), ip-rule(8). A table is sorted by prefix length, then metric:
// the first that matches is the one. Paths remember what was found, so that packets ask nothing here.

import {
  EACCES,
  EEXIST,
  EHOSTUNREACH,
  EINVAL,
  ENETUNREACH,
  ENOBUFS,
  ENOENT,
  ESRCH,
} from '../../abi/errno.ts';
import {
  FR_ACT_BLACKHOLE,
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TBL,
  FR_ACT_UNREACHABLE,
} from '../../abi/net/fib_rules.ts';
import {
  RT_SCOPE_UNIVERSE,
  RT_TABLE_DEFAULT,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTPROT_BOOT,
} from '../../abi/net/rtnetlink.ts';
import type { IpAddress } from '../address.ts';
import type { NetMemory } from '../memory.ts';
import type { Flow } from '../path.ts';

const MOST_ROUTES = 4096;
const MOST_RULES = 1024;
/** A route or a rule with its addresses. */
const ROUTE_BYTES = 512;

export class Route {
  readonly dst: IpAddress;
  readonly prefix: number;
  readonly ifindex: number;
  readonly table: number;
  /** RTN_*, RT_SCOPE_*, RTPROT_*. */
  readonly type: number;
  scope = RT_SCOPE_UNIVERSE;
  protocol = RTPROT_BOOT;
  gateway: IpAddress | null = null;
  source: IpAddress | null = null;
  metric = 0;
  /** 0: the link's. */
  mtu = 0;
  /** Monotonic ns; of those from routers. */
  expiresNs = Number.POSITIVE_INFINITY;

  constructor(dst: IpAddress, prefix: number, ifindex: number, type = RTN_UNICAST, table = RT_TABLE_MAIN) {
    this.dst = dst.masked(prefix);
    this.prefix = prefix;
    this.ifindex = ifindex;
    this.type = type;
    this.table = table;
  }
}

export class Rule {
  readonly priority: number;
  readonly isV4: boolean;
  readonly table: number;
  /** FR_ACT_*. */
  action = FR_ACT_TO_TBL;
  src: IpAddress | null = null;
  srcBits = 0;
  dst: IpAddress | null = null;
  dstBits = 0;
  /** Interface index; 0 for all. */
  oif = 0;
  mark = 0;
  markMask = 0;
  tos = 0;
  uidLow = 0;
  uidHigh = Number.POSITIVE_INFINITY;
  /** Somebody pays for it. */
  paid = false;

  constructor(priority: number, isV4: boolean, table: number) {
    this.priority = priority;
    this.isV4 = isV4;
    this.table = table;
  }

  matches(flow: Flow): boolean {
    if (this.src !== null && !flow.src.inPrefix(this.src, this.srcBits)) return false;
    if (this.dst !== null && !flow.dst.inPrefix(this.dst, this.dstBits)) return false;
    if (this.oif !== 0 && this.oif !== flow.ifindex) return false;
    if ((flow.mark & this.markMask) !== this.mark) return false;
    if (this.tos !== 0 && this.tos !== flow.tos) return false;
    return flow.uid >= this.uidLow && flow.uid <= this.uidHigh;
  }
}

/** Whether an interface is there and up. */
export interface LinkStates {
  /** Who pays for routes and rules. */
  readonly memory: NetMemory;
  isUp(ifindex: number): boolean;
  /** Who hears of routes that come and go. */
  readonly observer: { routeChanged(route: Route, added: boolean): void } | null;
}

export class RouteTables {
  /** Changes with everything that could change an answer. */
  generation = 1;
  private readonly tables = new Map<number, Route[]>();
  readonly rules: Rule[] = [
    new Rule(0, true, RT_TABLE_LOCAL),
    new Rule(32766, true, RT_TABLE_MAIN),
    new Rule(32767, true, RT_TABLE_DEFAULT),
    new Rule(0, false, RT_TABLE_LOCAL),
    new Rule(32766, false, RT_TABLE_MAIN),
  ];
  private count = 0;
  private readonly links: LinkStates;

  constructor(links: LinkStates) {
    this.links = links;
  }

  /** All routes, table by table. */
  *all(): Generator<Route> {
    for (const routes of this.tables.values()) yield* routes;
  }

  table(id: number): readonly Route[] {
    return this.tables.get(id) ?? [];
  }

  /** -EEXIST when prefix and metric are taken, -ENOBUFS. */
  add(route: Route): number {
    const routes = this.tables.get(route.table) ?? [];
    const same = (r: Route): boolean =>
      r.prefix === route.prefix && r.metric === route.metric && r.dst.equals(route.dst);
    // IPv6 has several next hops for a prefix, and each interface's link-local prefix.
    if (routes.some((r) => same(r) && (route.dst.isV4 || (r.ifindex === route.ifindex && sameHop(r, route)))))
      return -EEXIST;
    if (this.count >= MOST_ROUTES || !this.links.memory.fits(ROUTE_BYTES)) return -ENOBUFS;
    this.links.memory.take(ROUTE_BYTES);
    let at = 0;
    while (at < routes.length && before(routes[at]!, route)) at++;
    routes.splice(at, 0, route);
    this.tables.set(route.table, routes);
    this.count++;
    this.generation++;
    this.links.observer?.routeChanged(route, true);
    return 0;
  }

  /** -ESRCH when it is not there. */
  remove(route: Route): number {
    const routes = this.tables.get(route.table);
    const at = routes?.indexOf(route) ?? -1;
    if (routes === undefined || at < 0) return -ESRCH;
    routes.splice(at, 1);
    if (routes.length === 0) this.tables.delete(route.table);
    this.count--;
    this.links.memory.give(ROUTE_BYTES);
    this.generation++;
    this.links.observer?.routeChanged(route, false);
    return 0;
  }

  /** Takes away all for which `gone` says so. */
  removeAll(gone: (route: Route) => boolean): void {
    for (const route of [...this.all()]) if (gone(route)) this.remove(route);
  }

  /** The stack ends: nobody pays for anything any more. */
  clear(): void {
    this.removeAll(() => true);
    for (const rule of [...this.rules]) this.removeRule(rule);
  }

  addRule(rule: Rule): number {
    if (this.rules.length >= MOST_RULES || !this.links.memory.fits(ROUTE_BYTES)) return -ENOBUFS;
    this.links.memory.take(ROUTE_BYTES);
    rule.paid = true;
    let at = 0;
    while (at < this.rules.length && this.rules[at]!.priority <= rule.priority) at++;
    this.rules.splice(at, 0, rule);
    this.generation++;
    return 0;
  }

  removeRule(rule: Rule): number {
    const at = this.rules.indexOf(rule);
    if (at < 0) return -ENOENT;
    this.rules.splice(at, 1);
    // The first ones came with the stack, and nobody paid.
    if (rule.paid) this.links.memory.give(ROUTE_BYTES);
    this.generation++;
    return 0;
  }

  /** The route for a flow; -ENETUNREACH, -EHOSTUNREACH, -EACCES, -EINVAL. */
  lookup(flow: Flow): Route | number {
    const { isV4 } = flow.dst;
    for (let i = 0; i < this.rules.length; i++) {
      const rule = this.rules[i]!;
      if (rule.isV4 !== isV4 || !rule.matches(flow)) continue;
      if (rule.action === FR_ACT_BLACKHOLE) return -EINVAL;
      if (rule.action === FR_ACT_UNREACHABLE) return -ENETUNREACH;
      if (rule.action === FR_ACT_PROHIBIT) return -EACCES;
      const route = this.find(rule.table, flow.dst, flow.ifindex);
      if (route === undefined || route.type === RTN_THROW) continue;
      if (route.type === RTN_BLACKHOLE) return -EINVAL;
      if (route.type === RTN_UNREACHABLE) return -EHOSTUNREACH;
      if (route.type === RTN_PROHIBIT) return -EACCES;
      return route;
    }
    return -ENETUNREACH;
  }

  private find(table: number, dst: IpAddress, ifindex: number): Route | undefined {
    const routes = this.tables.get(table);
    if (routes === undefined) return undefined;
    for (let i = 0; i < routes.length; i++) {
      const r = routes[i]!;
      if (ifindex !== 0 && r.ifindex !== ifindex && r.ifindex !== 0) continue;
      if (dst.inPrefix(r.dst, r.prefix) && (r.ifindex === 0 || this.links.isUp(r.ifindex))) return r;
    }
    return undefined;
  }
}

function sameHop(a: Route, b: Route): boolean {
  if (a.gateway === null || b.gateway === null) return a.gateway === b.gateway;
  return a.gateway.equals(b.gateway);
}

function before(a: Route, b: Route): boolean {
  return a.prefix > b.prefix || (a.prefix === b.prefix && a.metric <= b.metric);
}
