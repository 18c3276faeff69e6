// Splitting a large packet into those that go on the wire: TCP segments with their sequence numbers, UDP datagrams of one send.

import { IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import { Packet, SUM_MISSING } from '../packet.ts';
import { copyFields, slicePayload } from '../wire/clone.ts';
import { IPV4_ID, IPV4_LENGTH, sealIpv4 } from '../wire/ipv4.ts';
import { IPV6_LENGTH, IPV6_SIZE } from '../wire/ipv6.ts';
import { UDP_LENGTH, UDP_SIZE } from '../wire/udp.ts';

const TCP_SEQUENCE = 4;
const TCP_FLAGS = 13;
const FIN = 0x01;
const PSH = 0x08;
const CWR = 0x80;

/** Bytes of the transport header of a packet that may be split; 0 when it may not. */
export function transportHeaderSize(packet: Packet): number {
  if (packet.protocol === IPPROTO_UDP) return UDP_SIZE;
  if (packet.protocol !== IPPROTO_TCP || packet.end < packet.l4 + 20) return 0;
  return (packet.view.getUint8(packet.l4 + 12) >>> 4) * 4;
}

/** The packets on the wire: at most `segment` bytes of payload each. Those that the transport sums must be finished anew. */
export function splitPacket(packet: Packet): Packet[] {
  const size = transportHeaderSize(packet);
  const dataAt = packet.l4 + size;
  const total = packet.end - dataAt + packet.length;
  const step = packet.segment;
  if (size === 0 || dataAt > packet.end || total <= step) {
    packet.segment = 0;
    return [packet];
  }
  const pieces: Packet[] = [];
  const { l3, l4 } = packet;
  const isV4 = packet.src.isV4;
  for (let from = 0, n = 0; from < total; from += step, n++) {
    const length = Math.min(step, total - from);
    const piece = new Packet(packet.head.slice(0, dataAt), packet.start, dataAt);
    copyFields(piece, packet);
    piece.segment = 0;
    piece.sum = SUM_MISSING;
    slicePayload(piece, packet, dataAt, from, length);
    const { view } = piece;
    if (isV4) {
      view.setUint16(l3 + IPV4_LENGTH, dataAt - l3 + length);
      view.setUint16(l3 + IPV4_ID, (packet.view.getUint16(l3 + IPV4_ID) + n) & 0xffff);
      sealIpv4(view, l3, (view.getUint8(l3) & 0xf) * 4);
    } else view.setUint16(l3 + IPV6_LENGTH, dataAt - l3 - IPV6_SIZE + length);
    if (packet.protocol === IPPROTO_UDP) view.setUint16(l4 + UDP_LENGTH, UDP_SIZE + length);
    else {
      view.setUint32(l4 + TCP_SEQUENCE, (packet.view.getUint32(l4 + TCP_SEQUENCE) + from) >>> 0);
      let flags = view.getUint8(l4 + TCP_FLAGS);
      if (from + length < total) flags &= ~(FIN | PSH);
      if (n > 0) flags &= ~CWR;
      view.setUint8(l4 + TCP_FLAGS, flags);
    }
    pieces.push(piece);
  }
  return pieces;
}
