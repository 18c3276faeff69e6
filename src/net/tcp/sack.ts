// The scoreboard: what was sent and is not acknowledged, a record for each transmission of up to 64 KiB, with what
// SACK (RFC 2018, RFC 6675) and loss detection say of it. Records are split only at multiples of the MSS, so that a peer
// cannot make more of them than there are segments.

import { advance, after, before, distance } from './seq.ts';

export const SACKED = 1;
export const LOST = 2;
/** Sent again, and that copy is under way. */
export const RETRANSMITTED = 4;
/** Was sent again at some time: its acknowledgment says nothing of the round trip (Karn). */
export const EVER_RETRANSMITTED = 8;

export class Sent {
  seq: number;
  end: number;
  sentNs: number;
  marks = 0;
  // Of the connection when it was sent, for the delivery rate (rate.ts): bytes delivered, when the last of them were, when those had
  // been sent, and whether there was too little to send.
  delivered = 0;
  deliveredNs = 0;
  firstNs = 0;
  limited = false;

  constructor(seq: number, end: number, sentNs: number) {
    this.seq = seq;
    this.end = end;
    this.sentNs = sentNs;
  }
}

/** What an acknowledgment newly brought; reused. */
export class AckResult {
  /** Bytes newly acknowledged, cumulatively or selectively. */
  delivered = 0;
  /** Bytes newly acknowledged by blocks. */
  sacked = 0;
  /** A block told of bytes received twice (RFC 2883). */
  dsack = false;
  /** Of the record that was sent last among the newly delivered: for round trips and RACK. */
  sentNs = -1;
  endSeq = 0;
  retransmitted = false;
  priorDelivered = 0;
  priorDeliveredNs = 0;
  priorFirstNs = 0;
  priorLimited = false;
  /** Round trip of a record that was sent once; -1 for none. */
  rttNs = -1;
  /** A record that was never sent again was delivered below the highest delivered: reordering. */
  reordered = false;

  clear(): void {
    this.delivered = 0;
    this.sacked = 0;
    this.dsack = false;
    this.sentNs = -1;
    this.endSeq = 0;
    this.retransmitted = false;
    this.priorDelivered = 0;
    this.priorDeliveredNs = 0;
    this.priorFirstNs = 0;
    this.priorLimited = false;
    this.rttNs = -1;
    this.reordered = false;
  }
}

export class Scoreboard {
  readonly list: Sent[] = [];
  /** Those before it are acknowledged. */
  first = 0;
  sackedBytes = 0;
  lostBytes = 0;
  retransmittedBytes = 0;
  /** Bytes that are lost and have not been sent again since. */
  missingBytes = 0;
  /** Bytes that were ever marked as lost, copies included. */
  lostEver = 0;
  /** End of the highest byte known to be delivered by a block. */
  highest = 0;

  get count(): number {
    return this.list.length - this.first;
  }

  add(sent: Sent): void {
    this.list.push(sent);
  }

  clear(): void {
    this.list.length = 0;
    this.first = 0;
    this.sackedBytes = 0;
    this.lostBytes = 0;
    this.retransmittedBytes = 0;
    this.missingBytes = 0;
  }

  /** Everything before `una` is acknowledged. */
  acknowledge(una: number, nowNs: number, result: AckResult): void {
    const { list } = this;
    while (this.first < list.length) {
      const sent = list[this.first]!;
      if (!before(sent.seq, una)) break;
      if (after(sent.end, una)) {
        // Part of it: the rest stays, with its marks.
        const n = distance(una, sent.seq);
        if ((sent.marks & SACKED) === 0) this.deliver(sent, n, nowNs, result);
        this.uncount(sent.marks, n);
        sent.seq = una;
        break;
      }
      const n = distance(sent.end, sent.seq);
      if ((sent.marks & SACKED) === 0) this.deliver(sent, n, nowNs, result);
      this.uncount(sent.marks, n);
      list[this.first] = GONE;
      this.first++;
    }
    if (this.first === list.length) {
      list.length = 0;
      this.first = 0;
    } else if (this.first >= 64 && this.first * 2 >= list.length) {
      list.splice(0, this.first);
      this.first = 0;
    }
  }

  /** The blocks of an acknowledgment of `una`; `nxt` is behind all that was sent. Bad ones are left out (RFC 2018, section 5). */
  select(
    blocks: Int32Array,
    n: number,
    una: number,
    priorUna: number,
    nxt: number,
    mss: number,
    nowNs: number,
    result: AckResult,
  ): void {
    for (let i = 0; i < n; i++) {
      const from = blocks[i * 2]!;
      const to = blocks[i * 2 + 1]!;
      if (!before(from, to)) continue;
      // RFC 2883, section 4: the first block below the acknowledgment, or within the second, tells of a duplicate.
      if (i === 0) {
        const inSecond = n > 1 && !before(from, blocks[2]!) && !after(to, blocks[3]!);
        if (!after(to, una) || inSecond) {
          if (distance(priorUna, from) < 1 << 30) result.dsack = true;
          if (!after(to, una)) continue;
        }
      }
      if (before(from, una) || after(to, nxt)) continue;
      this.block(from, to, mss, nowNs, result);
    }
  }

