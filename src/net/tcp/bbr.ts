// BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00; what Linux calls bbr): a model of the path, its bottleneck's rate and its
// round trip without queues, from which window and pacing rate follow. Single losses do not lower them. Bytes, and bytes per second.

import { TCP_CA_Loss, TCP_CA_Recovery } from '../../abi/net/tcp.ts';
import { BbrState, DRAIN, HIGH_GAIN, PROBE_BW, PROBE_RTT, STARTUP } from './bbr_state.ts';
import type { CongestionControl, CongestionState, RateSample } from './congestion.ts';

const CWND_GAIN = 2;
/** Section 4.3.4.1: up, down again, and six round trips as it is. */
const CYCLE: readonly number[] = [1.25, 0.75, 1, 1, 1, 1, 1, 1];
/** Section 4.1.1.3: rounds for which a rate counts. */
const RATE_ROUNDS = 10;
const MIN_RTT_WINDOW_NS = 10e9;
const PROBE_RTT_NS = 200e6;
const MIN_SEGMENTS = 4;
/** A rate a little below the bottleneck's, so that its queue gets empty. */
const PACING_MARGIN = 0.99;
/** Section 4.3.2.2: the pipe is full when three rounds brought less than a quarter more. */
const FULL_GROWTH = 1.25;
const FULL_ROUNDS = 3;
/** Rounds in which acknowledgments that come in lumps are noticed, and the most that they add to the window, in time. */
const LUMP_ROUNDS = 5;
const MOST_LUMP_NS = 100e6;

/** Section 4.1.1: the best of the last ten rounds. */
function filterRate(b: BbrState, rate: number): void {
  const { rounds } = b;
  if (rate >= b.rate0 || rounds - b.round2 > RATE_ROUNDS) {
    b.rate0 = b.rate1 = b.rate2 = rate;
    b.round0 = b.round1 = b.round2 = rounds;
    return;
  }
  if (rate >= b.rate1) {
    b.rate1 = b.rate2 = rate;
    b.round1 = b.round2 = rounds;
  } else if (rate >= b.rate2) {
    b.rate2 = rate;
    b.round2 = rounds;
  }
  const age = rounds - b.round0;
  if (age > RATE_ROUNDS) {
    b.rate0 = b.rate1;
    b.round0 = b.round1;
    b.rate1 = b.rate2;
    b.round1 = b.round2;
    b.rate2 = rate;
    b.round2 = rounds;
    if (rounds - b.round0 > RATE_ROUNDS) {
      b.rate0 = b.rate1;
      b.round0 = b.round1;
      b.rate1 = b.rate2;
      b.round1 = b.round2;
    }
  } else if (b.round1 === b.round0 && age > RATE_ROUNDS / 4) {
    b.rate1 = b.rate2 = rate;
    b.round1 = b.round2 = rounds;
  } else if (b.round2 === b.round1 && age > RATE_ROUNDS / 2) {
    b.rate2 = rate;
    b.round2 = rounds;
  }
}

/** Section 4.1.1.3 and 4.1.1.5: rounds, and the rate of this sample. */
function updateRate(b: BbrState, s: RateSample): void {
  b.roundStart = false;
  if (s.delivered > 0 && s.priorDelivered >= b.roundEnd) {
    b.roundEnd = s.total;
    b.rounds++;
    b.roundStart = true;
    b.conserving = false;
  }
  // A rate that the program held down says something only when it is more than was known.
  if (s.rate >= 0 && (!s.limited || s.rate >= b.rate0)) filterRate(b, s.rate);
}

/** Bytes that fill the path without a queue, times `gain`. */
function target(state: CongestionState, b: BbrState, gain: number): number {
  if (b.minRttNs === Number.POSITIVE_INFINITY) return 10 * state.mss;
  const product = (b.rate0 * b.minRttNs) / 1e9;
  // Three pieces are at the two ends and in acknowledgments that wait.
  const piece = Math.min(65536, Math.max(2 * state.mss, state.pacingRate / 1000));
  return Math.ceil(product * gain + 3 * piece);
}

