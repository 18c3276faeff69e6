// ARP (RFC 826; RFC 5227 for the rest): asks, answers, and learns from both.

import { ARPOP_REPLY, ARPOP_REQUEST, ETH_P_ARP } from '../../abi/net/if.ts';
import { RTN_LOCAL } from '../../abi/net/rtnetlink.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V4, getIpv4 } from '../address.ts';
import type { Link } from '../link/link.ts';
import { Packet, SUM_GOOD } from '../packet.ts';
import type { Stack } from '../stack.ts';
import {
  ARP_OPERATION,
  ARP_SENDER,
  ARP_SENDER_MAC,
  ARP_SIZE,
  ARP_TARGET,
  checkArp,
  putArp,
} from '../wire/arp.ts';
import { pullPacket } from '../wire/clone.ts';
import { BROADCAST_MAC, ETHERNET_SIZE, MAC_SIZE, putEthernet, ZERO_MAC } from '../wire/ethernet.ts';
import { selectSource } from './source.ts';

function sendArp(
  link: Link,
  operation: number,
  to: Uint8Array,
  sender: IpAddress,
  targetMac: Uint8Array,
  target: IpAddress,
): void {
  const packet = new Packet();
  packet.sum = SUM_GOOD;
  const at = packet.push(ARP_SIZE);
  packet.l3 = at;
  putArp(packet.head, packet.view, at, operation, link.address, sender, targetMac, target);
  putEthernet(packet.head, packet.push(ETHERNET_SIZE), to, link.address, ETH_P_ARP);
  link.send(packet);
}

/** Asks who has `target`: all, or the one at `mac` whether it is still there. */
export function solicitArp(
  stack: Stack,
  link: Link,
  target: IpAddress,
  mac: Uint8Array | null,
  source: IpAddress | null,
): void {
  const own = source !== null && stack.addresses.isLocal(source) && !source.isLoopback ? source : undefined;
  const sender = own ?? selectSource(stack.addresses.all, target, target, link.ifindex) ?? ANY_V4;
  sendArp(link, ARPOP_REQUEST, mac ?? BROADCAST_MAC, sender, ZERO_MAC, target);
}

/** A packet of ARP at packet.start. */
export function inputArp(stack: Stack, link: Link, packet: Packet): void {
  if (!pullPacket(packet, packet.start, ARP_SIZE)) return;
  const { head, view, start } = packet;
  if (!checkArp(view, start, packet.end - start)) return;
  const operation = view.getUint16(start + ARP_OPERATION);
  const sender = getIpv4(view, start + ARP_SENDER);
  const target = getIpv4(view, start + ARP_TARGET);
  if (target.isMulticast || sender.isMulticast || target.isLoopback) return;
  const mac = head.slice(start + ARP_SENDER_MAC, start + ARP_SENDER_MAC + MAC_SIZE);
  if ((mac[0]! & 1) === 1) return;
  const forUs = stack.addresses.kind(target) === RTN_LOCAL;
  if (!sender.isAny && !stack.addresses.isLocal(sender)) {
    // Only those who want something of us make a place in the table, so that a flood cannot fill it for nothing.
    const known =
      forUs && operation === ARPOP_REQUEST
        ? stack.neighbours.get(link, sender)
        : stack.neighbours.find(link.ifindex, sender);
    const solicited = operation === ARPOP_REPLY && forUs;
    known?.update(mac, solicited, true);
  }
  if (operation === ARPOP_REQUEST && forUs) sendArp(link, ARPOP_REPLY, mac, target, mac, sender);
}
