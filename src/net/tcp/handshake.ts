// Handshake: what a listener knows of a peer whose SYN came (RFC 9293, section 3.5), and the connection that this becomes.

import { TCP_SYN_RECV } from '../../abi/net/tcp.ts';
import type { IpAddress } from '../address.ts';
import type { Path } from '../path.ts';
import type { IpOptions } from '../wire/ip_options.ts';
import { advance } from './seq.ts';
import { Tcb } from './tcb.ts';
import { pathMss } from './transmit.ts';

export class Handshake {
  readonly path: Path;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  irs = 0;
  iss = 0;
  mss = 536;
  /** -1: no scaling. */
  sndShift = -1;
  rcvShift = 0;
  window = 0;
  peerWindow = 0;
  sack = false;
  timestamps = false;
  tsRecent = 0;
  tsOffset = 0;
  ecn = false;
  retries = 0;
  /** The peer's ACK came and was not enough: the queue was full, or data is waited for. */
  acked = false;
  sentNs = 0;
  invalidNs = Number.NEGATIVE_INFINITY;
  /** IPv4 options of what goes to the peer. */
  ipOptions: IpOptions | null = null;

  constructor(path: Path, local: IpAddress, localPort: number, remote: IpAddress, remotePort: number) {
    this.path = path;
    this.local = local;
    this.localPort = localPort;
    this.remote = remote;
    this.remotePort = remotePort;
  }
}

/** The connection, in SYN-RECEIVED, with the options of the listener's `tcb`. */
export function childOf(from: Handshake, tcb: Tcb, nowNs: number): Tcb {
  const child = new Tcb(tcb.host, tcb.v6, tcb.memory, tcb.uid);
  Object.assign(child.options, tcb.options);
  child.options.ipOptions = from.ipOptions;
  child.cc = tcb.cc;
  child.state = TCP_SYN_RECV;
  child.local = from.local;
  child.localPort = from.localPort;
  child.remote = from.remote;
  child.remotePort = from.remotePort;
  child.path = from.path;
  child.iss = from.iss;
  child.una = from.iss;
  child.nxt = advance(from.iss, 1);
  child.bufSeq = child.nxt;
  child.irs = from.irs;
  child.rcvNxt = advance(from.irs, 1);
  child.copied = child.rcvNxt;
  child.rcvWup = child.rcvNxt;
  child.rcvWnd = from.window;
  child.tuneSeq = child.rcvNxt;
  child.tuneNs = nowNs;
  child.peerMss = from.mss;
  child.advMss = Math.min(pathMss(from.path), tcb.options.maxSeg || 65535);
  child.sackOk = from.sack;
  child.timestamps = from.timestamps;
  child.tsRecent = from.tsRecent;
  child.tsRecentMs = Math.floor(from.sentNs / 1e6);
  child.tsOffset = from.tsOffset;
  child.scaling = from.sndShift >= 0;
  child.sndShift = Math.max(0, from.sndShift);
  child.rcvShift = from.rcvShift;
  child.ecn = from.ecn;
  child.wnd = from.peerWindow;
  child.maxWnd = from.peerWindow;
  child.deliveredNs = from.sentNs;
  child.retransmits = from.retries;
  return child;
}
