// Fragments out: a packet larger than the path's MTU in pieces that are not (RFC 791, section 3.2; RFC 8200, section 4.5).

import { Packet } from '../packet.ts';
import { copyFields, slicePayload } from '../wire/clone.ts';
import { IPV4_FRAGMENT, IPV4_LENGTH, IPV4_MF, IPV4_OFFSET_MASK, IPV4_SIZE, sealIpv4 } from '../wire/ipv4.ts';
import { FRAGMENT, FRAGMENT_SIZE, IPV6_LENGTH, IPV6_NEXT, IPV6_SIZE } from '../wire/ipv6.ts';

/** Room before a fragment's header for that of its link. */
const ROOM = 32;

/** The fragments of an IPv4 packet, whose checksum is finished; it may be one itself. Undefined when the MTU is too small. */
export function fragmentIpv4(packet: Packet, mtu: number): Packet[] | undefined {
  const { view, l3 } = packet;
  const headerSize = (view.getUint8(l3) & 0xf) * 4;
  const step = (mtu - headerSize) & ~7;
  if (step < 8) return undefined;
  const word = view.getUint16(l3 + IPV4_FRAGMENT);
  const offset = word & IPV4_OFFSET_MASK;
  const dataAt = l3 + headerSize;
  const total = packet.end - dataAt + packet.length;
  const pieces: Packet[] = [];
  for (let from = 0; from < total; from += step) {
    const length = Math.min(step, total - from);
    const piece = startPiece(packet, headerSize);
    piece.head.set(packet.head.subarray(l3, dataAt), ROOM);
    if (from > 0 && headerSize > IPV4_SIZE) dropOptions(piece.head, ROOM + IPV4_SIZE, ROOM + headerSize);
    piece.view.setUint16(ROOM + IPV4_LENGTH, headerSize + length);
    const more = from + length < total ? IPV4_MF : word & IPV4_MF;
    piece.view.setUint16(ROOM + IPV4_FRAGMENT, more | (offset + from / 8));
    sealIpv4(piece.view, ROOM, headerSize);
    slicePayload(piece, packet, dataAt, from, length);
    pieces.push(piece);
  }
  return pieces;
}

function startPiece(packet: Packet, headerSize: number): Packet {
  const piece = new Packet(new Uint8Array(ROOM + headerSize), ROOM);
  copyFields(piece, packet);
  piece.l3 = ROOM;
  piece.l4 = ROOM + headerSize;
  return piece;
}

/** Options without the copy bit are in the first fragment alone: they become no-operations. */
function dropOptions(head: Uint8Array, from: number, to: number): void {
  let i = from;
  while (i < to) {
    const kind = head[i]!;
    if (kind === 0) return;
    const length = kind === 1 ? 1 : Math.max(1, i + 1 < to ? head[i + 1]! : 1);
    if ((kind & 0x80) === 0) head.fill(1, i, Math.min(to, i + length));
    i += length;
  }
}

/** The fragments of an IPv6 packet of our own, which has no extension headers. */
export function fragmentIpv6(packet: Packet, mtu: number, id: number): Packet[] | undefined {
  const { view, l3 } = packet;
  const headerSize = IPV6_SIZE + FRAGMENT_SIZE;
  const step = (mtu - headerSize) & ~7;
  if (step < 8) return undefined;
  const dataAt = l3 + IPV6_SIZE;
  const total = packet.end - dataAt + packet.length;
  const pieces: Packet[] = [];
  for (let from = 0; from < total; from += step) {
    const length = Math.min(step, total - from);
    const piece = startPiece(packet, headerSize);
    piece.head.set(packet.head.subarray(l3, dataAt), ROOM);
    piece.view.setUint16(ROOM + IPV6_LENGTH, FRAGMENT_SIZE + length);
    piece.view.setUint8(ROOM + IPV6_NEXT, FRAGMENT);
    piece.view.setUint8(ROOM + IPV6_SIZE, view.getUint8(l3 + IPV6_NEXT));
    piece.view.setUint16(ROOM + IPV6_SIZE + 2, from | (from + length < total ? 1 : 0));
    piece.view.setUint32(ROOM + IPV6_SIZE + 4, id);
    slicePayload(piece, packet, dataAt, from, length);
    pieces.push(piece);
  }
  return pieces;
}
