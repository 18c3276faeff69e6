// Filter: the tables of one stack, and packets' way through them in netfilter's order: raw, connection tracking, mangle, nat,
// filter. A connection asks the nat table once, with its first packet, and its packets are rewritten from then on.

import { ENOMEM, EPERM } from '../../abi/errno.ts';
import { IPPROTO_ICMPV6 } from '../../abi/net/in.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V4, ANY_V6, LOOPBACK_V4, LOOPBACK_V6 } from '../address.ts';
import type { PacketHooks } from '../hooks.ts';
import { forward } from '../ip/forward.ts';
import { deliverOwn } from '../ip/input.ts';
import { findPath, type NetPath } from '../ip/path.ts';
import { selectSource } from '../ip/source.ts';
import type { Packet } from '../packet.ts';
import type { Path } from '../path.ts';
import type { Stack } from '../stack.ts';
import {
  FORWARD,
  LAYOUT_V4,
  LAYOUT_V6,
  LOCAL_IN,
  LOCAL_OUT,
  NF_ACCEPT,
  NF_DROP,
  POST_ROUTING,
  PRE_ROUTING,
  TABLES,
  XT_CONTINUE,
} from './layout.ts';
import type { Situation } from './match.ts';
import { rewriteDestination, rewriteSource, translateDestination, translateSource } from './nat.ts';
import { reject } from './reject.ts';
import { runTable, type TargetRunner } from './run.ts';
import { emptyTable, type FilterTable } from './table.ts';
import { DNAT, LOG, MASQUERADE, REDIRECT, REJECT, SET_MARK, SNAT, type Target } from './target.ts';
import { type Membership, STATE_NEW, Tracker } from './track.ts';
import { View } from './view.ts';

/** What a table costs for each of its bytes, with the rules that were read out of it. */
const TABLE_COST = 8;

/** Tables of one family. */
class Family {
  readonly tables = new Map<string, FilterTable>();
  /** Those that do something; null ones are passed over. */
  raw: FilterTable | null = null;
  mangle: FilterTable | null = null;
  nat: FilterTable | null = null;
  filter: FilterTable | null = null;
  tracks = false;

  settle(): void {
    const busy = (name: string): FilterTable | null => {
      const table = this.tables.get(name);
      return table === undefined || table.idle ? null : table;
    };
    this.raw = busy('raw');
    this.mangle = busy('mangle');
    this.nat = busy('nat');
    this.filter = busy('filter');
    this.tracks = [...this.tables.values()].some((t) => t.tracks);
  }

  get idle(): boolean {
    return this.raw === null && this.mangle === null && this.nat === null && this.filter === null;
  }
}

/** Is it what neighbours find each other with? It has no connection: nf_conntrack_icmpv6_error(). */
function isNeighbourDiscovery(v: View): boolean {
  return v.protocol === IPPROTO_ICMPV6 && ((v.type >= 130 && v.type <= 137) || v.type === 143);
}

export class Filter implements PacketHooks, TargetRunner, Situation {
  readonly addresses: Stack['addresses'];
  readonly tracker: Tracker;
  inName = '';
  outName = '';
  uid = -1;
  membership: Membership | null = null;
  untracked = false;
  private readonly stack: Stack;
  private readonly v4 = new Family();
  private readonly v6 = new Family();
  private readonly view = new View();

  constructor(stack: Stack) {
    this.stack = stack;
    this.addresses = stack.addresses;
    this.tracker = new Tracker(stack.clock, stack.memory);
  }

  /** The table that is set, or one that accepts all; null when there is none of that name. */
  table(v6: boolean, name: string): FilterTable | null {
    if (!Object.hasOwn(TABLES, name)) return null;
    const { tables } = v6 ? this.v6 : this.v4;
    let table = tables.get(name);
    if (table === undefined) {
      table = emptyTable(name, v6 ? LAYOUT_V6 : LAYOUT_V4);
      // There are few of them, and they are small.
      this.stack.memory.take(table.bytes.length * TABLE_COST);
      tables.set(name, table);
    }
    return table;
  }

  /** Tables that somebody asked for, the last one first: /proc/net/ip_tables_names. */
  names(v6: boolean): string[] {
    return [...(v6 ? this.v6 : this.v4).tables.keys()].reverse();
  }

  /** Sets a table; the stack asks the filter from now on when there is anything to ask. */
  set(v6: boolean, table: FilterTable): number {
    const family = v6 ? this.v6 : this.v4;
    const { memory } = this.stack;
    const cost = (t: FilterTable | undefined): number => (t?.bytes.length ?? 0) * TABLE_COST;
    const old = cost(family.tables.get(table.name));
    const more = cost(table) - old;
    if (more > 0 && !memory.fits(more)) return -ENOMEM;
    if (more > 0) memory.take(more);
    else memory.give(-more);
    family.tables.set(table.name, table);
    family.settle();
    // Connections are kept while a rule needs them, as on Linux: then translated ones end, and others begin as new.
    if (!this.v4.tracks && !this.v6.tracks) this.tracker.clear();
    this.stack.hooks = this.v4.idle && this.v6.idle ? null : this;
    return 0;
  }

