// The checksum of a segment that came from outside (RFC 9293, section 3.1; RFC 1071), over pseudo-header, header and parts.

import type { Packet } from '../packet.ts';

/** Adds bytes as 16-bit words in network order; `odd` when the first byte is the low half of a word. */
function sumBytes(bytes: Uint8Array, from: number, to: number, odd: boolean): number {
  let sum = 0;
  let i = from;
  if (odd && i < to) sum += bytes[i++]!;
  for (; i + 1 < to; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (i < to) sum += bytes[i]! << 8;
  return sum;
}

function sumAddress(packet: Packet): number {
  let sum = 0;
  for (const a of [packet.src, packet.dst]) {
    sum += (a.w3 >>> 16) + (a.w3 & 0xffff);
    if (a.isV4) continue;
    for (const w of [a.w0, a.w1, a.w2]) sum += (w >>> 16) + (w & 0xffff);
  }
  return sum;
}

function fold(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s & 0xffff) + Math.floor(s / 0x10000);
  return s;
}

/** The Internet checksum of transport header and payload, that is 0 when the header has the right one in it. */
export function segmentSum(packet: Packet, from: number, protocol: number): number {
  let length = packet.end - from;
  let sum = sumAddress(packet) + protocol + sumBytes(packet.head, from, packet.end, false);
  for (const part of packet.parts) {
    sum += sumBytes(part, 0, part.length, (length & 1) === 1);
    length += part.length;
  }
  sum += length & 0xffff;
  sum += length >>> 16;
  return ~fold(sum) & 0xffff;
}
