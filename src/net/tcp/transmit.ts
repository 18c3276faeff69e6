// One segment out: its header, its options, its place on the path. When and what to send is decided in snd.ts and recovery.ts.

import { EMSGSIZE, ENETUNREACH } from '../../abi/errno.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import { TCP_SYN_SENT } from '../../abi/net/tcp.ts';
import type { IpAddress } from '../address.ts';
import { HEAD_SIZE, Packet } from '../packet.ts';
import type { Path } from '../path.ts';
import { ECT_0, ecnFlags, ecnOfSyn } from './ecn.ts';
import { searchedMss } from './mtu_search.ts';
import {
  MAX_OPTION_SPACE,
  putSack,
  putSynOptions,
  putTimestamps,
  sackSpace,
  synSpace,
  TIMESTAMP_SPACE,
} from './options.ts';
import { selectWindow } from './rcv.ts';
import { ACK, ECE, FIN, HEADER_SIZE, PSH, putHeader, RST, SYN, URG } from './segment.ts';
import { advance, after, distance } from './seq.ts';
import type { Tcb, TcpHost } from './tcb.ts';

/** Room of IPv4 and IPv6 headers. */
export const IPV4_HEADER = 20;
export const IPV6_HEADER = 40;

/** Largest payload of a path's packets, without TCP options (RFC 6691). */
export function pathMss(path: Path): number {
  // An IPv4 packet has 65535 bytes at most, whatever the link would take (RFC 791, section 3.1).
  if (path.dst.isV4) return Math.max(48, Math.min(path.mtu, 65535) - IPV4_HEADER - HEADER_SIZE);
  return Math.max(48, path.mtu - IPV6_HEADER - HEADER_SIZE);
}

const blocks = new Int32Array(8);

/** Heads are cut from a larger buffer: 180 ns in place of 550 for one of its own. */
const SLAB = 64 * HEAD_SIZE;
let slab = new ArrayBuffer(SLAB);
let slabAt = 0;

/** A packet with an empty head. */
export function emptyPacket(): Packet {
  if (slabAt === SLAB) {
    slab = new ArrayBuffer(SLAB);
    slabAt = 0;
  }
  const head = new Uint8Array(slab, slabAt, HEAD_SIZE);
  slabAt += HEAD_SIZE;
  return new Packet(head);
}

/** The path, asked for again when the tables changed; 0 or -errno. */
export function refreshPath(tcb: Tcb): number {
  const { path, host } = tcb;
  if (path !== null && path.generation === host.layer.generation) {
    if (path.mtu !== tcb.pathMtu) syncMss(tcb);
    return 0;
  }
  const { options } = tcb;
  const next = host.layer.route({
    src: tcb.local,
    dst: tcb.remote,
    ifindex: options.ifindex,
    tos: options.tos,
    mark: options.mark,
    uid: tcb.uid,
  });
  if (typeof next === 'number') return next;
  tcb.path = next;
  syncMss(tcb);
  return 0;
}

/** The sending MSS follows the path, the peer's MSS option and TCP_MAXSEG. */
export function syncMss(tcb: Tcb): void {
  const { path } = tcb;
  if (path === null) return;
  tcb.pathMtu = path.mtu;
  let mss = Math.min(pathMss(path), tcb.peerMss);
  if (tcb.options.ipOptions !== null && path.dst.isV4)
    mss = Math.min(mss, pathMss(path) - tcb.options.ipOptions.bytes.length);
  if (tcb.options.maxSeg > 0) mss = Math.min(mss, tcb.options.maxSeg);
  if (tcb.search !== null) mss = Math.min(mss, searchedMss(tcb.search, path));
  if (tcb.timestamps) mss -= TIMESTAMP_SPACE;
  tcb.mss = Math.max(mss, tcb.host.sysctl.tcp_min_snd_mss - MAX_OPTION_SPACE);
  tcb.cong.mss = tcb.mss;
}

/** Payload of a full segment now: SACK blocks take room. */
export function currentMss(tcb: Tcb): number {
  const n = tcb.sackOk ? tcb.early.count + (tcb.dsackPending ? 1 : 0) : 0;
  if (n === 0) return tcb.mss;
  return tcb.mss - sackSpace(Math.min(n, tcb.timestamps ? 3 : 4));
}

/** The most that one packet may carry: a multiple of the MSS, for links that split. */
export function largestSegment(tcb: Tcb, mss: number): number {
  const gso = tcb.path === null ? 0 : tcb.path.gso - 120;
  return gso < 2 * mss ? mss : gso - (gso % mss);
}

