// A segment arrives at a connection: RFC 9293, section 3.10.7, in its order, with RFC 5961 and RFC 7323.

import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../abi/events/poll.ts';
import {
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_LAST_ACK,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
} from '../../abi/net/tcp.ts';
import { answerInvalid, challenge } from './challenge.ts';
import { acknowledgeLater, duplicate, receiveData } from './data.ts';
import { ecnAccepts } from './ecn.ts';
import { synAnswered } from './fastopen_client.ts';
import { finish, leaveFastOpen, resetByPeer, setState } from './life.ts';
import { beginSearch } from './mtu_search.ts';
import { enterQuickAck, inWindow } from './rcv.ts';
import { acknowledged, growSendBuffer } from './recovery.ts';
import type { Segment } from './segment.ts';
import { ACK, CWR, ECE, FIN, RST, SYN } from './segment.ts';
import { advance, after, before, between } from './seq.ts';
import { armAfterSend, initialWindow, push } from './snd.ts';
import type { Tcb } from './tcb.ts';
import { MODE_RTO, RCV_SHUTDOWN } from './tcb.ts';
import { armKeepAlive } from './timers.ts';
import { refreshPath, sendAck, sendBare, sendSyn, syncMss } from './transmit.ts';

export const TIME_WAIT_NS = 60e9;
/** RFC 7323, section 5.5: a timestamp that old says nothing. */
const PAWS_IDLE_MS = 24 * 24 * 3600 * 1000;

/** A segment for a connection that is not listening. */
export function segmentArrived(tcb: Tcb, seg: Segment, nowNs: number): void {
  tcb.segsIn++;
  if (tcb.state === TCP_SYN_SENT) {
    inSynSent(tcb, seg, nowNs);
    return;
  }
  if (tcb.state === TCP_CLOSE) return;
  if (tcb.fastOpen !== null && (seg.flags & (SYN | ACK | RST)) === SYN && seg.seq === tcb.irs) {
    // The SYN that it began with once more: so is the answer.
    sendSyn(tcb, nowNs);
    return;
  }
  if (!acceptable(tcb, seg, nowNs)) return;
  // Fourth check: ACK; nothing without it is of a connection.
  if (!(seg.flags & ACK)) return;
  if (!takeAck(tcb, seg, nowNs)) return;
  let events = 0;
  if (tcb.state === TCP_ESTABLISHED || tcb.state === TCP_FIN_WAIT1 || tcb.state === TCP_FIN_WAIT2) {
    if (tcb.state !== TCP_ESTABLISHED && dataAfterClose(tcb, seg)) {
      tcb.host.counters.TCPAbortOnData++;
      replyReset(tcb, seg);
      resetByPeer(tcb);
      return;
    }
    const had = tcb.finReceived;
    events = receiveData(tcb, seg, nowNs);
    if (!had && tcb.finReceived && tcb.state === TCP_FIN_WAIT2) {
      sendAck(tcb, nowNs);
      finish(tcb, TIME_WAIT_NS);
      return;
    }
  } else if (seg.length > 0 || seg.flags & FIN) {
    // Only what was there before can come now.
    duplicate(tcb, seg.seq, advance(seg.seq, seg.length));
  }
  push(tcb, nowNs);
  acknowledgeLater(tcb, nowNs);
  if (events !== 0) tcb.tell(events);
}

