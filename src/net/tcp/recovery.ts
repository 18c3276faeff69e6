// Acknowledgments: what they free, how they move the windows, and how losses are found and repaired (RFC 5681, RFC 6675, RFC 6582,
// RFC 8985, RFC 6937, RFC 3522).

import { POLLOUT, POLLWRNORM } from '../../abi/events/poll.ts';
import { TCP_CA_CWR, TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from '../../abi/net/tcp.ts';
import { RateSample } from './congestion.ts';
import { hystart } from './cubic.ts';
import { ecnEchoed } from './ecn.ts';
import { probeArrived, probeLost } from './mtu_search.ts';
import { paced, paused, pieceOf } from './pacing.ts';
import { rackDetect, rackRecovered, rackUpdate } from './rack.ts';
import { sampleRate, stampSent } from './rate.ts';
import type { Sent } from './sack.ts';
import { AckResult, LOST, RETRANSMITTED, SACKED } from './sack.ts';
import type { Segment } from './segment.ts';
import { SYN } from './segment.ts';
import { advance, after, before, distance } from './seq.ts';
import { armAfterSend } from './snd.ts';
import type { Tcb } from './tcb.ts';
import { MODE_PROBE, MODE_REORDER } from './tcb.ts';
import { currentMss, largestSegment, sendRange, syncMss } from './transmit.ts';

const result = new AckResult();
const sample = new RateSample();

/** Room in the send buffer that is worth a wake-up: a third of it (as sk_stream_is_writeable). */
export function writable(tcb: Tcb): boolean {
  const queued = tcb.buffer.length;
  if (queued + (queued >> 1) > tcb.options.sndBuf) return false;
  const lowat = tcb.options.notSentLowat > 0 ? tcb.options.notSentLowat : tcb.host.sysctl.tcp_notsent_lowat;
  return distance(tcb.bufEnd, tcb.nxt) < lowat;
}

/** The state in which the window is no longer cut: everything that was under way when it began is acknowledged. */
function leave(tcb: Tcb): void {
  if (tcb.caState >= TCP_CA_Recovery) rackRecovered(tcb);
  if ((tcb.caState === TCP_CA_Recovery || tcb.caState === TCP_CA_CWR) && !tcb.cc.models)
    tcb.cong.cwnd = Math.max(tcb.cong.ssthresh, 2 * tcb.mss);
  tcb.caState = TCP_CA_Open;
  tcb.retransmitTs = 0;
  tcb.dupAcks = 0;
}

/** Fast recovery begins (RFC 6675, section 5; RFC 6937, section 3), or the answer to an ECN echo. */
function reduce(tcb: Tcb, state: number, nowNs: number): void {
  const { cong } = tcb;
  tcb.highSeq = tcb.nxt;
  if (tcb.caState < TCP_CA_CWR) {
    cong.priorCwnd = cong.cwnd;
    cong.priorSsthresh = cong.ssthresh;
    cong.ssthresh = tcb.cc.reduced(cong, tcb.flight, nowNs);
    tcb.prr.begin(tcb.flight);
    tcb.ecnSendCwr = tcb.ecn;
  }
  tcb.caState = state;
  if (state === TCP_CA_Recovery) tcb.host.counters.TCPSackRecovery++;
}

/** The reduction was for nothing: the copy was not needed (RFC 4015). */
function undo(tcb: Tcb): void {
  const { cong } = tcb;
  tcb.board.unlose();
  if (cong.priorCwnd > 0) {
    cong.cwnd = Math.max(cong.cwnd, cong.priorCwnd);
    cong.ssthresh = Math.max(cong.ssthresh, cong.priorSsthresh);
  }
  cong.priorCwnd = 0;
  tcb.caState = TCP_CA_Open;
  tcb.retransmitTs = 0;
  tcb.backoff = 0;
}

/** A timeout: one segment, and slow start again (RFC 5681, section 3.1, step 5; RFC 6298, section 5.4). */
export function enterLoss(tcb: Tcb, nowNs: number): void {
  const { cong, board } = tcb;
  if (tcb.caState <= TCP_CA_Disorder || !before(tcb.una, tcb.highSeq)) {
    if (tcb.caState < TCP_CA_CWR) {
      cong.priorCwnd = cong.cwnd;
      cong.priorSsthresh = cong.ssthresh;
    }
    cong.ssthresh = tcb.cc.reduced(cong, tcb.flight, nowNs);
  }
  tcb.caState = TCP_CA_Loss;
  tcb.highSeq = tcb.nxt;
  tcb.dupAcks = 0;
  tcb.tlpPending = false;
  // The first record was acknowledged by a block and is asked for again: the peer threw it away (RFC 2018, section 8).
  const head = board.list[board.first];
  board.loseAll(head !== undefined && (head.marks & SACKED) !== 0);
  cong.cwnd = tcb.mss;
  tcb.ecnSendCwr = tcb.ecn;
}

/** Sends again what is lost, as far as the window allows. */
export function retransmit(tcb: Tcb, budget: number, nowNs: number): void {
  const { board } = tcb;
  let room = budget;
  const mss = currentMss(tcb);
  for (let i = board.first; i < board.list.length && room > 0 && board.missingBytes > 0; i++) {
    const sent = board.list[i]!;
    if ((sent.marks & (LOST | RETRANSMITTED | SACKED)) !== LOST) continue;
    if (paused(tcb, nowNs)) break;
    const n = resend(tcb, i, sent, pieceOf(tcb, mss, Math.max(mss, room - (room % mss))), nowNs);
    room -= n;
    paced(tcb, n, nowNs);
  }
}

/** Sends record i again, or its first part; the bytes. */
function resend(tcb: Tcb, i: number, sent: Sent, most: number, nowNs: number): number {
  const mss = currentMss(tcb);
  const limit = Math.min(most, largestSegment(tcb, mss));
  let n = distance(sent.end, sent.seq);
  // The window may have shrunk, or the MSS.
  if (n > limit + 1 || (n > limit && !after(sent.end, tcb.bufEnd))) {
    tcb.board.split(i, limit);
    n = limit;
  }
  tcb.board.resent(sent, nowNs);
  stampSent(tcb, sent, nowNs);
  // Whatever becomes of it, nothing is learnt (RFC 4821, section 7.6.4).
  if (tcb.search !== null) tcb.search.size = 0;
  if (tcb.retransmitTs === 0 && tcb.timestamps) tcb.retransmitTs = tcb.timestamp(nowNs) | 1;
  tcb.totalRetrans += Math.ceil(n / mss);
  tcb.bytesRetrans += n;
  tcb.host.counters.RetransSegs++;
  tcb.prr.sent += n;
  sendRange(tcb, sent.seq, sent.end, sent.end === tcb.sendEnd, false, nowNs);
  return n;
}

/** The oldest segment again: for a timeout, or NewReno. */
export function retransmitFirst(tcb: Tcb, nowNs: number): void {
  const { board } = tcb;
  for (let i = board.first; i < board.list.length; i++) {
    const sent = board.list[i]!;
    if (sent.marks & SACKED) continue;
    resend(tcb, i, sent, currentMss(tcb), nowNs);
    return;
  }
}

/** The last segment again: a loss probe (RFC 8985, section 7.3). */
export function retransmitLast(tcb: Tcb, nowNs: number): void {
  const { board } = tcb;
  let i = board.list.length - 1;
  if (i < board.first) return;
  const sent = board.list[i]!;
  const n = distance(sent.end, sent.seq);
  const mss = currentMss(tcb);
  if (n > mss) {
    board.split(i, n - (n % mss === 0 ? mss : n % mss));
    i++;
  }
  resend(tcb, i, board.list[i]!, mss, nowNs);
}

/** RFC 9293, section 3.10.7.4: SND.WND and what it came from. */
function updateWindow(tcb: Tcb, seg: Segment): boolean {
  if (!before(tcb.wl1, seg.seq) && (tcb.wl1 !== seg.seq || before(seg.ack, tcb.wl2))) return false;
  // The window of a SYN is not scaled (RFC 7323, section 2.2).
  const window = seg.flags & SYN ? seg.window : seg.window * 2 ** tcb.sndShift;
  const changed = window !== tcb.wnd;
  tcb.wnd = window;
  tcb.wl1 = seg.seq;
  tcb.wl2 = seg.ack;
  if (window > tcb.maxWnd) tcb.maxWnd = window;
  return changed;
}

/** The buffer follows the window of congestion, as long as the program has not said otherwise (tcp(7), tcp_wmem). */
export function growSendBuffer(tcb: Tcb): void {
  if (tcb.options.sndBufLocked) return;
  const want = Math.min(2 * Math.max(tcb.cong.cwnd, 10 * tcb.mss), tcb.host.sysctl.tcp_wmem[2]);
  if (want > tcb.options.sndBuf) tcb.options.sndBuf = want;
}

/** An acknowledgment within what was sent and not older than una: frees, measures, repairs. */
export function acknowledged(tcb: Tcb, seg: Segment, nowNs: number): void {
  const { board, options } = tcb;
  const priorUna = tcb.una;
  const ack = seg.ack;
  const wasFull = !writable(tcb);
  const priorFlight = tcb.flight;
  sample.priorPipe = tcb.pipe;
  const priorLost = board.lostEver;
  tcb.lastAckRecvNs = nowNs;
  tcb.probesOut = 0;
  result.clear();
  if (tcb.sackOk && seg.options.sackBlocks > 0)
    board.select(seg.options.sack, seg.options.sackBlocks, ack, priorUna, tcb.nxt, tcb.mss, nowNs, result);
  if (result.dsack) tcb.host.counters.TCPDSACKRecv++;
  const windowChanged = updateWindow(tcb, seg);
  const acked = distance(ack, priorUna);
  if (acked > 0) {
    board.acknowledge(ack, nowNs, result);
    tcb.una = ack;
    if (tcb.search !== null && probeArrived(tcb.search, ack)) syncMss(tcb);
    const n = Math.min(distance(ack, tcb.bufSeq), tcb.buffer.length);
    if (n > 0) {
      tcb.buffer.drop(n);
      tcb.bufSeq = advance(tcb.bufSeq, n);
      tcb.discharge(n);
      tcb.bytesAcked += n;
    }
    if (tcb.urgentPending && !before(ack, tcb.urgentEnd)) tcb.urgentPending = false;
    tcb.retransmits = 0;
    tcb.retransmitNs = 0;
    tcb.backoff = 0;
    tcb.softError = 0;
  } else if (
    !tcb.sackOk &&
    priorFlight > 0 &&
    seg.length === 0 &&
    !windowChanged &&
    acked === 0 &&
    (seg.flags & 3) === 0
  ) {
    tcb.dupAcks++;
  }
  if (result.rttNs >= 0) sampleRoundTrip(tcb, result.rttNs, nowNs);
  else if (acked > 0 && tcb.timestamps && seg.options.hasTimestamps && seg.options.tsEcho !== 0) {
    // Karn's ambiguity is none with timestamps (RFC 7323, section 4).
    const ms = distance(tcb.timestamp(nowNs), seg.options.tsEcho);
    if (ms >= 0 && ms < 300_000) tcb.rtt.sample(Math.max(1, ms) * 1e6, nowNs);
  }
  sampleRate(tcb, result, sample, nowNs);
  if (priorFlight > 0) recover(tcb, seg, acked, priorLost, nowNs);
  else if (tcb.mode === MODE_PROBE && tcb.wnd > 0) {
    tcb.clearRetransmit();
    tcb.backoff = 0;
  }
  if (tcb.mode === MODE_PROBE || tcb.flight === 0) tcb.probeSinceNs = tcb.wnd > 0 ? 0 : tcb.probeSinceNs;
  if (acked > 0 && tcb.buffer.length === 0 && options.cork === false) tcb.more = false;
  growSendBuffer(tcb);
  if (wasFull && writable(tcb)) tcb.tell(POLLOUT | POLLWRNORM);
}

function sampleRoundTrip(tcb: Tcb, rttNs: number, nowNs: number): void {
  tcb.rtt.sample(rttNs, nowNs);
  const { cong } = tcb;
  cong.rttNs = tcb.rtt.smoothedNs;
  cong.minRttNs = tcb.rtt.minNs;
  if (tcb.cc.name === 'cubic' && cong.cwnd < cong.ssthresh) {
    const round = !before(tcb.una, cong.roundEnd);
    if (round) cong.roundEnd = tcb.nxt;
    hystart(cong, rttNs, round);
  }
}

/** Loss detection and the window, for one acknowledgment. */
function recover(tcb: Tcb, seg: Segment, acked: number, priorLostEver: number, nowNs: number): void {
  const { board, cong } = tcb;
  const priorLost = board.lostBytes;
  let reorderNs = 0;
  if (tcb.tlpPending) probeAnswered(tcb, seg, acked, nowNs);
  // Eifel (RFC 3522): what is acknowledged was sent before the copy was.
  if (
    acked > 0 &&
    tcb.caState >= TCP_CA_Recovery &&
    tcb.retransmitTs !== 0 &&
    seg.options.hasTimestamps &&
    before(seg.options.tsEcho, tcb.retransmitTs - 1)
  )
    undo(tcb);
  if (tcb.sackOk) {
    rackUpdate(tcb, result, nowNs);
    if (board.sackedBytes > 0 || tcb.caState !== TCP_CA_Open) reorderNs = rackDetect(tcb, nowNs);
  } else if (tcb.caState < TCP_CA_Recovery && tcb.dupAcks >= tcb.host.sysctl.tcp_reordering) loseFirst(tcb);
  // NewReno (RFC 6582, section 3.2, step 3): a partial acknowledgment tells of the next hole.
  else if (tcb.caState === TCP_CA_Recovery && acked > 0 && before(tcb.una, tcb.highSeq)) {
    tcb.dupAcks = Math.max(0, tcb.dupAcks - Math.ceil(acked / tcb.mss));
    loseFirst(tcb);
  }
  if (tcb.caState >= TCP_CA_CWR && !before(tcb.una, tcb.highSeq)) leave(tcb);
  if (tcb.caState < TCP_CA_Recovery && board.lostBytes > 0 && !probeFailed(tcb))
    reduce(tcb, TCP_CA_Recovery, nowNs);
  else if (ecnEchoed(tcb, seg.flags, seg.ack)) reduce(tcb, TCP_CA_CWR, nowNs);
  if (tcb.cc.models) {
    sample.lost = board.lostEver - priorLostEver;
    sample.pipe = tcb.pipe;
    sample.caState = tcb.caState;
    tcb.cc.sampled(cong, sample, nowNs);
  } else if (tcb.caState === TCP_CA_Recovery || tcb.caState === TCP_CA_CWR) {
    const pipe = tcb.pipe;
    const safe = acked > 0 && board.lostBytes <= priorLost;
    cong.cwnd = Math.max(0, pipe + tcb.prr.budget(result.delivered, pipe, cong.ssthresh, tcb.mss, safe));
  } else if (result.delivered > 0 && tcb.caState !== TCP_CA_Disorder) {
    if (tcb.caState === TCP_CA_Loss) cong.limited = true;
    tcb.cc.acked(cong, result.delivered, nowNs);
    if (after(tcb.una, tcb.cwndLimitedEnd)) cong.limited = false;
  }
  if (tcb.caState <= TCP_CA_Disorder)
    tcb.caState = board.sackedBytes > 0 || tcb.dupAcks > 0 ? TCP_CA_Disorder : TCP_CA_Open;
  if (acked > 0 && tcb.caState === TCP_CA_Open) tcb.dupAcks = 0;
  if (board.missingBytes > 0) retransmit(tcb, cong.cwnd - tcb.pipe, nowNs);
  if (tcb.flight === 0) tcb.clearRetransmit();
  else if (reorderNs > 0 && board.lostBytes === 0) tcb.setRetransmit(MODE_REORDER, nowNs + reorderNs);
  else if (acked > 0 || result.sacked > 0) armAfterSend(tcb, nowNs);
}

/** What is lost is a probe of the path's MTU: its bytes go again, and the window stays (tcp_mtup_probe_failed()). */
function probeFailed(tcb: Tcb): boolean {
  if (tcb.search === null || !probeLost(tcb.search, tcb.una)) return false;
  tcb.highSeq = tcb.nxt;
  tcb.caState = TCP_CA_Loss;
  return true;
}

/** Without SACK, the first segment is what is missing. */
function loseFirst(tcb: Tcb): void {
  const { board } = tcb;
  const sent = board.list[board.first];
  if (sent === undefined) return;
  if (distance(sent.end, sent.seq) > tcb.mss) board.split(board.first, tcb.mss);
  board.lose(board.list[board.first]!);
}

/** RFC 8985, section 7.4: was the probe what repaired a loss, or were both copies there? */
function probeAnswered(tcb: Tcb, seg: Segment, acked: number, nowNs: number): void {
  if (!tcb.tlpRetransmit || (result.dsack && !before(seg.ack, tcb.tlpEnd))) {
    if (!before(seg.ack, tcb.tlpEnd)) tcb.tlpPending = false;
    return;
  }
  if (after(seg.ack, tcb.tlpEnd)) {
    tcb.tlpPending = false;
    if (tcb.caState < TCP_CA_CWR) reduce(tcb, TCP_CA_CWR, nowNs);
  } else if (acked === 0 && seg.ack === tcb.tlpEnd && seg.length === 0 && result.sacked === 0)
    tcb.tlpPending = false;
}

/** The timer of RACK fired (RFC 8985, section 6.3). */
export function reorderTimeout(tcb: Tcb, nowNs: number): void {
  const again = rackDetect(tcb, nowNs);
  if (tcb.board.missingBytes > 0) {
    if (tcb.caState < TCP_CA_Recovery && !probeFailed(tcb)) {
      reduce(tcb, TCP_CA_Recovery, nowNs);
      if (!tcb.cc.models)
        tcb.cong.cwnd = Math.max(
          tcb.mss,
          tcb.pipe + tcb.prr.budget(0, tcb.pipe, tcb.cong.ssthresh, tcb.mss, false),
        );
    }
    retransmit(tcb, Math.max(tcb.mss, tcb.cong.cwnd - tcb.pipe), nowNs);
  }
  if (again > 0) tcb.setRetransmit(MODE_REORDER, nowNs + again);
  else armAfterSend(tcb, nowNs);
}
