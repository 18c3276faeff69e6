// Stack: all of one network namespace. It holds the tables and the interfaces; what happens to packets is in ip/ and in the transports,
// each of which gets the stack as argument.

import { EEXIST, ENODEV, ENOSPC } from '../abi/errno.ts';
import { IFF_LOOPBACK, IFF_MULTICAST } from '../abi/net/if.ts';
import { IFA_F_NOPREFIXROUTE, IFA_F_PERMANENT } from '../abi/net/if_addr.ts';
import { IPPROTO_UDP, IPPROTO_UDPLITE } from '../abi/net/in.ts';
import {
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_TABLE_LOCAL,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from '../abi/net/rtnetlink.ts';
import { IpAddress, LOOPBACK_V4, LOOPBACK_V6 } from './address.ts';
import { NetCounters } from './counters.ts';
import type { PacketHooks } from './hooks.ts';
import { AddressTable, InterfaceAddress } from './ip/addresses.ts';
import { GroupTable, solicitedGroup } from './ip/groups.ts';
import { ErrorRate, sendIcmpError } from './ip/icmp_error.ts';
import { deliverOwn, input } from './ip/input.ts';
import { solicitDuplicate, solicitRouters } from './ip/ndp.ts';
import { NeighbourTable } from './ip/neighbour.ts';
import { Identifications, output } from './ip/output.ts';
import { findPath, type NetPath } from './ip/path.ts';
import { PathMtus } from './ip/pmtu.ts';
import { Reassembly } from './ip/reassembly.ts';
import { type LinkStates, Route, RouteTables } from './ip/routes.ts';
import { addLinkLocal, Lifetimes, skipsDad } from './ip/slaac.ts';
import type { Link, LinkOwner, PacketSink } from './link/link.ts';
import { LoopbackDevice, loopbackLink } from './link/loopback.ts';
import { DeliveryQueue } from './link/queue.ts';
import { Wires } from './link/wire.ts';
import type { NetMemory } from './memory.ts';
import type { Packet } from './packet.ts';
import type { Flow, NetworkLayer, Path } from './path.ts';
import { PingProtocol } from './raw/ping.ts';
import { RawProtocol } from './raw/raw.ts';
import type { PacketTap } from './raw/tap.ts';
import { NetSysctl } from './sysctl.ts';
import type { NetClock } from './time.ts';
import type { NetRandom, Transport } from './transport.ts';
import { UdpProtocol } from './udp/protocol.ts';

/** ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME; the same of ICMPv6. */
const TIME_EXCEEDED = 11;
const TIME_EXCEED6 = 3;
const FRAGMENT_TIME = 1;
const MOST_LINKS = 4096;
const ONE_SECOND_NS = 1e9;
const GROUP_PREFIX = new IpAddress(0xff000000, 0, 0, 0);
const PREFIX_METRIC = 256;

/** Who hears of changes: rtnetlink(7) tells programs of them. */
export interface StackObserver {
  linkChanged(link: Link): void;
  linkRemoved(link: Link): void;
  addressChanged(address: InterfaceAddress, added: boolean): void;
  routeChanged(route: Route, added: boolean): void;
}

export class Stack implements NetworkLayer, LinkOwner, LinkStates, PacketSink {
  readonly clock: NetClock;
  readonly random: NetRandom;
  readonly memory: NetMemory;
  readonly sysctl = new NetSysctl();
  readonly counters = new NetCounters();
  readonly links = new Map<number, Link>();
  readonly addresses = new AddressTable();
  readonly routes: RouteTables = new RouteTables(this);
  readonly neighbours: NeighbourTable = new NeighbourTable(this);
  readonly groups: GroupTable = new GroupTable(this);
  readonly pmtus: PathMtus;
  readonly reassembly4: Reassembly;
  readonly reassembly6: Reassembly;
  readonly errorRate = new ErrorRate();
  readonly lifetimes: Lifetimes = new Lifetimes(this);
  /** By IPPROTO_*. ICMP and IGMP are the stack's own. */
  readonly transports: (Transport | null)[] = new Array<Transport | null>(256).fill(null);
  readonly udp: UdpProtocol;
  readonly udpLite: UdpProtocol;
  readonly ping: PingProtocol;
  readonly raw: RawProtocol;
  readonly taps: PacketTap[] = [];
  readonly loopback: Link;
  /** Copies of what we sent to groups that we are in. */
  readonly looped: DeliveryQueue;
  /** What its links share with those of other stacks. */
  readonly wires: Wires;
  private readonly loopDevice: LoopbackDevice;
  private readonly ids: Identifications;
  private nextIndex = 1;
  /** Its namespace is gone: no link comes in any more. */
  ended = false;
  /** Set by whoever wants to hear. */
  observer: StackObserver | null = null;
  /** Who filters packets; null while nobody does. */
  hooks: PacketHooks | null = null;

  constructor(clock: NetClock, random: NetRandom, memory: NetMemory, wires: Wires = new Wires(clock)) {
    this.wires = wires;
    this.clock = clock;
    this.random = random;
    this.memory = memory;
    this.pmtus = new PathMtus(clock);
    const { sysctl } = this;
    this.reassembly4 = new Reassembly(clock, memory, this, sysctl.ipfragHighBytes, sysctl.ipfragTimeS);
    this.reassembly6 = new Reassembly(clock, memory, this, sysctl.ip6fragHighBytes, sysctl.ip6fragTimeS);
    this.ids = new Identifications(random.u32());
    this.loopDevice = new LoopbackDevice(clock);
    this.loopback = loopbackLink(this.loopDevice);
    this.looped = new DeliveryQueue(clock);
    this.looped.sink = this;
    this.udp = new UdpProtocol(this, IPPROTO_UDP);
    this.udpLite = new UdpProtocol(this, IPPROTO_UDPLITE);
    this.ping = new PingProtocol(this);
    this.raw = new RawProtocol(this);
    this.transports[IPPROTO_UDP] = this.udp;
    this.transports[IPPROTO_UDPLITE] = this.udpLite;
    this.addLink(this.loopback);
  }

  get generation(): number {
    return this.routes.generation;
  }

  route(flow: Flow): NetPath | number {
    return findPath(this, flow);
  }

  bindable(address: IpAddress, ifindex: number): boolean {
    const { ipNonlocalBind, ip6NonlocalBind } = this.sysctl;
    return (
      (address.isV4 ? ipNonlocalBind : ip6NonlocalBind) ||
      this.addresses.kindOn(address, ifindex) === RTN_LOCAL
    );
  }

  output(packet: Packet, path: Path, protocol: number, dontFragment: boolean): number {
    return output(this, packet, path as NetPath, protocol, dontFragment, true);
  }

  /** output, where `loop` says whether our own members of the group get it too (IP_MULTICAST_LOOP). */
  outputTo(packet: Packet, path: NetPath, protocol: number, dontFragment: boolean, loop: boolean): number {
    return output(this, packet, path, protocol, dontFragment, loop);
  }

  /** A packet came in on a link. */
  receive(link: Link, packet: Packet): void {
    if (this.taps.length > 0) this.tap(link, packet, false);
    if (link.uppers?.input(packet) === true) return;
    if (link.master !== null) link.master.input(link, packet);
    else input(this, link, packet);
  }

  /** Copies of what we sent ourselves. */
  deliver(packet: Packet): void {
    deliverOwn(this, packet);
  }

  /**
   * Delivers what was sent to ourselves and waits (link/queue.ts). Whoever called an endpoint calls this afterwards; without
   * it a timer does, which is right but slower.
   */
  flush(): void {
    const { queue } = this.loopDevice;
    while (queue.pending || this.looped.pending) {
      const before = queue.pending;
      queue.run();
      this.looped.run();
      // Somebody further up runs them, or they had their share for now.
      if (before === queue.pending) break;
    }
    if (this.wires.pending) this.wires.run();
  }

  get tapped(): boolean {
    return this.taps.length > 0;
  }

  outgoing(link: Link, packet: Packet): void {
    this.tap(link, packet, true);
  }

  private tap(link: Link, packet: Packet, isOutgoing: boolean): void {
    for (let i = 0; i < this.taps.length; i++) {
      const tap = this.taps[i]!;
      if (tap.ifindex === 0 || tap.ifindex === link.ifindex) tap.onPacket(link, packet, isOutgoing);
    }
  }

  addTap(tap: PacketTap): void {
    this.taps.push(tap);
  }

  removeTap(tap: PacketTap): void {
    const at = this.taps.indexOf(tap);
    if (at >= 0) this.taps.splice(at, 1);
  }

  nextId(dst: IpAddress): number {
    return this.ids.next(dst);
  }

  reassemblyTimedOut(first: Packet | null): void {
    const v4 = first === null || first.dst.isV4;
    const counters = v4 ? this.counters.ip : this.counters.ip6;
    counters.ReasmTimeout++;
    counters.ReasmFails++;
    if (first !== null) sendIcmpError(this, first, v4 ? TIME_EXCEEDED : TIME_EXCEED6, FRAGMENT_TIME, 0);
  }

  link(ifindex: number): Link | null {
    return this.links.get(ifindex) ?? null;
  }

  linkByName(name: string): Link | null {
    for (const link of this.links.values()) if (link.name === name) return link;
    return null;
  }

  isUp(ifindex: number): boolean {
    return this.links.get(ifindex)?.isUp ?? false;
  }

  /** Its index, `wanted` when that is free; -EEXIST when the name is taken, -ENOSPC. */
  addLink(link: Link, wanted = 0): number {
    if (this.linkByName(link.name) !== null) return -EEXIST;
    if (this.links.size >= MOST_LINKS) return -ENOSPC;
    link.ifindex = wanted > 0 && !this.links.has(wanted) ? wanted : this.freeIndex();
    link.owner = this;
    this.links.set(link.ifindex, link);
    return link.ifindex;
  }

  /** Is there room for one more? */
  get linksFit(): boolean {
    return this.links.size < MOST_LINKS;
  }

  private freeIndex(): number {
    while (this.links.has(this.nextIndex)) this.nextIndex++;
    return this.nextIndex++;
  }

  /** The first name of the form `eth%d` that is free. */
  freeName(pattern: string): string {
    for (let n = 0; ; n++) {
      const name = pattern.replace('%d', String(n));
      if (this.linkByName(name) === null) return name;
    }
  }

  /** Takes an interface away, with all that depends on it. It may join another stack then. */
  removeLink(link: Link): number {
    const { ifindex } = link;
    if (this.links.get(ifindex) !== link) return -ENODEV;
    this.setUp(link, false);
    link.master?.release(link);
    for (const a of this.addresses.all.filter((b) => b.ifindex === ifindex)) this.removeAddress(a);
    this.routes.removeAll((r) => r.ifindex === ifindex);
    this.groups.dropLink(ifindex);
    this.links.delete(ifindex);
    this.observer?.linkRemoved(link);
    link.owner = null;
    return 0;
  }

  /** ip link set up, down: what the kernel does then by itself is done here too. */
  setUp(link: Link, up: boolean): void {
    if (link.isUp === up) return;
    if (!up) {
      link.setUp(false);
      this.observer?.linkChanged(link);
      this.routes.generation++;
      this.neighbours.flush(link.ifindex);
      const { ifindex } = link;
      this.routes.removeAll((r) => r.ifindex === ifindex && (r.table !== RT_TABLE_LOCAL || !r.dst.isV4));
      // Its addresses of IPv6 go too: addrconf_ifdown().
      for (const a of this.addresses.all.filter((b) => b.ifindex === ifindex && !b.address.isV4))
        this.removeAddress(a);
      link.device.upChanged?.();
      link.master?.portChanged(link);
      setUppers(link, false);
      return;
    }
    link.setUp(true);
    this.observer?.linkChanged(link);
    this.routes.generation++;
    for (const a of this.addresses.all) if (a.ifindex === link.ifindex) this.addRoutes(a, true);
    if ((link.flags & IFF_LOOPBACK) !== 0) {
      this.addAddress(
        new InterfaceAddress(LOOPBACK_V4, 8, link.ifindex, IFA_F_PERMANENT, null, null, link.name),
      );
      this.addAddress(new InterfaceAddress(LOOPBACK_V6, 128, link.ifindex, IFA_F_PERMANENT));
      return;
    }
    const wasReady = link.isReady;
    link.device.upChanged?.();
    link.master?.portChanged(link);
    setUppers(link, true);
    // A carrier that came with it has had its call.
    if (wasReady && link.isReady) this.ready(link);
  }

  /** The interface is up and has a carrier: addrconf_dev_config(). */
  private ready(link: Link): void {
    const { ifindex } = link;
    const has = this.routes
      .table(RT_TABLE_LOCAL)
      .some((r) => r.ifindex === ifindex && r.prefix === 8 && r.dst.equals(GROUP_PREFIX));
    if (!has && (link.flags & IFF_MULTICAST) !== 0) {
      const groups = new Route(GROUP_PREFIX, 8, ifindex, RTN_MULTICAST, RT_TABLE_LOCAL);
      groups.protocol = RTPROT_KERNEL;
      groups.metric = PREFIX_METRIC;
      this.routes.add(groups);
    }
    if (link.isEthernet || link.kind === 'tun') addLinkLocal(this, link);
    this.groups.tellAgain(link);
  }

  /** LinkOwner.carrierChanged. */
  carrierChanged(link: Link): void {
    link.uppers?.carrierChanged();
    if (!link.isUp) return;
    this.observer?.linkChanged(link);
    if (link.carrier) this.ready(link);
    link.master?.portChanged(link);
  }

  /** ip address add. -EEXIST, -ENODEV. */
  addAddress(a: InterfaceAddress, prefixRoute = true): number {
    const link = this.links.get(a.ifindex);
    if (link === undefined) return -ENODEV;
    const r = this.addresses.add(a);
    if (r < 0) return r;
    this.observer?.addressChanged(a, true);
    this.addRoutes(a, prefixRoute);
    if (!a.address.isV4 && !a.address.isLoopback) this.groups.join(solicitedGroup(a.address), link);
    if (!skipsDad(a) && link.isEthernet && this.sysctl.dadTransmits > 0) {
      a.dadUntilNs = this.clock.monotonicNs() + ONE_SECOND_NS;
      solicitDuplicate(this, link, a.address);
    }
    this.lifetimes.schedule();
    return 0;
  }

  /** Duplicate address detection found nobody. */
  addressReady(a: InterfaceAddress): void {
    this.routes.generation++;
    const link = this.links.get(a.ifindex);
    if (link === undefined || !a.address.isLinkLocal) return;
    this.groups.tellAgain(link);
    if (this.sysctl.acceptRa && !this.sysctl.ip6Forwarding) solicitRouters(this, link);
  }

  /** The routes that come with an address: fib_add_ifaddr(), addrconf_prefix_route(). */
  private addRoutes(a: InterfaceAddress, prefixRoute: boolean): void {
    const { address, prefix, ifindex } = a;
    const bits = address.isV4 ? 32 : 128;
    const add = (dst: IpAddress, length: number, type: number, table: number, scope: number): void => {
      const route = new Route(dst, length, ifindex, type, table);
      route.scope = scope;
      route.protocol = RTPROT_KERNEL;
      if (address.isV4) route.source = address;
      else if (type === RTN_UNICAST) route.metric = PREFIX_METRIC;
      this.routes.add(route);
    };
    add(address, bits, RTN_LOCAL, RT_TABLE_LOCAL, RT_SCOPE_HOST);
    const isLoop = ((this.links.get(ifindex)?.flags ?? 0) & IFF_LOOPBACK) !== 0;
    if (address.isV4 && isLoop && prefix < bits) {
      const net = address.masked(prefix);
      add(net, prefix, RTN_LOCAL, RT_TABLE_LOCAL, RT_SCOPE_HOST);
      add(net.masked(prefix, true), bits, RTN_BROADCAST, RT_TABLE_LOCAL, RT_SCOPE_LINK);
      if (!this.addresses.localPrefixes.some((p) => p.bits === prefix && p.prefix.equals(net)))
        this.addresses.localPrefixes.push({ prefix: net, bits: prefix });
      return;
    }
    if (a.broadcast !== null) add(a.broadcast, bits, RTN_BROADCAST, RT_TABLE_LOCAL, RT_SCOPE_LINK);
    const net = a.peer ?? address;
    if (
      prefixRoute &&
      (a.flags & IFA_F_NOPREFIXROUTE) === 0 &&
      (prefix < bits || a.peer !== null || (!address.isV4 && !isLoop))
    )
      add(net.masked(prefix), prefix, RTN_UNICAST, 254, RT_SCOPE_LINK);
  }

  /** ip address del. -EADDRNOTAVAIL. */
  removeAddress(a: InterfaceAddress): number {
    const r = this.addresses.remove(a);
    if (r < 0) return r;
    this.observer?.addressChanged(a, false);
    const { address, ifindex, prefix } = a;
    const net = address.masked(prefix);
    const others = this.addresses.all.filter((b) => b.ifindex === ifindex && b.prefix === prefix);
    const shared = others.some((b) => b.address.masked(prefix).equals(net));
    const own = (route: Route): boolean => route.protocol === RTPROT_KERNEL && route.ifindex === ifindex;
    const isHost = (route: Route): boolean => route.table === RT_TABLE_LOCAL && route.dst.equals(address);
    // In fib_del_ifaddr()'s order: the prefix, its broadcast address, the address itself.
    if (!shared) {
      const last = net.masked(prefix, true);
      this.routes.removeAll((r) => own(r) && !isHost(r) && r.prefix === prefix && r.dst.equals(net));
      this.routes.removeAll(
        (r) =>
          own(r) && r.type === RTN_BROADCAST && (r.dst.equals(last) || a.broadcast?.equals(r.dst) === true),
      );
    }
    this.routes.removeAll((r) => own(r) && isHost(r));
    if (!shared) {
      const at = this.addresses.localPrefixes.findIndex((p) => p.bits === prefix && p.prefix.equals(net));
      if (at >= 0) this.addresses.localPrefixes.splice(at, 1);
    }
    const link = this.links.get(ifindex);
    if (link !== undefined && !address.isV4 && !address.isLoopback)
      this.groups.leave(solicitedGroup(address), link);
    this.routes.generation++;
    this.lifetimes.schedule();
    return 0;
  }
}

/** Interfaces of VLANs go up and down with the one below: vlan_device_event(). */
function setUppers(link: Link, up: boolean): void {
  if (link.uppers === null) return;
  link.uppers.carrierChanged();
  for (const upper of link.uppers.all) (upper.owner as Stack | null)?.setUp(upper, up);
}
