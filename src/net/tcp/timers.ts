// What happens when time has passed: retransmission (RFC 6298), loss probe (RFC 8985), persist (RFC 9293, section 3.8.6.1), delayed
// ACK, keep-alive (section 3.8.4), FIN-WAIT-2, user timeout (RFC 5482), linger. An idle connection has none of them armed but keep-alive.

import { ETIMEDOUT } from '../../abi/errno.ts';
import { POLLHUP } from '../../abi/events/poll.ts';
import { TCP_CLOSE, TCP_FIN_WAIT2, TCP_SYN_RECV, TCP_SYN_SENT } from '../../abi/net/tcp.ts';
import { abort, fail, finish } from './life.ts';
import { suspectBlackHole } from './mtu_search.ts';
import { enterLoss, reorderTimeout, retransmit, retransmitFirst, retransmitLast } from './recovery.ts';
import { backedOff, RTO_MAX_NS, RTO_MIN_NS } from './rto.ts';
import { advance, distance } from './seq.ts';
import { armAfterSend, push, sendSmall } from './snd.ts';
import type { Tcb } from './tcb.ts';
import {
  MODE_NONE,
  MODE_PROBE,
  MODE_REORDER,
  MODE_RTO,
  MODE_TLP,
  TIMER_DELACK,
  TIMER_KEEPALIVE,
  TIMER_LINGER,
  TIMER_PACE,
  TIMER_RETRANSMIT,
} from './tcb.ts';
import { sendAck, sendProbe, sendSyn, syncMss } from './transmit.ts';

/** One of a connection's timers fired. */
export function onConnectionTimer(tcb: Tcb, cookie: number, nowNs: number): void {
  if (cookie === TIMER_RETRANSMIT) {
    const mode = tcb.mode;
    tcb.mode = MODE_NONE;
    if (mode === MODE_RTO) retransmissionTimeout(tcb, nowNs);
    else if (mode === MODE_REORDER) reorderTimeout(tcb, nowNs);
    else if (mode === MODE_TLP) lossProbe(tcb, nowNs);
    else if (mode === MODE_PROBE) windowProbe(tcb, nowNs);
  } else if (cookie === TIMER_DELACK) {
    if (!tcb.ackPending) return;
    // A wait that nothing came of: this is no conversation.
    tcb.pingPong = false;
    sendAck(tcb, nowNs);
  } else if (cookie === TIMER_KEEPALIVE) keepAlive(tcb, nowNs);
  else if (cookie === TIMER_PACE) {
    const { board } = tcb;
    if (board.missingBytes > 0) retransmit(tcb, tcb.cong.cwnd - tcb.pipe, nowNs);
    push(tcb, nowNs);
  } else if (cookie === TIMER_LINGER) {
    tcb.lingering = false;
    tcb.tell(POLLHUP);
    tcb.owner = null;
  }
}

/** How long `retries` timeouts with doubling take, beginning with the least: what tcp_retries2 means (ip-sysctl). */
function timeoutOf(retries: number): number {
  const doublings = Math.floor(Math.log2(RTO_MAX_NS / RTO_MIN_NS));
  if (retries <= doublings) return (2 ** (retries + 1) - 1) * RTO_MIN_NS;
  return (2 ** (doublings + 1) - 1) * RTO_MIN_NS + (retries - doublings) * RTO_MAX_NS;
}

/** RFC 9293, section 3.8.3: has it been tried long enough? */
function givesUp(tcb: Tcb, nowNs: number): boolean {
  const { options, host } = tcb;
  const { sysctl } = host;
  if (tcb.state === TCP_SYN_SENT) return tcb.retransmits >= (options.synCnt || sysctl.tcp_syn_retries);
  if (tcb.state === TCP_SYN_RECV || tcb.fastOpen !== null)
    return tcb.retransmits >= (options.synCnt || sysctl.tcp_synack_retries);
  if (tcb.retransmitNs === 0) return false;
  const spent = nowNs - tcb.retransmitNs;
  if (options.userTimeoutMs > 0) return spent >= options.userTimeoutMs * 1e6;
  return spent >= timeoutOf(tcb.orphan ? sysctl.tcp_orphan_retries : sysctl.tcp_retries2);
}

