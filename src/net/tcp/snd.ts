// When new data goes out: what window and congestion allow, no silly segments, and Nagle's and the cork's wait
// (RFC 9293, sections 3.7.4 and 3.8.6; Minshall's variant of Nagle as in Linux).

import { probeEnd } from './mtu_search.ts';
import { paced, paused, pieceOf } from './pacing.ts';
import { stampSent } from './rate.ts';
import { backedOff } from './rto.ts';
import { Sent } from './sack.ts';
import { advance, after, distance } from './seq.ts';
import type { Tcb } from './tcb.ts';
import { MODE_NONE, MODE_PROBE, MODE_RTO, MODE_TLP } from './tcb.ts';
import { currentMss, largestSegment, sendRange } from './transmit.ts';

/** Sends what may be sent; `push` when what is last may go although it is small. */
export function push(tcb: Tcb, nowNs: number): void {
  const end = tcb.sendEnd;
  if (tcb.nxt !== end) {
    if (tcb.flight === 0) restartAfterIdle(tcb, nowNs);
    sendNew(tcb, end, nowNs);
  }
  if (tcb.nxt !== end) armProbe(tcb, nowNs);
}

/** RFC 5681, section 4.1: a window that was not used for a timeout is not what the path has now. */
function restartAfterIdle(tcb: Tcb, nowNs: number): void {
  if (tcb.cc.models) {
    tcb.cc.restarted(tcb.cong, nowNs);
    return;
  }
  if (tcb.lastDataSentNs === 0 || nowNs - tcb.lastDataSentNs <= tcb.rtt.rtoNs) return;
  if (tcb.host.sysctl.tcp_slow_start_after_idle === 0 || tcb.path?.local === true) return;
  const start = initialWindow(tcb.mss);
  if (tcb.cong.cwnd <= start) return;
  tcb.cong.ssthresh = Math.max(tcb.cong.ssthresh, tcb.cong.cwnd * 0.75);
  tcb.cong.cwnd = Math.max(
    start,
    tcb.cong.cwnd / 2 ** Math.floor((nowNs - tcb.lastDataSentNs) / tcb.rtt.rtoNs),
  );
}

/** RFC 6928: ten segments. */
export function initialWindow(mss: number): number {
  return 10 * mss;
}

function sendNew(tcb: Tcb, end: number, nowNs: number): void {
  let mss = currentMss(tcb);
  let most = pieceOf(tcb, mss, largestSegment(tcb, mss));
  let room = tcb.cong.cwnd - tcb.pipe;
  let sent = false;
  if (tcb.search !== null) {
    const probe = probeEnd(tcb, tcb.search, mss, nowNs);
    if (probe !== 0) {
      room -= distance(probe, tcb.nxt);
      sendFresh(tcb, probe, false, nowNs);
      sent = true;
    }
  }
  let limited = false;
  while (tcb.nxt !== end) {
    const dataLeft = distance(tcb.bufEnd, tcb.nxt);
    const window = distance(advance(tcb.una, tcb.wnd), tcb.nxt);
    if (window <= 0 || paused(tcb, nowNs)) break;
    let n = 0;
    if (dataLeft > 0) {
      const full = Math.min(mss, dataLeft);
      // Whatever the congestion window says after a loss, one segment may go when none is under way.
      if (room < full && tcb.flight > 0) {
        limited = true;
        break;
      }
      n = Math.min(dataLeft, window, most, Math.max(room, full));
      if (n < dataLeft) {
        if (n >= mss) n -= n % mss;
        // RFC 9293, section 3.8.6.2.1: a piece only when it is half of the largest window.
        else if (n < tcb.maxWnd / 2) break;
      } else if (n % mss !== 0 && !maySendSmall(tcb)) {
        n -= n % mss;
        if (n === 0) break;
      }
    }
    const to = n === dataLeft && window > n ? end : advance(tcb.nxt, n);
    const pushed = to === tcb.bufEnd || to === end || after(to, advance(tcb.pushEnd, tcb.maxWnd >> 1));
    if (pushed) tcb.pushEnd = to;
    if (n % mss !== 0) tcb.smallEnd = to;
    const size = distance(to, tcb.nxt);
    room -= size;
    paced(tcb, size, nowNs);
    const r = sendFresh(tcb, to, pushed, nowNs);
    sent = true;
    if (r < 0) {
      if (tcb.path === null) break;
      mss = currentMss(tcb);
      most = pieceOf(tcb, mss, largestSegment(tcb, mss));
    }
  }
  // RFC 7661 as Linux: in slow start half of the window in use is enough to let it grow.
  if (limited || (sent && tcb.cong.cwnd < tcb.cong.ssthresh && tcb.flight * 2 > tcb.cong.cwnd)) {
    tcb.cong.limited = true;
    tcb.cwndLimitedEnd = tcb.nxt;
  }
  if (sent) armAfterSend(tcb, nowNs);
}

