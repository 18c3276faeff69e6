// Challenge ACKs (RFC 5961): who could be blind is asked to prove that it sees our sequence numbers; and their rates.

import type { Segment } from './segment.ts';
import { FIN, SYN } from './segment.ts';
import type { Tcb, TcpHost } from './tcb.ts';
import { sendAck } from './transmit.ts';

/** The stack's own rate (RFC 5961, section 7): about tcp_challenge_ack_limit a second, unevenly, so that nobody can count by it (CVE-2016-5696). */
export class ChallengeLimit {
  private secondNs = Number.NEGATIVE_INFINITY;
  private left = 0;

  /** One more: may it go? `word` is random. */
  allows(limit: number, nowNs: number, word: number): boolean {
    if (nowNs - this.secondNs >= 1e9) {
      this.secondNs = nowNs;
      const half = (limit + 1) >>> 1;
      this.left = half + (limit === 0 ? 0 : word % Math.max(1, limit));
    }
    if (this.left <= 0) return false;
    this.left--;
    return true;
  }
}

/** A connection without a Tcb: when something was answered that may be part of a loop. */
export interface Answering {
  invalidNs: number;
}

/** May this be answered? Data and FIN always; what somebody sends only because something was sent, once in tcp_invalid_ratelimit ms. */
export function breaksLoop(host: TcpHost, to: Answering, seg: Segment, nowNs: number): boolean {
  if (!(seg.flags & SYN) && (seg.length > 0 || seg.flags & FIN)) return true;
  if (nowNs - to.invalidNs < host.sysctl.tcp_invalid_ratelimit * 1e6) return false;
  to.invalidNs = nowNs;
  return true;
}

/** An answer to what cannot be of the peer, or is old: once in tcp_invalid_ratelimit ms a connection. */
export function answerInvalid(tcb: Tcb, nowNs: number): void {
  if (!mayAnswer(tcb, nowNs)) return;
  sendAck(tcb, nowNs);
}

/** RFC 5961, sections 3.2, 4.2 and 5.2. */
export function challenge(tcb: Tcb, nowNs: number): void {
  if (!mayAnswer(tcb, nowNs) || !tcb.host.challenge(nowNs)) return;
  tcb.host.counters.TCPChallengeACK++;
  sendAck(tcb, nowNs);
}

function mayAnswer(tcb: Tcb, nowNs: number): boolean {
  if (nowNs - tcb.lastChallengeNs < tcb.host.sysctl.tcp_invalid_ratelimit * 1e6) return false;
  tcb.lastChallengeNs = nowNs;
  return true;
}
