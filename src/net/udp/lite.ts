// UDP-Lite (RFC 3828): a datagram whose checksum covers the first bytes alone, as many as the field says that is UDP's length. A
// coverage of 0 is all of it; there is always a checksum.

import { IPPROTO_UDPLITE } from '../../abi/net/in.ts';
import type { IpAddress } from '../address.ts';
import type { Packet } from '../packet.ts';
import { SUM_GOOD } from '../packet.ts';
import { fold, pseudoSum, sumBytes, swapped } from '../wire/checksum.ts';
import { UDP_LENGTH, UDP_SIZE, UDP_SUM } from '../wire/udp.ts';

/** UDPLITE_SEND_CSCOV, UDPLITE_RECV_CSCOV that nobody has set. */
export const NO_COVERAGE = -1;

/** The checksum of `covered` bytes from `at`, in head and on in the parts; 0 when the right one is in it. */
function liteSum(packet: Packet, at: number, src: IpAddress, dst: IpAddress, covered: number): number {
  const inHead = Math.min(covered, packet.end - at);
  let sum =
    pseudoSum(src, dst, IPPROTO_UDPLITE, packet.end - at + packet.length) +
    sumBytes(packet.head, at, at + inHead);
  let left = covered - inHead;
  let odd = (inHead & 1) === 1;
  for (const part of packet.parts) {
    const n = Math.min(left, part.length);
    const more = sumBytes(part, 0, n);
    sum += odd ? swapped(fold(more)) : more;
    if ((n & 1) === 1) odd = !odd;
    left -= n;
  }
  return ~fold(sum) & 0xffff;
}

/** Writes coverage and checksum into a datagram whose header is at packet.start: udplite_csum(). */
export function sealLite(packet: Packet, src: IpAddress, dst: IpAddress, coverage: number): void {
  const at = packet.start;
  const total = packet.end - at + packet.length;
  let covered = total;
  if (coverage !== NO_COVERAGE && coverage < total) {
    if (coverage > 0) covered = coverage;
    packet.view.setUint16(at + UDP_LENGTH, coverage);
  }
  const sum = liteSum(packet, at, src, dst, covered);
  packet.view.setUint16(at + UDP_SUM, sum === 0 ? 0xffff : sum);
  packet.sum = SUM_GOOD;
}

/** What the checksum of a datagram that came covers, of `total` bytes; -1 when that cannot be, or it is wrong. */
export function checkLite(packet: Packet, total: number): number {
  const { view, l4 } = packet;
  if (packet.end - l4 < UDP_SIZE || view.getUint16(l4 + UDP_SUM) === 0) return -1;
  const told = view.getUint16(l4 + UDP_LENGTH);
  const covered = told === 0 ? total : told;
  if (covered < UDP_SIZE || covered > total) return -1;
  if (packet.sum !== SUM_GOOD && liteSum(packet, l4, packet.src, packet.dst, covered) !== 0) return -1;
  return covered;
}