/** Sends [nxt, to) for the first time. */
function sendFresh(tcb: Tcb, to: number, pushed: boolean, nowNs: number): number {
  const seq = tcb.nxt;
  const sent = new Sent(seq, to, nowNs);
  stampSent(tcb, sent, nowNs);
  tcb.board.add(sent);
  tcb.nxt = to;
  tcb.prr.sent += distance(to, seq);
  return sendRange(tcb, seq, to, pushed, true, nowNs);
}

/** May a segment below the MSS go now? */
function maySendSmall(tcb: Tcb): boolean {
  if (tcb.finQueued) return true;
  if (tcb.urgentPending && after(tcb.urgentEnd, tcb.nxt)) return true;
  if (tcb.options.cork || tcb.more) return false;
  return tcb.options.noDelay || !after(tcb.smallEnd, tcb.una);
}

/** RFC 8985, section 7.2: the probe timeout, when nothing is being repaired; else the retransmission timeout. */
export function armAfterSend(tcb: Tcb, nowNs: number): void {
  if (tcb.flight === 0) {
    tcb.clearRetransmit();
    return;
  }
  const rto = nowNs + backedOff(tcb.rtt.rtoNs, tcb.backoff);
  const mayProbe =
    tcb.sackOk &&
    tcb.caState === 0 &&
    tcb.board.sackedBytes === 0 &&
    !tcb.tlpPending &&
    tcb.rtt.smoothedNs > 0 &&
    tcb.host.sysctl.tcp_early_retrans >= 3;
  if (mayProbe) {
    let pto = 2 * tcb.rtt.smoothedNs;
    // The peer may wait before it acknowledges a single segment.
    pto += tcb.flight <= tcb.mss ? 200e6 : 2e6;
    if (nowNs + pto < rto) {
      tcb.setRetransmit(MODE_TLP, nowNs + pto);
      return;
    }
  }
  tcb.setRetransmit(MODE_RTO, rto);
}

/** Nothing is under way and something waits: for the window, or for the cork (RFC 9293, section 3.8.6.1). */
function armProbe(tcb: Tcb, nowNs: number): void {
  if (tcb.flight > 0 || tcb.mode !== MODE_NONE || tcb.paceTimer.armed) return;
  if (tcb.probeSinceNs === 0) tcb.probeSinceNs = nowNs;
  tcb.setRetransmit(MODE_PROBE, nowNs + backedOff(Math.max(200e6, tcb.rtt.rtoNs), tcb.backoff));
}

/** The persist timer's attempt: a segment as small as the window has it; false when the window is shut. */
export function sendSmall(tcb: Tcb, nowNs: number): boolean {
  const window = distance(advance(tcb.una, tcb.wnd), tcb.nxt);
  if (tcb.nxt === tcb.sendEnd || window <= 0) return false;
  const dataLeft = distance(tcb.bufEnd, tcb.nxt);
  const n = Math.min(dataLeft, window, currentMss(tcb));
  const to = n === dataLeft && window > n ? tcb.sendEnd : advance(tcb.nxt, n);
  tcb.smallEnd = to;
  sendFresh(tcb, to, true, nowNs);
  armAfterSend(tcb, nowNs);
  return true;
}