function retransmissionTimeout(tcb: Tcb, nowNs: number): void {
  if (tcb.flight === 0) return;
  if (givesUp(tcb, nowNs)) {
    tcb.host.counters.TCPAbortOnTimeout++;
    fail(tcb, tcb.softError || ETIMEDOUT);
    return;
  }
  tcb.host.counters.TCPTimeouts++;
  if (tcb.retransmitNs === 0) tcb.retransmitNs = nowNs;
  if (tcb.state === TCP_SYN_SENT || tcb.state === TCP_SYN_RECV || tcb.fastOpen !== null) {
    tcb.retransmits++;
    tcb.totalRetrans++;
    tcb.host.counters.RetransSegs++;
    sendSyn(tcb, nowNs);
  } else {
    if (nowNs - tcb.retransmitNs >= timeoutOf(tcb.host.sysctl.tcp_retries1) && suspectBlackHole(tcb))
      syncMss(tcb);
    enterLoss(tcb, nowNs);
    tcb.retransmits++;
    retransmitFirst(tcb, nowNs);
  }
  tcb.backoff++;
  let deadline = nowNs + backedOff(tcb.rtt.rtoNs, tcb.backoff);
  if (tcb.options.userTimeoutMs > 0)
    deadline = Math.min(deadline, Math.max(nowNs + 1e6, tcb.retransmitNs + tcb.options.userTimeoutMs * 1e6));
  tcb.setRetransmit(MODE_RTO, deadline);
}

/** RFC 8985, section 7.3: new data if there is room for it, else the last segment. */
function lossProbe(tcb: Tcb, nowNs: number): void {
  if (tcb.flight === 0) return;
  tcb.host.counters.TCPLossProbes++;
  tcb.tlpRetransmit = false;
  const dataLeft = distance(tcb.bufEnd, tcb.nxt);
  const window = distance(advance(tcb.una, tcb.wnd), tcb.nxt);
  if (dataLeft <= 0 || window < Math.min(dataLeft, tcb.mss) || !sendSmall(tcb, nowNs)) {
    tcb.tlpRetransmit = true;
    retransmitLast(tcb, nowNs);
  }
  tcb.tlpPending = true;
  tcb.tlpEnd = tcb.nxt;
  armAfterSend(tcb, nowNs);
}

/** The persist timer. */
function windowProbe(tcb: Tcb, nowNs: number): void {
  if (tcb.flight > 0 || tcb.nxt === tcb.sendEnd) {
    tcb.probesOut = 0;
    return;
  }
  const { options, host } = tcb;
  const overdue =
    options.userTimeoutMs > 0 &&
    tcb.probeSinceNs > 0 &&
    nowNs - tcb.probeSinceNs >= options.userTimeoutMs * 1e6;
  const most = tcb.orphan ? host.sysctl.tcp_orphan_retries : host.sysctl.tcp_retries2;
  if (overdue || tcb.probesOut >= most) {
    host.counters.TCPAbortOnTimeout++;
    fail(tcb, tcb.softError || ETIMEDOUT);
    return;
  }
  if (sendSmall(tcb, nowNs)) return;
  sendProbe(tcb, nowNs);
  tcb.probesOut++;
  tcb.backoff++;
  tcb.setRetransmit(MODE_PROBE, nowNs + backedOff(Math.max(RTO_MIN_NS, tcb.rtt.rtoNs), tcb.backoff));
}

export function keepIdleNs(tcb: Tcb): number {
  return (tcb.options.keepIdleS || tcb.host.sysctl.tcp_keepalive_time) * 1e9;
}

/** Arms keep-alive for a connection that has it. */
export function armKeepAlive(tcb: Tcb, nowNs: number): void {
  if (tcb.options.keepAlive) tcb.host.clock.arm(tcb.keepTimer, nowNs + keepIdleNs(tcb));
}

function keepAlive(tcb: Tcb, nowNs: number): void {
  const { options, host } = tcb;
  if (tcb.state === TCP_FIN_WAIT2 && tcb.orphan) {
    finish(tcb, 0);
    return;
  }
  if (!options.keepAlive || tcb.state === TCP_CLOSE || tcb.state === TCP_SYN_SENT) return;
  const idleNs = keepIdleNs(tcb);
  let next = idleNs;
  // What is under way has the retransmission timer.
  if (tcb.flight === 0 && tcb.nxt === tcb.sendEnd) {
    const quiet = nowNs - Math.max(tcb.lastDataRecvNs, tcb.lastAckRecvNs);
    if (quiet < idleNs) next = idleNs - quiet;
    else {
      const over =
        options.userTimeoutMs > 0
          ? quiet >= options.userTimeoutMs * 1e6 && tcb.probesOut > 0
          : tcb.probesOut >= (options.keepCnt || host.sysctl.tcp_keepalive_probes);
      if (over) {
        abort(tcb, ETIMEDOUT, nowNs);
        return;
      }
      sendProbe(tcb, nowNs);
      tcb.probesOut++;
      next = (options.keepIntvlS || host.sysctl.tcp_keepalive_intvl) * 1e9;
    }
  }
  host.clock.arm(tcb.keepTimer, nowNs + next);
}