/** First to third check: sequence, RST, SYN. */
function acceptable(tcb: Tcb, seg: Segment, nowNs: number): boolean {
  const { options } = seg;
  if (tcb.timestamps && options.hasTimestamps) {
    const nowMs = Math.floor(nowNs / 1e6);
    // RFC 7323, section 5.3, R1: an old duplicate; a reset is judged by its sequence number alone.
    if (
      before(options.tsValue, tcb.tsRecent) &&
      nowMs - tcb.tsRecentMs < PAWS_IDLE_MS &&
      !(seg.flags & RST)
    ) {
      tcb.host.counters.PAWSEstab++;
      outside(tcb, seg, nowNs);
      return false;
    }
  }
  if (!inWindow(tcb, seg.seq, seg.end)) {
    if (seg.flags & RST) return false;
    if (seg.flags & SYN) challenge(tcb, nowNs);
    else outside(tcb, seg, nowNs);
    return false;
  }
  if (seg.flags & RST) {
    // RFC 5961, section 3.2: exact, or asked to be.
    if (seg.seq === tcb.rcvNxt || (tcb.finReceived && seg.seq === advance(tcb.rcvNxt, -1))) resetByPeer(tcb);
    else challenge(tcb, nowNs);
    return false;
  }
  if (seg.flags & SYN) {
    // The other side of a simultaneous open sends its SYN|ACK.
    if (tcb.state === TCP_SYN_RECV && seg.flags & ACK && seg.seq === tcb.irs) return true;
    challenge(tcb, nowNs);
    return false;
  }
  // RFC 7323, section 4.3, (2).
  if (tcb.timestamps && options.hasTimestamps && !after(seg.seq, tcb.rcvWup)) {
    tcb.tsRecent = options.tsValue;
    tcb.tsRecentMs = Math.floor(nowNs / 1e6);
  }
  return true;
}

/** Not acceptable: an ACK tells where we are; for bare ones at a limited rate, so that two ends do not answer each other for ever. */
function outside(tcb: Tcb, seg: Segment, nowNs: number): void {
  if (seg.length === 0 && !(seg.flags & FIN)) {
    answerInvalid(tcb, nowNs);
    return;
  }
  if (before(seg.seq, tcb.rcvNxt)) duplicate(tcb, seg.seq, advance(seg.seq, seg.length));
  sendAck(tcb, nowNs);
}

/** Fifth check; false when the segment is dropped. */
function takeAck(tcb: Tcb, seg: Segment, nowNs: number): boolean {
  const { ack } = seg;
  if (tcb.state === TCP_SYN_RECV || tcb.fastOpen !== null) {
    if (!between(ack, advance(tcb.iss, 1), tcb.nxt)) {
      replyReset(tcb, seg);
      return false;
    }
    established(tcb, seg, nowNs);
    leaveFastOpen(tcb, false);
    tcb.tell(POLLOUT | POLLWRNORM);
  }
  if (after(ack, tcb.nxt)) {
    challenge(tcb, nowNs);
    return false;
  }
  if (before(ack, tcb.una)) {
    // RFC 5961, section 5.2: older than any that could be under way.
    if (before(ack, advance(tcb.una, -Math.min(tcb.maxWnd, 0x7fffffff)))) {
      challenge(tcb, nowNs);
      return false;
    }
    return true;
  }
  acknowledged(tcb, seg, nowNs);
  if (!tcb.finQueued || tcb.una !== tcb.sendEnd) return true;
  // Our FIN is acknowledged.
  if (tcb.state === TCP_FIN_WAIT1) {
    setState(tcb, TCP_FIN_WAIT2);
    finWait2(tcb, nowNs);
    if (tcb.lingering) lingerOver(tcb);
  } else if (tcb.state === TCP_CLOSING) {
    finish(tcb, TIME_WAIT_NS);
    return false;
  } else if (tcb.state === TCP_LAST_ACK) {
    finish(tcb, 0);
    return false;
  }
  return true;
}

/** All is sent: a close that waited for it is done. */
export function lingerOver(tcb: Tcb): void {
  tcb.lingering = false;
  tcb.host.clock.cancel(tcb.lingerTimer);
  tcb.tell(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP);
  tcb.owner = null;
}

/** Nobody reads any more: the peer has tcp_fin_timeout to end, too (tcp(7)). */
export function finWait2(tcb: Tcb, nowNs: number): void {
  if (!tcb.orphan) return;
  const { linger2S } = tcb.options;
  if (linger2S < 0) {
    finish(tcb, 0);
    return;
  }
  tcb.host.clock.arm(tcb.keepTimer, nowNs + (linger2S || tcb.host.sysctl.tcp_fin_timeout) * 1e9);
}

