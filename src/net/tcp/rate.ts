// The rate at which the path delivers (draft-cheng-iccrg-delivery-rate-estimation): each acknowledgment gives a sample, over the time in
// which what it delivers was sent or acknowledged, whichever took longer.

import type { RateSample } from './congestion.ts';
import type { AckResult, Sent } from './sack.ts';
import type { Tcb } from './tcb.ts';

/** Section 3.2: a record that goes out remembers what was delivered until now. */
export function stampSent(tcb: Tcb, sent: Sent, nowNs: number): void {
  if (tcb.flight === 0) {
    tcb.firstSentNs = nowNs;
    tcb.deliveredNs = nowNs;
  }
  sent.delivered = tcb.delivered;
  sent.deliveredNs = tcb.deliveredNs;
  sent.firstNs = tcb.firstSentNs;
  sent.limited = tcb.limitedUntil !== 0;
}

/** Section 3.4: the program has given too little; samples up to what is under way now count as limited. */
export function markLimited(tcb: Tcb): void {
  const { board } = tcb;
  if (tcb.pipe < tcb.cong.cwnd && board.missingBytes === 0) tcb.limitedUntil = tcb.delivered + tcb.pipe || 1;
}

/** Section 3.3: counts what is delivered, and makes the sample. */
export function sampleRate(tcb: Tcb, result: AckResult, sample: RateSample, nowNs: number): void {
  sample.rate = -1;
  sample.delivered = result.delivered;
  sample.rttNs = result.rttNs;
  if (result.delivered > 0) {
    tcb.delivered += result.delivered;
    tcb.deliveredNs = nowNs;
    tcb.firstSentNs = result.sentNs;
    if (tcb.limitedUntil !== 0 && tcb.delivered > tcb.limitedUntil) tcb.limitedUntil = 0;
    sample.priorDelivered = result.priorDelivered;
    sample.limited = result.priorLimited;
    const spanNs = Math.max(result.sentNs - result.priorFirstNs, nowNs - result.priorDeliveredNs);
    // Shorter than any round trip: acknowledgments that came together say nothing of the path.
    if (spanNs > 0 && spanNs >= tcb.rtt.minNs) {
      sample.rate = ((tcb.delivered - result.priorDelivered) * 1e9) / spanNs;
      if (!sample.limited || sample.rate >= tcb.deliveryRate) tcb.deliveryRate = sample.rate;
    }
  }
  sample.total = tcb.delivered;
}
