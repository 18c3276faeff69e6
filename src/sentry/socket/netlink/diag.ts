// NETLINK_SOCK_DIAG: sock_diag(7): lists of sockets for ss(8) and its like, and one socket by its names. Requests for a list with a
// filter in byte code are answered with all sockets of the states asked for: their programs filter again.

import { EINVAL, ENOENT, EOPNOTSUPP, ESTALE } from '../../../abi/errno.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../../abi/net/in.ts';
import {
  INET_DIAG_CONG,
  INET_DIAG_INFO,
  INET_DIAG_MEMINFO,
  INET_DIAG_SKMEMINFO,
  INET_DIAG_SKV6ONLY,
  INET_DIAG_TCLASS,
  INET_DIAG_TOS,
  NLM_F_DUMP,
  SOCK_DESTROY,
  SOCK_DIAG_BY_FAMILY,
} from '../../../abi/net/netlink.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  SO_RCVBUF,
  SO_SNDBUF,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN } from '../../../abi/net/tcp.ts';
import { getIpv6, type IpAddress, ipv4 } from '../../../net/address.ts';
import { countUnsupported } from '../../base/log.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { InetMember, InetNamespace } from '../inet/namespace.ts';
import type { UnixNamespace } from '../unix/namespace.ts';
import { SS_CONNECTED, SS_LISTENING, type UnixSocket } from '../unix/unix.ts';
import type { NetlinkAsker, NetlinkProtocol, NetlinkRequest } from './protocol.ts';
import { NetlinkWriter } from './writer.ts';

/** Numbers of families end there. */
const AF_MAX = 46;
/** struct inet_diag_req_v2: family, protocol, extensions, pad; u32 states; struct inet_diag_sockid. */
const INET_REQUEST = 56;
const REQUEST_PROTOCOL = 1;
const REQUEST_EXT = 2;
const REQUEST_STATES = 4;
const REQUEST_ID = 8;
/** struct inet_diag_msg, and where in it struct inet_diag_sockid and what follows are. */
const INET_MESSAGE = 72;
const ID = 4;
const ID_SRC = 4;
const ID_DST = 20;
const COOKIE = 40;
const RQUEUE = 56;
const WQUEUE = 60;
const UID = 64;
const INODE = 68;
/** struct tcp_info is no longer. */
const TCP_INFO_ROOM = 280;

/** struct unix_diag_req: family, protocol, pad; u32 states, inode, show; u32 cookie[2]. */
const UNIX_REQUEST = 24;
const UNIX_INO = 8;
const UNIX_SHOW = 12;
const UNIX_COOKIE = 16;
const UNIX_MESSAGE = 16;
const UDIAG_SHOW_NAME = 1;
const UDIAG_SHOW_PEER = 4;
const UDIAG_SHOW_RQLEN = 0x10;
const UNIX_DIAG_NAME = 0;
const UNIX_DIAG_PEER = 2;
const UNIX_DIAG_RQLEN = 4;
const UNIX_DIAG_SHUTDOWN = 6;

const info = new Uint8Array(TCP_INFO_ROOM);
const infoView = new DataView(info.buffer);

/** A stream among the members tells more. */
interface WithInfo {
  readonly congestion: string;
  info(view: DataView): number;
}

export class SockDiagProtocol implements NetlinkProtocol {
  readonly groups = 0;
  readonly anyoneHears = true;
  readonly anyoneSends = false;
  private readonly inet: InetNamespace;
  private readonly unix: UnixNamespace;

  constructor(inet: InetNamespace, unix: UnixNamespace) {
    this.inet = inet;
    this.unix = unix;
  }

  request(_ctx: VfsContext, from: NetlinkAsker, request: NetlinkRequest): number {
    const { view, at, end } = request;
    if (request.type !== SOCK_DIAG_BY_FAMILY && request.type !== SOCK_DESTROY) return -EINVAL;
    if (end - at < 18) return -EINVAL;
    const family = view.getUint8(at + 16);
    switch (family) {
      case AF_INET:
      case AF_INET6:
      case AF_UNIX:
        break;
      default:
        if (family >= AF_MAX) return -EINVAL;
        // As without the family's module.
        return -ENOENT;
    }
    if (request.type === SOCK_DESTROY) {
      // A kernel without CONFIG_INET_DIAG_DESTROY.
      countUnsupported('SOCK_DESTROY');
      return -EOPNOTSUPP;
    }
    const dumps = (request.flags & NLM_F_DUMP) !== 0;
    if (family === AF_UNIX) {
      if (end - at < 16 + UNIX_REQUEST) return -EINVAL;
      return dumps ? this.dumpUnix(from, request) : this.oneUnix(from, request);
    }
    if (end - at < 16 + INET_REQUEST) return -EINVAL;
    return dumps ? this.dumpInet(from, request, family) : this.oneInet(from, request, family);
  }

