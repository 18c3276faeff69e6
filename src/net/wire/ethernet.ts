// Ethernet II: the header of a frame, hardware addresses, and those that groups have.
//
//   0: destination (6)   6: source (6)   12: type

import type { IpAddress } from '../address.ts';

export const ETHERNET_SIZE = 14;
export const ETHERNET_TYPE = 12;
export const MAC_SIZE = 6;

export const BROADCAST_MAC: Uint8Array = new Uint8Array(MAC_SIZE).fill(0xff);
export const ZERO_MAC: Uint8Array = new Uint8Array(MAC_SIZE);

/** Writes the header at `at`. */
export function putEthernet(
  head: Uint8Array,
  at: number,
  dst: Uint8Array,
  src: Uint8Array,
  type: number,
): void {
  for (let i = 0; i < MAC_SIZE; i++) {
    head[at + i] = dst[i]!;
    head[at + 6 + i] = src[i]!;
  }
  head[at + 12] = type >>> 8;
  head[at + 13] = type & 0xff;
}

/** Do the six bytes at `at` equal `mac`? */
export function isMac(head: Uint8Array, at: number, mac: Uint8Array): boolean {
  for (let i = 0; i < MAC_SIZE; i++) if (head[at + i] !== mac[i]) return false;
  return true;
}

/** The group bit: multicast or broadcast. */
export function isGroupMac(head: Uint8Array, at: number): boolean {
  return (head[at]! & 1) === 1;
}

/** The hardware address of a group: RFC 1112, section 6.4; RFC 2464, section 7. */
export function groupMac(group: IpAddress): Uint8Array {
  const w = group.w3;
  if (group.isV4) return Uint8Array.of(1, 0, 0x5e, (w >>> 16) & 0x7f, (w >>> 8) & 0xff, w & 0xff);
  return Uint8Array.of(0x33, 0x33, w >>> 24, (w >>> 16) & 0xff, (w >>> 8) & 0xff, w & 0xff);
}
