// Tcb: all that is known of one connection, or of a socket that is none yet (RFC 9293, section 3.3.1). Plain fields; what is done
// with them is in the files named after the mechanisms.

import { TCP_CLOSE, TCP_SYN_RECV, TCP_SYN_SENT } from '../../abi/net/tcp.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V4, ANY_V6 } from '../address.ts';
import type { EndpointOwner, PacketFilter } from '../endpoint.ts';
import type { NetMemory } from '../memory.ts';
import type { NetworkLayer, Path } from '../path.ts';
import type { NetClock } from '../time.ts';
import { NetTimer } from '../time.ts';
import type { NetRandom } from '../transport.ts';
import type { IpOptions } from '../wire/ip_options.ts';
import { BBR } from './bbr.ts';
import type { CongestionControl } from './congestion.ts';
import { CongestionState } from './congestion.ts';
import { CUBIC } from './cubic.ts';
import type { CookieCache } from './fastopen_cache.ts';
import type { FastOpenQueue } from './fastopen_queue.ts';
import type { KeyedHash } from './hash.ts';
import type { MtuSearch } from './mtu_search_state.ts';
import { Prr } from './prr.ts';
import { ByteQueue, OutOfOrder } from './rcvqueue.ts';
import { RENO } from './reno.ts';
import { RttEstimator } from './rto.ts';
import { Scoreboard } from './sack.ts';
import { SendBuffer } from './sndbuf.ts';
import type { Stamps } from './stamps.ts';
import type { TcpCounters, TcpSysctl } from './sysctl.ts';

/** What connections need of their protocol. */
export interface TcpHost {
  readonly clock: NetClock;
  readonly layer: NetworkLayer;
  readonly random: NetRandom;
  readonly sysctl: TcpSysctl;
  readonly counters: TcpCounters;
  readonly hash: KeyedHash;
  /** Cookies that servers gave us; keys of those that we give, null before somebody needs them. */
  readonly cookies: CookieCache;
  fastOpenKeys: Uint8Array | null;
  /** One of its timers fired. */
  connectionTimer(tcb: Tcb, cookie: number, nowNs: number): void;
  /** It is closed: its place in the tables is free; `timeWaitNs` > 0 leaves a mark for that long. */
  ended(tcb: Tcb, timeWaitNs: number): void;
  /** May a challenge ACK be sent (RFC 5961, section 7)? */
  challenge(nowNs: number): boolean;
}

export const RCV_SHUTDOWN = 1;
export const SEND_SHUTDOWN = 2;
export const SHUTDOWN_MASK = 3;

/** cookie of the timers. */
export const TIMER_RETRANSMIT = 0;
export const TIMER_DELACK = 1;
export const TIMER_KEEPALIVE = 2;
export const TIMER_LINGER = 3;
export const TIMER_PACE = 4;

/** paceNs when nothing was paced yet. */
export const PACE_NONE = Number.NEGATIVE_INFINITY;

/** What the retransmission timer stands for now. */
export const MODE_NONE = 0;
export const MODE_RTO = 1;
export const MODE_REORDER = 2;
export const MODE_TLP = 3;
export const MODE_PROBE = 4;

/** urgent data: a byte is announced, is there, was read. */
export const URGENT_NONE = 0;
export const URGENT_NOT_YET = 1;
export const URGENT_VALID = 2;
export const URGENT_READ = 3;

export const CONGESTION_CONTROLS: readonly CongestionControl[] = [CUBIC, RENO, BBR];

/** The options that a socket has, and a connection takes over from its listener. */
export class SocketOptions {
  reuseAddr = false;
  reusePort = false;
  v6only = false;
  freebind = false;
  transparent = false;
  keepAlive = false;
  oobInline = false;
  noDelay = false;
  cork = false;
  maxSeg = 0;
  keepIdleS = 0;
  keepIntvlS = 0;
  keepCnt = 0;
  synCnt = 0;
  /** TCP_LINGER2: 0 for the default, < 0 for none. */
  linger2S = 0;
  deferAcceptS = 0;
  windowClamp = 0;
  userTimeoutMs = 0;
  notSentLowat = 0;
  recvInq = false;
  sndBuf = 16384;
  rcvBuf = 131072;
  sndBufLocked = false;
  rcvBufLocked = false;
  rcvLowat = 1;
  tos = 0;
  ttl = 0;
  mark = 0;
  priority = 0;
  ifindex = 0;
  /** IP_MTU_DISCOVER: IP_PMTUDISC_WANT. */
  mtuDiscover = 1;
  noPort = false;
  /** TCP_FASTOPEN: connections that may be half open with data. */
  fastOpen = 0;
  fastOpenConnect = false;
  fastOpenNoCookie = false;
  /** TCP_FASTOPEN_KEY: one or two keys; null for those of all. */
  fastOpenKeys: Uint8Array | null = null;
  /** SO_MAX_PACING_RATE; 0 for none. */
  maxPacing = 0;
  /** SO_TIMESTAMP and its like. */
  stamping = false;
  /** IP_OPTIONS, of IPv4. */
  ipOptions: IpOptions | null = null;
  /** SO_ATTACH_FILTER. */
  filter: PacketFilter | null = null;
}