/** New data for a socket that reads no more (RFC 9293, section 3.6.1: a reset tells that it was lost). */
function dataAfterClose(tcb: Tcb, seg: Segment): boolean {
  if (!(tcb.shutdown & RCV_SHUTDOWN) || tcb.finReceived) return false;
  return seg.length > 0 && after(advance(seg.seq, seg.length), tcb.rcvNxt);
}

/** A reset for this segment (RFC 9293, section 3.10.7.1). */
function replyReset(tcb: Tcb, seg: Segment): void {
  if (seg.flags & RST || refreshPath(tcb) < 0) return;
  const withAck = (seg.flags & ACK) !== 0;
  sendBare(
    tcb.host,
    tcb.path!,
    tcb.local,
    tcb.localPort,
    tcb.remote,
    tcb.remotePort,
    withAck ? seg.ack : 0,
    withAck ? 0 : seg.end,
    withAck ? RST : RST | ACK,
    0,
    false,
    0,
    0,
    tcb.options.tos,
  );
}

/** RFC 9293, section 3.10.7.3. */
function inSynSent(tcb: Tcb, seg: Segment, nowNs: number): void {
  const hasAck = (seg.flags & ACK) !== 0;
  if (hasAck && !between(seg.ack, advance(tcb.iss, 1), tcb.nxt)) {
    replyReset(tcb, seg);
    return;
  }
  if (seg.flags & RST) {
    if (hasAck) resetByPeer(tcb);
    return;
  }
  if (!(seg.flags & SYN)) return;
  // RFC 7323, section 3.2: an echo of what we never sent.
  if (hasAck && seg.options.hasTimestamps && tcb.host.sysctl.tcp_timestamps !== 0) {
    const age = tcb.timestamp(nowNs) - seg.options.tsEcho;
    if ((age | 0) < 0) {
      replyReset(tcb, seg);
      return;
    }
  }
  peerSyn(tcb, seg, nowNs, true);
  const ask = tcb.host.sysctl.tcp_ecn === 1;
  if (hasAck) {
    tcb.ecn = ask && (seg.flags & (ECE | CWR)) === ECE;
    synAnswered(tcb, seg);
    established(tcb, seg, nowNs);
    if (tcb.synData > 0 && seg.ack !== tcb.una) acknowledged(tcb, seg, nowNs);
    enterQuickAck(tcb, 16);
    sendAck(tcb, nowNs);
    tcb.tell(POLLOUT | POLLWRNORM);
    push(tcb, nowNs);
    return;
  }
  // Both ends asked at the same time (section 3.5, figure 8).
  tcb.ecn = ecnAccepts(seg.flags, tcb.host.sysctl.tcp_ecn);
  setState(tcb, TCP_SYN_RECV);
  sendSyn(tcb, nowNs);
  tcb.setRetransmit(MODE_RTO, nowNs + tcb.rtt.rtoNs);
}