/** Acknowledgments that come in lumps need a window that lasts from one to the next (Linux: extra_acked). */
function updateLump(state: CongestionState, b: BbrState, s: RateSample, nowNs: number): void {
  if (s.delivered <= 0) return;
  if (b.roundStart && ++b.lumpRounds >= LUMP_ROUNDS) {
    b.lumpRounds = 0;
    b.lump1 = b.lump0;
    b.lump0 = 0;
  }
  const expected = (b.rate0 * (nowNs - b.lumpSinceNs)) / 1e9;
  let extra = b.lumpBytes + s.delivered - expected;
  if (b.lumpBytes <= expected) {
    b.lumpSinceNs = nowNs;
    b.lumpBytes = 0;
    extra = s.delivered;
  }
  b.lumpBytes += s.delivered;
  b.lump0 = Math.max(b.lump0, Math.min(extra, state.cwnd));
}

/** Section 4.3.4: the cycle of gains around the rate. */
function updateCycle(state: CongestionState, b: BbrState, s: RateSample, nowNs: number): void {
  if (b.mode !== PROBE_BW) return;
  const whole = nowNs - b.cycleAtNs > b.minRttNs;
  const gain = b.pacingGain;
  let next = whole;
  // Up until the pipe is that much fuller, or something was lost; down until it is not full any more.
  if (gain > 1) next = whole && (s.lost > 0 || s.priorPipe >= target(state, b, gain));
  else if (gain < 1) next = whole || s.priorPipe <= target(state, b, 1);
  if (!next) return;
  b.cycle = (b.cycle + 1) % CYCLE.length;
  b.cycleAtNs = nowNs;
  b.pacingGain = CYCLE[b.cycle]!;
}

function enterProbeBw(b: BbrState, nowNs: number): void {
  b.mode = PROBE_BW;
  b.cwndGain = CWND_GAIN;
  // Anywhere but in the phase that drains, so that connections are not in step.
  const phase = Math.floor(nowNs / 1000) % (CYCLE.length - 1);
  b.cycle = phase === 0 ? 0 : phase + 1;
  b.cycleAtNs = nowNs;
  b.pacingGain = CYCLE[b.cycle]!;
}

/** Section 4.3.2.2 and 4.3.3: the pipe is full, and the queue of the search for that is gone. */
function checkFull(state: CongestionState, b: BbrState, s: RateSample, nowNs: number): void {
  if (!b.full && b.roundStart && !s.limited) {
    if (b.rate0 >= b.fullRate * FULL_GROWTH) {
      b.fullRate = b.rate0;
      b.fullRounds = 0;
    } else b.full = ++b.fullRounds >= FULL_ROUNDS;
  }
  if (b.mode === STARTUP && b.full) {
    b.mode = DRAIN;
    b.pacingGain = 1 / HIGH_GAIN;
    b.cwndGain = HIGH_GAIN;
  }
  if (b.mode === DRAIN && s.pipe <= target(state, b, 1)) enterProbeBw(b, nowNs);
}

function leaveProbeRtt(state: CongestionState, b: BbrState, nowNs: number): void {
  b.minRttAtNs = nowNs;
  state.cwnd = Math.max(state.cwnd, b.priorCwnd);
  if (b.full) enterProbeBw(b, nowNs);
  else {
    b.mode = STARTUP;
    b.pacingGain = HIGH_GAIN;
    b.cwndGain = HIGH_GAIN;
  }
}

/** Section 4.1.2 and 4.3.5: the least round trip of ten seconds; when there was none, nearly nothing is sent until one was seen. */
function updateMinRtt(state: CongestionState, b: BbrState, s: RateSample, nowNs: number): void {
  const expired = nowNs > b.minRttAtNs + MIN_RTT_WINDOW_NS;
  if (s.rttNs >= 0 && (s.rttNs <= b.minRttNs || expired)) {
    b.minRttNs = Math.max(1000, s.rttNs);
    b.minRttAtNs = nowNs;
  }
  if (expired && !b.idleRestart && b.mode !== PROBE_RTT) {
    b.mode = PROBE_RTT;
    b.pacingGain = 1;
    b.cwndGain = 1;
    saveCwnd(state, b);
    b.probeRttEndNs = 0;
  }
  if (b.mode === PROBE_RTT) {
    if (b.probeRttEndNs === 0) {
      if (s.pipe <= MIN_SEGMENTS * state.mss) {
        b.probeRttEndNs = nowNs + PROBE_RTT_NS;
        b.probeRttRound = false;
        b.roundEnd = s.total;
      }
    } else {
      if (b.roundStart) b.probeRttRound = true;
      if (b.probeRttRound && nowNs > b.probeRttEndNs) leaveProbeRtt(state, b, nowNs);
    }
  }
  if (s.delivered > 0) b.idleRestart = false;
}

