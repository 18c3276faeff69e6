// How connections end: in order, by an error, and what they give back.

import { ECONNREFUSED, ECONNRESET, EPIPE } from '../../abi/errno.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
} from '../../abi/events/poll.ts';
import { TCP_CLOSE, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_SYN_RECV, TCP_SYN_SENT } from '../../abi/net/tcp.ts';
import { before } from './seq.ts';
import type { Tcb } from './tcb.ts';
import { SHUTDOWN_MASK } from './tcb.ts';
import { sendReset } from './transmit.ts';

const EVERYTHING = POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM | POLLHUP;

/** Changes the state, and the gauge of connections (RFC 4022, tcpCurrEstab). */
export function setState(tcb: Tcb, state: number): void {
  const { counters } = tcb.host;
  const counted = (s: number): boolean => s === TCP_ESTABLISHED || s === TCP_CLOSE_WAIT;
  if (counted(tcb.state) && !counted(state)) counters.CurrEstab--;
  else if (!counted(tcb.state) && counted(state)) counters.CurrEstab++;
  tcb.state = state;
}

/** Unsent and unacknowledged bytes are dropped. */
export function purgeSend(tcb: Tcb): void {
  tcb.discharge(tcb.buffer.length);
  tcb.buffer.clear();
  tcb.board.clear();
  tcb.finQueued = false;
  tcb.nxt = tcb.una;
  tcb.bufSeq = tcb.una;
}

/** Received bytes are dropped. */
export function purgeReceive(tcb: Tcb): void {
  tcb.discharge(tcb.queue.length + tcb.early.length);
  tcb.queue.clear();
  tcb.early.clear();
  tcb.stamps = null;
}

/** The handshake of a connection that began with its SYN is over, in one way or another. */
export function leaveFastOpen(tcb: Tcb, reset: boolean): void {
  if (tcb.fastOpen === null) return;
  tcb.fastOpen.leave(reset, tcb.host.clock.monotonicNs());
  tcb.fastOpen = null;
}

/** The connection is no more; a socket may still read what came. `timeWaitNs` > 0 leaves a mark (TIME-WAIT). */
export function finish(tcb: Tcb, timeWaitNs: number): void {
  if (tcb.state === TCP_SYN_SENT || tcb.state === TCP_SYN_RECV) tcb.host.counters.AttemptFails++;
  tcb.clearTimers();
  leaveFastOpen(tcb, tcb.error === ECONNRESET);
  setState(tcb, TCP_CLOSE);
  tcb.shutdown = SHUTDOWN_MASK;
  purgeSend(tcb);
  tcb.discharge(tcb.early.length);
  tcb.early.clear();
  if (tcb.orphan) purgeReceive(tcb);
  tcb.host.ended(tcb, timeWaitNs);
  tcb.tell(tcb.error !== 0 ? EVERYTHING | POLLERR : EVERYTHING);
  if (tcb.orphan) {
    tcb.lingering = false;
    tcb.owner = null;
  }
}

/** It ended by an error, which the socket is told once. */
export function fail(tcb: Tcb, errno: number): void {
  tcb.error = errno;
  finish(tcb, 0);
}

/** A reset came (RFC 9293, section 3.10.7.4, second check). */
export function resetByPeer(tcb: Tcb): void {
  if (tcb.state === TCP_ESTABLISHED || tcb.state === TCP_CLOSE_WAIT) tcb.host.counters.EstabResets++;
  if (tcb.state === TCP_SYN_SENT) fail(tcb, ECONNREFUSED);
  else fail(tcb, tcb.state === TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
}

/** Resets the peer, and ends (RFC 9293, section 3.10.5). */
export function abort(tcb: Tcb, errno: number, nowNs: number): void {
  if (tcb.state !== TCP_SYN_SENT && tcb.state !== TCP_CLOSE) {
    if (before(tcb.nxt, tcb.una)) tcb.nxt = tcb.una;
    sendReset(tcb, nowNs);
  }
  if (tcb.state === TCP_ESTABLISHED || tcb.state === TCP_CLOSE_WAIT) tcb.host.counters.EstabResets++;
  fail(tcb, errno);
}