  /** The stack is at its end: what was kept is given back. */
  clear(): void {
    this.stack.hooks = null;
    this.tracker.clear();
    for (const family of [this.v4, this.v6]) {
      for (const table of family.tables.values()) this.stack.memory.give(table.bytes.length * TABLE_COST);
      family.tables.clear();
      family.settle();
    }
  }

  private family(packet: Packet): Family {
    return packet.dst.isV4 ? this.v4 : this.v6;
  }

  private nameOf(ifindex: number): string {
    return this.stack.links.get(ifindex)?.name ?? '';
  }

  /** Makes the packet the one that is looked at; its connection, if it knows one already. */
  private aim(packet: Packet, inIndex: number, outIndex: number, uid: number): View {
    this.inName = this.nameOf(inIndex);
    this.outName = this.nameOf(outIndex);
    this.uid = uid;
    this.membership = packet.track as Membership | null;
    this.untracked = false;
    return this.view.aim(packet);
  }

  private run(table: FilterTable | null, hook: number, v: View): boolean {
    return table === null || table.first[hook]! < 0 || runTable(table, hook, v, this, this) === NF_ACCEPT;
  }

  private track(family: Family, v: View): void {
    if (!family.tracks || v.packet.track !== null) return;
    if (v.v6 && isNeighbourDiscovery(v)) {
      this.untracked = true;
      return;
    }
    this.membership = this.tracker.belongs(v);
    v.packet.track = this.membership;
  }

  local(packet: Packet): boolean {
    const before = packet.dst;
    if (!this.preRouting(packet)) return false;
    if (!packet.dst.equals(before) && !this.addresses.isLocal(packet.dst)) {
      // It is somebody else's after all.
      const on = packet.dst.isV4 ? this.stack.sysctl.ipForward : this.stack.sysctl.ip6Forwarding;
      if (on && this.forwards(packet)) forward(this.stack, packet, true);
      return false;
    }
    return this.input(packet);
  }

  private preRouting(packet: Packet): boolean {
    const family = this.family(packet);
    const v = this.aim(packet, packet.ifindex, 0, -1);
    if (!this.run(family.raw, PRE_ROUTING, v)) return false;
    this.track(family, v);
    if (!this.run(family.mangle, PRE_ROUTING, v)) return false;
    return this.destination(family, PRE_ROUTING, v);
  }

  private input(packet: Packet): boolean {
    const family = this.family(packet);
    const v = this.aim(packet, packet.ifindex, 0, -1);
    if (!this.run(family.mangle, LOCAL_IN, v) || !this.run(family.filter, LOCAL_IN, v)) return false;
    return this.source(family, LOCAL_IN, v, null);
  }

  through(packet: Packet): boolean {
    const before = packet.dst;
    if (!this.preRouting(packet)) return false;
    if (!packet.dst.equals(before) && this.addresses.isLocal(packet.dst)) {
      if (!this.input(packet)) return false;
      // Of a packet for somebody else nobody has looked for the transport yet.
      if (packet.l4 === 0) {
        packet.l4 = this.view.l4;
        packet.protocol = this.view.protocol;
      }
      deliverOwn(this.stack, packet, true);
      return false;
    }
    return this.forwards(packet);
  }

  private forwards(packet: Packet): boolean {
    const family = this.family(packet);
    const way = findPath(this.stack, {
      src: packet.src,
      dst: packet.dst,
      ifindex: 0,
      tos: packet.tos,
      mark: packet.mark,
      uid: 0,
    });
    // Its sender is told before the chain is asked: ip_forward().
    if (typeof way === 'number' || packet.ttl <= 1) return true;
    const v = this.aim(packet, packet.ifindex, way.ifindex, -1);
    return this.run(family.mangle, FORWARD, v) && this.run(family.filter, FORWARD, v);
  }

  leaving(packet: Packet, to: Path): boolean {
    const path = to as NetPath;
    const family = this.family(packet);
    const v = this.aim(packet, 0, path.ifindex, -1);
    if (!this.run(family.mangle, POST_ROUTING, v)) return false;
    return this.source(family, POST_ROUTING, v, path);
  }

