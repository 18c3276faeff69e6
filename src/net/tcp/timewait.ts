// TIME-WAIT: what is kept of a connection so that its late segments do not disturb the next (RFC 9293, section 3.6; RFC 6191 for
// its early end). A small record each, in order of age, one timer for all.

import type { IpAddress } from '../address.ts';
import { breaksLoop } from './challenge.ts';
import { toldWindow } from './rcv.ts';
import type { Segment } from './segment.ts';
import { ACK, FIN, RST, SYN } from './segment.ts';
import { advance, after, before } from './seq.ts';
import type { Tcb, TcpHost } from './tcb.ts';
import { sendBare } from './transmit.ts';

export const TIME_WAIT_NS = 60e9;
/** What a record is charged. */
export const TIME_WAIT_BYTES = 256;

export class TimeWait {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly uid: number;
  readonly reuseAddr: boolean;
  readonly reusePort: boolean;
  readonly v6: boolean;
  readonly v6only: boolean;
  readonly ifindex: number;
  readonly mark: number;
  readonly tos: number;
  readonly sndNxt: number;
  readonly rcvNxt: number;
  readonly window: number;
  readonly rcvShift: number;
  readonly timestamps: boolean;
  tsRecent: number;
  tsRecentMs: number;
  readonly tsOffset: number;
  endNs: number;
  invalidNs = Number.NEGATIVE_INFINITY;
  dead = false;
  readonly memory: Tcb['memory'];

  constructor(tcb: Tcb, endNs: number) {
    this.local = tcb.local;
    this.localPort = tcb.localPort;
    this.remote = tcb.remote;
    this.remotePort = tcb.remotePort;
    this.uid = tcb.uid;
    this.reuseAddr = tcb.options.reuseAddr;
    this.reusePort = tcb.options.reusePort;
    this.v6 = tcb.v6;
    this.v6only = tcb.options.v6only;
    this.ifindex = tcb.options.ifindex;
    this.mark = tcb.options.mark;
    this.tos = tcb.options.tos;
    this.sndNxt = tcb.nxt;
    this.rcvNxt = tcb.rcvNxt;
    this.window = toldWindow(tcb);
    this.rcvShift = tcb.rcvShift;
    this.timestamps = tcb.timestamps;
    this.tsRecent = tcb.tsRecent;
    this.tsRecentMs = tcb.tsRecentMs;
    this.tsOffset = tcb.tsOffset;
    this.endNs = endNs;
    this.memory = tcb.memory;
  }
}

/** What a segment does to it. */
export const WAIT_ANSWERED = 0;
export const WAIT_ENDED = 1;
/** A new connection may begin, from an initial sequence number behind the old ones. */
export const WAIT_REOPENED = 2;

/** A segment for a connection in TIME-WAIT (RFC 9293, section 3.10.7.4). */
export function timeWaitSegment(host: TcpHost, wait: TimeWait, seg: Segment, nowNs: number): number {
  const o = seg.options;
  const old = wait.timestamps && o.hasTimestamps && before(o.tsValue, wait.tsRecent);
  const right = advance(wait.rcvNxt, wait.window);
  const fits = !before(seg.end, wait.rcvNxt) && !after(seg.seq, right);
  if (seg.flags & RST) {
    // RFC 1337: a reset may be an old one.
    if (!old && fits && seg.seq === wait.rcvNxt && host.sysctl.tcp_rfc1337 === 0) return WAIT_ENDED;
    return WAIT_ANSWERED;
  }
  const newer =
    after(seg.seq, wait.rcvNxt) || (wait.timestamps && o.hasTimestamps && after(o.tsValue, wait.tsRecent));
  if ((seg.flags & (SYN | ACK)) === SYN && !old && newer) return WAIT_REOPENED;
  if (!old && (seg.flags & FIN || seg.length > 0)) wait.endNs = nowNs + TIME_WAIT_NS;
  const nothing = seg.flags & ACK && fits && seg.length === 0 && !(seg.flags & (FIN | SYN)) && !old;
  if (nothing) return WAIT_ANSWERED;
  // Our ACK is as wrong to a peer that has begun anew as its own is to us: two such ends answer each other for ever.
  if (breaksLoop(host, wait, seg, nowNs)) answer(host, wait, nowNs);
  return WAIT_ANSWERED;
}

/** The last ACK again. */
function answer(host: TcpHost, wait: TimeWait, nowNs: number): void {
  const path = host.layer.route({
    src: wait.local,
    dst: wait.remote,
    ifindex: wait.ifindex,
    tos: wait.tos,
    mark: wait.mark,
    uid: wait.uid,
  });
  if (typeof path === 'number') return;
  sendBare(
    host,
    path,
    wait.local,
    wait.localPort,
    wait.remote,
    wait.remotePort,
    wait.sndNxt,
    wait.rcvNxt,
    ACK,
    wait.window >> wait.rcvShift,
    wait.timestamps,
    (Math.floor(nowNs / 1e6) + wait.tsOffset) | 0,
    wait.tsRecent,
    wait.tos,
  );
}