  /** The socket with these names: inet_diag_dump_one_icsk(), udp_dump_one(): -ENOENT, -ESTALE (of UDP). */
  private oneInet(from: NetlinkAsker, request: NetlinkRequest, family: number): number {
    const { view, at, seq } = request;
    const protocol = view.getUint8(at + 16 + REQUEST_PROTOCOL);
    const ext = view.getUint8(at + 16 + REQUEST_EXT);
    const id = at + 16 + REQUEST_ID;
    // Those of UDP are the other way round, for historical reasons.
    const reversed = protocol === IPPROTO_UDP;
    const own = readEnd(view, id, reversed ? 2 : 0, reversed ? ID_DST : ID_SRC, family);
    const other = readEnd(view, id, reversed ? 0 : 2, reversed ? ID_SRC : ID_DST, family);
    let best: InetMember | null = null;
    let bestScore = -1;
    for (const s of this.inet.sockets) {
      if (s.family !== family || protocolOf(s) !== protocol) continue;
      const score = scoreOf(s, own, other);
      if (score <= bestScore) continue;
      best = s;
      bestScore = score;
    }
    if (best === null) return -ENOENT;
    // inet_diag_find_one_icsk() does not tell another socket from none.
    if (!cookieFits(view, id + COOKIE, best.cookie)) return reversed ? -ESTALE : -ENOENT;
    const w = new NetlinkWriter(seq, from.port, 0);
    putInet(w, best, ext);
    return Math.min(0, from.answer(w.finish()));
  }

  /** unix_diag_get_exact(): -EINVAL, -ENOENT, -ESTALE. */
  private oneUnix(from: NetlinkAsker, request: NetlinkRequest): number {
    const { view, at, seq } = request;
    const ino = view.getUint32(at + 16 + UNIX_INO, true);
    if (ino === 0) return -EINVAL;
    for (const s of this.unix.sockets) {
      if (inoOf(s) !== ino) continue;
      if (!cookieFits(view, at + 16 + UNIX_COOKIE, ino)) return -ESTALE;
      const w = new NetlinkWriter(seq, from.port, 0);
      putUnix(w, s, view.getUint32(at + 16 + UNIX_SHOW, true));
      return Math.min(0, from.answer(w.finish()));
    }
    return -ENOENT;
  }

  private dumpInet(from: NetlinkAsker, request: NetlinkRequest, family: number): number {
    const { view, at, seq } = request;
    const protocol = view.getUint8(at + 16 + REQUEST_PROTOCOL);
    const ext = view.getUint8(at + 16 + REQUEST_EXT);
    const states = view.getUint32(at + 16 + REQUEST_STATES, true);
    const w = new NetlinkWriter(seq, from.port, 2);
    for (const s of this.inet.sockets)
      if (s.family === family && protocolOf(s) === protocol && ((states >>> s.shownState) & 1) !== 0)
        putInet(w, s, ext);
    return Math.min(0, from.answer(w.finish())) || 1;
  }

  private dumpUnix(from: NetlinkAsker, request: NetlinkRequest): number {
    const { view, at, seq } = request;
    const states = view.getUint32(at + 16 + REQUEST_STATES, true);
    const show = view.getUint32(at + 16 + UNIX_SHOW, true);
    const w = new NetlinkWriter(seq, from.port, 2);
    for (const s of this.unix.sockets)
      if (!s.embryo && ((states >>> unixState(s)) & 1) !== 0) putUnix(w, s, show);
    return Math.min(0, from.answer(w.finish())) || 1;
  }
}

/** One end of struct inet_diag_sockid. */
interface End {
  readonly address: IpAddress;
  readonly port: number;
}

function readEnd(view: DataView, id: number, portAt: number, addressAt: number, family: number): End {
  const at = id + addressAt;
  const address = family === AF_INET ? ipv4(view.getUint32(at)) : getIpv6(view, at);
  return { address, port: view.getUint16(id + portAt) };
}

/** How well a socket fits its names: a connection before one bound to the address before one bound to any; -1 for not at all. */
function scoreOf(s: InetMember, own: End, other: End): number {
  const { local, remote } = s.endpoint;
  if (local === null || local.port !== own.port) return -1;
  if (!local.address.isAny && !local.address.equals(own.address)) return -1;
  if (remote !== null) return remote.port === other.port && remote.address.equals(other.address) ? 2 : -1;
  if (s.type === SOCK_STREAM && s.shownState !== TCP_LISTEN) return -1;
  return local.address.isAny ? 0 : 1;
}

/** sock_diag_check_cookie(): all ones is none. */
function cookieFits(view: DataView, at: number, cookie: number): boolean {
  const low = view.getUint32(at, true);
  const high = view.getUint32(at + 4, true);
  return (low === 0xffffffff && high === 0xffffffff) || (low === cookie && high === 0);
}

function protocolOf(s: InetMember): number {
  return s.type === SOCK_STREAM ? IPPROTO_TCP : s.protocol;
}

function inoOf(s: { readonly inode: { readonly ino: unknown } }): number {
  return Number(String(s.inode.ino)) >>> 0;
}

