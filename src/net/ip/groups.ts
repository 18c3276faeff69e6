// Groups that this stack is a member of, and how routers are told: IGMPv2 and v3 (RFC 2236, RFC 3376), MLDv1 and v2 (RFC 2710,
// RFC 3810). Sources are the sockets' own business: to routers we are members for all of them.

import { ENOBUFS } from '../../abi/errno.ts';
import { ICMPV6_MGM_QUERY, ICMPV6_MLD2_REPORT } from '../../abi/net/icmp.ts';
import { IPPROTO_ICMPV6, IPPROTO_IGMP } from '../../abi/net/in.ts';
import { ANY_V4, ANY_V6, IpAddress, ipv4, parseAddress } from '../address.ts';
import type { Link } from '../link/link.ts';
import { Packet, SUM_GOOD, SUM_UNCHECKED } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import { fold, sumPacket, sumView, transportSum } from '../wire/checksum.ts';
import {
  ALL_HOSTS_V4,
  GroupQuery,
  IGMP_ALL_ROUTERS,
  IGMP_LEAVE,
  IGMP_QUERY,
  IGMP_SIZE,
  IGMP_V2_REPORT,
  IGMP_V3_REPORT,
  IGMP_V3_ROUTERS,
  putIgmp,
  putReport,
  RECORD_IS_EXCLUDE,
  RECORD_TO_EXCLUDE,
  RECORD_TO_INCLUDE,
  reportSize,
} from '../wire/groups.ts';
import { IPV4_SIZE, putIpv4, sealIpv4 } from '../wire/ipv4.ts';
import { HOP_BY_HOP, IPV6_SIZE, putIpv6 } from '../wire/ipv6.ts';
import { AddressMap } from './address_map.ts';
import { outputWritten } from './output.ts';
import { NetPath } from './path.ts';
import { selectSource } from './source.ts';

/** Memberships of all sockets of a stack. */
const MOST_GROUPS = 4096;
/** A report is said twice, the second time within this: RFC 3376, section 8.11. */
const REPEAT_NS = 1e9;
/** How long a querier of an old version is believed: RFC 3376, section 8.12. */
const OLD_QUERIER_NS = 400e9;

export const ALL_NODES_V6: IpAddress = parseAddress('ff02::1')!;
const MLD_ROUTERS: IpAddress = parseAddress('ff02::16')!;
const MLD_DONE_TO: IpAddress = parseAddress('ff02::2')!;
const MLD1_REPORT = 131;
const MLD1_DONE = 132;

class Group implements NetTimerTarget {
  readonly address: IpAddress;
  readonly link: Link;
  users = 1;
  /** What the next report says. */
  record = RECORD_TO_EXCLUDE;
  readonly timer: NetTimer;
  private readonly table: GroupTable;

  constructor(table: GroupTable, link: Link, address: IpAddress) {
    this.table = table;
    this.link = link;
    this.address = address;
    this.timer = new NetTimer(this);
  }

  onTimer(): void {
    this.table.report(this, this.record);
    this.record = RECORD_IS_EXCLUDE;
  }
}

const SOLICITED: IpAddress = parseAddress('ff02::1:ff00:0')!;

/** The group that neighbour solicitations for an address go to: RFC 4291, section 2.7.1. */
export function solicitedGroup(a: IpAddress): IpAddress {
  const { w0, w1, w2, w3 } = SOLICITED;
  return new IpAddress(w0, w1, w2, (w3 | (a.w3 & 0xffffff)) >>> 0);
}

export class GroupTable {
  private readonly links = new Map<number, AddressMap<Group>>();
  private readonly stack: Stack;
  private count = 0;
  /** Until when IGMPv2 or MLDv1 is spoken. */
  private oldV4UntilNs = 0;
  private oldV6UntilNs = 0;

  constructor(stack: Stack) {
    this.stack = stack;
  }

  /** Is a packet to `group` that came in on an interface for us? */
  has(group: IpAddress, ifindex: number): boolean {
    if (group.isV4 ? group.w3 === ALL_HOSTS_V4 : group.equals(ALL_NODES_V6)) return true;
    return this.links.get(ifindex)?.get(group) !== undefined;
  }

