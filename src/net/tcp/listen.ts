// Listening: requests that wait for the third segment of their handshake, in a bounded queue, SYN cookies behind that (RFC 4987), and
// connections that wait for accept(2). A request costs a small record; a connection is made when the peer has shown that it is there.

import { POLLIN, POLLRDNORM } from '../../abi/events/poll.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import { TCP_CLOSE, TCP_SYN_RECV } from '../../abi/net/tcp.ts';
import type { IpAddress } from '../address.ts';
import type { Packet } from '../packet.ts';
import type { Path } from '../path.ts';
import type { NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import { echoIpOptions, IpOptions } from '../wire/ip_options.ts';
import { IPV4_SIZE } from '../wire/ipv4.ts';
import { breaksLoop } from './challenge.ts';
import { receiveSynData } from './data.ts';
import { ecnAccepts } from './ecn.ts';
import { answer, FAST_BEGINS, judgeFastOpen } from './fastopen.ts';
import { FastOpenQueue } from './fastopen_queue.ts';
import { childOf, Handshake } from './handshake.ts';
import { segmentArrived } from './input.ts';
import { putSynOptions, synSpace } from './options.ts';
import { windowOf, windowShift } from './rcv.ts';
import type { Segment } from './segment.ts';
import { ACK, ECE, HEADER_SIZE, putHeader, RST, SYN } from './segment.ts';
import { advance, distance } from './seq.ts';
import { initialWindow } from './snd.ts';
import { COOKIE_PERIOD_NS, cookieIsFresh, cookieTimestamp, readCookie, synCookie } from './syncookies.ts';
import type { Tcb, TcpHost } from './tcb.ts';
import { MODE_RTO } from './tcb.ts';
import { emptyPacket, pathMss, sendBare, sendSyn, syncMss } from './transmit.ts';

/** What a request is charged; what a connection that no socket has is. */
export const REQUEST_BYTES = 512;
export const CONNECTION_BYTES = 4096;
const SYNACK_NS = 1e9;

/** What listeners need besides. */
export interface ListenHost extends TcpHost {
  initialSequence(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    nowNs: number,
  ): number;
  addRequest(request: SynRequest): void;
  removeRequest(request: SynRequest): void;
  requestTimer(request: SynRequest, nowNs: number): void;
  /** The connection has its place in the tables. */
  addChild(tcb: Tcb): void;
}

/** A handshake that waits in a listener's queue. */
export class SynRequest extends Handshake implements NetTimerTarget {
  readonly listener: Listener;
  readonly timer: NetTimer;

  constructor(
    listener: Listener,
    path: Path,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ) {
    super(path, local, localPort, remote, remotePort);
    this.listener = listener;
    this.timer = new NetTimer(this);
  }

  onTimer(_timer: NetTimer, nowNs: number): void {
    this.listener.host.requestTimer(this, nowNs);
  }
}

export class Listener {
  readonly host: ListenHost;
  readonly tcb: Tcb;
  backlog: number;
  /** Requests in the queue. */
  requests = 0;
  readonly pending = new Set<SynRequest>();
  readonly ready: Tcb[] = [];
  readonly fast = new FastOpenQueue();
  /** When a cookie was sent last. */
  cookieNs = Number.NEGATIVE_INFINITY;

  constructor(host: ListenHost, tcb: Tcb, backlog: number) {
    this.host = host;
    this.tcb = tcb;
    this.backlog = backlog;
  }

  /** As Linux: one more than asked for. */
  get full(): boolean {
    return this.ready.length > this.backlog;
  }

  /** A SYN for which there is no request (RFC 9293, section 3.10.7.2); `iss` 0 lets us choose. */
  syn(seg: Segment, packet: Packet, iss: number, nowNs: number): void {
    const { host, tcb } = this;
    const { sysctl, counters } = host;
    if (this.full) {
      counters.ListenOverflows++;
      counters.ListenDrops++;
      return;
    }
    const flow = {
      src: packet.dst,
      dst: packet.src,
      ifindex: tcb.options.ifindex,
      tos: tcb.options.tos,
      mark: tcb.options.mark,
      uid: tcb.uid,
    };
    const path = host.layer.route(flow);
    if (typeof path === 'number') return;
    const request = new SynRequest(this, path, packet.dst, seg.destinationPort, packet.src, seg.sourcePort);
    this.read(request, seg, nowNs);
    request.ipOptions = answerOptions(packet);
    const room = this.pending.size <= this.backlog && this.pending.size < sysctl.tcp_max_syn_backlog;
    if ((!room || !tcb.memory.fits(REQUEST_BYTES)) && iss === 0) {
      if (sysctl.tcp_syncookies === 0) {
        counters.TCPReqQFullDrop++;
        counters.ListenDrops++;
        return;
      }
      counters.TCPReqQFullDoCookies++;
      this.sendCookie(request, nowNs);
      return;
    }
    request.ecn = ecnAccepts(seg.flags, sysctl.tcp_ecn);
    request.iss =
      iss !== 0
        ? iss
        : host.initialSequence(request.local, request.localPort, request.remote, request.remotePort, nowNs);
    const fast = judgeFastOpen(tcb, this.fast, seg, packet.src, packet.dst, nowNs);
    const { cookie } = answer;
    if (fast === FAST_BEGINS && this.begin(request, seg, cookie, nowNs)) return;
    tcb.memory.take(REQUEST_BYTES);
    this.pending.add(request);
    host.addRequest(request);
    request.sentNs = nowNs;
    this.sendSynAck(request, cookie, nowNs);
    host.clock.arm(request.timer, nowNs + SYNACK_NS);
  }

  private read(request: SynRequest, seg: Segment, nowNs: number): void {
    const { sysctl, hash } = this.host;
    const { options } = this.tcb;
    const o = seg.options;
    request.irs = seg.seq;
    request.mss = o.mss > 0 ? Math.max(o.mss, sysctl.tcp_min_snd_mss) : packetIsV4(request) ? 536 : 1220;
    request.sndShift = sysctl.tcp_window_scaling !== 0 ? o.windowShift : -1;
    request.rcvShift = request.sndShift < 0 ? 0 : windowShift(options, sysctl.tcp_rmem[2]);
    request.window = Math.min(windowOf(options.rcvBuf), 65535);
    if (options.windowClamp > 0) request.window = Math.min(request.window, options.windowClamp);
    request.peerWindow = seg.window;
    request.sack = o.sackPermitted && sysctl.tcp_sack !== 0;
    request.timestamps = o.hasTimestamps && sysctl.tcp_timestamps !== 0;
    request.tsRecent = o.tsValue;
    request.tsOffset = hash.pair(request.local, request.remote, 1);
    request.sentNs = nowNs;
  }

  private sendSynAck(request: SynRequest, cookie: Uint8Array | null, nowNs: number): void {
    this.put(request, request.iss, (Math.floor(nowNs / 1e6) + request.tsOffset) | 0, cookie);
  }

  private put(request: SynRequest, iss: number, tsValue: number, cookie: Uint8Array | null): void {
    const { options } = this.tcb;
    const { path } = request;
    const packet = emptyPacket();
    const size = HEADER_SIZE + synSpace(request.sack, request.timestamps, request.sndShift >= 0, cookie);
    const at = packet.push(size);
    packet.l4 = at;
    packet.tos = options.tos;
    packet.ttl = options.ttl;
    packet.mark = options.mark;
    packet.priority = options.priority;
    packet.options = request.ipOptions;
    let mss = pathMss(path) - (request.ipOptions?.bytes.length ?? 0);
    if (options.maxSeg > 0) mss = Math.min(mss, options.maxSeg);
    const flags = SYN | ACK | (request.ecn ? ECE : 0);
    putHeader(
      packet.view,
      at,
      request.localPort,
      request.remotePort,
      iss,
      advance(request.irs, 1),
      size,
      flags,
      request.window,
      0,
    );
    putSynOptions(
      packet.view,
      at + HEADER_SIZE,
      Math.min(mss, 65535),
      request.sack,
      request.timestamps,
      tsValue,
      request.tsRecent,
      request.sndShift >= 0 ? request.rcvShift : -1,
      cookie,
    );
    this.host.counters.OutSegs++;
    this.host.layer.output(packet, path, IPPROTO_TCP, true);
  }

  /** A segment for a request. */
  segment(request: SynRequest, seg: Segment, nowNs: number): void {
    const { host, tcb } = this;
    const rcvNxt = advance(request.irs, 1);
    if (seg.flags & RST) {
      // RFC 5961, section 3.2.
      if (seg.seq === rcvNxt) this.drop(request);
      return;
    }
    if (seg.flags & SYN) {
      // The same one again: so is the answer, without counting (RFC 9293, section 3.10.7.4).
      if (seg.seq === request.irs && !(seg.flags & ACK)) this.sendSynAck(request, null, nowNs);
      else if (breaksLoop(this.host, request, seg, nowNs)) this.bareAck(request, nowNs);
      return;
    }
    if (!(seg.flags & ACK)) return;
    const offset = distance(seg.seq, rcvNxt);
    if (offset < 0 || offset > request.window) {
      if (breaksLoop(this.host, request, seg, nowNs)) this.bareAck(request, nowNs);
      return;
    }
    if (seg.ack !== advance(request.iss, 1)) {
      this.bareReset(request, seg);
      return;
    }
    if (tcb.options.deferAcceptS > 0 && seg.length === 0 && this.defers(request, nowNs)) {
      request.acked = true;
      return;
    }
    if (this.full) {
      host.counters.ListenOverflows++;
      request.acked = true;
      if (host.sysctl.tcp_abort_on_overflow !== 0) {
        this.bareReset(request, seg);
        this.drop(request);
      }
      return;
    }
    this.drop(request);
    this.open(request, seg, nowNs);
  }

  /** TCP_DEFER_ACCEPT: a bare ACK does not wake anybody, for that long. */
  private defers(request: SynRequest, nowNs: number): boolean {
    return nowNs - request.sentNs < this.tcb.options.deferAcceptS * 1e9;
  }

  private bareAck(request: SynRequest, nowNs: number): void {
    sendBare(
      this.host,
      request.path,
      request.local,
      request.localPort,
      request.remote,
      request.remotePort,
      advance(request.iss, 1),
      advance(request.irs, 1),
      ACK,
      request.window >> request.rcvShift,
      request.timestamps,
      (Math.floor(nowNs / 1e6) + request.tsOffset) | 0,
      request.tsRecent,
      this.tcb.options.tos,
    );
  }

  private bareReset(request: SynRequest, seg: Segment): void {
    const { local, localPort, remote, remotePort } = request;
    sendBare(
      this.host,
      request.path,
      local,
      localPort,
      remote,
      remotePort,
      seg.ack,
      0,
      RST,
      0,
      false,
      0,
      0,
      0,
    );
  }

  /** The connection, from what the handshake agreed on; it goes to those that wait for accept. */
  private open(request: SynRequest, seg: Segment, nowNs: number): void {
    const { host, tcb } = this;
    if (!tcb.memory.fits(CONNECTION_BYTES)) return;
    const child = childOf(request, tcb, nowNs);
    this.add(child);
    segmentArrived(child, seg, nowNs);
    if (child.state === TCP_SYN_RECV) {
      // It was not the third segment after all.
      this.ready.pop();
      tcb.memory.give(CONNECTION_BYTES);
      child.orphan = true;
      child.state = TCP_CLOSE;
      child.clearTimers();
      host.ended(child, 0);
      return;
    }
    tcb.tell(POLLIN | POLLRDNORM);
  }

  private add(child: Tcb): void {
    this.host.addChild(child);
    this.tcb.memory.take(CONNECTION_BYTES);
    this.ready.push(child);
    this.host.counters.PassiveOpens++;
  }

  /** Fast Open: the connection is there with its SYN, and what that carried can be read (RFC 7413, section 4.2.2). */
  private begin(request: SynRequest, seg: Segment, cookie: Uint8Array | null, nowNs: number): boolean {
    const { host, tcb } = this;
    if (!tcb.memory.fits(CONNECTION_BYTES)) {
      host.counters.TCPFastOpenPassiveFail++;
      return false;
    }
    const child = childOf(request, tcb, nowNs);
    child.fastOpen = this.fast;
    this.fast.open++;
    child.synCookie = cookie;
    syncMss(child);
    child.cong.cwnd = initialWindow(child.mss);
    receiveSynData(child, seg, nowNs);
    this.add(child);
    host.counters.TCPFastOpenPassive++;
    child.setRetransmit(MODE_RTO, nowNs + child.rtt.rtoNs);
    sendSyn(child, nowNs);
    tcb.tell(POLLIN | POLLRDNORM);
    return true;
  }

  /** The next one for accept(2). */
  next(): Tcb | undefined {
    const tcb = this.ready.shift();
    if (tcb !== undefined) this.tcb.memory.give(CONNECTION_BYTES);
    return tcb;
  }

  requestTimeout(request: SynRequest, nowNs: number): void {
    const { host, tcb } = this;
    const most = tcb.options.synCnt || host.sysctl.tcp_synack_retries;
    const waits = request.acked && tcb.options.deferAcceptS > 0 && this.defers(request, nowNs);
    if (request.retries >= most && !waits) {
      this.drop(request);
      return;
    }
    if (!waits) {
      request.acked = false;
      request.retries++;
      host.counters.RetransSegs++;
      this.sendSynAck(request, null, nowNs);
    }
    host.clock.arm(request.timer, nowNs + SYNACK_NS * 2 ** Math.min(request.retries, 7));
  }

  drop(request: SynRequest): void {
    if (!this.pending.delete(request)) return;
    this.tcb.memory.give(REQUEST_BYTES);
    this.host.clock.cancel(request.timer);
    this.host.removeRequest(request);
  }

  /** No longer listens: what waited is reset by the caller. */
  close(): Tcb[] {
    for (const request of [...this.pending]) this.drop(request);
    const rest = this.ready.splice(0);
    this.tcb.memory.give(rest.length * CONNECTION_BYTES);
    return rest;
  }

  /** SYN cookies take the place of a queue that is full. */
  private sendCookie(request: SynRequest, nowNs: number): void {
    this.cookieNs = nowNs;
    this.host.counters.SyncookiesSent++;
    const iss = synCookie(this.host.hash, request, nowNs);
    this.put(request, iss, cookieTimestamp(request, nowNs), null);
  }

  /** An ACK without a request: is it the answer to a cookie? */
  cookie(seg: Segment, packet: Packet, nowNs: number): boolean {
    const { host, tcb } = this;
    if (nowNs - this.cookieNs > 2 * COOKIE_PERIOD_NS || host.sysctl.tcp_syncookies === 0) return false;
    const iss = advance(seg.ack, -1);
    const path = !cookieIsFresh(iss, nowNs)
      ? -1
      : host.layer.route({
          src: packet.dst,
          dst: packet.src,
          ifindex: tcb.options.ifindex,
          tos: tcb.options.tos,
          mark: tcb.options.mark,
          uid: tcb.uid,
        });
    if (typeof path === 'number') {
      host.counters.SyncookiesFailed++;
      return false;
    }
    const request = new SynRequest(this, path, packet.dst, seg.destinationPort, packet.src, seg.sourcePort);
    request.irs = advance(seg.seq, -1);
    if (!readCookie(host.hash, request, iss)) {
      host.counters.SyncookiesFailed++;
      return false;
    }
    host.counters.SyncookiesRecv++;
    if (this.full) {
      host.counters.ListenOverflows++;
      return true;
    }
    request.window = Math.min(windowOf(tcb.options.rcvBuf), 65535);
    request.tsOffset = host.hash.pair(request.local, request.remote, 1);
    request.sentNs = nowNs;
    // The round trip is not known.
    request.retries = 1;
    const o = seg.options;
    if (o.hasTimestamps && host.sysctl.tcp_timestamps !== 0) {
      const bits = o.tsEcho & 63;
      request.timestamps = true;
      request.tsRecent = o.tsValue;
      request.sack = (bits & 32) !== 0 && host.sysctl.tcp_sack !== 0;
      if ((bits & 15) !== 15) {
        request.sndShift = bits & 15;
        request.rcvShift = windowShift(tcb.options, host.sysctl.tcp_rmem[2]);
      }
    }
    this.open(request, seg, nowNs);
    return true;
  }
}

/** tcp_v4_save_options(): the answer, and the connection after it, has the routes and stamps that the SYN had. */
function answerOptions(packet: Packet): IpOptions | null {
  if (!packet.dst.isV4 || packet.l4 - packet.l3 <= IPV4_SIZE) return null;
  const echo = echoIpOptions(packet.head.subarray(packet.l3 + IPV4_SIZE, packet.l4));
  if (echo.length === 0) return null;
  const options = IpOptions.compile(echo, false);
  return typeof options === 'number' ? null : options;
}

function packetIsV4(request: SynRequest): boolean {
  return request.remote.isV4;
}
