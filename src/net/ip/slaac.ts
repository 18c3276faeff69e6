// Addresses that an interface gives itself (RFC 4862): link-local, and from what routers advertise (RFC 4861, section 6.3.4).

import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_NODAD,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
} from '../../abi/net/if_addr.ts';
import { RTPROT_RA } from '../../abi/net/rtnetlink.ts';
import { ANY_V6, IpAddress } from '../address.ts';
import type { Link } from '../link/link.ts';
import type { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import type { NdpOptions, NdpPrefix } from '../wire/ndp.ts';
import { PREFIX_AUTONOMOUS, PREFIX_ON_LINK } from '../wire/ndp.ts';
import { InterfaceAddress } from './addresses.ts';
import { Route } from './routes.ts';

const INFINITE_S = 0xffffffff;
/** RFC 4862, section 5.5.3 (e). */
const TWO_HOURS_NS = 7200e9;
/** As ipv6.conf.max_addresses. */
const MOST_ADDRESSES = 16;
const MOST_ROUTERS = 16;
const RA_METRIC = 1024;
const PREFIX_METRIC = 256;

/** An address of `prefix` (64 bits) with the interface's identifier made of its hardware address: RFC 4291, appendix A. */
export function eui64Address(prefix: IpAddress, mac: Uint8Array): IpAddress {
  const w2 = (((mac[0]! ^ 2) << 24) | (mac[1]! << 16) | (mac[2]! << 8) | 0xff) >>> 0;
  const w3 = ((0xfe << 24) | (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!) >>> 0;
  return new IpAddress(prefix.w0, prefix.w1, w2, w3);
}

const LINK_LOCAL = new IpAddress(0xfe800000, 0, 0, 0);

/** The interface is up: it gets its link-local address. */
export function addLinkLocal(stack: Stack, link: Link): void {
  const has = stack.addresses.all.some(
    (a) => a.ifindex === link.ifindex && !a.address.isV4 && a.address.isLinkLocal,
  );
  if (has) return;
  // Without a hardware address, one is made up, and nobody else can have it (IN6_ADDR_GEN_MODE_RANDOM).
  const { isEthernet } = link;
  const { random } = stack;
  const own = isEthernet
    ? eui64Address(LINK_LOCAL, link.address)
    : new IpAddress(LINK_LOCAL.w0, 0, random.u32(), random.u32());
  const tentative = isEthernet && stack.sysctl.dadTransmits > 0;
  const flags = IFA_F_PERMANENT | (tentative ? IFA_F_TENTATIVE : 0);
  stack.addAddress(new InterfaceAddress(own, 64, link.ifindex, flags));
}

/** A router advertisement that may be believed. */
export function inputAdvertisement(stack: Stack, link: Link, packet: Packet, options: NdpOptions): void {
  const { view, l4 } = packet;
  const nowNs = stack.clock.monotonicNs();
  const hops = view.getUint8(l4 + 4);
  if (hops > 0) stack.sysctl.hopLimit = hops;
  const lifeS = view.getUint16(l4 + 6);
  const known = stack.routes
    .table(254)
    .filter((r) => r.protocol === RTPROT_RA && r.prefix === 0 && !r.dst.isV4);
  const old = known.find((r) => r.ifindex === link.ifindex && r.gateway?.equals(packet.src));
  if (lifeS === 0) {
    if (old !== undefined) stack.routes.remove(old);
  } else if (old !== undefined) old.expiresNs = nowNs + lifeS * 1e9;
  else if (known.length < MOST_ROUTERS) {
    const route = new Route(ANY_V6, 0, link.ifindex);
    route.gateway = packet.src;
    route.protocol = RTPROT_RA;
    route.metric = RA_METRIC;
    route.expiresNs = nowNs + lifeS * 1e9;
    stack.routes.add(route);
  }
  if (options.mtu >= 1280 && options.mtu < link.mtu) {
    link.mtu = options.mtu;
    stack.routes.generation++;
  }
  for (const prefix of options.prefixes) takePrefix(stack, link, prefix, nowNs);
  stack.lifetimes.schedule();
}

function untilNs(seconds: number, nowNs: number): number {
  return seconds === INFINITE_S ? Number.POSITIVE_INFINITY : nowNs + seconds * 1e9;
}

function takePrefix(stack: Stack, link: Link, p: NdpPrefix, nowNs: number): void {
  if (p.prefix.isLinkLocal || p.prefix.isMulticast || p.prefix.isAny) return;
  if ((p.flags & PREFIX_ON_LINK) !== 0) onLinkPrefix(stack, link, p, nowNs);
  if ((p.flags & PREFIX_AUTONOMOUS) === 0 || p.bits !== 64 || !stack.sysctl.autoconf) return;
  if (p.preferredS > p.validS) return;
  const address = eui64Address(p.prefix, link.address);
  const old = stack.addresses.find(address, link.ifindex);
  if (old !== undefined) {
    if (!old.fromRouter) return;
    // Nobody shortens a life to less than two hours who is not asked to prove himself: section 5.5.3 (e).
    const next = untilNs(p.validS, nowNs);
    const left = old.validUntilNs - nowNs;
    if (next - nowNs > TWO_HOURS_NS || next > old.validUntilNs) old.validUntilNs = next;
    else if (left > TWO_HOURS_NS) old.validUntilNs = nowNs + TWO_HOURS_NS;
    old.preferredUntilNs = untilNs(p.preferredS, nowNs);
    if (old.preferredUntilNs > nowNs) old.flags &= ~IFA_F_DEPRECATED;
    return;
  }
  if (p.validS === 0) return;
  const count = stack.addresses.all.filter((a) => a.ifindex === link.ifindex && a.fromRouter).length;
  if (count >= MOST_ADDRESSES) return;
  const made = new InterfaceAddress(
    address,
    64,
    link.ifindex,
    stack.sysctl.dadTransmits > 0 ? IFA_F_TENTATIVE : 0,
  );
  made.fromRouter = true;
  made.validUntilNs = untilNs(p.validS, nowNs);
  made.preferredUntilNs = untilNs(p.preferredS, nowNs);
  stack.addAddress(made, false);
}

function onLinkPrefix(stack: Stack, link: Link, p: NdpPrefix, nowNs: number): void {
  const old = stack.routes
    .table(254)
    .find(
      (r) =>
        r.ifindex === link.ifindex && r.prefix === p.bits && r.gateway === null && r.dst.equals(p.prefix),
    );
  if (old !== undefined) {
    if (p.validS === 0) stack.routes.remove(old);
    else if (old.protocol === RTPROT_RA) old.expiresNs = untilNs(p.validS, nowNs);
    return;
  }
  if (p.validS === 0) return;
  const known = stack.routes.table(254).filter((r) => r.protocol === RTPROT_RA);
  if (known.length >= MOST_ROUTERS * 2) return;
  const route = new Route(p.prefix, p.bits, link.ifindex);
  route.protocol = RTPROT_RA;
  route.metric = PREFIX_METRIC;
  route.expiresNs = untilNs(p.validS, nowNs);
  stack.routes.add(route);
}

/** One timer for all that ends: addresses, routes of routers, and duplicate address detection. */
export class Lifetimes implements NetTimerTarget {
  private readonly stack: Stack;
  private readonly timer: NetTimer;

  constructor(stack: Stack) {
    this.stack = stack;
    this.timer = new NetTimer(this);
  }

  /** Something may end at another time now. */
  schedule(): void {
    const { stack } = this;
    let nextNs = Number.POSITIVE_INFINITY;
    for (const a of stack.addresses.all) {
      if (a.dadUntilNs > 0) nextNs = Math.min(nextNs, a.dadUntilNs);
      nextNs = Math.min(nextNs, a.validUntilNs);
      if (!a.deprecated) nextNs = Math.min(nextNs, a.preferredUntilNs);
    }
    for (const r of stack.routes.all()) nextNs = Math.min(nextNs, r.expiresNs);
    if (nextNs < Number.POSITIVE_INFINITY) stack.clock.arm(this.timer, nextNs);
    else if (this.timer.armed) stack.clock.cancel(this.timer);
  }

  onTimer(_timer: NetTimer, nowNs: number): void {
    const { stack } = this;
    for (const a of [...stack.addresses.all]) {
      if (a.validUntilNs <= nowNs) {
        stack.removeAddress(a);
        continue;
      }
      if (a.preferredUntilNs <= nowNs && !a.deprecated) {
        a.flags |= IFA_F_DEPRECATED;
        stack.routes.generation++;
      }
      if (a.dadUntilNs > 0 && a.dadUntilNs <= nowNs) {
        a.dadUntilNs = 0;
        if ((a.flags & IFA_F_DADFAILED) === 0) {
          a.flags &= ~IFA_F_TENTATIVE;
          stack.addressReady(a);
        }
      }
    }
    stack.routes.removeAll((r) => r.expiresNs <= nowNs);
    this.schedule();
  }
}

/** May the address be used at once? */
export function skipsDad(a: InterfaceAddress): boolean {
  return a.address.isV4 || (a.flags & (IFA_F_TENTATIVE | IFA_F_NODAD)) !== IFA_F_TENTATIVE;
}
