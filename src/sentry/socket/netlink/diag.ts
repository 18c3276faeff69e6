// NETLINK_SOCK_DIAG: sock_diag(7): lists of sockets for ss(8) and its like. Requests with a filter in byte code are answered
// with all sockets of the states asked for: their programs filter again.

import { EINVAL, ENOENT, EOPNOTSUPP } from '../../../abi/errno.ts';
import { IPPROTO_TCP } from '../../../abi/net/in.ts';
import { INET_DIAG_INFO, NLM_F_DUMP, SOCK_DIAG_BY_FAMILY } from '../../../abi/net/netlink.ts';
import { AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM } from '../../../abi/net/socket.ts';
import { TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN } from '../../../abi/net/tcp.ts';
import { countUnsupported } from '../../base/log.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { InetMember, InetNamespace } from '../inet/namespace.ts';
import type { UnixNamespace } from '../unix/namespace.ts';
import { SS_CONNECTED, SS_LISTENING, type UnixSocket } from '../unix/unix.ts';
import type { NetlinkAsker, NetlinkProtocol, NetlinkRequest } from './protocol.ts';
import { NetlinkWriter } from './writer.ts';

/** struct inet_diag_req_v2: family, protocol, extensions, pad; u32 states; struct inet_diag_sockid. */
const INET_REQUEST = 56;
const REQUEST_PROTOCOL = 1;
const REQUEST_EXT = 2;
const REQUEST_STATES = 4;
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
const UNIX_SHOW = 12;
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
    if (request.type !== SOCK_DIAG_BY_FAMILY || end - at < 18) return -EINVAL;
    const family = view.getUint8(at + 16);
    switch (family) {
      case AF_INET:
      case AF_INET6:
        return end - at < 16 + INET_REQUEST ? -EINVAL : this.dumpInet(from, request, family);
      case AF_UNIX:
        return end - at < 16 + UNIX_REQUEST ? -EINVAL : this.dumpUnix(from, request);
    }
    // As without the family's module.
    return -ENOENT;
  }

  private dumpInet(from: NetlinkAsker, request: NetlinkRequest, family: number): number {
    const { view, at, seq, flags } = request;
    if ((flags & NLM_F_DUMP) === 0) {
      countUnsupported('inet_diag of one socket');
      return -EOPNOTSUPP;
    }
    const protocol = view.getUint8(at + 16 + REQUEST_PROTOCOL);
    const ext = view.getUint8(at + 16 + REQUEST_EXT);
    const states = view.getUint32(at + 16 + REQUEST_STATES, true);
    const w = new NetlinkWriter(seq, from.port, 2);
    for (const s of this.inet.sockets)
      if (s.family === family && protocolOf(s) === protocol && ((states >>> s.shownState) & 1) !== 0)
        putInet(w, s, (ext >>> (INET_DIAG_INFO - 1)) & 1);
    return Math.min(0, from.answer(w.finish())) || 1;
  }

  private dumpUnix(from: NetlinkAsker, request: NetlinkRequest): number {
    const { view, at, seq, flags } = request;
    if ((flags & NLM_F_DUMP) === 0) {
      countUnsupported('unix_diag of one socket');
      return -EOPNOTSUPP;
    }
    const states = view.getUint32(at + 16 + REQUEST_STATES, true);
    const show = view.getUint32(at + 16 + UNIX_SHOW, true);
    const w = new NetlinkWriter(seq, from.port, 2);
    for (const s of this.unix.sockets)
      if (!s.embryo && ((states >>> unixState(s)) & 1) !== 0) putUnix(w, s, show);
    return Math.min(0, from.answer(w.finish())) || 1;
  }
}

function protocolOf(s: InetMember): number {
  return s.type === SOCK_STREAM ? IPPROTO_TCP : s.protocol;
}

function inoOf(s: { readonly inode: { readonly ino: unknown } }): number {
  return Number(String(s.inode.ino)) >>> 0;
}

function putInet(w: NetlinkWriter, s: InetMember, withInfo: number): void {
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
  v.setUint32(body + ID + COOKIE, ino, true);
  v.setUint32(body + RQUEUE, s.receiveQueue, true);
  v.setUint32(body + WQUEUE, s.sendQueue, true);
  v.setUint32(body + UID, s.inode.uid, true);
  v.setUint32(body + INODE, ino, true);
  if (withInfo !== 0 && s.type === SOCK_STREAM && 'info' in s.endpoint) {
    const n = (s.endpoint as unknown as WithInfo).info(infoView);
    w.raw(INET_DIAG_INFO, info.subarray(0, n));
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
