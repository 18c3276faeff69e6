// What BBR (bbr.ts) knows of a path: plain fields.

/** Section 4.3: what it is doing. */
export const STARTUP = 0;
export const DRAIN = 1;
export const PROBE_BW = 2;
export const PROBE_RTT = 3;

/** Section 4.3.2.1: 2 / ln 2, the least that doubles the rate each round. */
export const HIGH_GAIN = 2.885;

export class BbrState {
  /** STARTUP, ... */
  mode = STARTUP;
  pacingGain = HIGH_GAIN;
  cwndGain = HIGH_GAIN;
  // The three best rates of the last rounds, best first, and their rounds (Linux: lib/win_minmax.c).
  rate0 = 0;
  rate1 = 0;
  rate2 = 0;
  round0 = 0;
  round1 = 0;
  round2 = 0;
  rounds = 0;
  /** A round ends when something is delivered that was sent after this much had been. */
  roundEnd = 0;
  roundStart = false;
  minRttNs = Number.POSITIVE_INFINITY;
  minRttAtNs = 0;
  probeRttEndNs = 0;
  probeRttRound = false;
  cycle = 0;
  cycleAtNs = 0;
  fullRate = 0;
  fullRounds = 0;
  full = false;
  /** The window before a loss or a probe of the round trip. */
  priorCwnd = 0;
  conserving = false;
  caState = 0;
  idleRestart = false;
  /** Bytes acknowledged beyond what the rate explains: since when, how many, and the most of the last rounds. */
  lumpSinceNs = 0;
  lumpBytes = 0;
  lump0 = 0;
  lump1 = 0;
  lumpRounds = 0;
}
