// The seam of congestion controls: what RFC 5681 asks of one, in bytes. Its state is plain fields of one object a connection.

import type { BbrState } from './bbr_state.ts';

/** What a congestion control sees and sets. */
export class CongestionState {
  cwnd = 0;
  ssthresh = 0x7fffffff;
  mss = 536;
  /** Smoothed and least round trip; 0 when nothing was measured. */
  rttNs = 0;
  minRttNs = 0;
  /** The window limited us in the last round trip (RFC 7661): it grows only then. */
  limited = false;
  /** Before the last reduction, for undoing it (RFC 5682, RFC 4015). */
  priorCwnd = 0;
  priorSsthresh = 0;
  // CUBIC (names of RFC 9438, section 4.1.2).
  wMax = 0;
  k = 0;
  epochNs = -1;
  wEst = 0;
  cwndEpoch = 0;
  acked = 0;
  // HyStart++ (RFC 9406).
  roundEnd = 0;
  roundSamples = 0;
  roundMinNs = 0;
  lastRoundMinNs = 0;
  cssRounds = 0;
  cssBaselineNs = 0;
  inCss = false;
  /** Bytes per second at which segments go out; 0 for as fast as the window allows. */
  pacingRate = 0;
  bbr: BbrState | null = null;
}

/** What one acknowledgment says of the path; reused. */
export class RateSample {
  /** Bytes per second; -1 when this acknowledgment does not tell. */
  rate = -1;
  /** Bytes delivered in all when the newest of what is delivered now was sent. */
  priorDelivered = 0;
  /** There was too little to send: the rate may be less than the path's. */
  limited = false;
  /** Bytes newly delivered, and newly lost. */
  delivered = 0;
  lost = 0;
  /** Round trip of something that was sent once; -1 for none. */
  rttNs = -1;
  /** Bytes under way before this acknowledgment and after it. */
  priorPipe = 0;
  pipe = 0;
  /** Of the connection. */
  total = 0;
  caState = 0;
}

/** One algorithm: TCP_CONGESTION. */
export interface CongestionControl {
  readonly name: string;
  /** It sets window and pacing rate itself from samples of the path, also while losses are repaired. */
  readonly models: boolean;
  /** `bytes` were acknowledged, and nothing is being recovered. */
  acked(state: CongestionState, bytes: number, nowNs: number): void;
  /** The window after a loss or ECN echo (RFC 5681, section 3.1, step 4), from `flight` bytes under way. */
  reduced(state: CongestionState, flight: number, nowNs: number): number;
  /** For one that models: each acknowledgment, in any state. */
  sampled(state: CongestionState, sample: RateSample, nowNs: number): void;
  /** For one that models: something goes out after nothing was under way. */
  restarted(state: CongestionState, nowNs: number): void;
}
