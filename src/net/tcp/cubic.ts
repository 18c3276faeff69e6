// CUBIC (RFC 9438), with HyStart++ (RFC 9406) to leave slow start before the queue overflows. Windows in bytes; the cubic function in
// segments, as in the RFC.

import type { CongestionControl, CongestionState } from './congestion.ts';
import { slowStart } from './reno.ts';

/** RFC 9438, section 4.6 and 5.1. */
const BETA = 0.7;
const C = 0.4;
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);

/** RFC 9406, section 4.2. */
const MIN_RTT_THRESH_NS = 4e6;
const MAX_RTT_THRESH_NS = 16e6;
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;

/** A sample of the round trip in slow start (RFC 9406, section 4.2); `newRound` when the last round's data is acknowledged. */
export function hystart(state: CongestionState, rttNs: number, newRound: boolean): void {
  if (state.cwnd >= state.ssthresh) return;
  if (newRound) {
    state.lastRoundMinNs = state.roundMinNs;
    state.roundMinNs = 0;
    state.roundSamples = 0;
    if (state.inCss && ++state.cssRounds >= CSS_ROUNDS) {
      state.ssthresh = state.cwnd;
      return;
    }
  }
  if (state.roundMinNs === 0 || rttNs < state.roundMinNs) state.roundMinNs = rttNs;
  state.roundSamples++;
  if (state.roundSamples < N_RTT_SAMPLE || state.lastRoundMinNs === 0) return;
  if (state.inCss) {
    if (state.roundMinNs < state.cssBaselineNs) {
      state.inCss = false;
      state.cssRounds = 0;
    }
    return;
  }
  const thresh = Math.min(
    MAX_RTT_THRESH_NS,
    Math.max(MIN_RTT_THRESH_NS, state.lastRoundMinNs / MIN_RTT_DIVISOR),
  );
  if (state.roundMinNs >= state.lastRoundMinNs + thresh) {
    state.cssBaselineNs = state.roundMinNs;
    state.inCss = true;
    state.cssRounds = 0;
  }
}

/** RFC 9438, section 4.2: a new epoch of congestion avoidance. */
function beginEpoch(state: CongestionState, nowNs: number): void {
  state.epochNs = nowNs;
  state.cwndEpoch = state.cwnd;
  state.wEst = state.cwnd;
  if (state.wMax > state.cwnd) state.k = Math.cbrt((state.wMax - state.cwnd) / state.mss / C);
  else {
    state.k = 0;
    state.wMax = state.cwnd;
  }
}

export const CUBIC: CongestionControl = {
  name: 'cubic',
  models: false,
  acked(state, bytes, nowNs): void {
    if (!state.limited) {
      // RFC 9438, section 5.8: time in which the program was the limit does not count.
      state.epochNs = -1;
      return;
    }
    let left = bytes;
    if (state.cwnd < state.ssthresh) {
      left = slowStart(state, state.inCss ? Math.ceil(bytes / CSS_GROWTH_DIVISOR) : bytes);
      if (left === 0) return;
    }
    if (state.epochNs < 0) beginEpoch(state, nowNs);
    // RFC 9438, section 4.3: what Reno would have.
    state.wEst += ALPHA * ((left / state.cwnd) * state.mss);
    const t = (nowNs - state.epochNs + state.rttNs) / 1e9;
    const cubic = C * (t - state.k) ** 3 * state.mss + state.wMax;
    const target = Math.min(Math.max(cubic, state.cwnd), 1.5 * state.cwnd);
    let grow = ((target - state.cwnd) / state.cwnd) * left;
    if (state.wEst > cubic) grow = Math.max(grow, state.wEst - state.cwnd);
    state.acked += grow;
    if (state.acked >= 1) {
      const whole = Math.floor(state.acked);
      state.cwnd += whole;
      state.acked -= whole;
    }
  },
  reduced(state, _flight): number {
    // RFC 9438, section 4.7: fast convergence.
    state.wMax = state.cwnd < state.wMax ? (state.cwnd * (1 + BETA)) / 2 : state.cwnd;
    state.epochNs = -1;
    state.acked = 0;
    state.inCss = false;
    return Math.max(Math.floor(state.cwnd * BETA), 2 * state.mss);
  },
  sampled(): void {},
  restarted(): void {},
};
