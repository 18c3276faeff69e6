// Fast Open at the side that listens (RFC 7413, section 4): cookies that only we can make, for one client's address each, and whether
// a connection begins with its SYN.

import type { IpAddress } from '../address.ts';
import type { NetRandom } from '../transport.ts';
import type { FastOpenQueue } from './fastopen_queue.ts';
import type { Segment } from './segment.ts';
import { SipHash } from './siphash.ts';
import type { Tcb } from './tcb.ts';

/** Bits of net.ipv4.tcp_fastopen (ip-sysctl of the kernel's documentation). */
export const TFO_CLIENT_ENABLE = 1;
export const TFO_SERVER_ENABLE = 2;
export const TFO_CLIENT_NO_COOKIE = 4;
export const TFO_SERVER_COOKIE_NOT_REQD = 0x200;
export const TFO_SERVER_WO_SOCKOPT1 = 0x400;

/** tcpi_fastopen_client_fail. */
export const TFO_STATUS_UNSPEC = 0;
export const TFO_COOKIE_UNAVAILABLE = 1;
export const TFO_DATA_NOT_ACKED = 2;
export const TFO_SYN_RETRANSMITTED = 3;

/** Bytes of a key; a listener has one, or two: with the second, which was the first before, cookies are no longer made. */
export const FAST_OPEN_KEY_SIZE = 16;
const COOKIE_SIZE = 8;

/** What becomes of a SYN that knows of Fast Open: nothing, a cookie goes with the answer, the connection begins at once. */
export const FAST_NOT = 0;
export const FAST_COOKIE = 1;
export const FAST_BEGINS = 2;

const sip = new SipHash();
const names = new DataView(new ArrayBuffer(32));

/** A key nobody knows. */
export function randomKey(random: NetRandom): Uint8Array {
  const key = new Uint8Array(FAST_OPEN_KEY_SIZE);
  const view = new DataView(key.buffer);
  for (let i = 0; i < FAST_OPEN_KEY_SIZE; i += 4) view.setUint32(i, random.u32());
  return key;
}

/** The cookie of `client` at `server`, by the key at keys[at..], as Linux makes it: machines behind one name may share keys (section 4.1.2). */
export function makeCookie(client: IpAddress, server: IpAddress, keys: Uint8Array, at: number): Uint8Array {
  const half = client.isV4 ? 4 : 16;
  if (client.isV4) {
    names.setUint32(0, client.w3);
    names.setUint32(4, server.w3);
  } else {
    client.put(names, 0);
    server.put(names, half);
  }
  sip.hash(names, 2 * half, new DataView(keys.buffer, keys.byteOffset, keys.byteLength), at);
  const cookie = new Uint8Array(COOKIE_SIZE);
  const view = new DataView(cookie.buffer);
  view.setInt32(0, sip.low, true);
  view.setInt32(4, sip.high, true);
  return cookie;
}

/** Is what the SYN has at view[at..] this cookie? In the same time wherever it differs. */
function matches(cookie: Uint8Array, view: DataView, at: number, length: number): boolean {
  if (length !== cookie.length) return false;
  let differ = 0;
  for (let i = 0; i < length; i++) differ |= cookie[i]! ^ view.getUint8(at + i);
  return differ === 0;
}

/** Keys of a listener, or of all of its protocol's, made when somebody needs them. */
export function keysOf(tcb: Tcb): Uint8Array {
  const { host } = tcb;
  if (tcb.options.fastOpenKeys !== null) return tcb.options.fastOpenKeys;
  host.fastOpenKeys ??= randomKey(host.random);
  return host.fastOpenKeys;
}

/** The cookie that the answer to the SYN carries; null for none. */
export const answer: { cookie: Uint8Array | null } = { cookie: null };

/**
 * FAST_*: what a SYN from `client` to `server` at the listener `tcb` asks for and may have (section 4.2.2; tcp_try_fastopen()).
 */
export function judgeFastOpen(
  tcb: Tcb,
  queue: FastOpenQueue,
  seg: Segment,
  client: IpAddress,
  server: IpAddress,
  nowNs: number,
): number {
  const { counters, sysctl } = tcb.host;
  const { cookieLength, cookieAt } = seg.options;
  const bits = sysctl.tcp_fastopen;
  answer.cookie = null;
  if (cookieLength === 0) counters.TCPFastOpenCookieReqd++;
  if ((bits & TFO_SERVER_ENABLE) === 0 || (seg.length === 0 && cookieLength < 0)) return FAST_NOT;
  if (tcb.options.fastOpen === 0) return FAST_NOT;
  if (!queue.hasRoom(tcb.options.fastOpen, nowNs)) {
    counters.TCPFastOpenListenOverflow++;
    return FAST_NOT;
  }
  if ((bits & TFO_SERVER_COOKIE_NOT_REQD) !== 0 || tcb.options.fastOpenNoCookie) return FAST_BEGINS;
  if (cookieLength < 0) return FAST_NOT;
  const keys = keysOf(tcb);
  const cookie = makeCookie(client, server, keys, 0);
  if (cookieLength > 0) {
    if (matches(cookie, seg.packet!.view, cookieAt, cookieLength)) return FAST_BEGINS;
    if (keys.length > FAST_OPEN_KEY_SIZE) {
      const old = makeCookie(client, server, keys, FAST_OPEN_KEY_SIZE);
      if (matches(old, seg.packet!.view, cookieAt, cookieLength)) {
        counters.TCPFastOpenPassiveAltKey++;
        answer.cookie = cookie;
        return FAST_BEGINS;
      }
    }
    counters.TCPFastOpenPassiveFail++;
  }
  answer.cookie = cookie;
  return FAST_COOKIE;
}
