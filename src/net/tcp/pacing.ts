// Pacing: segments go out at the rate that the congestion control says, in pieces of about a millisecond, rather than as
// soon as the window has room.

import type { Tcb } from './tcb.ts';
import { PACE_NONE } from './tcb.ts';

/** What a piece may take on the wire, and by how much a late timer may be made good. */
const PIECE_NS = 1e6;
const CREDIT_NS = 2e6;

/** May nothing go out before the timer fires? Arms it then. */
export function paused(tcb: Tcb, nowNs: number): boolean {
  if (tcb.cong.pacingRate === 0 || tcb.paceNs <= nowNs) return false;
  if (!tcb.paceTimer.armed) tcb.host.clock.arm(tcb.paceTimer, tcb.paceNs);
  return true;
}

/** The most that goes out in one piece: two segments at least, so that the peer acknowledges at once. */
export function pieceOf(tcb: Tcb, mss: number, most: number): number {
  const { pacingRate } = tcb.cong;
  if (pacingRate === 0) return most;
  const piece = Math.max(2 * mss, (pacingRate * PIECE_NS) / 1e9);
  if (piece >= most) return most;
  return piece - (piece % mss);
}

/** `bytes` went out: the next may when they have left at that rate. */
export function paced(tcb: Tcb, bytes: number, nowNs: number): void {
  const { pacingRate } = tcb.cong;
  if (pacingRate === 0) {
    tcb.paceNs = PACE_NONE;
    return;
  }
  tcb.paceNs = Math.max(tcb.paceNs, nowNs - CREDIT_NS) + (bytes * 1e9) / pacingRate;
}