  private block(from: number, to: number, mss: number, nowNs: number, result: AckResult): void {
    const { list } = this;
    // The first record that ends behind `from`.
    let low = this.first;
    let high = list.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (after(list[mid]!.end, from)) high = mid;
      else low = mid + 1;
    }
    for (let i = low; i < list.length; i++) {
      let sent = list[i]!;
      if (!before(sent.seq, to)) break;
      if (sent.marks & SACKED) continue;
      if (before(sent.seq, from)) {
        const cut = Math.ceil(distance(from, sent.seq) / mss) * mss;
        if (cut >= distance(sent.end, sent.seq)) continue;
        this.split(i, cut);
        continue;
      }
      if (after(sent.end, to)) {
        const cut = Math.floor(distance(to, sent.seq) / mss) * mss;
        if (cut === 0) continue;
        this.split(i, cut);
        sent = list[i]!;
      }
      const n = distance(sent.end, sent.seq);
      if (before(sent.end, this.highest) && this.sackedBytes > 0 && !(sent.marks & EVER_RETRANSMITTED))
        result.reordered = true;
      this.deliver(sent, n, nowNs, result);
      this.uncount(sent.marks, n);
      sent.marks = (sent.marks & EVER_RETRANSMITTED) | SACKED;
      if (this.sackedBytes === 0 || after(sent.end, this.highest)) this.highest = sent.end;
      this.sackedBytes += n;
      result.sacked += n;
      if (i > this.first && this.joined(i)) i--;
    }
  }

  /**
   * Makes one record of i and the one before it when blocks acknowledged both: behind a hole in a large window there are thousands, and
   * each acknowledgment looks at all that stand before what is under way.
   */
  private joined(i: number): boolean {
    const before = this.list[i - 1]!;
    const sent = this.list[i]!;
    if ((before.marks & SACKED) === 0) return false;
    before.end = sent.end;
    before.marks |= sent.marks;
    before.sentNs = Math.max(before.sentNs, sent.sentNs);
    this.list.splice(i, 1);
    return true;
  }

  /** Record i becomes two, the first of `n` bytes. */
  split(i: number, n: number): void {
    const sent = this.list[i]!;
    const at = advance(sent.seq, n);
    const rest = new Sent(at, sent.end, sent.sentNs);
    rest.marks = sent.marks;
    rest.delivered = sent.delivered;
    rest.deliveredNs = sent.deliveredNs;
    rest.firstNs = sent.firstNs;
    rest.limited = sent.limited;
    sent.end = at;
    this.list.splice(i + 1, 0, rest);
  }

  private deliver(sent: Sent, n: number, nowNs: number, result: AckResult): void {
    result.delivered += n;
    if (!(sent.marks & EVER_RETRANSMITTED)) {
      result.rttNs = nowNs - sent.sentNs;
      if (this.sackedBytes > 0 && before(sent.end, this.highest)) result.reordered = true;
    }
    if (sent.sentNs > result.sentNs || (sent.sentNs === result.sentNs && after(sent.end, result.endSeq))) {
      result.sentNs = sent.sentNs;
      result.endSeq = sent.end;
      result.retransmitted = (sent.marks & EVER_RETRANSMITTED) !== 0;
      result.priorDelivered = sent.delivered;
      result.priorDeliveredNs = sent.deliveredNs;
      result.priorFirstNs = sent.firstNs;
      result.priorLimited = sent.limited;
    }
  }

  private uncount(marks: number, n: number): void {
    if (marks & SACKED) this.sackedBytes -= n;
    if (marks & LOST) this.lostBytes -= n;
    if (marks & RETRANSMITTED) this.retransmittedBytes -= n;
    if ((marks & (LOST | RETRANSMITTED)) === LOST) this.missingBytes -= n;
  }

  /** Marks a record as lost: it counts as gone from the network (RFC 6675, section 4), and its copy, too. */
  lose(sent: Sent): void {
    if (sent.marks & SACKED) return;
    const n = distance(sent.end, sent.seq);
    const copyLost = (sent.marks & RETRANSMITTED) !== 0;
    if (copyLost) {
      this.retransmittedBytes -= n;
      sent.marks &= ~RETRANSMITTED;
    }
    const known = (sent.marks & LOST) !== 0;
    if (!known || copyLost) {
      this.lostEver += n;
      this.missingBytes += n;
    }
    if (known) return;
    sent.marks |= LOST;
    this.lostBytes += n;
  }

  /** A timeout: all is lost (RFC 5681, section 3.1); `forget` as the peer dropped what it had acknowledged by blocks. */
  loseAll(forget: boolean): void {
    for (let i = this.first; i < this.list.length; i++) {
      const sent = this.list[i]!;
      if (forget && sent.marks & SACKED) {
        this.sackedBytes -= distance(sent.end, sent.seq);
        sent.marks &= ~SACKED;
      }
      this.lose(sent);
    }
  }

  /** The timeout was wrong (RFC 5682): nothing is lost. */
  unlose(): void {
    for (let i = this.first; i < this.list.length; i++) this.list[i]!.marks &= ~LOST;
    this.lostBytes = 0;
    this.missingBytes = 0;
  }

  /** A record was sent again. */
  resent(sent: Sent, nowNs: number): void {
    const n = distance(sent.end, sent.seq);
    if (!(sent.marks & RETRANSMITTED)) this.retransmittedBytes += n;
    if ((sent.marks & (LOST | RETRANSMITTED)) === LOST) this.missingBytes -= n;
    sent.marks |= RETRANSMITTED | EVER_RETRANSMITTED;
    sent.sentNs = nowNs;
  }
}

const GONE = new Sent(0, 0, 0);
