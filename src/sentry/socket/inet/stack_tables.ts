// Rows of /proc/net about routes, neighbours and groups of a stack: proc_net(5), in the formats of fib_route_seq_show() and its like.

import { ARPHRD_ETHER } from '../../../abi/net/if.ts';
import {
  NUD_DELAY,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from '../../../abi/net/neighbour.ts';
import {
  RTF_GATEWAY,
  RTF_HOST,
  RTF_LOCAL,
  RTF_NONEXTHOP,
  RTF_REJECT,
  RTF_UP,
} from '../../../abi/net/route.ts';
import {
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_BLACKHOLE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_PROHIBIT,
  RTN_UNREACHABLE,
} from '../../../abi/net/rtnetlink.ts';
import { ANY_V6, IpAddress } from '../../../net/address.ts';
import type { Route } from '../../../net/ip/routes.ts';
import type { Link } from '../../../net/link/link.ts';
import type { Stack } from '../../../net/stack.ts';
import { digits6, hex, macText, swapped } from './hex.ts';
import type { InetNamespace } from './namespace.ts';

const ROUTE_WIDTH = 127;
const ATF_COM = 2;
const ATF_PERM = 4;
const ALL_HOSTS = 0xe0000001;
const NO_METRIC = 0xffffffff;
/** Flags of igmp6 rows (MAF_*): no reports are sent; loaded. */
const SILENT = 0x8;
const LOADED = 0x4;
const ALL_NODES = new IpAddress(0xff020000, 0, 0, 1);
const OWN_NODE = new IpAddress(0xff010000, 0, 0, 1);

function rejects(r: Route): boolean {
  return r.type === RTN_UNREACHABLE || r.type === RTN_PROHIBIT || r.type === RTN_BLACKHOLE;
}

function nameOf(stack: Stack, ifindex: number): string {
  return stack.link(ifindex)?.name ?? '*';
}

function* stackOf(ns: InetNamespace): Iterable<Stack> {
  const { own } = ns.stack;
  if (own !== null) yield own.stack;
}

/** Main table by address, longer prefixes first. */
function byPrefix(a: Route, b: Route): number {
  return a.dst.w3 - b.dst.w3 || b.prefix - a.prefix || a.metric - b.metric;
}

export function* route(ns: InetNamespace): Iterable<string> {
  for (const stack of stackOf(ns)) {
    const shown = [...stack.routes.table(RT_TABLE_MAIN)].filter((r) => r.dst.isV4).sort(byPrefix);
    for (const r of shown) {
      if (r.type === RTN_BROADCAST || r.type === RTN_MULTICAST || r.type === RTN_LOCAL) continue;
      const { gateway } = r;
      const mask = r.prefix === 0 ? 0 : (0xffffffff << (32 - r.prefix)) >>> 0;
      let flags = RTF_UP | (rejects(r) ? RTF_REJECT : 0);
      if (gateway?.isV4) flags |= RTF_GATEWAY;
      if (r.prefix === 32) flags |= RTF_HOST;
      const name = rejects(r) ? '*' : nameOf(stack, r.ifindex);
      const to = gateway?.isV4 ? hex(swapped(gateway.w3), 8) : '00000000';
      const mss = r.mtu > 0 ? r.mtu : 0;
      const line = `${name}\t${hex(swapped(r.dst.w3), 8)}\t${to}\t${hex(flags, 4)}\t0\t0\t${r.metric}\t${hex(swapped(mask), 8)}\t${mss}\t0\t0`;
      yield `${line.padEnd(ROUTE_WIDTH)}\n`;
    }
  }
}

export function* ipv6Route(ns: InetNamespace): Iterable<string> {
  for (const stack of stackOf(ns)) {
    const tables = new Map<number, Route[]>([
      [RT_TABLE_MAIN, []],
      [RT_TABLE_LOCAL, []],
    ]);
    for (const r of stack.routes.all()) {
      if (r.dst.isV4) continue;
      const table = tables.get(r.table);
      if (table === undefined) tables.set(r.table, [r]);
      else table.push(r);
    }
    for (const [, routes] of [...tables].sort((a, b) => a[0] - b[0])) yield* table6(stack, routes);
  }
}

/** A table ends with the entry for what it has no route for, unless that is where its default route is. */
function* table6(stack: Stack, routes: readonly Route[]): Iterable<string> {
  for (const r of routes) {
    let flags = RTF_UP;
    if (rejects(r)) flags = RTF_REJECT | RTF_NONEXTHOP;
    else if (r.type === RTN_LOCAL) flags = RTF_UP | RTF_LOCAL | RTF_NONEXTHOP;
    if (r.gateway !== null) flags |= RTF_GATEWAY;
    yield row6(r.dst, r.prefix, r.gateway ?? ANY_V6, r.metric, flags, nameOf(stack, r.ifindex));
  }
  if (!routes.some((r) => r.prefix === 0))
    yield row6(ANY_V6, 0, ANY_V6, NO_METRIC, RTF_REJECT | RTF_NONEXTHOP, 'lo');
}

function row6(
  dst: IpAddress,
  prefix: number,
  via: IpAddress,
  metric: number,
  flags: number,
  name: string,
): string {
  const low = (n: number, width: number): string => hex(n, width).toLowerCase();
  return `${digits6(dst)} ${low(prefix, 2)} ${'0'.repeat(32)} 00 ${digits6(via)} ${low(metric, 8)} 00000001 00000000 ${low(flags, 8)} ${name.padStart(8)}\n`;
}

const VALID = NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;

export function* arp(ns: InetNamespace): Iterable<string> {
  for (const stack of stackOf(ns))
    for (const n of stack.neighbours.all()) {
      const { state } = n;
      if (!n.address.isV4 || (state & NUD_NOARP) !== 0) continue;
      const flags = (state & NUD_PERMANENT) !== 0 ? ATF_PERM | ATF_COM : (state & VALID) !== 0 ? ATF_COM : 0;
      const hardware = `0x${n.link.hardware.toString(16)}`.padEnd(12);
      yield `${n.address.toString().padEnd(16)} ${hardware}0x${flags.toString(16).padEnd(10)}${macText(n.mac, ':')}     *        ${n.link.name}\n`;
    }
}

interface Member {
  readonly address: IpAddress;
  readonly users: number;
}

/** Groups of an interface, the newest first. */
function groupsOf(stack: Stack, link: Link, v4: boolean): Member[] {
  return stack.groups
    .list()
    .filter((g) => g.link === link && g.address.isV4 === v4)
    .reverse();
}

export function igmp(ns: InetNamespace): string {
  let out = '';
  for (const stack of stackOf(ns))
    for (const link of stack.links.values()) {
      if (!link.isUp) continue;
      const own = groupsOf(stack, link, true);
      out += `${link.ifindex}\t${link.name.padEnd(10)}: ${String(own.length + 1).padStart(5)} ${'V3'.padStart(7)}\n`;
      for (const g of own) out += groupRow(g.address.w3, g.users);
      out += groupRow(ALL_HOSTS, 1);
    }
  return out;
}

function groupRow(address: number, users: number): string {
  return `\t\t\t\t${hex(swapped(address), 8)} ${String(users).padStart(5)} 0:00000000\t\t0\n`;
}

export function igmp6(ns: InetNamespace): string {
  let out = '';
  for (const stack of stackOf(ns))
    for (const link of stack.links.values()) {
      if (!link.isUp) continue;
      const row = (a: IpAddress, users: number, flags: number): string =>
        `${String(link.ifindex).padEnd(4)} ${link.name.padEnd(15)} ${digits6(a)} ${String(users).padStart(5)} ${hex(flags, 8)} 0\n`;
      for (const g of groupsOf(stack, link, false)) out += row(g.address, g.users, LOADED);
      out += row(ALL_NODES, 1, LOADED | SILENT);
      out += row(OWN_NODE, 1, SILENT);
    }
  return out;
}

/** Hardware addresses of groups that an interface listens to: dev_mc_seq_show(). */
export function devMcast(ns: InetNamespace): string {
  let out = '';
  for (const stack of stackOf(ns))
    for (const link of stack.links.values()) {
      if (!link.isUp || link.hardware !== ARPHRD_ETHER) continue;
      const row = (mac: string, users: number): string =>
        `${String(link.ifindex).padEnd(4)} ${link.name.padEnd(15)} ${String(users).padEnd(5)} ${'0'.padEnd(5)} ${mac}\n`;
      out += row('333300000001', 1) + row('01005e000001', 1);
      for (const { address, users, link: on } of stack.groups.list()) {
        if (on !== link) continue;
        const low = address.isV4 ? address.w3 & 0x7fffff : address.w3;
        out += row(
          `${address.isV4 ? '01005e' : '3333'}${hex(low, address.isV4 ? 6 : 8).toLowerCase()}`,
          users,
        );
      }
    }
  return out;
}