  /** One more member. -ENOBUFS. */
  join(group: IpAddress, link: Link): number {
    let map = this.links.get(link.ifindex);
    const known = map?.get(group);
    if (known !== undefined) {
      known.users++;
      return 0;
    }
    if (this.count >= MOST_GROUPS) return -ENOBUFS;
    if (map === undefined) {
      map = new AddressMap();
      this.links.set(link.ifindex, map);
    }
    const made = new Group(this, link, group);
    map.set(group, made);
    this.count++;
    if (!this.told(made)) return 0;
    this.report(made, RECORD_TO_EXCLUDE);
    this.schedule(made, REPEAT_NS);
    return 0;
  }

  leave(group: IpAddress, link: Link): void {
    const map = this.links.get(link.ifindex);
    const known = map?.get(group);
    if (map === undefined || known === undefined || --known.users > 0) return;
    map.delete(group);
    this.count--;
    this.stack.clock.cancel(known.timer);
    if (this.told(known)) this.report(known, RECORD_TO_INCLUDE);
  }

  /** The interface is gone, and nobody there is told anything. */
  dropLink(ifindex: number): void {
    for (const group of this.links.get(ifindex)?.values() ?? []) {
      this.stack.clock.cancel(group.timer);
      this.count--;
    }
    this.links.delete(ifindex);
  }

  /** [group, interface index, members] of all. */
  list(): { address: IpAddress; link: Link; users: number }[] {
    return [...this.links.values()].flatMap((map) => [...map.values()]);
  }

  /** The interface came up: routers there have not heard of us. */
  tellAgain(link: Link): void {
    for (const group of this.links.get(link.ifindex)?.values() ?? [])
      if (this.told(group)) this.report(group, RECORD_TO_EXCLUDE);
  }

  private told(group: Group): boolean {
    if (!group.link.isEthernet || !group.link.isUp) return false;
    // Of interface-local groups nobody outside is told: RFC 3810, section 6.
    return group.address.isV4 || ((group.address.w0 >>> 16) & 0xf) > 1;
  }

  private schedule(group: Group, withinNs: number): void {
    const { clock, random } = this.stack;
    clock.arm(group.timer, clock.monotonicNs() + (withinNs * random.u32()) / 0x100000000);
  }

  /** A router asks. */
  asked(query: GroupQuery, ifindex: number, isV4: boolean): void {
    const nowNs = this.stack.clock.monotonicNs();
    if (isV4 && query.version < 3) this.oldV4UntilNs = nowNs + OLD_QUERIER_NS;
    if (!isV4 && query.version < 2) this.oldV6UntilNs = nowNs + OLD_QUERIER_NS;
    for (const group of this.links.get(ifindex)?.values() ?? []) {
      if (group.address.isV4 !== isV4 || !this.told(group)) continue;
      if (query.group !== null && !query.group.isAny && !query.group.equals(group.address)) continue;
      group.record = RECORD_IS_EXCLUDE;
      this.schedule(group, query.maxResponseMs * 1e6);
    }
  }

  /** Sends a report, or what stands for it in the version that is spoken. */
  report(group: Group, record: number): void {
    const nowNs = this.stack.clock.monotonicNs();
    if (group.address.isV4) this.report4(group, record, nowNs < this.oldV4UntilNs);
    else this.report6(group, record, nowNs < this.oldV6UntilNs);
  }

