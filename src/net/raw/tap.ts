// The seam for packet(7): who sees what links carry, both ways, and sends frames of its own.

import { ETH_P_IP, ETH_P_IPV6, IFF_LOOPBACK } from '../../abi/net/if.ts';
import type { Link } from '../link/link.ts';
import { Packet, SUM_UNCHECKED } from '../packet.ts';
import { ETHERNET_SIZE } from '../wire/ethernet.ts';

/** Somebody who listens. */
export interface PacketTap {
  /** 0 for all links. */
  readonly ifindex: number;
  /** A packet passes; it is not the tap's: what it keeps it copies. */
  onPacket(link: Link, packet: Packet, outgoing: boolean): void;
}

/** A frame as packet(7) shows it: those of lo have a header of zeros. */
export function frameBytes(link: Link, packet: Packet): Uint8Array {
  if ((link.flags & IFF_LOOPBACK) === 0) return packet.bytes();
  const frame = new Uint8Array(ETHERNET_SIZE + packet.size);
  frame.set(packet.bytes(), ETHERNET_SIZE);
  const type = (frame[ETHERNET_SIZE]! >>> 4 === 6 ? ETH_P_IPV6 : ETH_P_IP) & 0xffff;
  frame[12] = type >>> 8;
  frame[13] = type & 0xff;
  return frame;
}

/** Sends a frame on a link as it is. */
export function sendRawFrame(link: Link, frame: Uint8Array): number {
  const isLoop = (link.flags & IFF_LOOPBACK) !== 0;
  const packet = new Packet(frame.slice(), isLoop ? Math.min(ETHERNET_SIZE, frame.length) : 0);
  packet.sum = SUM_UNCHECKED;
  return link.send(packet);
}
