// Payload that came: in order to the program, early to the side, urgent bytes marked; and the acknowledgment for it.

import { POLLHUP, POLLIN, POLLPRI, POLLRDHUP, POLLRDNORM } from '../../abi/events/poll.ts';
import {
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_SYN_RECV,
} from '../../abi/net/tcp.ts';
import { ecnReceived } from './ecn.ts';
import { setState } from './life.ts';
import { enterQuickAck, estimateMss, measureRoundTrip, mustAckNow, toldWindow } from './rcv.ts';
import { ByteQueue } from './rcvqueue.ts';
import type { Segment } from './segment.ts';
import { FIN, URG } from './segment.ts';
import { advance, after, before, distance } from './seq.ts';
import { Stamps } from './stamps.ts';
import type { Tcb } from './tcb.ts';
import { RCV_SHUTDOWN, SHUTDOWN_MASK, URGENT_NONE, URGENT_NOT_YET, URGENT_VALID } from './tcb.ts';
import { sendAck } from './transmit.ts';

/** Most that a delayed ACK waits: Linux's least, 40 ms (RFC 9293, section 3.8.6.3 allows 500). */
const DELACK_NS = 40e6;

/** Appends bytes [skip, skip + n) of a segment's payload. */
function takePayload(seg: Segment, skip: number, n: number, to: ByteQueue): void {
  const packet = seg.packet!;
  let left = n;
  let from = skip;
  const inHead = packet.end - seg.dataAt;
  if (inHead > 0) {
    if (from < inHead) {
      const size = Math.min(left, inHead - from);
      to.append(packet.head.subarray(seg.dataAt + from, seg.dataAt + from + size));
      left -= size;
      from = 0;
    } else from -= inHead;
  }
  for (const part of packet.parts) {
    if (left === 0) return;
    if (from >= part.length) {
      from -= part.length;
      continue;
    }
    const size = Math.min(left, part.length - from);
    to.append(size === part.length ? part : part.subarray(from, from + size));
    left -= size;
    from = 0;
  }
}

/** RFC 7413, section 4.2.2: what came with the SYN of a connection that Fast Open lets begin. A FIN behind it comes again. */
export function receiveSynData(tcb: Tcb, seg: Segment, nowNs: number): void {
  const n = Math.min(seg.length, tcb.rcvWnd);
  if (n === 0 || !tcb.memory.fits(n)) return;
  takePayload(seg, 0, n, tcb.queue);
  tcb.charge(n);
  tcb.rcvNxt = advance(tcb.rcvNxt, n);
  tcb.bytesReceived += n;
  tcb.dataSegsIn++;
  tcb.synDataAcked = true;
  if (tcb.options.stamping) stampReceived(tcb, nowNs);
}

/** RFC 9293, section 3.10.7.4, seventh and eighth check, of a segment that is acceptable. Events for the socket. */
export function receiveData(tcb: Tcb, seg: Segment, nowNs: number): number {
  let events = 0;
  if (seg.flags & URG) events |= urgentArrived(tcb, seg);
  ecnReceived(tcb, seg.packet!.tos, seg.flags);
  const fin = (seg.flags & FIN) !== 0;
  if (seg.length === 0 && !fin) return events;
  const dataEnd = advance(seg.seq, seg.length);
  if (seg.length > 0) {
    tcb.dataSegsIn++;
    estimateMss(tcb, seg.packet!.segment || seg.length);
    if (tcb.lastDataRecvNs === 0 || nowNs - tcb.lastDataRecvNs > tcb.rtt.rtoNs) enterQuickAck(tcb, 16);
    tcb.lastDataRecvNs = nowNs;
  }
  if (fin && after(seg.seq, tcb.rcvNxt)) {
    tcb.early.fin = true;
    tcb.early.finSeq = dataEnd;
  }
  if (!after(dataEnd, tcb.rcvNxt) && !(fin && dataEnd === tcb.rcvNxt)) {
    duplicate(tcb, seg.seq, dataEnd);
    return events;
  }
  const skip = before(seg.seq, tcb.rcvNxt) ? distance(tcb.rcvNxt, seg.seq) : 0;
  if (skip > 0) enterQuickAck(tcb, 16);
  const room = distance(advance(tcb.rcvNxt, toldWindow(tcb)), advance(seg.seq, skip));
  let n = Math.min(seg.length - skip, Math.max(0, room));
  const cut = n < seg.length - skip;
  if (seg.length > 0 && n > 0 && !tcb.memory.fits(n)) {
    tcb.host.counters.TCPBacklogDrop++;
    tcb.ackNow = true;
    return events;
  }
  if (after(seg.seq, tcb.rcvNxt)) {
    early(tcb, seg, n);
    return events;
  }
  if (n > 0) {
    takePayload(seg, skip, n, tcb.queue);
    tcb.charge(n);
    tcb.rcvNxt = advance(tcb.rcvNxt, n);
    tcb.bytesReceived += n;
    if (tcb.early.count > 0) n += fillHole(tcb);
    if (tcb.options.stamping) stampReceived(tcb, nowNs);
    measureRoundTrip(tcb, nowNs);
  } else if (seg.length > 0 && cut) {
    // No room: the peer probes the window, and is told of it.
    tcb.ackNow = true;
  }
  noteUrgent(tcb);
  if (n > 0) events |= tcb.urgent === URGENT_VALID ? POLLIN | POLLRDNORM | POLLPRI : POLLIN | POLLRDNORM;
  if ((fin && !cut && tcb.rcvNxt === dataEnd) || (tcb.early.fin && tcb.rcvNxt === tcb.early.finSeq))
    events |= finArrived(tcb);
  if (!tcb.ackPending) tcb.ackPending = true;
  return events;
}

