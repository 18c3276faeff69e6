// Fast Open at the side that connects (RFC 7413, section 4.2.1): which cookie a server gave, data in the SYN, and what the answer says
// of it.

import type { IpAddress } from '../address.ts';
import type { ByteSource } from '../endpoint.ts';
import {
  TFO_CLIENT_ENABLE,
  TFO_CLIENT_NO_COOKIE,
  TFO_COOKIE_UNAVAILABLE,
  TFO_DATA_NOT_ACKED,
  TFO_SYN_RETRANSMITTED,
} from './fastopen.ts';
import { MAX_OPTION_SPACE } from './options.ts';
import { stampSent } from './rate.ts';
import { Sent } from './sack.ts';
import type { Segment } from './segment.ts';
import { advance, distance } from './seq.ts';
import type { Tcb } from './tcb.ts';
import { pathMss } from './transmit.ts';

/** Asks for a cookie. */
const NO_COOKIE = new Uint8Array(0);

/** May this socket send data with its SYN: by what it is asked for, not by whether there is a cookie. */
export function mayFastOpen(tcb: Tcb): boolean {
  return (tcb.host.sysctl.tcp_fastopen & TFO_CLIENT_ENABLE) !== 0;
}

function needsCookie(tcb: Tcb): boolean {
  return !tcb.options.fastOpenNoCookie && (tcb.host.sysctl.tcp_fastopen & TFO_CLIENT_NO_COOKIE) === 0;
}

/** Would a SYN to `server` carry data now? */
export function knowsCookie(tcb: Tcb, client: IpAddress, server: IpAddress): boolean {
  return !needsCookie(tcb) || tcb.host.cookies.find(server, client) !== undefined;
}

/** The names of a connection are known, its SYN is to go: what of Fast Open it carries. Bytes taken of `from`, or -EFAULT. */
export function prepareSyn(tcb: Tcb, from: ByteSource | null, nowNs: number): number {
  const known = tcb.host.cookies.find(tcb.remote, tcb.local);
  tcb.synCookie = known === undefined ? (needsCookie(tcb) ? NO_COOKIE : null) : known.cookie;
  if (known === undefined && needsCookie(tcb)) {
    tcb.fastOpenFail = TFO_COOKIE_UNAVAILABLE;
    return 0;
  }
  if (from === null || from.remaining === 0) return 0;
  const mss = Math.min(pathMss(tcb.path!), known?.mss ?? 65535, tcb.options.maxSeg || 65535);
  const most = Math.min(mss - MAX_OPTION_SPACE, tcb.options.sndBuf);
  if (most <= 0 || !tcb.memory.fits(most)) return 0;
  const n = tcb.buffer.append(from, most);
  if (n <= 0) return n;
  tcb.charge(n);
  tcb.synData = n;
  const sent = new Sent(tcb.nxt, advance(tcb.nxt, n), nowNs);
  stampSent(tcb, sent, nowNs);
  tcb.board.add(sent);
  tcb.nxt = sent.end;
  tcb.bytesSent += n;
  tcb.dataSegsOut++;
  return n;
}

/** SYN|ACK: the cookie is kept; what the server did not take goes as if it had not been sent (section 4.2.1, tcp_rcv_fastopen_synack()). */
export function synAnswered(tcb: Tcb, seg: Segment): void {
  const { counters, cookies } = tcb.host;
  const { cookieLength, cookieAt } = seg.options;
  if (tcb.synCookie !== null && cookieLength > 0) {
    const { head } = seg.packet!;
    cookies.set(tcb.remote, tcb.local, head.slice(cookieAt, cookieAt + cookieLength), tcb.peerMss);
  }
  tcb.synCookie = null;
  if (tcb.synData === 0) return;
  const first = advance(tcb.iss, 1);
  const taken = distance(seg.ack, first);
  if (taken >= tcb.synData) {
    tcb.synDataAcked = true;
    counters.TCPFastOpenActive++;
    return;
  }
  counters.TCPFastOpenActiveFail++;
  tcb.fastOpenFail = tcb.retransmits > 0 ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
  tcb.board.clear();
  if (taken > 0) tcb.board.add(new Sent(first, seg.ack, tcb.deliveredNs));
  tcb.nxt = seg.ack;
}
