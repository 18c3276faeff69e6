// Neighbour discovery (RFC 4861): asks and answers for addresses, and hears routers. Duplicate addresses: RFC 4862, section 5.4.

import { IFA_F_DADFAILED, IFA_F_TENTATIVE } from '../../abi/net/if_addr.ts';
import { IPPROTO_ICMPV6 } from '../../abi/net/in.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V6, getIpv6, parseAddress } from '../address.ts';
import type { Link } from '../link/link.ts';
import { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import {
  NA_OVERRIDE,
  NA_ROUTER,
  NA_SOLICITED,
  NDP_TARGET,
  NdpOptions,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_SOLICITATION,
  NS_SIZE,
  putLinkOption,
  RA_SIZE,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
  RS_SIZE,
} from '../wire/ndp.ts';
import { ALL_NODES_V6, solicitedGroup } from './groups.ts';
import { NetPath } from './path.ts';
import { inputAdvertisement } from './slaac.ts';

const ALL_ROUTERS: IpAddress = parseAddress('ff02::2')!;
const LINK_OPTION = 8;
/** RFC 4861: what came with less has passed a router. */
const HOPS = 255;

/** Sends an NDP message of `size` bytes, which `packet` begins with, on a link. */
function send(stack: Stack, link: Link, packet: Packet, src: IpAddress, dst: IpAddress, type: number): void {
  packet.ttl = HOPS;
  const { icmp6 } = stack.counters;
  icmp6.OutMsgs++;
  icmp6.outType[type]!++;
  const path = new NetPath(src, dst, link, dst, 0, link.mtu, stack.pmtus, stack.generation, 0);
  // Not to ourselves: our own question about an address would look like that of another who has it.
  stack.outputTo(packet, path, IPPROTO_ICMPV6, false, false);
}

/** Asks for the address of `target`; at `mac` alone when it is known and may be stale. */
export function solicitNeighbour(
  stack: Stack,
  link: Link,
  target: IpAddress,
  mac: Uint8Array | null,
  source: IpAddress | null,
): void {
  const own = source !== null ? stack.addresses.find(source, link.ifindex) : undefined;
  const src = own?.usable ? own.address : (stack.addresses.linkLocal(link.ifindex)?.address ?? ANY_V6);
  const packet = new Packet();
  const at = packet.push(src.isAny ? NS_SIZE : NS_SIZE + LINK_OPTION);
  packet.view.setUint32(at, (NEIGHBOUR_SOLICITATION << 24) >>> 0);
  target.put16(packet.view, at + NDP_TARGET);
  if (!src.isAny) putLinkOption(packet.head, at + NS_SIZE, false, link.address);
  send(stack, link, packet, src, mac !== null ? target : solicitedGroup(target), NEIGHBOUR_SOLICITATION);
}

/** Asks whether somebody has `target` already. */
export function solicitDuplicate(stack: Stack, link: Link, target: IpAddress): void {
  const packet = new Packet();
  const at = packet.push(NS_SIZE);
  packet.view.setUint32(at, (NEIGHBOUR_SOLICITATION << 24) >>> 0);
  target.put16(packet.view, at + NDP_TARGET);
  send(stack, link, packet, ANY_V6, solicitedGroup(target), NEIGHBOUR_SOLICITATION);
}

/** Asks for routers: RFC 4861, section 6.3.7. */
export function solicitRouters(stack: Stack, link: Link): void {
  const src = stack.addresses.linkLocal(link.ifindex)?.address ?? ANY_V6;
  const packet = new Packet();
  const at = packet.push(src.isAny ? RS_SIZE : RS_SIZE + LINK_OPTION);
  packet.view.setUint32(at, (ROUTER_SOLICITATION << 24) >>> 0);
  if (!src.isAny) putLinkOption(packet.head, at + RS_SIZE, false, link.address);
  send(stack, link, packet, src, ALL_ROUTERS, ROUTER_SOLICITATION);
}

function advertise(stack: Stack, link: Link, target: IpAddress, to: IpAddress): void {
  const packet = new Packet();
  const at = packet.push(NS_SIZE + LINK_OPTION);
  packet.view.setUint32(at, (NEIGHBOUR_ADVERTISEMENT << 24) >>> 0);
  const router = stack.sysctl.ip6Forwarding ? NA_ROUTER : 0;
  const solicited = to.isAny ? 0 : NA_SOLICITED;
  packet.view.setUint8(at + 4, router | solicited | NA_OVERRIDE);
  target.put16(packet.view, at + NDP_TARGET);
  putLinkOption(packet.head, at + NS_SIZE, true, link.address);
  send(stack, link, packet, target, to.isAny ? ALL_NODES_V6 : to, NEIGHBOUR_ADVERTISEMENT);
}

/** NDP at packet.l4, whose checksum was right. */
export function inputNdp(stack: Stack, packet: Packet): void {
  const link = stack.link(packet.ifindex);
  const { head, view, l4, end } = packet;
  if (link === null || packet.ttl !== HOPS || view.getUint8(l4 + 1) !== 0) return;
  const type = view.getUint8(l4);
  const size = type === ROUTER_SOLICITATION ? RS_SIZE : type === ROUTER_ADVERTISEMENT ? RA_SIZE : NS_SIZE;
  const options = new NdpOptions();
  if (end - l4 < size || !options.parse(head, view, l4 + size, end)) return;
  if (type === NEIGHBOUR_SOLICITATION) inputSolicitation(stack, link, packet, options);
  else if (type === NEIGHBOUR_ADVERTISEMENT) inputAnswer(stack, link, packet, options);
  else if (type === ROUTER_ADVERTISEMENT) {
    if (!packet.src.isLinkLocal || !stack.sysctl.acceptRa || stack.sysctl.ip6Forwarding) return;
    if (options.source !== null) {
      const router = stack.neighbours.get(link, packet.src);
      if (router !== null) {
        router.isRouter = true;
        router.update(options.source, false, true);
      }
    }
    inputAdvertisement(stack, link, packet, options);
  }
}

/** RFC 4861, section 7.2.3. */
function inputSolicitation(stack: Stack, link: Link, packet: Packet, options: NdpOptions): void {
  const target = getIpv6(packet.view, packet.l4 + NDP_TARGET);
  if (target.isMulticast) return;
  const own = stack.addresses.find(target, link.ifindex);
  if (own === undefined) return;
  if (packet.src.isAny) {
    // Somebody asks whether it may have the address (RFC 4862, section 5.4.3): then neither has it who was just asking too.
    if (options.source !== null) return;
    if ((own.flags & IFA_F_TENTATIVE) !== 0) {
      own.flags |= IFA_F_DADFAILED;
      return;
    }
    if (own.usable) advertise(stack, link, target, ANY_V6);
    return;
  }
  if (!own.usable) return;
  if (options.source !== null) stack.neighbours.get(link, packet.src)?.update(options.source, false, true);
  advertise(stack, link, target, packet.src);
}

/** RFC 4861, section 7.2.5. */
function inputAnswer(stack: Stack, link: Link, packet: Packet, options: NdpOptions): void {
  const { view, l4 } = packet;
  const target = getIpv6(view, l4 + NDP_TARGET);
  const flags = view.getUint8(l4 + 4);
  const solicited = (flags & NA_SOLICITED) !== 0;
  if (target.isMulticast || (solicited && packet.dst.isMulticast)) return;
  const own = stack.addresses.find(target, link.ifindex);
  if (own !== undefined) {
    if ((own.flags & IFA_F_TENTATIVE) !== 0) own.flags |= IFA_F_DADFAILED;
    return;
  }
  const known = stack.neighbours.find(link.ifindex, target);
  if (known === undefined) return;
  known.isRouter = (flags & NA_ROUTER) !== 0;
  if (options.target !== null) known.update(options.target, solicited, (flags & NA_OVERRIDE) !== 0);
}
