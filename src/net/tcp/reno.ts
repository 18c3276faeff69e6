// Reno: slow start and congestion avoidance (RFC 5681, section 3.1) with bytes counted (RFC 3465).

import type { CongestionControl, CongestionState } from './congestion.ts';

/** Slow start; bytes that are left over when it ends within this acknowledgment. */
export function slowStart(state: CongestionState, bytes: number): number {
  const grown = Math.min(state.cwnd + bytes, Math.max(state.ssthresh, state.cwnd));
  const left = bytes - (grown - state.cwnd);
  state.cwnd = grown;
  return left;
}

export const RENO: CongestionControl = {
  name: 'reno',
  models: false,
  acked(state, bytes): void {
    if (!state.limited) return;
    let left = bytes;
    if (state.cwnd < state.ssthresh) left = slowStart(state, bytes);
    if (left === 0) return;
    state.acked += left;
    while (state.acked >= state.cwnd) {
      state.acked -= state.cwnd;
      state.cwnd += state.mss;
    }
  },
  reduced(state, flight): number {
    return Math.max(flight / 2, 2 * state.mss);
  },
  sampled(): void {},
  restarted(): void {},
};
