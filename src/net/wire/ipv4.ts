// The header of IPv4 (RFC 791, section 3.1).
//
//   0: version, header words   1: TOS   2: total length   4: identification   6: flags, fragment offset
//   8: TTL   9: protocol   10: checksum   12: source   16: destination   20: options

import type { IpAddress } from '../address.ts';
import { fold, sumView } from './checksum.ts';

export const IPV4_SIZE = 20;
export const IPV4_TOS = 1;
export const IPV4_LENGTH = 2;
export const IPV4_ID = 4;
export const IPV4_FRAGMENT = 6;
export const IPV4_TTL = 8;
export const IPV4_PROTOCOL = 9;
export const IPV4_SUM = 10;
export const IPV4_SRC = 12;
export const IPV4_DST = 16;
/** In the word of the fragment offset: don't fragment, more fragments, the offset in 8 bytes. */
export const IPV4_DF = 0x4000;
export const IPV4_MF = 0x2000;
export const IPV4_OFFSET_MASK = 0x1fff;
export const IPV4_MOST = 0xffff;

/** The size of the header at `at` with `room` bytes behind it in one piece and `total` in all; -1 when it is none, or wrong. */
export function checkIpv4(view: DataView, at: number, room: number, total: number): number {
  if (room < IPV4_SIZE) return -1;
  const first = view.getUint8(at);
  const size = (first & 0xf) * 4;
  if (first >>> 4 !== 4 || size < IPV4_SIZE || size > room) return -1;
  const length = view.getUint16(at + IPV4_LENGTH);
  if (length < size || length > total) return -1;
  return fold(sumView(view, at, at + size)) === 0xffff ? size : -1;
}

/** Writes a header without options at `at`, checksum included. `word` has flags and offset. */
export function putIpv4(
  view: DataView,
  at: number,
  src: IpAddress,
  dst: IpAddress,
  protocol: number,
  length: number,
  ttl: number,
  tos: number,
  id: number,
  word: number,
): void {
  view.setUint16(at, 0x4500 | (tos & 0xff));
  view.setUint16(at + 2, length);
  view.setUint16(at + 4, id);
  view.setUint16(at + 6, word);
  view.setUint16(at + 8, ((ttl & 0xff) << 8) | protocol);
  view.setUint32(at + 12, src.w3);
  view.setUint32(at + 16, dst.w3);
  const sum =
    (0x4500 | (tos & 0xff)) + length + id + word + (((ttl & 0xff) << 8) | protocol) + src.w3 + dst.w3;
  view.setUint16(at + 10, ~fold(sum) & 0xffff);
}

/** Computes the checksum of a header of `size` bytes anew. */
export function sealIpv4(view: DataView, at: number, size: number): void {
  view.setUint16(at + IPV4_SUM, 0);
  view.setUint16(at + IPV4_SUM, ~fold(sumView(view, at, at + size)) & 0xffff);
}

export const OPTIONS_GOOD = 0;
export const OPTIONS_BAD = 1;
/** There is a source route: Linux drops those too unless told otherwise (accept_source_route). */
export const OPTIONS_SOURCE_ROUTE = 2;

/** Looks at the options head[from..to); OPTIONS_*. */
export function checkIpv4Options(view: DataView, from: number, to: number): number {
  let i = from;
  while (i < to) {
    const kind = view.getUint8(i);
    if (kind === 0) return OPTIONS_GOOD;
    if (kind === 1) {
      i++;
      continue;
    }
    const length = i + 1 < to ? view.getUint8(i + 1) : 0;
    if (length < 2 || i + length > to) return OPTIONS_BAD;
    if (kind === 0x83 || kind === 0x89) return OPTIONS_SOURCE_ROUTE;
    i += length;
  }
  return OPTIONS_GOOD;
}
