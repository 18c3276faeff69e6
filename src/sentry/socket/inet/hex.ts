// Addresses as tables of /proc/net write them.

import type { IpAddress } from '../../../net/address.ts';

export function hex(n: number, width: number): string {
  return (n >>> 0).toString(16).toUpperCase().padStart(width, '0');
}

/** Words of an address as the machine's own order has them in memory. */
export function swapped(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** The 32 digits of %pi6. */
export function digits6(a: IpAddress): string {
  return [a.w0, a.w1, a.w2, a.w3].map((w) => hex(w, 8).toLowerCase()).join('');
}

/** Hardware addresses: 02:fc:00:00:00:05. */
export function macText(mac: Uint8Array, between: string): string {
  return Array.from(mac, (b) => b.toString(16).padStart(2, '0')).join(between);
}
