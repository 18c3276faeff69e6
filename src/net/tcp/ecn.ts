// Explicit congestion notification (RFC 3168, section 6.1): agreed on in the handshake, echoed until the sender says that it heard.

import { CWR, ECE } from './segment.ts';
import { after, before } from './seq.ts';
import type { Tcb } from './tcb.ts';

/** The field in TOS (section 5): not capable, capable, congestion experienced. */
const ECN_MASK = 3;
export const ECT_0 = 2;
const CE = 3;

/** Flags of our SYN. */
export function ecnOfSyn(ask: number): number {
  return ask === 1 ? ECE | CWR : 0;
}

/** A SYN with these flags asks for it (section 6.1.1), and we may: the SYN|ACK carries ECE alone. */
export function ecnAccepts(flags: number, sysctl: number): boolean {
  return sysctl !== 0 && (flags & (ECE | CWR)) === (ECE | CWR);
}

/** A data segment came in with this TOS and flags. */
export function ecnReceived(tcb: Tcb, tos: number, flags: number): void {
  if (!tcb.ecn) return;
  if (flags & CWR) tcb.ecnEcho = false;
  const field = tos & ECN_MASK;
  if (field !== 0) tcb.ecnSeen = true;
  if (field === CE) {
    // Told at once, so that the sender slows down a delayed ACK earlier.
    if (!tcb.ecnEcho) tcb.ackNow = true;
    tcb.ecnEcho = true;
  }
}

/** Flags that an outgoing segment carries for it; `fresh` when it has new data. */
export function ecnFlags(tcb: Tcb, fresh: boolean): number {
  if (!tcb.ecn) return 0;
  let flags = tcb.ecnEcho ? ECE : 0;
  if (fresh && tcb.ecnSendCwr) {
    flags |= CWR;
    tcb.ecnSendCwr = false;
  }
  return flags;
}

/** An acknowledgment with ECE: is it news, once a window (section 6.1.2)? */
export function ecnEchoed(tcb: Tcb, flags: number, ack: number): boolean {
  return tcb.ecn && (flags & ECE) !== 0 && tcb.caState === 0 && !before(ack, tcb.una) && !after(ack, tcb.nxt);
}
