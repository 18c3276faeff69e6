// The receiver's window (RFC 9293, section 3.8.6), its growth to what the path carries, and when an acknowledgment may wait.

import { MAX_WINDOW_SHIFT } from './options.ts';
import { advance, after, before, distance } from './seq.ts';
import type { SocketOptions, Tcb } from './tcb.ts';

/** tcp_adv_win_scale: half of a receive buffer is window, half is for what packets cost besides. */
export function windowOf(rcvBuf: number): number {
  return rcvBuf >> 1;
}

/** The largest window that this socket will ever tell, for choosing the shift (RFC 7323, section 2.3). */
export function windowShift(options: SocketOptions, rmemMax: number): number {
  let most = Math.min(options.rcvBufLocked ? windowOf(options.rcvBuf) : windowOf(rmemMax), 2 ** 30);
  if (options.windowClamp > 0) most = Math.min(most, options.windowClamp);
  let shift = 0;
  while (shift < MAX_WINDOW_SHIFT && most >> shift > 65535) shift++;
  return shift;
}

/** Bytes that may still come. */
export function freeSpace(tcb: Tcb): number {
  return Math.max(0, windowOf(tcb.options.rcvBuf) - tcb.queue.length);
}

/** The right edge told so far, from rcvNxt on. */
export function toldWindow(tcb: Tcb): number {
  return Math.max(0, distance(advance(tcb.rcvWup, tcb.rcvWnd), tcb.rcvNxt));
}

/** The window that could be told now; never in steps that are silly (RFC 9293, section 3.8.6.2.2). */
export function possibleWindow(tcb: Tcb): number {
  const { options } = tcb;
  let full = windowOf(options.rcvBuf);
  if (options.windowClamp > 0) full = Math.min(full, options.windowClamp);
  const free = Math.min(freeSpace(tcb), full);
  const mss = Math.min(tcb.rcvMss, full);
  if (free < full / 2 && (free < full >> 4 || free < mss)) return 0;
  if (tcb.rcvShift > 0) return Math.ceil(free / 2 ** tcb.rcvShift) * 2 ** tcb.rcvShift;
  const told = tcb.rcvWnd;
  if (told <= free - mss || told > free) return free < mss ? free : Math.floor(free / mss) * mss;
  return told;
}

/** The window field of a segment to send; never takes back what was told (RFC 9293, section 3.8.6). */
export function selectWindow(tcb: Tcb): number {
  const told = toldWindow(tcb);
  let window = possibleWindow(tcb);
  if (window < told) window = Math.ceil(told / 2 ** tcb.rcvShift) * 2 ** tcb.rcvShift;
  window = Math.min(window, 65535 * 2 ** tcb.rcvShift);
  tcb.rcvWnd = window;
  tcb.rcvWup = tcb.rcvNxt;
  return window >> tcb.rcvShift;
}

/** A new segment's payload: what the peer's full segments are. */
export function estimateMss(tcb: Tcb, size: number): void {
  if (size > tcb.rcvMss) tcb.rcvMss = Math.min(size, tcb.advMss);
}

/** The first segments are acknowledged at once: the peer is in slow start. */
export function enterQuickAck(tcb: Tcb, most: number): void {
  const n = Math.max(2, Math.floor(tcb.rcvWnd / (2 * tcb.rcvMss)));
  tcb.quickAcks = Math.max(tcb.quickAcks, Math.min(n, most));
  tcb.pingPong = false;
}

/** RFC 9293, section 3.8.6.3, as Linux: at least every second full segment, when the program reads or the window allows. */
export function mustAckNow(tcb: Tcb): boolean {
  if (tcb.ackNow || (tcb.quickAcks > 0 && !tcb.pingPong) || tcb.early.count > 0) return true;
  const since = distance(tcb.rcvNxt, tcb.rcvWup);
  return since > tcb.rcvMss && (tcb.queue.length < tcb.options.rcvLowat || possibleWindow(tcb) >= tcb.rcvWnd);
}

/** The program read: should the peer hear of the room now? */
export function windowGrew(tcb: Tcb): boolean {
  if (tcb.finReceived) return false;
  const told = toldWindow(tcb);
  if (2 * told > windowOf(tcb.options.rcvBuf)) return false;
  const window = possibleWindow(tcb);
  return window > 0 && window >= 2 * told;
}

/** Bytes came in: how long a window takes, the receiver's view of the round trip. */
export function measureRoundTrip(tcb: Tcb, nowNs: number): void {
  if (tcb.rcvRttAtNs !== 0) {
    if (before(tcb.rcvNxt, tcb.rcvRttSeq)) return;
    const sample = nowNs - tcb.rcvRttAtNs;
    tcb.rcvRttNs = tcb.rcvRttNs === 0 ? sample : Math.min(sample, tcb.rcvRttNs);
  }
  tcb.rcvRttSeq = advance(tcb.rcvNxt, tcb.rcvWnd);
  tcb.rcvRttAtNs = nowNs;
}

/**
 * Dynamic right-sizing: the buffer grows to twice what the program read in a round trip, as long as that grows, and obeys tcp_rmem
 * (tcp(7)). Called after reads.
 */
export function tuneBuffer(tcb: Tcb, nowNs: number): void {
  const rtt = tcb.rcvRttNs > 0 ? tcb.rcvRttNs : tcb.rtt.smoothedNs;
  if (rtt === 0 || nowNs - tcb.tuneNs < rtt) return;
  const read = distance(tcb.copied, tcb.tuneSeq);
  const { sysctl } = tcb.host;
  if (read > tcb.tuneSpace) {
    if (sysctl.tcp_moderate_rcvbuf !== 0 && !tcb.options.rcvBufLocked) {
      let window = read * 2 + 16 * tcb.advMss;
      window += 2 * window * ((read - tcb.tuneSpace) / Math.max(1, tcb.tuneSpace));
      const next = Math.min(2 * window, sysctl.tcp_rmem[2]);
      // Only what a local user's account bears.
      if (next > tcb.options.rcvBuf && tcb.memory.fits(next - tcb.options.rcvBuf))
        tcb.options.rcvBuf = Math.floor(next);
    }
    tcb.tuneSpace = read;
  }
  tcb.tuneSeq = tcb.copied;
  tcb.tuneNs = nowNs;
}

/** RFC 9293, section 3.10.7.4, first check: does any of [seq, end) lie in the window? */
export function inWindow(tcb: Tcb, seq: number, end: number): boolean {
  const right = advance(tcb.rcvNxt, toldWindow(tcb));
  return !before(end, tcb.rcvWup) && !after(seq, right);
}