function saveCwnd(state: CongestionState, b: BbrState): void {
  b.priorCwnd =
    b.caState < TCP_CA_Recovery && b.mode !== PROBE_RTT ? state.cwnd : Math.max(b.priorCwnd, state.cwnd);
}

/** Section 4.2.1. */
function setPacing(state: CongestionState, b: BbrState): void {
  if (b.rate0 === 0) {
    // Nothing was measured: the initial window in a round trip.
    if (state.rttNs > 0)
      state.pacingRate = (HIGH_GAIN * state.cwnd * 1e9 * PACING_MARGIN) / Math.max(1e6, state.rttNs);
    return;
  }
  const rate = b.pacingGain * b.rate0 * PACING_MARGIN;
  if (b.full || rate > state.pacingRate) state.pacingRate = Math.max(rate, state.mss);
}

/** Section 4.2.3: the window, which while losses are repaired follows what is delivered for a round. */
function setCwnd(state: CongestionState, b: BbrState, s: RateSample): void {
  let { cwnd } = state;
  if (s.lost > 0) cwnd = Math.max(cwnd - s.lost, state.mss);
  if (s.caState >= TCP_CA_Recovery && b.caState < TCP_CA_Recovery) {
    if (s.caState === TCP_CA_Recovery) {
      b.conserving = true;
      b.roundEnd = s.total;
      cwnd = s.pipe + Math.max(s.delivered, state.mss);
    }
  } else if (s.caState < TCP_CA_Recovery && b.caState >= TCP_CA_Recovery) {
    cwnd = Math.max(cwnd, b.priorCwnd);
    b.conserving = false;
  }
  b.caState = s.caState;
  if (s.delivered > 0) {
    if (b.conserving) cwnd = Math.max(cwnd, s.pipe + s.delivered);
    else {
      const lump = b.full ? Math.min(Math.max(b.lump0, b.lump1), (b.rate0 * MOST_LUMP_NS) / 1e9) : 0;
      const most = target(state, b, b.cwndGain) + lump;
      if (b.full) cwnd = Math.min(cwnd + s.delivered, most);
      else if (cwnd < most || s.total < 10 * state.mss) cwnd += s.delivered;
    }
  }
  cwnd = Math.max(cwnd, MIN_SEGMENTS * state.mss);
  if (b.mode === PROBE_RTT) cwnd = Math.min(cwnd, MIN_SEGMENTS * state.mss);
  state.cwnd = Math.ceil(cwnd);
}

function stateOf(state: CongestionState): BbrState {
  state.bbr ??= new BbrState();
  return state.bbr;
}

export const BBR: CongestionControl = {
  name: 'bbr',
  models: true,
  acked(): void {},
  reduced(state): number {
    saveCwnd(state, stateOf(state));
    return state.ssthresh;
  },
  sampled(state, sample, nowNs): void {
    const b = stateOf(state);
    if (b.minRttAtNs === 0) b.minRttAtNs = nowNs;
    if (sample.caState === TCP_CA_Loss && b.caState !== TCP_CA_Loss) {
      // A timeout: what is full is to be found anew.
      b.fullRate = 0;
      b.conserving = false;
    }
    updateRate(b, sample);
    updateLump(state, b, sample, nowNs);
    updateCycle(state, b, sample, nowNs);
    checkFull(state, b, sample, nowNs);
    updateMinRtt(state, b, sample, nowNs);
    setPacing(state, b);
    setCwnd(state, b, sample);
  },
  restarted(state): void {
    const b = stateOf(state);
    if (b.rate0 === 0) return;
    b.idleRestart = true;
    b.lumpBytes = 0;
    // Section 4.3.4.4: not with the gain of whatever phase it was.
    if (b.mode === PROBE_BW) state.pacingRate = b.rate0 * PACING_MARGIN;
  },
};
