// The seam of congestion controls: what RFC 5681 asks of one, in bytes. Its state is plain fields of one object a connection.

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
}

/** One algorithm: TCP_CONGESTION. */
export interface CongestionControl {
  readonly name: string;
  /** `bytes` were acknowledged, and nothing is being recovered. */
  acked(state: CongestionState, bytes: number, nowNs: number): void;
  /** The window after a loss or ECN echo (RFC 5681, section 3.1, step 4), from `flight` bytes under way. */
  reduced(state: CongestionState, flight: number, nowNs: number): number;
}
