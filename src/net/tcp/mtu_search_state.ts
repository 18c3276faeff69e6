// MtuSearch: what a connection knows of its path's MTU that nobody told it (mtu_search.ts).

export class MtuSearch {
  /** Packets that arrive; the largest that may. */
  low: number;
  high: number;
  /** The probe under way: size of its packet, 0 for none, and where its bytes lie. */
  size = 0;
  start = 0;
  end = 0;
  /** When the search was over. */
  doneNs = 0;

  constructor(low: number, high: number) {
    this.low = low;
    this.high = high;
  }

  /** Is a segment that begins there the probe, and not to be split? */
  sends(seq: number): boolean {
    return this.size > 0 && seq === this.start;
  }
}
