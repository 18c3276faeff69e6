// The retransmission timeout from measured round trips (RFC 6298), with Linux's least of 200 ms.

export const RTO_INITIAL_NS = 1e9;
export const RTO_MIN_NS = 200e6;
export const RTO_MAX_NS = 120e9;

export class RttEstimator {
  /** 0 as long as nothing was measured. */
  smoothedNs = 0;
  variationNs = 0;
  rtoNs = RTO_INITIAL_NS;
  /** Least of the last minutes: the window of RFC 8985, section 6.2. */
  minNs = Number.POSITIVE_INFINITY;
  private minAtNs = 0;

  /** RFC 6298, section 2. */
  sample(rttNs: number, nowNs: number): void {
    const r = Math.max(rttNs, 1000);
    if (r <= this.minNs || nowNs - this.minAtNs > 300e9) {
      this.minNs = r;
      this.minAtNs = nowNs;
    }
    if (this.smoothedNs === 0) {
      this.smoothedNs = r;
      this.variationNs = r / 2;
    } else {
      this.variationNs += (Math.abs(this.smoothedNs - r) - this.variationNs) / 4;
      this.smoothedNs += (r - this.smoothedNs) / 8;
    }
    // The least is for the variation, so that a steady path's timeout stays above its round trip by that much.
    this.rtoNs = Math.min(RTO_MAX_NS, this.smoothedNs + Math.max(RTO_MIN_NS, 4 * this.variationNs));
  }
}

/** RFC 6298, section 5.5: doubled for each timeout. */
export function backedOff(rtoNs: number, backoff: number): number {
  return Math.min(RTO_MAX_NS, rtoNs * 2 ** Math.min(backoff, 16));
}
