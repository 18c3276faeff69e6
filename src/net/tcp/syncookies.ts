// SYN cookies (RFC 4987, section 3.6): 8 bits of time, 22 of a keyed hash, 2 of the MSS; window scale and SACK in the low bits of the
// timestamp, which comes back.

import type { Handshake } from './handshake.ts';
import type { KeyedHash } from './hash.ts';

/** MSS values that a cookie can carry. */
const COOKIE_MSS = [536, 1300, 1440, 1460];
export const COOKIE_PERIOD_NS = 64e9;

function periodAt(nowNs: number): number {
  return Math.floor(nowNs / COOKIE_PERIOD_NS) & 0xff;
}

function mac(hash: KeyedHash, request: Handshake, period: number): number {
  const ports = (request.localPort << 16) | request.remotePort;
  return hash.pair(request.local, request.remote, ports, request.irs, period + 0x10000);
}

/** The initial sequence number that stands for a request. */
export function synCookie(hash: KeyedHash, request: Handshake, nowNs: number): number {
  let index = 0;
  for (let i = 1; i < COOKIE_MSS.length; i++) if (COOKIE_MSS[i]! <= request.mss) index = i;
  const period = periodAt(nowNs);
  return (period << 24) | (mac(hash, request, period) & 0xfffffc) | index;
}

/** The timestamp that goes with it. Without timestamps there is nowhere to keep what else was agreed on. */
export function cookieTimestamp(request: Handshake, nowNs: number): number {
  if (!request.timestamps) {
    request.sack = false;
    request.sndShift = -1;
    request.rcvShift = 0;
    return 0;
  }
  const now = (Math.floor(nowNs / 1e6) + request.tsOffset) | 0;
  const ts = (now & ~63) | (request.sack ? 32 : 0) | (request.sndShift >= 0 ? request.sndShift : 15);
  return ((ts - now) | 0) > 0 ? (ts - 64) | 0 : ts;
}

/** Is `iss` of a time of which cookies are still taken? */
export function cookieIsFresh(iss: number, nowNs: number): boolean {
  return ((periodAt(nowNs) - (iss >>> 24)) & 0xff) <= 1;
}

/** Was `iss` made for this request? Then it has its number and MSS. */
export function readCookie(hash: KeyedHash, request: Handshake, iss: number): boolean {
  if (((mac(hash, request, iss >>> 24) ^ iss) & 0xfffffc) !== 0) return false;
  request.iss = iss;
  request.mss = COOKIE_MSS[iss & 3]!;
  return true;
}