  private report4(group: Group, record: number, old: boolean): void {
    const { stack } = this;
    const packet = new Packet();
    const leaves = record === RECORD_TO_INCLUDE;
    const size = old ? IGMP_SIZE : reportSize(group.address);
    const at = packet.push(size);
    if (old) putIgmp(packet.view, at, leaves ? IGMP_LEAVE : IGMP_V2_REPORT, group.address);
    else putReport(packet.view, at, IGMP_V3_REPORT, record, group.address);
    packet.view.setUint16(at + 2, ~fold(sumView(packet.view, at, at + size)) & 0xffff);
    const dst = !old ? ipv4(IGMP_V3_ROUTERS) : leaves ? ipv4(IGMP_ALL_ROUTERS) : group.address;
    const src = selectSource(stack.addresses.all, dst, dst, group.link.ifindex) ?? ANY_V4;
    // The router alert option (RFC 2113), without which routers need not look.
    const l3 = packet.push(IPV4_SIZE + 4);
    packet.view.setUint32(l3 + IPV4_SIZE, 0x94040000);
    putIpv4(packet.view, l3, src, dst, IPPROTO_IGMP, packet.size, 1, 0xc0, stack.nextId(dst), 0x4000);
    packet.view.setUint8(l3, 0x46);
    sealIpv4(packet.view, l3, IPV4_SIZE + 4);
    this.send(group.link, packet, l3, at, src, dst, IPPROTO_IGMP);
  }

  private report6(group: Group, record: number, old: boolean): void {
    const { stack } = this;
    const packet = new Packet();
    const leaves = record === RECORD_TO_INCLUDE;
    const size = old ? 24 : reportSize(group.address);
    const at = packet.push(size);
    if (old) {
      packet.view.setUint32(at, ((leaves ? MLD1_DONE : MLD1_REPORT) << 24) >>> 0);
      group.address.put16(packet.view, at + 8);
    } else putReport(packet.view, at, ICMPV6_MLD2_REPORT, record, group.address);
    const dst = !old ? MLD_ROUTERS : leaves ? MLD_DONE_TO : group.address;
    const src = stack.addresses.linkLocal(group.link.ifindex)?.address ?? ANY_V6;
    packet.src = src;
    packet.dst = dst;
    packet.view.setUint16(at + 2, transportSum(packet, at, IPPROTO_ICMPV6));
    // RFC 2711: a hop-by-hop header with the router alert option.
    const hop = packet.push(8);
    packet.view.setUint32(hop, (IPPROTO_ICMPV6 << 24) | 0x0502);
    packet.view.setUint32(hop + 4, 0x00000100);
    const l3 = packet.push(IPV6_SIZE);
    putIpv6(packet.view, l3, src, dst, HOP_BY_HOP, 8 + size, 1, 0, 0);
    const { icmp6 } = stack.counters;
    icmp6.OutMsgs++;
    icmp6.outType[old ? MLD1_REPORT : ICMPV6_MLD2_REPORT]!++;
    this.send(group.link, packet, l3, at, src, dst, IPPROTO_ICMPV6);
  }

  private send(
    link: Link,
    packet: Packet,
    l3: number,
    l4: number,
    src: IpAddress,
    dst: IpAddress,
    protocol: number,
  ): void {
    const { stack } = this;
    packet.l3 = l3;
    packet.l4 = l4;
    packet.src = src;
    packet.dst = dst;
    packet.protocol = protocol;
    packet.sum = SUM_GOOD;
    packet.ttl = 1;
    packet.ifindex = link.ifindex;
    const path = new NetPath(src, dst, link, dst, 0, link.mtu, stack.pmtus, stack.generation, 0);
    outputWritten(stack, packet, path, false, false);
  }
}

const query = new GroupQuery();

/** IGMP at packet.l4. */
export function inputIgmp(stack: Stack, packet: Packet): void {
  if (packet.sum === SUM_UNCHECKED && sumPacket(packet, packet.l4) !== 0xffff) return;
  const { view, l4, end } = packet;
  if (end - l4 < IGMP_SIZE) return;
  const type = view.getUint8(l4);
  // Others' reports are no reason to be silent: RFC 3376, section 7.2.2 leaves it to us.
  if (type === IGMP_QUERY && query.parseIgmp(view, l4, end)) stack.groups.asked(query, packet.ifindex, true);
}

/** MLD at packet.l4, whose checksum was right. */
export function inputMld(stack: Stack, packet: Packet): void {
  const { view, l4, end } = packet;
  // RFC 3810, section 6.2: from a link-local address, with a hop limit of 1.
  if (view.getUint8(l4) !== ICMPV6_MGM_QUERY || packet.ttl !== 1 || !packet.src.isLinkLocal) return;
  if (query.parseMld(view, l4, end)) stack.groups.asked(query, packet.ifindex, false);
}
