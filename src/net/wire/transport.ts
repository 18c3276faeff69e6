// Where the transport header of a packet is that nobody's network layer has looked at: bridges and captures finish checksums.

import { ETH_P_IP, ETH_P_IPV6 } from '../../abi/net/if.ts';
import { getIpv4, getIpv6 } from '../address.ts';
import type { Packet } from '../packet.ts';
import { pullPacket } from './clone.ts';
import { ETHERNET_SIZE, ETHERNET_TYPE } from './ethernet.ts';
import {
  IPV4_DST,
  IPV4_FRAGMENT,
  IPV4_MF,
  IPV4_OFFSET_MASK,
  IPV4_PROTOCOL,
  IPV4_SIZE,
  IPV4_SRC,
} from './ipv4.ts';
import { HeaderWalk, IPV6_DST, IPV6_SIZE, IPV6_SRC, WALK_GOOD } from './ipv6.ts';

const walk = new HeaderWalk();
/** Headers that are worth a look. */
const MOST_HEADERS = 512;

/** Notes l3, l4, protocol and addresses of a packet whose network header is at `l3` of head; false when there is none to note. */
export function findTransport(packet: Packet, l3: number): boolean {
  pullPacket(packet, packet.start, Math.min(MOST_HEADERS, packet.size));
  const { view, end } = packet;
  if (end < l3 + IPV4_SIZE) return false;
  if (view.getUint8(l3) >>> 4 === 4) {
    const size = (view.getUint8(l3) & 0xf) * 4;
    const fragment = view.getUint16(l3 + IPV4_FRAGMENT) & (IPV4_MF | IPV4_OFFSET_MASK);
    if (size < IPV4_SIZE || end < l3 + size || fragment !== 0) return false;
    packet.protocol = view.getUint8(l3 + IPV4_PROTOCOL);
    packet.l4 = l3 + size;
    packet.src = getIpv4(view, l3 + IPV4_SRC);
    packet.dst = getIpv4(view, l3 + IPV4_DST);
  } else if (end >= l3 + IPV6_SIZE && walk.walk(view, l3, end) === WALK_GOOD) {
    packet.protocol = walk.protocol;
    packet.l4 = walk.at;
    packet.src = getIpv6(view, l3 + IPV6_SRC);
    packet.dst = getIpv6(view, l3 + IPV6_DST);
  } else return false;
  packet.l3 = l3;
  return true;
}

/** The same of an Ethernet frame at `start`. */
export function findFrameTransport(packet: Packet): boolean {
  if (packet.end < packet.start + ETHERNET_SIZE) return false;
  const type = packet.view.getUint16(packet.start + ETHERNET_TYPE);
  return (type === ETH_P_IP || type === ETH_P_IPV6) && findTransport(packet, packet.start + ETHERNET_SIZE);
}
