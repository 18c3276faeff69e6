// Pacing: segments go out at the rate that the congestion control says, SO_MAX_PACING_RATE at most (socket(7)), in pieces of about a millisecond, rather than as
// soon as the window has room.

import type { Tcb } from './tcb.ts';
import { PACE_NONE } from './tcb.ts';

/** What a piece may take on the wire, and by how much a late timer may be made good. */
const PIECE_NS = 1e6;
const CREDIT_NS = 2e6;

/** Bytes per second; 0 for as fast as the window allows. */
export function paceRate(tcb: Tcb): number {
  const { maxPacing } = tcb.options;
  const { pacingRate } = tcb.cong;
  return maxPacing === 0 ? pacingRate : pacingRate === 0 ? maxPacing : Math.min(maxPacing, pacingRate);
}

/** May nothing go out before the timer fires? Arms it then. */
export function paused(tcb: Tcb, nowNs: number): boolean {
  if (tcb.paceNs <= nowNs || paceRate(tcb) === 0) return false;
  if (!tcb.paceTimer.armed) tcb.host.clock.arm(tcb.paceTimer, tcb.paceNs);
  return true;
}

/** The most that goes out in one piece: two segments at least, so that the peer acknowledges at once. */
export function pieceOf(tcb: Tcb, mss: number, most: number): number {
  const rate = paceRate(tcb);
  if (rate === 0) return most;
  const piece = Math.max(2 * mss, (rate * PIECE_NS) / 1e9);
  if (piece >= most) return most;
  return piece - (piece % mss);
}

/** `bytes` went out: the next may when they have left at that rate. */
export function paced(tcb: Tcb, bytes: number, nowNs: number): void {
  const rate = paceRate(tcb);
  if (rate === 0) {
    tcb.paceNs = PACE_NONE;
    return;
  }
  tcb.paceNs = Math.max(tcb.paceNs, nowNs - CREDIT_NS) + (bytes * 1e9) / rate;
}