/** What is in the queue and has no stamp came now. */
function stampReceived(tcb: Tcb, nowNs: number): void {
  tcb.stamps ??= new Stamps();
  tcb.stamps.add(tcb.rcvNxt, nowNs);
}

/** Bytes that were there already: told at once, with the range (RFC 2883, section 4). */
export function duplicate(tcb: Tcb, from: number, to: number): void {
  enterQuickAck(tcb, 16);
  if (tcb.sackOk && tcb.host.sysctl.tcp_dsack !== 0 && before(from, to)) {
    tcb.dsackFrom = from;
    tcb.dsackTo = after(to, tcb.rcvNxt) ? tcb.rcvNxt : to;
    tcb.dsackPending = true;
  }
  tcb.ackNow = true;
}

/** Behind a hole: kept, and the peer is told (RFC 5681, section 4.2). */
function early(tcb: Tcb, seg: Segment, n: number): void {
  tcb.ackNow = true;
  tcb.earlyPackets++;
  if (n <= 0) return;
  const piece = new ByteQueue();
  takePayload(seg, 0, n, piece);
  const added = tcb.early.insert(seg.seq, piece);
  if (added > 0) {
    tcb.charge(added);
    tcb.host.counters.TCPOFOQueue++;
  } else if (added < 0) tcb.host.counters.TCPOFODrop++;
  else if (tcb.sackOk && tcb.host.sysctl.tcp_dsack !== 0) {
    tcb.dsackFrom = seg.seq;
    tcb.dsackTo = advance(seg.seq, n);
    tcb.dsackPending = true;
  }
}

/** The hole is filled: what waited behind it follows. */
function fillHole(tcb: Tcb): number {
  let moved = 0;
  for (;;) {
    const count = tcb.early.count;
    if (count === 0) break;
    const before = tcb.early.length;
    const n = tcb.early.pull(tcb.rcvNxt, tcb.queue);
    if (tcb.early.count === count) break;
    // What was there twice is given back.
    tcb.discharge(before - tcb.early.length - n);
    tcb.rcvNxt = advance(tcb.rcvNxt, n);
    tcb.bytesReceived += n;
    moved += n;
  }
  tcb.ackNow = true;
  return moved;
}

/** The peer sends no more (RFC 9293, section 3.10.7.4, eighth check). TIME-WAIT is the caller's. */
function finArrived(tcb: Tcb): number {
  if (tcb.finReceived) return 0;
  tcb.finReceived = true;
  tcb.early.fin = false;
  tcb.rcvNxt = advance(tcb.rcvNxt, 1);
  tcb.shutdown |= RCV_SHUTDOWN;
  tcb.ackNow = true;
  tcb.pingPong = false;
  tcb.discharge(tcb.early.length);
  tcb.early.clear();
  if (tcb.state === TCP_SYN_RECV || tcb.state === TCP_ESTABLISHED) setState(tcb, TCP_CLOSE_WAIT);
  else if (tcb.state === TCP_FIN_WAIT1) setState(tcb, TCP_CLOSING);
  const both = tcb.shutdown === SHUTDOWN_MASK ? POLLHUP : 0;
  return POLLIN | POLLRDNORM | POLLRDHUP | both;
}

/** RFC 9293, section 3.10.7.4, sixth check; the pointer means what Linux takes it for (RFC 6093, tcp_stdurg). */
function urgentArrived(tcb: Tcb, seg: Segment): number {
  if (seg.urgent === 0) return 0;
  const pointer = tcb.host.sysctl.tcp_stdurg !== 0 ? seg.urgent : seg.urgent - 1;
  const at = advance(seg.seq, pointer);
  // Read already, or older than what is announced.
  if (before(at, tcb.copied) || before(at, tcb.rcvNxt)) return 0;
  if (tcb.urgent !== URGENT_NONE && !after(at, tcb.urgentSeq)) return 0;
  tcb.urgent = URGENT_NOT_YET;
  tcb.urgentSeq = at;
  return POLLPRI;
}

/** The announced byte may have come with the bytes up to rcvNxt. */
function noteUrgent(tcb: Tcb): void {
  if (tcb.urgent !== URGENT_NOT_YET || !before(tcb.urgentSeq, tcb.rcvNxt)) return;
  const offset = distance(tcb.urgentSeq, tcb.copied);
  if (offset < 0) return;
  tcb.urgentByte = tcb.queue.at(offset);
  tcb.urgent = URGENT_VALID;
}

/** After a segment: acknowledges now, or when something goes out, or in a while. */
export function acknowledgeLater(tcb: Tcb, nowNs: number): void {
  if (!tcb.ackPending && !tcb.ackNow) return;
  if (
    mustAckNow(tcb) ||
    (tcb.state !== TCP_ESTABLISHED && tcb.state !== TCP_FIN_WAIT1 && tcb.state !== TCP_FIN_WAIT2)
  ) {
    sendAck(tcb, nowNs);
    return;
  }
  tcb.ackPending = true;
  if (!tcb.delackTimer.armed) tcb.host.clock.arm(tcb.delackTimer, nowNs + DELACK_NS);
}
