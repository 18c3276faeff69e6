// Sending: writes the network header, fragments what is too large, and hands it to loopback, a neighbour or a group.

import { EMSGSIZE, ENOBUFS } from '../../abi/errno.ts';
import { ETH_P_IP, ETH_P_IPV6, IFF_LOOPBACK, IFF_NOARP } from '../../abi/net/if.ts';
import type { IpAddress } from '../address.ts';
import type { Link } from '../link/link.ts';
import type { Packet } from '../packet.ts';
import { SUM_GOOD } from '../packet.ts';
import type { Stack } from '../stack.ts';
import { finishSum } from '../wire/checksum.ts';
import { clonePacket } from '../wire/clone.ts';
import { BROADCAST_MAC, ETHERNET_SIZE, groupMac, putEthernet } from '../wire/ethernet.ts';
import { IPV4_DF, IPV4_MOST, IPV4_SIZE, putIpv4, sealIpv4 } from '../wire/ipv4.ts';
import { IPV6_SIZE, putIpv6 } from '../wire/ipv6.ts';
import { fragmentIpv4, fragmentIpv6 } from './fragment.ts';
import type { NetPath } from './path.ts';

/** NetworkLayer.output; `loop` says whether a packet to a group comes back to us too. */
export function output(
  stack: Stack,
  packet: Packet,
  path: NetPath,
  protocol: number,
  dontFragment: boolean,
  loop: boolean,
): number {
  const { src, dst } = path;
  const { isV4 } = dst;
  packet.src = src;
  packet.dst = dst;
  packet.protocol = protocol;
  packet.ifindex = path.link.ifindex;
  const transport = packet.size;
  const extra = isV4 && packet.options !== null ? packet.options.bytes.length : 0;
  const headerSize = isV4 ? IPV4_SIZE + extra : IPV6_SIZE;
  const size = transport + headerSize;
  if (isV4 ? size > IPV4_MOST : transport > IPV4_MOST) return -EMSGSIZE;
  const { sysctl } = stack;
  if (packet.ttl === 0) packet.ttl = isV4 ? sysctl.defaultTtl : sysctl.hopLimit;
  else if (packet.ttl < 0) packet.ttl = 0;
  const at = packet.push(headerSize);
  packet.l3 = at;
  packet.l4 = at + headerSize;
  if (isV4) {
    const id = dontFragment && packet.segment === 0 ? 0 : stack.nextId(dst);
    putIpv4(
      packet.view,
      at,
      src,
      dst,
      protocol,
      size,
      packet.ttl,
      packet.tos,
      id,
      dontFragment ? IPV4_DF : 0,
    );
    if (extra > 0) putOptions(stack, packet, at, extra);
  } else putIpv6(packet.view, at, src, dst, protocol, transport, packet.ttl, packet.tos, 0);
  return outputWritten(stack, packet, path, dontFragment, loop);
}

function putOptions(stack: Stack, packet: Packet, at: number, size: number): void {
  packet.options!.put(packet.view, at + IPV4_SIZE, packet.src.w3, stack.clock.realtimeMs());
  packet.view.setUint8(at, 0x40 | ((IPV4_SIZE + size) >>> 2));
  sealIpv4(packet.view, at, IPV4_SIZE + size);
}