export class Tcb {
  readonly host: TcpHost;
  readonly memory: NetMemory;
  readonly v6: boolean;
  readonly uid: number;
  owner: EndpointOwner | null = null;
  options = new SocketOptions();

  state = TCP_CLOSE;
  local: IpAddress;
  localPort = 0;
  remote: IpAddress;
  remotePort = 0;
  /** bind gave the port, bind gave the address: kept when the connection ends. */
  boundPort = false;
  boundAddress = false;
  path: Path | null = null;
  error = 0;
  /** Of routers: told when the connection gives up. */
  softError = 0;
  shutdown = 0;
  /** No socket has it any more. */
  orphan = false;
  lingering = false;
  /** connect was called and its result not told yet. */
  connecting = false;
  /** It is in the table of connections; it is among its port's owners. */
  hashed = false;
  hasPort = false;
  /** Counted among those that no socket has. */
  counted = false;

  // Sending (snd.ts).
  iss = 0;
  una = 0;
  nxt = 0;
  /** Sequence number of the first byte in `buffer`. */
  bufSeq = 0;
  readonly buffer = new SendBuffer();
  wnd = 0;
  wl1 = 0;
  wl2 = 0;
  maxWnd = 0;
  sndShift = 0;
  /** Largest payload without options that vary: from the path, the peer and TCP_MAXSEG. */
  mss = 536;
  peerMss = 536;
  pathMtu = 0;
  /** Looks for the path's MTU itself; null as long as it does not. */
  search: MtuSearch | null = null;
  finQueued = false;
  /** End of the last segment below the MSS (Minshall's Nagle). */
  smallEnd = 0;
  urgentEnd = 0;
  urgentPending = false;
  /** MSG_MORE of the last send. */
  more = false;
  pushEnd = 0;

  // Congestion and loss (recovery.ts, rack.ts).
  readonly board = new Scoreboard();
  rtt = new RttEstimator();
  cong = new CongestionState();
  cc: CongestionControl = CUBIC;
  /** TCP_CA_*. */
  caState = 0;
  highSeq = 0;
  readonly prr = new Prr();
  dupAcks = 0;
  backoff = 0;
  retransmits = 0;
  /** When the first of the timeouts in a row sent again; 0 for none. */
  retransmitNs = 0;
  /** Timestamp value of the first copy, for Eifel (RFC 3522); 0 for none. */
  retransmitTs = 0;
  undoBytes = 0;
  probesOut = 0;
  probeSinceNs = 0;
  rackSentNs = 0;
  rackEnd = 0;
  rackRttNs = 0;
  rackWindows = 1;
  rackPersist = 0;
  rackDsackRound = 0;
  rackDsackSeen = false;
  reorderSeen = 0;
  tlpEnd = 0;
  tlpPending = false;
  tlpRetransmit = false;
  delivered = 0;
  deliveredNs = 0;
  deliveryRate = 0;
  /** When the newest of what is delivered was sent; up to which count of delivered bytes the program is the limit, 0 for not (rate.ts). */
  firstSentNs = 0;
  limitedUntil = 0;
  /** When the next segment may go (pacing.ts). */
  paceNs = PACE_NONE;
  cwndLimitedEnd = 0;

  // What was agreed on in the handshake.
  timestamps = false;
  sackOk = false;
  scaling = false;
  tsOffset = 0;
  tsRecent = 0;
  /** When tsRecent was taken, ms. */
  tsRecentMs = 0;

  // Fast Open (RFC 7413): the listener's queue until the handshake is over; what the SYN has as cookie, empty to ask for one, null for
  // no option; bytes that the SYN carried, whether they were taken, or TFO_* why not.
  fastOpen: FastOpenQueue | null = null;
  synCookie: Uint8Array | null = null;
  synData = 0;
  synDataAcked = false;
  fastOpenFail = 0;

  // ECN (ecn.ts).
  ecn = false;
  ecnEcho = false;
  ecnSendCwr = false;
  ecnSeen = false;

  // Receiving (rcv.ts).
  irs = 0;
  rcvNxt = 0;
  /** rcvNxt when a window was last told, and that window. */
  rcvWup = 0;
  rcvWnd = 0;
  rcvShift = 0;
  copied = 0;
  readonly queue = new ByteQueue();
  readonly early = new OutOfOrder();
  /** When what is in `queue` came; null as long as nobody asked. */
  stamps: Stamps | null = null;
  /** Payload of the peer's segments, estimated. */
  rcvMss = 536;
  advMss = 536;
  finReceived = false;
  urgentSeq = 0;
  /** URGENT_*. */
  urgent = 0;
  urgentByte = 0;
  ackPending = false;
  ackNow = false;
  quickAcks = 0;
  pingPong = false;
  ato = 40e6;
  dsackFrom = 0;
  dsackTo = 0;
  dsackPending = false;
  tuneSeq = 0;
  tuneNs = 0;
  tuneSpace = 0;
  rcvRttNs = 0;
  rcvRttSeq = 0;
  rcvRttAtNs = 0;
  lastChallengeNs = Number.NEGATIVE_INFINITY;

