// RACK-TLP (RFC 8985): a segment is lost when one sent later was delivered and more than a reordering window has passed.

import { TCP_CA_Recovery } from '../../abi/net/tcp.ts';
import type { AckResult, Sent } from './sack.ts';
import { EVER_RETRANSMITTED, LOST, RETRANSMITTED, SACKED } from './sack.ts';
import { after } from './seq.ts';
import type { Tcb } from './tcb.ts';

/** Section 6.2, RACK_sent_after. */
function sentAfter(aNs: number, aEnd: number, bNs: number, bEnd: number): boolean {
  return aNs > bNs || (aNs === bNs && after(aEnd, bEnd));
}

/** Section 6.2, steps 1 to 3: what was delivered now that was sent last. */
export function rackUpdate(tcb: Tcb, result: AckResult, nowNs: number): void {
  if (result.reordered) tcb.reorderSeen++;
  if (result.dsack) {
    tcb.dsackDups++;
    // Section 6.2, step 4: the window grows once a round in which something was sent for nothing.
    if (!tcb.rackDsackSeen) {
      tcb.rackDsackSeen = true;
      tcb.rackDsackRound = tcb.nxt;
      tcb.rackWindows = Math.min(tcb.rackWindows + 1, 255);
      tcb.rackPersist = 16;
    }
  }
  if (tcb.rackDsackSeen && !after(tcb.rackDsackRound, tcb.una)) tcb.rackDsackSeen = false;
  if (result.sentNs < 0) return;
  const rtt = nowNs - result.sentNs;
  // An acknowledgment too early to be of the copy is of the original.
  if (result.retransmitted && rtt < tcb.rtt.minNs) return;
  tcb.rackRttNs = rtt;
  if (sentAfter(result.sentNs, result.endSeq, tcb.rackSentNs, tcb.rackEnd)) {
    tcb.rackSentNs = result.sentNs;
    tcb.rackEnd = result.endSeq;
  }
}

/** Recovery is over: the wider window lasts for sixteen of them. */
export function rackRecovered(tcb: Tcb): void {
  if (tcb.rackPersist > 0 && --tcb.rackPersist === 0) tcb.rackWindows = 1;
}

/** Section 6.2, step 4. */
function reorderWindowNs(tcb: Tcb): number {
  if (tcb.reorderSeen === 0) {
    if (tcb.caState >= TCP_CA_Recovery) return 0;
    // Three segments above a hole, as RFC 5681's three duplicates.
    if (tcb.board.sackedBytes >= tcb.host.sysctl.tcp_reordering * tcb.mss) return 0;
  }
  return Math.min(tcb.rtt.smoothedNs, (tcb.rtt.minNs / 4) * tcb.rackWindows);
}

/** Section 6.2, step 5: marks what is lost; ns until something else would be, 0 for nothing. */
export function rackDetect(tcb: Tcb, nowNs: number): number {
  const { board } = tcb;
  if (tcb.rackSentNs === 0) return 0;
  const window = reorderWindowNs(tcb);
  let timeout = 0;
  for (let i = board.first; i < board.list.length; i++) {
    const sent: Sent = board.list[i]!;
    if (sent.marks & SACKED) continue;
    if ((sent.marks & (LOST | RETRANSMITTED)) === LOST) continue;
    if (!sentAfter(tcb.rackSentNs, tcb.rackEnd, sent.sentNs, sent.end)) {
      // Those behind it were sent later still, and copies of them after that.
      if ((sent.marks & EVER_RETRANSMITTED) === 0) break;
      continue;
    }
    const remaining = sent.sentNs + tcb.rackRttNs + window - nowNs;
    if (remaining <= 0) board.lose(sent);
    else timeout = Math.max(timeout, remaining);
  }
  return timeout;
}