function send(tcb: Tcb, packet: Packet, tos: number): number {
  const { options, path } = tcb;
  packet.tos = tos;
  packet.ttl = options.ttl;
  packet.mark = options.mark;
  packet.priority = options.priority;
  packet.options = options.ipOptions;
  tcb.segsOut++;
  tcb.host.counters.OutSegs++;
  if (path === null) return -ENETUNREACH;
  // IP_PMTUDISC_DONT.
  const r = tcb.host.layer.output(packet, path, IPPROTO_TCP, options.mtuDiscover !== 0);
  if (r === -EMSGSIZE) {
    // The path shrank: the retransmission is made for the new one.
    tcb.path = null;
    refreshPath(tcb);
  }
  return r;
}

/**
 * Sends `length` bytes from `seq` on with `flags` (ACK is added); a FIN behind them takes the next number. 0 or -errno: what
 * did not go out counts as lost.
 */
export function sendSegment(
  tcb: Tcb,
  seq: number,
  length: number,
  flags: number,
  fresh: boolean,
  nowNs: number,
): number {
  const r = refreshPath(tcb);
  if (r < 0) return r;
  let nBlocks = 0;
  if (tcb.sackOk && (tcb.dsackPending || tcb.early.count > 0)) {
    const most = tcb.timestamps ? 3 : 4;
    if (tcb.dsackPending) {
      // RFC 2883, section 4: what came twice goes first, once.
      blocks[0] = tcb.dsackFrom;
      blocks[1] = tcb.dsackTo;
      nBlocks = 1;
      tcb.dsackPending = false;
    }
    nBlocks = tcb.early.blocks(blocks, nBlocks, most);
    if (length > 0 && length > tcb.mss - sackSpace(nBlocks) && length <= tcb.mss) nBlocks = 0;
  }
  const size = HEADER_SIZE + (tcb.timestamps ? TIMESTAMP_SPACE : 0) + sackSpace(nBlocks);
  const packet = emptyPacket();
  const at = packet.push(size);
  packet.l4 = at;
  const { view } = packet;
  let urgent = 0;
  let all = flags | ACK | ecnFlags(tcb, fresh);
  if (tcb.urgentPending && after(tcb.urgentEnd, seq)) {
    // The pointer is behind the urgent byte (RFC 6093, section 3.1: as everybody does it).
    const d = distance(tcb.urgentEnd, seq);
    if (d <= 0xffff) {
      urgent = d;
      all |= URG;
    }
  }
  putHeader(view, at, tcb.localPort, tcb.remotePort, seq, tcb.rcvNxt, size, all, selectWindow(tcb), urgent);
  let o = at + HEADER_SIZE;
  if (tcb.timestamps) o = putTimestamps(view, o, tcb.timestamp(nowNs), tcb.tsRecent);
  if (nBlocks > 0) putSack(view, o, blocks, nBlocks);
  if (length > 0) {
    tcb.buffer.show(packet, distance(seq, tcb.bufSeq), length);
    const mss = tcb.mss - sackSpace(nBlocks);
    if (length > mss && !(fresh && tcb.search?.sends(seq) === true)) packet.segment = mss;
    tcb.dataSegsOut++;
    tcb.bytesSent += length;
    tcb.lastDataSentNs = nowNs;
    if (nowNs - tcb.lastDataRecvNs < tcb.ato) tcb.pingPong = true;
  }
  ackSent(tcb, nowNs);
  return send(tcb, packet, fresh && tcb.ecn && length > 0 ? tcb.options.tos | ECT_0 : tcb.options.tos);
}

/** Whatever goes out acknowledges. */
function ackSent(tcb: Tcb, nowNs: number): void {
  if (tcb.quickAcks > 0) tcb.quickAcks--;
  tcb.ackNow = false;
  tcb.lastAckSentNs = nowNs;
  if (tcb.ackPending) {
    tcb.ackPending = false;
    tcb.host.clock.cancel(tcb.delackTimer);
  }
}

/** A bare acknowledgment. */
export function sendAck(tcb: Tcb, nowNs: number): void {
  sendSegment(tcb, tcb.nxt, 0, 0, false, nowNs);
}

