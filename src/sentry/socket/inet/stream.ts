// InetStream: SOCK_STREAM. What tcp(7) and the socket calls say of a connection, over a StreamEndpoint that does the protocol.

import {
  EAGAIN,
  EALREADY,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETUNREACH,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLOUT, POLLPRI, POLLRDHUP, POLLWRNORM } from '../../../abi/events/poll.ts';
import { SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD } from '../../../abi/ioctl.ts';
import { IPPROTO_TCP } from '../../../abi/net/in.ts';
import {
  AF_UNSPEC,
  MSG_ERRQUEUE,
  MSG_FASTOPEN,
  MSG_MORE,
  MSG_NOSIGNAL,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  MSG_ZEROCOPY,
  SHUT_RDWR,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { TCP_CLOSE, TCP_INQ, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT } from '../../../abi/net/tcp.ts';
import { SIGPIPE } from '../../../abi/signal/signal.ts';
import type { IpAddress } from '../../../net/address.ts';
import type { StreamEndpoint } from '../../../net/endpoint.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { replaceFilter } from '../filter.ts';
import type { Message, SockAddr } from '../message.ts';
import { READ_EVENTS, type SocketFile, WRITE_EVENTS } from '../socket.ts';
import { InetSocket } from './inet.ts';
import { getIpOption, ipOption, isIpLevel, setIpOption } from './ip_options.ts';
import { NO_MEMBERSHIP, setMembership } from './multicast.ts';
import type { InetNamespace } from './namespace.ts';
import { getOriginalOption } from './original_option.ts';
import { getInetSocketOption, setInetSocketOption } from './so_options.ts';
import { orLoopback, readPeer, told } from './sockaddr.ts';
import { wantsStamps, writeStamps } from './stamps.ts';
import { checkStreamControl, writeUnread } from './stream_control.ts';
import { getTcpOption, setTcpOption } from './tcp_options.ts';

/** enum socket_state: what connect(2) goes by. */
const SS_UNCONNECTED = 1;
const SS_CONNECTING = 2;
const SS_CONNECTED = 3;

const CONNECT_EVENTS = WRITE_EVENTS | POLLHUP | POLLERR;
const RECEIVE_EVENTS = READ_EVENTS | POLLRDHUP | POLLHUP | POLLERR;
const ENDED = POLLRDHUP | POLLHUP | POLLERR;
/** SO_LINGER is in seconds, and a stop of a jiffy at the least is a stop. */
const NS_PER_SEC = 1e9;

export class InetStream extends InetSocket {
  endpoint: StreamEndpoint;
  private socketState = SS_UNCONNECTED;
  /** Where connect(2) goes: the call that asks how it went needs no address. */
  private wanted: IpAddress | null = null;
  private wantedPort = 0;
  /** TCP_FASTOPEN_CONNECT: connect(2) said that it was done, and nothing has gone yet. */
  private deferred = false;
  /** Whose send waits for a connection that began with its bytes, and how many of them the SYN carried. */
  private synCaller: VfsContext | null = null;
  private synBytes = 0;
  /** close(2) waits for what was sent: the endpoint is closed already. */
  private lingering = false;

  constructor(
    ctx: VfsContext,
    ns: InetNamespace,
    family: number,
    endpoint: StreamEndpoint,
    connected: boolean,
    flags: number,
  ) {
    super(ctx, ns, family, SOCK_STREAM, IPPROTO_TCP, flags);
    this.endpoint = endpoint;
    endpoint.owner = this;
    if (connected) this.socketState = SS_CONNECTED;
  }

  override get streaming(): boolean {
    return true;
  }

  get shownState(): number {
    return this.endpoint.state;
  }

  get sendQueue(): number {
    return this.endpoint.unacknowledged;
  }

  get receiveQueue(): number {
    return this.endpoint.unread;
  }

  override get listening(): boolean {
    return this.endpoint.state === TCP_LISTEN;
  }

  /** inet_stream_connect(). */
  override connect(_ctx: VfsContext, addr: SockAddr): number {
    if (addr.len < 2) return -EINVAL;
    if (addr.family === AF_UNSPEC) return this.disconnect();
    if (this.socketState === SS_CONNECTED) return -EISCONN;
    if (this.deferred) return this.nonblocking ? -EISCONN : this.again(this.waiters, CONNECT_EVENTS);
    let r = -EALREADY;
    if (this.socketState === SS_UNCONNECTED) {
      if (this.listening) return -EISCONN;
      r = this.begin(addr, null);
      if (this.deferred) {
        this.socketState = SS_CONNECTING;
        return 0;
      }
      if (r < 0 && r !== -EINPROGRESS) return r;
      this.socketState = r === 0 ? SS_CONNECTED : SS_CONNECTING;
      // How it went is told by a later call, also when it is known already.
      if (r === 0 || this.nonblocking) return r;
    }
    const { state } = this.endpoint;
    if (state === TCP_SYN_SENT || state === TCP_SYN_RECV)
      return this.nonblocking ? r : this.again(this.waiters, CONNECT_EVENTS);
    r = this.endpoint.connect(this.wanted!, this.wantedPort);
    if (r === -EINPROGRESS || r === -EALREADY)
      return this.nonblocking ? r : this.again(this.waiters, CONNECT_EVENTS);
    this.socketState = r === 0 || r === -EISCONN ? SS_CONNECTED : SS_UNCONNECTED;
    return r === -EISCONN ? 0 : r;
  }

  /** A connect(2) whose SO_SNDTIMEO is over: the connection is still being made. */
  override connectTimedOut(already: boolean): number {
    return already ? -EALREADY : -EINPROGRESS;
  }

  override get connecting(): boolean {
    return this.socketState === SS_CONNECTING;
  }

  /** tcp_v4_connect(), tcp_v6_connect(); with bytes, Fast Open: how many of them went. */
  private begin(addr: SockAddr, io: Io | null): number {
    let r = readPeer(addr, this.family);
    if (r < 0) return r;
    if (told.address.isMulticast || told.address.isBroadcast) return -ENETUNREACH;
    r = this.checkPeer();
    if (r < 0) return r;
    const { port } = told;
    const to = orLoopback(told.address);
    r = this.takePort();
    if (r < 0) return r;
    if (this.leaves(to)) {
      r = this.moveOut();
      if (r < 0) return r;
    }
    this.wanted = to;
    this.wantedPort = port;
    if (io === null && this.endpoint.defers(to)) {
      this.deferred = true;
      return 0;
    }
    r = io === null ? this.endpoint.connect(to, port) : this.endpoint.fastConnect(to, port, io);
    this.ns.flush();
    return r;
  }

  /** Goes on with an endpoint of the outside. */
  private moveOut(): number {
    const r = this.mayLeave;
    if (r < 0) return r;
    const next = this.ns.outside!.stream(this.family);
    if (typeof next === 'number') return next;
    return this.replaceEndpoint(next, -1);
  }

  private replaceEndpoint(next: StreamEndpoint, lingerNs: number): number {
    const old = this.endpoint;
    this.endpoint = next;
    old.owner = null;
    old.close(lingerNs);
    this.ns.flush();
    next.owner = this;
    this.replay(next);
    next.stamping = wantsStamps(this);
    if (this.boundAddress === null || this.boundPort === 0) return 0;
    return next.bind(this.boundAddress, this.boundPort);
  }

  /** connect(2) to AF_UNSPEC: tcp_disconnect(). */
  private disconnect(): number {
    const next = this.ns.stack.stream(this.family, this.payer, this.inode.uid);
    if (typeof next === 'number') return next;
    this.socketState = SS_UNCONNECTED;
    this.deferred = false;
    this.synCaller = null;
    this.error = 0;
    const r = this.replaceEndpoint(next, 0);
    if (r < 0 || this.boundPort === 0) this.boundAddress = null;
    this.waiters.wake(RECEIVE_EVENTS | CONNECT_EVENTS);
    return 0;
  }

  override listen(_ctx: VfsContext, backlog: number): number {
    if (this.socketState !== SS_UNCONNECTED) return -EINVAL;
    // A negative backlog is a huge one: it is compared as unsigned.
    const most = this.ns.tcp.somaxconn;
    const r = this.takePort();
    if (r < 0) return r;
    return this.endpoint.listen(backlog < 0 || backlog > most ? most : backlog);
  }

  override accept(ctx: VfsContext, flags: number): SocketFile | number {
    if (!this.listening) return -EINVAL;
    const made = this.endpoint.accept();
    if (typeof made === 'number')
      return made === -EAGAIN ? this.again(this.waiters, READ_EVENTS | POLLHUP | POLLERR) : made;
    const s = new InetStream(ctx, this.ns, this.family, made, true, flags);
    s.inherit(this);
    return s;
  }

  /** A connection has the options of the socket that listened. */
  private inherit(from: InetStream): void {
    Object.assign(this.options, from.options);
    for (const [key, value] of from.set) this.set.set(key, value);
    this.boundDevice = from.boundDevice;
    if (from.filter !== null) replaceFilter(this, from.filter);
    this.filterLocked = from.filterLocked;
    this.peekOff = from.peekOff;
    this.stamp = from.stamp;
    this.stampFlags = from.stampFlags;
    this.stampType = from.stampType;
  }

  override shutdown(_ctx: VfsContext, how: number): number {
    if (how < 0 || how > SHUT_RDWR) return -EINVAL;
    if (this.deferred) {
      this.deferred = false;
      this.socketState = SS_UNCONNECTED;
      return 0;
    }
    const { state } = this.endpoint;
    if (state === TCP_CLOSE) return -ENOTCONN;
    const r = this.endpoint.shutdown(how);
    this.ns.flush();
    // The protocol of a socket that listens has no peer to tell of it.
    if (r === 0 || state === TCP_SYN_SENT) this.waiters.wake(RECEIVE_EVENTS | CONNECT_EVENTS);
    if (state === TCP_SYN_SENT || state === TCP_LISTEN) this.socketState = SS_UNCONNECTED;
    return r;
  }

  override sendmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if (msg.controlLen > 0) {
      const bad = checkStreamControl(ctx, msg);
      if (bad < 0) return bad;
    }
    if ((flags & MSG_FASTOPEN) !== 0 || this.deferred || this.synCaller === ctx) {
      const sent = this.sendFast(ctx, io, msg.addr, flags);
      if (sent !== 0) return sent;
    }
    let r: number;
    if (this.error !== 0) r = -super.takeError();
    else if (io.remaining === 0 && this.socketState === SS_CONNECTED)
      r = this.endpoint.state === TCP_CLOSE ? -EPIPE : 0;
    else {
      r = this.endpoint.send(io, flags & (MSG_OOB | MSG_MORE));
      this.ns.flush();
      if (r === -EAGAIN) {
        // Who was given something has made room.
        r = this.endpoint.send(io, flags & (MSG_OOB | MSG_MORE));
        if (r > 0) this.ns.flush();
      }
    }
    if (r > 0 && (flags & MSG_ZEROCOPY) !== 0 && this.zerocopy) this.copied();
    if (r >= 0) return r;
    if (r === -EAGAIN) return this.again(this.waiters, WRITE_EVENTS | POLLHUP | POLLERR);
    // A stream that is no connection is a broken pipe: sk_stream_wait_connect().
    if (r === -ENOTCONN) r = -EPIPE;
    if (r === -EPIPE && (flags & MSG_NOSIGNAL) === 0) ctx.raise(SIGPIPE);
    return r;
  }

  /**
   * tcp_sendmsg_fastopen(): begins the connection, with bytes of the send in the SYN where the server is known to take them, and waits
   * for it unless the send must not. Bytes that went; 0 when the send goes on as any other.
   */
  private sendFast(ctx: VfsContext, io: Io, addr: SockAddr, flags: number): number {
    const again = this.synCaller === ctx;
    if (!again) {
      const n = this.beginFast(io, addr);
      if (n < 0) return n;
      this.socketState = SS_CONNECTING;
      if (this.mustNotWait(flags)) return n > 0 ? n : -EINPROGRESS;
      this.synCaller = ctx;
      this.synBytes = n;
    }
    const { state } = this.endpoint;
    if (state === TCP_SYN_SENT || state === TCP_SYN_RECV) return this.again(this.waiters, CONNECT_EVENTS);
    const n = this.synBytes;
    this.synCaller = null;
    const r = this.endpoint.connect(this.wanted!, this.wantedPort);
    this.socketState = r === 0 || r === -EISCONN ? SS_CONNECTED : SS_UNCONNECTED;
    if (this.socketState === SS_UNCONNECTED) return r;
    // The call that waited gives its bytes once more, from their beginning.
    for (let left = again ? n : 0; left > 0; ) {
      const moved = io.take(scratch, 0, Math.min(left, scratch.length));
      if (moved <= 0) break;
      left -= moved;
    }
    return n;
  }

  /** Bytes that the SYN took, or -errno. */
  private beginFast(io: Io, addr: SockAddr): number {
    if (this.deferred) {
      this.deferred = false;
      const n = this.endpoint.fastConnect(this.wanted!, this.wantedPort, io);
      this.ns.flush();
      if (n < 0) this.socketState = SS_UNCONNECTED;
      return n;
    }
    if (addr.len < 2) return -EINVAL;
    if (addr.family === AF_UNSPEC) return -EOPNOTSUPP;
    if (this.socketState === SS_CONNECTED || this.listening) return -EISCONN;
    return this.socketState === SS_CONNECTING ? -EALREADY : this.begin(addr, io);
  }

  override recvmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    msg.addr.len = 0;
    if ((flags & MSG_ERRQUEUE) !== 0)
      return this.notices?.receive(msg, this.v6, this.stampType) === true ? 0 : -EAGAIN;
    const ep = this.endpoint;
    if (ep.state === TCP_LISTEN) return -ENOTCONN;
    if (this.deferred) return this.again(this.waiters, RECEIVE_EVENTS);
    if ((flags & MSG_OOB) !== 0) {
      const n = ep.receive(io, flags & (MSG_OOB | MSG_PEEK), 0);
      if (n > 0) msg.flags |= MSG_OOB;
      return n;
    }
    const peek = (flags & MSG_PEEK) !== 0;
    const skip = peek && this.peekOff > 0 ? this.peekOff : 0;
    // Fewer bytes than SO_RCVLOWAT are waited for, unless there will be no more.
    if (this.options.rcvlowat > 1 || (peek && (flags & MSG_WAITALL) !== 0)) {
      const want =
        (flags & MSG_WAITALL) !== 0 && peek ? io.remaining : Math.min(this.options.rcvlowat, io.remaining);
      if (
        !this.mustNotWait(flags) &&
        ep.unread - skip < want &&
        (ep.poll() & (ENDED | POLLPRI)) === 0 &&
        ep.state !== TCP_CLOSE
      )
        return this.again(this.waiters, RECEIVE_EVENTS);
    }
    // What is on its way to us comes first: told of it between this and the wait, nobody would hear.
    this.ns.flush();
    const n = ep.receive(io, flags & (MSG_PEEK | MSG_TRUNC), skip);
    if (n > 0) this.ns.flush();
    if (n === -EAGAIN) return this.again(this.waiters, RECEIVE_EVENTS);
    if (n > 0) {
      if (ep.receivedNs > 0 && wantsStamps(this)) writeStamps(ctx, this, msg, ep.receivedNs);
      if (ipOption(this, IPPROTO_TCP, TCP_INQ) !== 0) writeUnread(msg, ep);
    }
    if (n > 0 && this.peekOff >= 0) this.peekOff = peek ? this.peekOff + n : Math.max(0, this.peekOff - n);
    return n;
  }

  override getpeername(addr: SockAddr): number {
    const { state } = this.endpoint;
    if (state === TCP_CLOSE || state === TCP_SYN_SENT) return -ENOTCONN;
    return super.getpeername(addr);
  }

  override poll(): number {
    // The send that connects may come.
    if (this.deferred) return POLLOUT | POLLWRNORM;
    return this.endpoint.poll() | this.noticed | (this.error !== 0 ? POLLERR : 0);
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    const ep = this.endpoint;
    const listens = ep.state === TCP_LISTEN;
    let value: number;
    switch (cmd) {
      case SIOCINQ:
        value = listens ? -EINVAL : ep.unread;
        break;
      case SIOCOUTQ:
        value = listens ? -EINVAL : ep.unacknowledged;
        break;
      case SIOCOUTQNSD:
        value = listens ? -EINVAL : ep.unsent;
        break;
      case SIOCATMARK:
        value = ep.atMark ? 1 : 0;
        break;
      default:
        return super.ioctl(ctx, cmd, arg);
    }
    if (value < 0) return value;
    scratchView.setInt32(0, value, true);
    return ctx.mem.copyOutExact(arg, scratch, 0, 4);
  }

  override getLargeOption(ctx: VfsContext, level: number, name: number, addr: number, len: number): number {
    return getOriginalOption(ctx, this, level, name, addr, len);
  }

  override getsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level === SOL_SOCKET) return getInetSocketOption(ctx, this, name, len);
    if (level === IPPROTO_TCP) return getTcpOption(this.endpoint, name, len);
    if (isIpLevel(this, level)) return getIpOption(this, level, name, len);
    // do_ip_getsockopt() has an errno of its own.
    return this.v6 ? -ENOPROTOOPT : -EOPNOTSUPP;
  }

  override setsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level === SOL_SOCKET) return setInetSocketOption(ctx, this, name, len);
    if (level === IPPROTO_TCP) return setTcpOption(ctx, this, name, len);
    if (!isIpLevel(this, level)) return -ENOPROTOOPT;
    const r = setMembership(this, null, level, name, len);
    return r === NO_MEMBERSHIP ? setIpOption(ctx, this, level, name, len) : r;
  }

  /** SO_LINGER: close(2) of the last descriptor waits this long for what was sent; 0 when it does not. */
  get lingerNs(): number {
    const o = this.options;
    return o.lingerOn !== 0 && o.lingerSec > 0 ? o.lingerSec * NS_PER_SEC : 0;
  }

  /** Begins the end of a socket that lingers; true when there is something to wait for on `waiters`, for POLLHUP. */
  beginLinger(): boolean {
    const ep = this.endpoint;
    if (this.lingering || ep.unacknowledged === 0) return this.lingering;
    this.lingering = true;
    ep.close(this.lingerNs);
    this.ns.flush();
    return true;
  }

  protected override release(): void {
    this.dropFilter();
    const ep = this.endpoint;
    ep.owner = null;
    if (!this.lingering) {
      ep.close(this.options.lingerOn !== 0 && this.options.lingerSec === 0 ? 0 : -1);
      this.ns.flush();
    }
    super.release();
  }
}