/** What the peer's SYN says; `asked`: an option counts only when we had it, too. */
export function peerSyn(tcb: Tcb, seg: Segment, nowNs: number, asked: boolean): void {
  const { sysctl } = tcb.host;
  const o = seg.options;
  tcb.irs = seg.seq;
  tcb.rcvNxt = advance(seg.seq, 1);
  tcb.copied = tcb.rcvNxt;
  tcb.rcvWup = tcb.rcvNxt;
  tcb.tuneSeq = tcb.rcvNxt;
  tcb.tuneNs = nowNs;
  // RFC 9293, section 3.7.1: without the option the default.
  tcb.peerMss = o.mss > 0 ? Math.max(o.mss, sysctl.tcp_min_snd_mss) : tcb.remote.isV4 ? 536 : 1220;
  tcb.timestamps = asked && o.hasTimestamps && sysctl.tcp_timestamps !== 0;
  if (tcb.timestamps) {
    tcb.tsRecent = o.tsValue;
    tcb.tsRecentMs = Math.floor(nowNs / 1e6);
  }
  tcb.sackOk = o.sackPermitted && sysctl.tcp_sack !== 0;
  tcb.scaling = o.windowShift >= 0 && sysctl.tcp_window_scaling !== 0;
  tcb.sndShift = tcb.scaling ? o.windowShift : 0;
  if (!tcb.scaling) tcb.rcvShift = 0;
  // The window of a SYN is not scaled (RFC 7323, section 2.2).
  tcb.wnd = seg.window;
  tcb.wl1 = seg.seq;
  tcb.wl2 = seg.ack;
  tcb.maxWnd = seg.window;
  syncMss(tcb);
}

/** The handshake is over: first windows (RFC 6928), timers, the measured round trip. */
export function established(tcb: Tcb, seg: Segment, nowNs: number): void {
  const wasSynRecv = tcb.state !== TCP_SYN_SENT;
  // With Fast Open it may be closed already.
  if (tcb.state !== TCP_FIN_WAIT1) setState(tcb, TCP_ESTABLISHED);
  tcb.clearRetransmit();
  if (tcb.retransmits === 0) {
    if (tcb.deliveredNs > 0) tcb.rtt.sample(nowNs - tcb.deliveredNs, nowNs);
  } else tcb.rtt.rtoNs = Math.max(tcb.rtt.rtoNs, 3e9);
  tcb.una = advance(tcb.iss, 1);
  if (before(tcb.nxt, tcb.una)) tcb.nxt = tcb.una;
  tcb.bufSeq = tcb.una;
  tcb.smallEnd = tcb.una;
  tcb.pushEnd = tcb.una;
  tcb.cwndLimitedEnd = tcb.una;
  tcb.highSeq = tcb.una;
  tcb.cong.roundEnd = tcb.una;
  tcb.wnd = wasSynRecv ? seg.window * 2 ** tcb.sndShift : seg.window;
  tcb.wl1 = seg.seq;
  tcb.wl2 = seg.ack;
  tcb.maxWnd = Math.max(tcb.maxWnd, tcb.wnd);
  beginSearch(tcb);
  syncMss(tcb);
  // RFC 6298, section 5.7, and RFC 5681: after a lost SYN one segment.
  tcb.cong.cwnd = tcb.retransmits > 1 ? tcb.mss : initialWindow(tcb.mss);
  tcb.cong.rttNs = tcb.rtt.smoothedNs;
  tcb.backoff = 0;
  tcb.retransmits = 0;
  tcb.retransmitNs = 0;
  tcb.deliveredNs = nowNs;
  tcb.lastAckRecvNs = nowNs;
  tcb.rcvMss = Math.min(tcb.advMss, 536);
  if (tcb.path?.local === true) tcb.rcvMss = tcb.advMss;
  // Less than the window, so that a peer that fills it makes it grow.
  tcb.tuneSpace = Math.min(tcb.rcvWnd >> 1, 10 * tcb.advMss);
  growSendBuffer(tcb);
  armKeepAlive(tcb, nowNs);
  // What Fast Open sent before is under way.
  if (tcb.flight > 0) armAfterSend(tcb, nowNs);
}

/** Sends the FIN that shutdown or close asks for (RFC 9293, section 3.10.4). */
export function queueFin(tcb: Tcb, nowNs: number): void {
  if (tcb.state === TCP_ESTABLISHED || tcb.state === TCP_SYN_RECV) setState(tcb, TCP_FIN_WAIT1);
  else if (tcb.state === TCP_CLOSE_WAIT) setState(tcb, TCP_LAST_ACK);
  else return;
  tcb.finQueued = true;
  tcb.more = false;
  push(tcb, nowNs);
}