/** SYN, or SYN|ACK when a SYN came (RFC 9293, section 3.10.1); the options are what we ask for, or what both want. */
export function sendSyn(tcb: Tcb, nowNs: number): number {
  const r = refreshPath(tcb);
  if (r < 0) return r;
  const { sysctl } = tcb.host;
  const asking = tcb.state === TCP_SYN_SENT;
  const timestamps = asking ? sysctl.tcp_timestamps !== 0 : tcb.timestamps;
  const sack = asking ? sysctl.tcp_sack !== 0 : tcb.sackOk;
  const scale = asking ? sysctl.tcp_window_scaling !== 0 : tcb.scaling;
  // What was lost may have been lost for it (RFC 7413, section 4.2.1).
  const cookie = tcb.retransmits === 0 ? tcb.synCookie : null;
  const size = HEADER_SIZE + synSpace(sack, timestamps, scale, cookie);
  const packet = emptyPacket();
  const at = packet.push(size);
  packet.l4 = at;
  // The window of a SYN is not scaled (RFC 7323, section 2.2).
  const window = Math.min(tcb.rcvWnd, 65535);
  tcb.rcvWup = tcb.rcvNxt;
  // A SYN that was lost may have been lost for its ECN flags (RFC 3168, section 6.1.1.1).
  const ecn = asking ? (tcb.retransmits < 2 ? ecnOfSyn(sysctl.tcp_ecn) : 0) : tcb.ecn ? ECE : 0;
  const flags = asking ? SYN | ecn : SYN | ACK | ecn;
  putHeader(
    packet.view,
    at,
    tcb.localPort,
    tcb.remotePort,
    tcb.iss,
    asking ? 0 : tcb.rcvNxt,
    size,
    flags,
    window,
    0,
  );
  putSynOptions(
    packet.view,
    at + HEADER_SIZE,
    tcb.advMss,
    sack,
    timestamps,
    tcb.timestamp(nowNs),
    asking ? 0 : tcb.tsRecent,
    scale ? tcb.rcvShift : -1,
    cookie,
  );
  if (tcb.synData > 0 && asking && tcb.retransmits === 0) {
    tcb.buffer.show(packet, 0, tcb.synData);
    tcb.lastDataSentNs = nowNs;
  }
  ackSent(tcb, nowNs);
  return send(tcb, packet, tcb.options.tos);
}

/** A reset of ours, in the middle of a connection (RFC 9293, section 3.10.4 and 3.10.5). */
export function sendReset(tcb: Tcb, nowNs: number): void {
  tcb.host.counters.OutRsts++;
  sendSegment(tcb, tcb.nxt, 0, RST, false, nowNs);
}

/** Probe of a window or of a connection: a number before the window, so that the peer answers (RFC 9293, section 3.8.4). */
export function sendProbe(tcb: Tcb, nowNs: number): void {
  sendSegment(tcb, advance(tcb.una, -1), 0, 0, false, nowNs);
}

/** Flags and length of what lies in [seq, end) of what is to be sent. */
export function sendRange(
  tcb: Tcb,
  seq: number,
  end: number,
  push: boolean,
  fresh: boolean,
  nowNs: number,
): number {
  const dataEnd = after(end, tcb.bufEnd) ? tcb.bufEnd : end;
  const length = distance(dataEnd, seq);
  let flags = after(end, tcb.bufEnd) ? FIN : 0;
  if (push && length > 0) flags |= PSH;
  return sendSegment(tcb, seq, Math.max(0, length), flags, fresh, nowNs);
}

/** What a segment without a connection gets (RFC 9293, section 3.10.7.1), and other answers that keep no state. */
export function sendBare(
  host: TcpHost,
  path: Path,
  source: IpAddress,
  sourcePort: number,
  destination: IpAddress,
  destinationPort: number,
  seq: number,
  ack: number,
  flags: number,
  window: number,
  timestamps: boolean,
  tsValue: number,
  tsEcho: number,
  tos: number,
): void {
  const packet = emptyPacket();
  const size = HEADER_SIZE + (timestamps ? TIMESTAMP_SPACE : 0);
  const at = packet.push(size);
  packet.l4 = at;
  packet.src = source;
  packet.dst = destination;
  packet.tos = tos;
  putHeader(packet.view, at, sourcePort, destinationPort, seq, ack, size, flags, window, 0);
  if (timestamps) putTimestamps(packet.view, at + HEADER_SIZE, tsValue, tsEcho);
  host.counters.OutSegs++;
  if (flags & RST) host.counters.OutRsts++;
  host.layer.output(packet, path, IPPROTO_TCP, true);
}