  // Timers.
  readonly retransmitTimer: NetTimer = new NetTimer(this, TIMER_RETRANSMIT);
  readonly delackTimer: NetTimer = new NetTimer(this, TIMER_DELACK);
  readonly keepTimer: NetTimer = new NetTimer(this, TIMER_KEEPALIVE);
  readonly lingerTimer: NetTimer = new NetTimer(this, TIMER_LINGER);
  readonly paceTimer: NetTimer = new NetTimer(this, TIMER_PACE);
  /** MODE_*. */
  mode = 0;
  finWait2EndNs = 0;

  // Counts for TCP_INFO.
  lastDataSentNs = 0;
  lastAckSentNs = 0;
  lastDataRecvNs = 0;
  lastAckRecvNs = 0;
  totalRetrans = 0;
  bytesSent = 0;
  bytesRetrans = 0;
  bytesAcked = 0;
  bytesReceived = 0;
  segsOut = 0;
  segsIn = 0;
  dataSegsOut = 0;
  dataSegsIn = 0;
  dsackDups = 0;
  earlyPackets = 0;
  charged = 0;

  constructor(host: TcpHost, v6: boolean, memory: NetMemory, uid: number) {
    this.host = host;
    this.v6 = v6;
    this.memory = memory;
    this.uid = uid;
    this.local = v6 ? ANY_V6 : ANY_V4;
    this.remote = v6 ? ANY_V6 : ANY_V4;
    this.options.sndBuf = host.sysctl.tcp_wmem[1];
    this.options.rcvBuf = host.sysctl.tcp_rmem[1];
    const name = host.sysctl.tcp_congestion_control;
    this.cc = CONGESTION_CONTROLS.find((cc) => cc.name === name) ?? CUBIC;
  }

  /** A socket whose last connection ended makes another. */
  startAnew(): void {
    this.finReceived = false;
    this.urgent = URGENT_NONE;
    this.urgentPending = false;
    this.more = false;
    this.retransmits = 0;
    this.retransmitNs = 0;
    this.retransmitTs = 0;
    this.backoff = 0;
    this.probesOut = 0;
    this.caState = 0;
    this.dupAcks = 0;
    this.tlpPending = false;
    this.rackSentNs = 0;
    this.ecnEcho = false;
    this.softError = 0;
    this.cong = new CongestionState();
    this.paceNs = PACE_NONE;
    this.limitedUntil = 0;
    this.rtt = new RttEstimator();
    this.search = null;
    this.synCookie = null;
    this.synData = 0;
    this.synDataAcked = false;
    this.fastOpenFail = 0;
  }

  /** NetTimerTarget. */
  onTimer(timer: NetTimer, nowNs: number): void {
    this.host.connectionTimer(this, timer.cookie, nowNs);
  }

  /** No data goes yet: the handshake is not over, and Fast Open has not let it begin. */
  get shaking(): boolean {
    return this.state === TCP_SYN_SENT || (this.state === TCP_SYN_RECV && this.fastOpen === null);
  }

  /** Sequence number behind the last byte that the program gave. */
  get bufEnd(): number {
    return (this.bufSeq + this.buffer.length) | 0;
  }

  /** Sequence number behind all that is to be sent, the FIN included. */
  get sendEnd(): number {
    return (this.bufSeq + this.buffer.length + (this.finQueued ? 1 : 0)) | 0;
  }

  /** Bytes of sequence space under way. */
  get flight(): number {
    return (this.nxt - this.una) | 0;
  }

  /** RFC 6675, section 4: bytes that are believed to be in the network. */
  get pipe(): number {
    const b = this.board;
    const pipe = ((this.nxt - this.una) | 0) - b.sackedBytes - b.lostBytes + b.retransmittedBytes;
    return this.sackOk ? pipe : Math.max(0, pipe - this.dupAcks * this.mss);
  }

  tell(events: number): void {
    if (this.owner !== null) this.owner.endpointReady(events);
  }

  charge(bytes: number): void {
    this.charged += bytes;
    this.memory.take(bytes);
  }

  discharge(bytes: number): void {
    this.charged -= bytes;
    this.memory.give(bytes);
  }

  /** Sets the retransmission timer to stand for `mode`. */
  setRetransmit(mode: number, deadlineNs: number): void {
    this.mode = mode;
    this.host.clock.arm(this.retransmitTimer, deadlineNs);
  }

  clearRetransmit(): void {
    if (this.mode === MODE_NONE) return;
    this.mode = MODE_NONE;
    this.host.clock.cancel(this.retransmitTimer);
  }

  clearTimers(): void {
    this.clearRetransmit();
    const { clock } = this.host;
    clock.cancel(this.delackTimer);
    clock.cancel(this.keepTimer);
    clock.cancel(this.lingerTimer);
    clock.cancel(this.paceTimer);
    this.ackPending = false;
  }

  /** The clock of RFC 7323, section 5.4: ms, from an offset of the connection's own. */
  timestamp(nowNs: number): number {
    return (Math.floor(nowNs / 1e6) + this.tsOffset) | 0;
  }
}