  output(packet: Packet, to: Path): Path | number {
    const path = to as NetPath;
    const family = this.family(packet);
    const { dst, src, mark } = { dst: packet.dst, src: packet.src, mark: packet.mark };
    let v = this.aim(packet, 0, path.ifindex, path.uid);
    if (!this.run(family.raw, LOCAL_OUT, v)) return -EPERM;
    this.track(family, v);
    if (!this.run(family.mangle, LOCAL_OUT, v)) return -EPERM;
    if (!this.destination(family, LOCAL_OUT, v)) return -EPERM;
    let way = path;
    if (!packet.dst.equals(dst) || packet.mark !== mark) {
      const other = this.reroute(packet, path, src);
      if (typeof other === 'number') return other;
      way = other;
      v = this.aim(packet, 0, way.ifindex, path.uid);
    }
    if (!this.run(family.filter, LOCAL_OUT, v)) return -EPERM;
    if (!this.run(family.mangle, POST_ROUTING, v)) return -EPERM;
    return this.source(family, POST_ROUTING, v, way) ? way : -EPERM;
  }

  /** ip_route_me_harder(). */
  private reroute(packet: Packet, path: NetPath, src: IpAddress): NetPath | number {
    const way = findPath(this.stack, {
      src,
      dst: packet.dst,
      ifindex: 0,
      tos: packet.tos,
      mark: packet.mark,
      uid: path.uid,
    });
    if (typeof way !== 'number') packet.ifindex = way.ifindex;
    return way;
  }

  /** NAT of destinations: a new connection asks the table, packets of others are rewritten. False when it is dropped. */
  private destination(family: Family, hook: number, v: View): boolean {
    const m = this.membership;
    if (m === null) return true;
    if (m.state === STATE_NEW && !m.isReply && !m.of.dstDone && !m.of.confirmed) {
      m.of.dstDone = true;
      if (!this.run(family.nat, hook, v)) return false;
    }
    rewriteDestination(v, m);
    return true;
  }

  /** NAT of sources, behind which the connection is known. */
  private source(family: Family, hook: number, v: View, path: NetPath | null): boolean {
    const m = this.membership;
    if (m === null) return true;
    const t = m.of;
    if (m.state === STATE_NEW && !m.isReply && !t.srcDone && !t.confirmed) {
      t.srcDone = true;
      this.path = path;
      if (!this.run(family.nat, hook, v)) return false;
      // Two connections that look alike from outside: the second one gets another port.
      if (
        this.tracker.find(t.reply) !== null &&
        !translateSource(t, null, t.reply.dst, this.tracker, this.stack.random)
      )
        return false;
    }
    if (!m.related && !this.tracker.confirm(t)) return false;
    rewriteSource(v, m);
    return true;
  }

  /** The way of the packet whose source is to be translated. */
  private path: NetPath | null = null;

  apply(target: Target, v: View, _s: Situation, hook: number): number {
    const { packet } = v;
    switch (target.kind) {
      case LOG:
        return XT_CONTINUE;
      case SET_MARK:
        packet.mark = ((packet.mark & ~target.mask) ^ target.value) >>> 0;
        return XT_CONTINUE;
      case REJECT:
        reject(this.stack, v, target.value);
        return NF_DROP;
      case DNAT:
        if (this.membership === null) return NF_DROP;
        translateDestination(this.membership.of, target, packet.dst);
        return NF_ACCEPT;
      case REDIRECT: {
        if (this.membership === null) return NF_DROP;
        const own = hook === LOCAL_OUT ? (v.v6 ? LOOPBACK_V6 : LOOPBACK_V4) : this.ownAddress(packet);
        if (own === null) return NF_DROP;
        translateDestination(this.membership.of, target, own);
        return NF_ACCEPT;
      }
      case SNAT:
        return this.newSource(target, packet.src);
      case MASQUERADE: {
        const { path } = this;
        if (path === null || path.local) return path === null ? NF_DROP : NF_ACCEPT;
        const own = selectSource(this.addresses.all, path.nextHop, path.nextHop, path.ifindex);
        return own === undefined ? NF_DROP : this.newSource(target, own);
      }
    }
    return NF_DROP;
  }

  private newSource(target: Target, otherwise: IpAddress): number {
    if (this.membership === null) return NF_DROP;
    const t = this.membership.of;
    return translateSource(t, target, otherwise, this.tracker, this.stack.random) ? NF_ACCEPT : NF_DROP;
  }

  /** REDIRECT: the first address of the interface that the packet came in on. */
  private ownAddress(packet: Packet): IpAddress | null {
    const any = packet.dst.isV4 ? ANY_V4 : ANY_V6;
    for (const a of this.addresses.all)
      if (
        a.ifindex === packet.ifindex &&
        a.address.isV4 === any.isV4 &&
        a.usable &&
        (any.isV4 || !a.address.isLinkLocal)
      )
        return a.address;
    return null;
  }
}
