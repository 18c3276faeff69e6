// Proportional rate reduction (RFC 6937, as revised in RFC 9937): how much may be sent for each acknowledgment while a loss is repaired, so that
// the window comes down smoothly to ssthresh.

export class Prr {
  /** Bytes delivered and sent since recovery began, and those under way then. */
  delivered = 0;
  sent = 0;
  recoverFlight = 0;

  begin(flight: number): void {
    this.delivered = 0;
    this.sent = 0;
    this.recoverFlight = Math.max(1, flight);
  }

  /** Bytes that may be sent now; `progress` when the acknowledgment moved una and found nothing lost (safeACK). */
  budget(delivered: number, pipe: number, ssthresh: number, mss: number, progress: boolean): number {
    this.delivered += delivered;
    let count: number;
    if (pipe > ssthresh) count = Math.ceil((this.delivered * ssthresh) / this.recoverFlight) - this.sent;
    else {
      count = Math.max(this.delivered - this.sent, delivered);
      if (progress) count += mss;
      count = Math.min(ssthresh - pipe, count);
    }
    // The first retransmission goes out at once.
    return Math.max(count, this.sent > 0 ? 0 : mss);
  }
}
