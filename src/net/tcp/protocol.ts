// TcpProtocol: TCP of one network namespace: which connection a segment is for, who listens, who has which port, what is left of
// those that ended. Segments that come in while a call or another segment is being handled wait for its end: a link that hands
// them over at once, such as loopback, makes nothing run within something else.

import { EADDRINUSE, EADDRNOTAVAIL, EMSGSIZE } from '../../abi/errno.ts';
import { TCP_CA_Loss, TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT } from '../../abi/net/tcp.ts';
import type { IpAddress } from '../address.ts';
import type { PacketFilter } from '../endpoint.ts';
import type { NetMemory } from '../memory.ts';
import { UNLIMITED } from '../memory.ts';
import type { Packet } from '../packet.ts';
import type { NetworkLayer } from '../path.ts';
import type { NetClock, NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import type { NetRandom, PathError, Transport } from '../transport.ts';
import { ChallengeLimit } from './challenge.ts';
import type { EndpointHost } from './endpoint.ts';
import { TcpEndpoint } from './endpoint.ts';
import { CookieCache } from './fastopen_cache.ts';
import { KeyedHash } from './hash.ts';
import { segmentArrived } from './input.ts';
import { fail } from './life.ts';
import type { Listener } from './listen.ts';
import { CONNECTION_BYTES, SynRequest } from './listen.ts';
import { PortTable } from './ports.ts';
import { retransmit } from './recovery.ts';
import { ACK, FIN, RST, SEGMENT_BAD_SUM, SEGMENT_OK, Segment, SYN } from './segment.ts';
import { advance, between } from './seq.ts';
import { armAfterSend } from './snd.ts';
import { TcpCounters, TcpSysctl } from './sysctl.ts';
import { FlowTable } from './table.ts';
import { Tcb } from './tcb.ts';
import { onConnectionTimer } from './timers.ts';
import { TIME_WAIT_BYTES, TimeWait, timeWaitSegment, WAIT_ENDED, WAIT_REOPENED } from './timewait.ts';
import { refreshPath, sendBare } from './transmit.ts';

type Flow = Tcb | TimeWait | SynRequest;

/** Packets that wait while another is handled; more are dropped, as by any full queue. */
const MOST_WAITING = 4096;

export class TcpProtocol implements Transport, EndpointHost, NetTimerTarget {
  readonly layer: NetworkLayer;
  readonly clock: NetClock;
  readonly random: NetRandom;
  readonly memory: NetMemory;
  readonly sysctl: TcpSysctl;
  readonly counters = new TcpCounters();
  readonly hash: KeyedHash;
  readonly cookies: CookieCache;
  fastOpenKeys: Uint8Array | null = null;
  private readonly isnHash: KeyedHash;
  private readonly flows: FlowTable<Flow>;
  private readonly ports: PortTable;
  private readonly listeners = new Map<number, Listener[]>();
  private readonly segment = new Segment();
  private readonly limit = new ChallengeLimit();
  private waits: TimeWait[] = [];
  private firstWait = 0;
  timeWaits = 0;
  orphans = 0;
  /** Hears when the last of them is gone. */
  idleListener: { idle(): void } | null = null;
  private readonly waitTimer: NetTimer = new NetTimer(this);
  private busy = 0;
  private waiting: Packet[] = [];

  constructor(
    layer: NetworkLayer,
    clock: NetClock,
    random: NetRandom,
    memory: NetMemory = UNLIMITED,
    sysctl: TcpSysctl = new TcpSysctl(),
  ) {
    this.layer = layer;
    this.clock = clock;
    this.random = random;
    this.memory = memory;
    this.sysctl = sysctl;
    this.cookies = new CookieCache(memory);
    this.hash = new KeyedHash(random);
    this.isnHash = new KeyedHash(random);
    this.flows = new FlowTable(new KeyedHash(random));
    this.ports = new PortTable(random);
  }

  /** A new socket's endpoint, of AF_INET6 or AF_INET; `memory` pays for its buffers. */
  open(v6: boolean, memory: NetMemory = this.memory, uid = 0): TcpEndpoint {
    return new TcpEndpoint(this, new Tcb(this, v6, memory, uid));
  }

  /** Connections, listeners' requests and those in TIME-WAIT: for /proc/net/tcp and tests. */
  get connections(): number {
    return this.flows.count;
  }

  /** All connections (not requests, not TIME-WAIT): for /proc/net/tcp and SOCK_DIAG. */
  *all(): Generator<Tcb> {
    for (const list of this.listeners.values()) for (const listener of list) yield listener.tcb;
    for (const flow of this.flows.values()) if (flow instanceof Tcb) yield flow;
  }

  /** Those in TIME-WAIT. */
  *timeWaiting(): Generator<TimeWait> {
    for (const flow of this.flows.values()) if (flow instanceof TimeWait) yield flow;
  }

  // Order of things.

  enter(): number {
    this.busy++;
    return this.clock.monotonicNs();
  }

  leave(): void {
    if (this.busy > 1) {
      this.busy--;
      return;
    }
    const { waiting } = this;
    for (let i = 0; i < waiting.length; i++) {
      const packet = waiting[i]!;
      this.handle(packet, this.clock.monotonicNs());
      // What is behind is not kept for long when a stream keeps this loop going.
      if (i === 1023) {
        waiting.splice(0, i + 1);
        i = -1;
      }
    }
    waiting.length = 0;
    this.busy = 0;
  }

  input(packet: Packet): void {
    if (this.busy > 0) {
      if (this.waiting.length < MOST_WAITING) this.waiting.push(packet);
      else this.counters.TCPBacklogDrop++;
      return;
    }
    this.busy = 1;
    this.handle(packet, this.clock.monotonicNs());
    this.leave();
  }

  connectionTimer(tcb: Tcb, cookie: number, nowNs: number): void {
    this.busy++;
    onConnectionTimer(tcb, cookie, nowNs);
    this.leave();
  }

  requestTimer(request: SynRequest, nowNs: number): void {
    this.busy++;
    request.listener.requestTimeout(request, nowNs);
    this.leave();
  }

  // Segments.

  private handle(packet: Packet, nowNs: number): void {
    const { segment: seg, counters } = this;
    counters.InSegs++;
    const r = seg.parse(packet);
    if (r !== SEGMENT_OK) {
      counters.InErrs++;
      if (r === SEGMENT_BAD_SUM) counters.InCsumErrors++;
      return;
    }
    const flow = this.flows.get(packet.dst, seg.destinationPort, packet.src, seg.sourcePort);
    if (flow instanceof Tcb) {
      if (flow.options.filter === null || this.admit(flow.options.filter, packet))
        segmentArrived(flow, seg, nowNs);
    } else if (flow instanceof SynRequest) {
      const { filter } = flow.listener.tcb.options;
      if (filter === null || this.admit(filter, packet)) flow.listener.segment(flow, seg, nowNs);
    } else if (flow instanceof TimeWait) this.late(flow, seg, packet, nowNs);
    else this.unknown(seg, packet, 0, nowNs);
    seg.packet = null;
  }

  /** tcp_filter(): false when the segment is not to be seen; what is cut off has to come again. */
  private admit(filter: PacketFilter, packet: Packet): boolean {
    const { segment: seg } = this;
    const n = filter.admits(packet, packet.l4);
    if (n === 0) return false;
    const headers = ((packet.view.getUint8(packet.l4 + 12) >>> 4) & 15) * 4;
    const payload = Math.max(0, n - headers);
    seg.length = Math.min(seg.length, payload);
    return true;
  }

  private late(wait: TimeWait, seg: Segment, packet: Packet, nowNs: number): void {
    const what = timeWaitSegment(this, wait, seg, nowNs);
    if (what === WAIT_ENDED) this.endWait(wait);
    else if (what === WAIT_REOPENED) {
      const listener = this.listenerFor(packet, seg.destinationPort, seg.sourcePort);
      if (listener === undefined) {
        this.unknown(seg, packet, 0, nowNs);
        return;
      }
      this.endWait(wait);
      this.counters.TWRecycled++;
      // Behind all that the old connection may have used (RFC 9293, section 3.6.1).
      listener.syn(seg, packet, advance(wait.sndNxt, 65537) || 1, nowNs);
    }
  }

  /** A segment without a connection: for a listener, or answered by a reset (RFC 9293, section 3.10.7.1 and 3.10.7.2). */
  private unknown(seg: Segment, packet: Packet, iss: number, nowNs: number): void {
    if (packet.dst.isMulticast || packet.dst.isBroadcast || packet.src.isMulticast || packet.src.isAny)
      return;
    const listener = this.listenerFor(packet, seg.destinationPort, seg.sourcePort);
    if (listener !== undefined) {
      const { filter } = listener.tcb.options;
      if (seg.flags & RST || (filter !== null && !this.admit(filter, packet))) return;
      if (seg.flags & ACK) {
        if (!(seg.flags & SYN) && listener.cookie(seg, packet, nowNs)) return;
      } else {
        // A SYN that ends what it begins opens nothing, and is not answered (tcp_rcv_state_process()).
        if (seg.flags & SYN && !(seg.flags & FIN)) listener.syn(seg, packet, iss, nowNs);
        return;
      }
    }
    this.reset(seg, packet);
  }

  private reset(seg: Segment, packet: Packet): void {
    if (seg.flags & RST) return;
    const path = this.layer.route({
      src: packet.dst,
      dst: packet.src,
      ifindex: 0,
      tos: 0,
      mark: packet.mark,
      uid: 0,
    });
    if (typeof path === 'number') return;
    const hasAck = (seg.flags & ACK) !== 0;
    sendBare(
      this,
      path,
      packet.dst,
      seg.destinationPort,
      packet.src,
      seg.sourcePort,
      hasAck ? seg.ack : 0,
      hasAck ? 0 : seg.end,
      hasAck ? RST : RST | ACK,
      0,
      false,
      0,
      0,
      0,
    );
  }

  /** The listener that fits best: bound to the address before bound to any; of several alike one by hash (SO_REUSEPORT). */
  private listenerFor(packet: Packet, port: number, remotePort: number): Listener | undefined {
    const list = this.listeners.get(port);
    if (list === undefined) return undefined;
    let best: Listener | undefined;
    let bestScore = -1;
    let alike = 0;
    for (const listener of list) {
      const score = this.score(listener.tcb, packet);
      if (score < 0 || score < bestScore) continue;
      if (score > bestScore) {
        best = listener;
        bestScore = score;
        alike = 1;
        continue;
      }
      alike++;
      const h = this.hash.flow(packet.dst, port, packet.src, remotePort) >>> 0;
      if (listener.tcb.options.reusePort && (Math.imul(h, alike * 2 + 1) >>> 0) % alike === 0)
        best = listener;
    }
    return best;
  }

  private score(tcb: Tcb, packet: Packet): number {
    const { options, local } = tcb;
    if (options.ifindex !== 0 && packet.ifindex !== 0 && options.ifindex !== packet.ifindex) return -1;
    let score = options.ifindex !== 0 ? 4 : 0;
    if (!local.isAny) {
      if (!local.equals(packet.dst)) return -1;
      score += 2;
    } else if (packet.dst.isV4) {
      if (!local.isV4 && options.v6only) return -1;
      if (local.isV4) score += 1;
    } else if (local.isV4) return -1;
    return score;
  }

  // Errors of the path.

  /** Whose segment a report quotes: only of what is under way (RFC 5927, section 4.1). */
  private sender(report: PathError): Tcb | SynRequest | null {
    const { quoted } = report;
    if (quoted.byteLength < 8) return null;
    const flow = this.flows.get(report.src, quoted.getUint16(0), report.dst, quoted.getUint16(2));
    const seq = quoted.getInt32(4);
    if (flow instanceof Tcb)
      return between(seq, flow.una, flow.nxt) && flow.state !== TCP_CLOSE ? flow : null;
    return flow instanceof SynRequest && seq === flow.iss ? flow : null;
  }

  owns(report: PathError): boolean {
    return this.sender(report) !== null;
  }

  error(report: PathError): void {
    const flow = this.sender(report);
    if (!(flow instanceof Tcb)) return;
    const now = this.enter();
    if (report.errno === EMSGSIZE) this.shrunk(flow, now);
    else if (flow.state === TCP_SYN_SENT || flow.state === TCP_SYN_RECV) {
      if (report.fatal) fail(flow, report.errno);
      else flow.softError = report.errno;
    } else flow.softError = report.errno;
    this.leave();
  }

  /** The path's MTU is smaller (RFC 1191, section 6.4): what was too large goes again, and that is no sign of congestion. */
  private shrunk(tcb: Tcb, nowNs: number): void {
    const old = tcb.mss;
    tcb.path = null;
    if (refreshPath(tcb) < 0 || tcb.mss >= old || tcb.flight === 0) return;
    if (tcb.state === TCP_SYN_SENT || tcb.state === TCP_SYN_RECV) return;
    tcb.board.loseAll(false);
    tcb.caState = TCP_CA_Loss;
    tcb.highSeq = tcb.nxt;
    retransmit(tcb, tcb.cong.cwnd, nowNs);
    armAfterSend(tcb, nowNs);
  }

  // Ports.

  takePort(tcb: Tcb, address: IpAddress, port: number): number {
    let mine = port;
    if (mine === 0) {
      const [low, high] = this.sysctl.ip_local_port_range;
      mine = this.ports.free(tcb, address, low, high);
      if (mine < 0) return mine;
    } else if (this.ports.conflicts(tcb, address, mine)) return -EADDRINUSE;
    tcb.localPort = mine;
    this.havePort(tcb);
    return 0;
  }

  private havePort(tcb: Tcb): void {
    if (tcb.hasPort) return;
    tcb.hasPort = true;
    this.ports.take(tcb.localPort, tcb);
  }

  takeFlow(tcb: Tcb, nowNs: number): number {
    const { local, remote, remotePort } = tcb;
    if (tcb.hasPort) {
      if (!this.vacate(tcb, tcb.localPort, nowNs)) return -EADDRNOTAVAIL;
    } else {
      const [low, high] = this.sysctl.ip_local_port_range;
      const hash = this.hash.pair(local, remote, remotePort) >>> 0;
      let found = 0;
      for (let i = 0; i <= high - low && found === 0; i++) {
        const port = this.ports.candidate(hash, i, low, high);
        if (this.ports.boundByName(port) || !this.vacate(tcb, port, nowNs)) continue;
        found = port;
        this.ports.taken(hash, i);
      }
      if (found === 0) return -EADDRNOTAVAIL;
      tcb.localPort = found;
      this.havePort(tcb);
    }
    if (tcb.iss === 0) tcb.iss = this.initialSequence(local, tcb.localPort, remote, remotePort, nowNs);
    this.flows.set(local, tcb.localPort, remote, remotePort, tcb);
    tcb.hashed = true;
    return 0;
  }

  /** Is this flow free, or one in TIME-WAIT that timestamps tell apart from a new one (tcp_tw_reuse; RFC 6191)? */
  private vacate(tcb: Tcb, port: number, nowNs: number): boolean {
    const flow = this.flows.get(tcb.local, port, tcb.remote, tcb.remotePort);
    if (flow === undefined) return true;
    if (!(flow instanceof TimeWait) || !flow.timestamps) return false;
    const { tcp_tw_reuse: reuse } = this.sysctl;
    if (reuse === 0 || (reuse === 2 && !tcb.remote.isLoopback)) return false;
    if (Math.floor(nowNs / 1e6) - flow.tsRecentMs < 1000) return false;
    tcb.iss = advance(flow.sndNxt, 65537) || 1;
    tcb.tsRecent = flow.tsRecent;
    tcb.tsRecentMs = flow.tsRecentMs;
    this.endWait(flow);
    return true;
  }

  /** RFC 6528: a clock of 4 us, and a hash of the names with a secret. */
  initialSequence(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    nowNs: number,
  ): number {
    const clock = Math.floor(nowNs / 4000) % 2 ** 32;
    return (this.isnHash.flow(local, localPort, remote, remotePort) + clock) | 0 || 1;
  }

  challenge(nowNs: number): boolean {
    return this.limit.allows(this.sysctl.tcp_challenge_ack_limit, nowNs, this.random.u32());
  }

  // Listeners.

  addListener(listener: Listener): void {
    const port = listener.tcb.localPort;
    const list = this.listeners.get(port);
    if (list === undefined) this.listeners.set(port, [listener]);
    else list.push(listener);
  }

  removeListener(listener: Listener): void {
    const port = listener.tcb.localPort;
    const list = this.listeners.get(port);
    if (list === undefined) return;
    const at = list.indexOf(listener);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) this.listeners.delete(port);
  }

  addRequest(request: SynRequest): void {
    this.flows.set(request.local, request.localPort, request.remote, request.remotePort, request);
  }

  removeRequest(request: SynRequest): void {
    this.flows.delete(request.local, request.localPort, request.remote, request.remotePort, request);
  }

  addChild(tcb: Tcb): void {
    this.flows.set(tcb.local, tcb.localPort, tcb.remote, tcb.remotePort, tcb);
    tcb.hashed = true;
    this.havePort(tcb);
  }

  addOrphan(tcb: Tcb): boolean {
    if (this.orphans >= this.sysctl.tcp_max_orphans || !tcb.memory.fits(CONNECTION_BYTES)) return false;
    tcb.counted = true;
    this.orphans++;
    tcb.memory.take(CONNECTION_BYTES);
    return true;
  }

  // Ends.

  ended(tcb: Tcb, timeWaitNs: number): void {
    if (tcb.counted) {
      tcb.counted = false;
      this.orphans--;
      if (this.orphans === 0) this.idleListener?.idle();
      tcb.memory.give(CONNECTION_BYTES);
    }
    if (tcb.hashed) {
      tcb.hashed = false;
      this.flows.delete(tcb.local, tcb.localPort, tcb.remote, tcb.remotePort, tcb);
      if (timeWaitNs > 0) this.addWait(tcb, timeWaitNs);
    }
    // A port that bind gave stays the socket's own until it is closed.
    if (tcb.hasPort && (tcb.orphan || !tcb.boundPort) && tcb.state !== TCP_LISTEN) {
      tcb.hasPort = false;
      this.ports.give(tcb.localPort, tcb);
    }
  }

  private addWait(tcb: Tcb, timeWaitNs: number): void {
    if (this.timeWaits >= this.sysctl.tcp_max_tw_buckets || !this.memory.fits(TIME_WAIT_BYTES)) {
      this.counters.TCPTimeWaitOverflow++;
      return;
    }
    const now = this.clock.monotonicNs();
    const wait = new TimeWait(tcb, now + timeWaitNs);
    this.memory.take(TIME_WAIT_BYTES);
    this.timeWaits++;
    this.counters.TW++;
    this.flows.set(wait.local, wait.localPort, wait.remote, wait.remotePort, wait);
    this.ports.take(wait.localPort, wait);
    this.waits.push(wait);
    if (!this.waitTimer.armed) this.clock.arm(this.waitTimer, wait.endNs);
  }

  private endWait(wait: TimeWait): void {
    if (wait.dead) return;
    wait.dead = true;
    this.timeWaits--;
    this.memory.give(TIME_WAIT_BYTES);
    this.flows.delete(wait.local, wait.localPort, wait.remote, wait.remotePort, wait);
    this.ports.give(wait.localPort, wait);
    if (this.timeWaits === 0) {
      this.waits.length = 0;
      this.firstWait = 0;
      this.clock.cancel(this.waitTimer);
    }
  }

  /** The oldest in TIME-WAIT is over. */
  onTimer(_timer: NetTimer, nowNs: number): void {
    while (this.firstWait < this.waits.length) {
      const wait = this.waits[this.firstWait]!;
      if (!wait.dead && wait.endNs > nowNs) {
        // A late segment made it longer: it goes behind the others.
        if (this.waits.length - this.firstWait > 1 && wait.endNs > this.waits[this.firstWait + 1]!.endNs) {
          this.waits.push(wait);
          this.firstWait++;
          continue;
        }
        break;
      }
      this.firstWait++;
      this.endWait(wait);
      if (this.timeWaits === 0) return;
    }
    this.waits.splice(0, this.firstWait);
    this.firstWait = 0;
    if (this.waits.length > 0) this.clock.arm(this.waitTimer, this.waits[0]!.endNs);
  }
}