function putInet(w: NetlinkWriter, s: InetMember, ext: number): void {
  const asked = (what: number): boolean => ((ext >>> (what - 1)) & 1) !== 0;
  const body = w.begin(SOCK_DIAG_BY_FAMILY, INET_MESSAGE);
  const v = w.header;
  v.setUint8(body, s.family);
  v.setUint8(body + 1, s.shownState);
  const { local, remote } = s.endpoint;
  v.setUint16(body + ID, local?.port ?? 0);
  v.setUint16(body + ID + 2, remote?.port ?? 0);
  const v4 = s.family === AF_INET;
  if (local !== null) putName(v, body + ID + ID_SRC, local.address, v4);
  if (remote !== null) putName(v, body + ID + ID_DST, remote.address, v4);
  const ino = inoOf(s);
  v.setUint32(body + ID + COOKIE, s.cookie, true);
  v.setUint32(body + RQUEUE, s.receiveQueue, true);
  v.setUint32(body + WQUEUE, s.sendQueue, true);
  v.setUint32(body + UID, s.inode.uid, true);
  v.setUint32(body + INODE, ino, true);
  if (asked(INET_DIAG_TOS)) w.u8(INET_DIAG_TOS, s.tos);
  if (!v4 && asked(INET_DIAG_TCLASS)) w.u8(INET_DIAG_TCLASS, s.tclass);
  if (!v4 && (s.shownState === TCP_LISTEN || s.shownState === TCP_CLOSE))
    w.u8(INET_DIAG_SKV6ONLY, s.v6only ? 1 : 0);
  if (asked(INET_DIAG_MEMINFO)) {
    const to = w.space(INET_DIAG_MEMINFO, 16);
    w.header.setUint32(to, s.receiveQueue, true);
    w.header.setUint32(to + 4, s.sendQueue, true);
    w.header.setUint32(to + 12, s.sendQueue, true);
  }
  if (asked(INET_DIAG_SKMEMINFO)) {
    // The protocol tunes the buffers of a stream.
    const buffer = (name: number, own: number): number =>
      s.type === SOCK_STREAM && s.endpoint.getOption(SOL_SOCKET, name) === 0 ? s.endpoint.optionValue : own;
    const to = w.space(INET_DIAG_SKMEMINFO, 36);
    w.header.setUint32(to, s.receiveQueue, true);
    w.header.setUint32(to + 4, buffer(SO_RCVBUF, s.options.rcvbuf), true);
    w.header.setUint32(to + 8, s.sendQueue, true);
    w.header.setUint32(to + 12, buffer(SO_SNDBUF, s.options.sndbuf), true);
    w.header.setUint32(to + 20, s.sendQueue, true);
  }
  if (s.type === SOCK_STREAM && 'info' in s.endpoint) {
    const stream = s.endpoint as unknown as WithInfo;
    if (asked(INET_DIAG_INFO)) w.raw(INET_DIAG_INFO, info.subarray(0, stream.info(infoView)));
    if (asked(INET_DIAG_CONG)) w.text(INET_DIAG_CONG, stream.congestion);
  }
  w.end();
}

/** The four words of an address in network order: an IPv4 socket's in the first. */
function putName(
  v: DataView,
  at: number,
  address: NonNullable<InetMember['endpoint']['local']>['address'],
  v4: boolean,
): void {
  if (v4) address.put(v, at);
  else if (address.isV4 && address.isAny) return;
  else address.put16(v, at);
}

/** The state as TCP's, as unix_diag tells it. */
function unixState(s: UnixSocket): number {
  if (s.state === SS_LISTENING) return TCP_LISTEN;
  return s.state === SS_CONNECTED ? TCP_ESTABLISHED : TCP_CLOSE;
}

function putUnix(w: NetlinkWriter, s: UnixSocket, show: number): void {
  const body = w.begin(SOCK_DIAG_BY_FAMILY, UNIX_MESSAGE);
  const v = w.header;
  v.setUint8(body, AF_UNIX);
  v.setUint8(body + 1, s.type);
  v.setUint8(body + 2, unixState(s));
  v.setUint32(body + 4, inoOf(s), true);
  v.setUint32(body + 8, inoOf(s), true);
  if ((show & UDIAG_SHOW_NAME) !== 0 && s.name !== '') {
    const name = new Uint8Array(s.name.length);
    for (let i = 0; i < name.length; i++) name[i] = s.name.charCodeAt(i);
    w.raw(UNIX_DIAG_NAME, name);
  }
  if ((show & UDIAG_SHOW_PEER) !== 0 && s.peer !== null && !s.peer.dead) w.u32(UNIX_DIAG_PEER, inoOf(s.peer));
  if ((show & UDIAG_SHOW_RQLEN) !== 0) {
    const at = w.space(UNIX_DIAG_RQLEN, 8);
    if (s.state === SS_LISTENING) w.header.setUint32(at, s.embryos().length, true);
  }
  w.u8(UNIX_DIAG_SHUTDOWN, (s.rcvShutdown ? 1 : 0) | (s.sndShutdown ? 2 : 0));
  w.end();
}