/** Sends a packet whose network header is there, and l3, l4, src, dst and protocol set. */
export function outputWritten(
  stack: Stack,
  packet: Packet,
  to: NetPath,
  dontFragment: boolean,
  loop: boolean,
): number {
  let path = to;
  if (stack.hooks !== null) {
    const way = stack.hooks.output(packet, path);
    if (typeof way === 'number') return way;
    path = way as NetPath;
  }
  const counters = packet.dst.isV4 ? stack.counters.ip : stack.counters.ip6;
  counters.OutRequests++;
  if (path.local) {
    const r = path.link.send(packet);
    if (r < 0) counters.OutDiscards++;
    return r;
  }
  if (path.multicast) counters.OutMcastPkts++;
  else if (path.broadcast) counters.OutBcastPkts++;
  // On loopback it comes back of itself (__mkroute_output()).
  if (((path.multicast && loop) || path.broadcast) && (path.link.flags & IFF_LOOPBACK) === 0)
    loopBack(stack, packet, path);
  // A group with a TTL of 0 stays on this machine: ip_mc_output().
  if (path.multicast && packet.ttl === 0) return 0;
  const { mtu } = path;
  const alone = packet.segment > 0 ? packet.end - packet.start + packet.segment : packet.size;
  if (packet.segment > 0 ? packet.size > mtu && alone > mtu : alone > mtu) {
    if (dontFragment || packet.segment > 0) return -EMSGSIZE;
    return sendFragments(stack, packet, path, mtu);
  }
  return transmit(stack, packet, path);
}

function sendFragments(stack: Stack, packet: Packet, path: NetPath, mtu: number): number {
  const counters = packet.dst.isV4 ? stack.counters.ip : stack.counters.ip6;
  finishSum(packet);
  const pieces = packet.dst.isV4 ? fragmentIpv4(packet, mtu) : fragmentIpv6(packet, mtu, stack.random.u32());
  if (pieces === undefined) {
    counters.FragFails++;
    return -EMSGSIZE;
  }
  counters.FragOKs++;
  counters.FragCreates += pieces.length;
  for (const piece of pieces) {
    const r = transmit(stack, piece, path);
    if (r < 0) return r;
  }
  return 0;
}

/** A copy for our own members of the group, or listeners to the broadcast. */
function loopBack(stack: Stack, packet: Packet, path: NetPath): void {
  if (path.multicast && !stack.groups.has(path.dst, path.link.ifindex)) return;
  const copy = clonePacket(packet);
  copy.sum = packet.segment > 0 ? packet.sum : SUM_GOOD;
  stack.looped.push(copy);
}

/** Puts the packet on its link. */
function transmit(stack: Stack, packet: Packet, path: NetPath): number {
  const { link } = path;
  if (!link.isEthernet) return link.send(packet);
  if (path.multicast) return sendFrame(link, packet, groupMac(path.dst));
  if (path.broadcast) return sendFrame(link, packet, BROADCAST_MAC);
  // Nobody to ask: arp_constructor().
  if ((link.flags & IFF_NOARP) !== 0) return sendFrame(link, packet, link.address);
  let { neighbour } = path;
  if (neighbour === null || neighbour.gone) {
    neighbour = stack.neighbours.get(link, path.nextHop);
    if (neighbour === null) return -ENOBUFS;
    path.neighbour = neighbour;
  }
  return neighbour.send(packet);
}

/** Sends to a hardware address. */
export function sendFrame(link: Link, packet: Packet, mac: Uint8Array): number {
  const type = packet.dst.isV4 ? ETH_P_IP : ETH_P_IPV6;
  const at = packet.push(ETHERNET_SIZE);
  putEthernet(packet.head, at, mac, link.address, type);
  return link.send(packet);
}

/** A packet that is on its way to `dst` through us. */
export function transmitTo(stack: Stack, packet: Packet, path: NetPath): number {
  return transmit(stack, packet, path);
}

/** Where IPv4's identification comes from: a counter for each of some destinations, so that nobody sees how busy we are. */
export class Identifications {
  private readonly counters = new Uint16Array(1024);
  private readonly secret: number;

  constructor(secret: number) {
    this.secret = secret;
    for (let i = 0; i < this.counters.length; i++)
      this.counters[i] = Math.imul(secret ^ (i * 0x9e3779b9), 0x85ebca6b) >>> 13;
  }

  next(dst: IpAddress): number {
    const at = (Math.imul(dst.hash ^ this.secret, 0xc2b2ae35) >>> 16) & 1023;
    const id = this.counters[at]!;
    this.counters[at] = id + 1;
    return id;
  }
}
