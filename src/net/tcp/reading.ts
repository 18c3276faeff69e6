// What a program reads: the stream up to the urgent mark, the urgent byte (tcp(7)), and what the peer hears of the room that this makes.

import { EAGAIN, EFAULT, EINVAL, ENOTCONN } from '../../abi/errno.ts';
import { MSG_PEEK, MSG_TRUNC } from '../../abi/net/socket.ts';
import { TCP_CLOSE, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2 } from '../../abi/net/tcp.ts';
import type { ByteSink } from '../endpoint.ts';
import { tuneBuffer, windowGrew, windowOf } from './rcv.ts';
import { advance, before, distance } from './seq.ts';
import type { Tcb } from './tcb.ts';
import { RCV_SHUTDOWN, URGENT_NONE, URGENT_READ, URGENT_VALID } from './tcb.ts';
import { sendAck } from './transmit.ts';

/** SO_ERROR, forgotten then. */
export function takeError(tcb: Tcb): number {
  const e = tcb.error;
  tcb.error = 0;
  return e;
}

/** recv(2) of the stream: bytes, 0 at its end, -EAGAIN or what went wrong. */
export function receiveStream(tcb: Tcb, to: ByteSink, flags: number, skip: number): number {
  const peek = (flags & MSG_PEEK) !== 0;
  let done = 0;
  let at = peek ? skip : 0;
  let failed = 0;
  while (to.remaining > 0 || flags & MSG_TRUNC) {
    let want = Math.min(to.remaining, tcb.queue.length - at);
    if (tcb.urgent !== URGENT_NONE) {
      const mark = distance(tcb.urgentSeq, advance(tcb.copied, at));
      if (mark === 0 && done > 0) break;
      if (mark === 0 && tcb.queue.length > at && !tcb.options.oobInline) {
        // The urgent byte is not part of the stream.
        if (peek) at++;
        else drop(tcb, 1);
        continue;
      }
      if (mark > 0 && mark < want) want = mark;
    }
    if (want <= 0) break;
    let n = want;
    if (flags & MSG_TRUNC && !peek) drop(tcb, want);
    else if (peek) n = tcb.queue.peek(to, want, at);
    else {
      n = tcb.queue.take(to, want);
      if (n > 0) read(tcb, n);
    }
    if (n <= 0) {
      failed = n < 0 ? n : -EFAULT;
      break;
    }
    done += n;
    at += peek ? n : 0;
    if (n < want || (flags & MSG_TRUNC && !peek)) break;
  }
  if (done > 0) return done;
  if (failed < 0) return failed;
  if (to.remaining === 0) return 0;
  if (tcb.finReceived && tcb.queue.length <= at) return 0;
  if (tcb.error !== 0) return -takeError(tcb);
  if (tcb.shutdown & RCV_SHUTDOWN) return 0;
  return tcb.state === TCP_CLOSE ? -ENOTCONN : -EAGAIN;
}

function drop(tcb: Tcb, n: number): void {
  tcb.queue.skip(n);
  read(tcb, n);
}

/** n bytes have left the queue. */
function read(tcb: Tcb, n: number): void {
  tcb.discharge(n);
  tcb.copied = advance(tcb.copied, n);
  if (tcb.urgent !== URGENT_NONE && before(tcb.urgentSeq, tcb.copied)) tcb.urgent = URGENT_NONE;
}

/** The window opens, and the peer may have to hear of it. */
export function afterRead(tcb: Tcb, nowNs: number): void {
  const open = tcb.state === TCP_ESTABLISHED || tcb.state === TCP_FIN_WAIT1 || tcb.state === TCP_FIN_WAIT2;
  if (!open) return;
  tuneBuffer(tcb, nowNs);
  const due = tcb.ackPending && distance(tcb.rcvNxt, tcb.rcvWup) > tcb.rcvMss;
  if (due || windowGrew(tcb)) sendAck(tcb, nowNs);
}

/** MSG_OOB, as tcp(7) tells. */
export function receiveUrgent(tcb: Tcb, to: ByteSink, flags: number): number {
  if (tcb.options.oobInline || tcb.urgent === URGENT_NONE || tcb.urgent === URGENT_READ) return -EINVAL;
  if (tcb.urgent === URGENT_VALID) {
    if (to.remaining === 0) return 0;
    const n = to.put(new Uint8Array([tcb.urgentByte]), 0, 1);
    if (n < 1) return n < 0 ? n : -EFAULT;
    if (!(flags & MSG_PEEK)) tcb.urgent = URGENT_READ;
    return 1;
  }
  if (tcb.state === TCP_CLOSE || tcb.shutdown & RCV_SHUTDOWN) return 0;
  return -EAGAIN;
}

/** Are there as many bytes as SO_RCVLOWAT asks for (tcp_stream_is_readable)? */
export function readable(tcb: Tcb): boolean {
  const n = tcb.queue.length;
  if (n === 0) return false;
  let target = tcb.options.rcvLowat;
  if (tcb.urgent !== URGENT_NONE && tcb.urgentSeq === tcb.copied && !tcb.options.oobInline) target++;
  // Never ask for more than the window lets come.
  return n >= target || n >= windowOf(tcb.options.rcvBuf);
}

/** SIOCINQ: bytes up to the urgent one (tcp(7)). */
export function unreadBytes(tcb: Tcb): number {
  if (tcb.shaking) return 0;
  const n = tcb.queue.length;
  if (tcb.urgent === URGENT_NONE || tcb.options.oobInline) return n;
  const mark = distance(tcb.urgentSeq, tcb.copied);
  if (mark < 0 || mark >= n) return n;
  return mark === 0 ? n - 1 : mark;
}
