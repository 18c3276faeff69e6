// TcpEndpoint: a connection, or a port that listens, as sockets use it: tcp(7) and the calls of socket(7).

import {
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAGAIN,
  EALREADY,
  ECONNABORTED,
  EFAULT,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETUNREACH,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from '../../abi/errno.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
} from '../../abi/events/poll.ts';
import { MSG_MORE, MSG_OOB, MSG_PEEK, SHUT_RD, SHUT_RDWR, SHUT_WR } from '../../abi/net/socket.ts';
import {
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_LAST_ACK,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
} from '../../abi/net/tcp.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V4, ANY_V6, LOOPBACK_V4, LOOPBACK_V6 } from '../address.ts';
import type { ByteSink, ByteSource, EndpointOwner, Name, PacketFilter, StreamEndpoint } from '../endpoint.ts';
import type { Path } from '../path.ts';
import type { IpOptions } from '../wire/ip_options.ts';
import { TFO_SERVER_ENABLE, TFO_SERVER_WO_SOCKOPT1 } from './fastopen.ts';
import { knowsCookie, mayFastOpen, prepareSyn } from './fastopen_client.ts';
import { fillInfo } from './info.ts';
import { finWait2, queueFin } from './input.ts';
import { abort, finish, purgeReceive, setState } from './life.ts';
import type { ListenHost } from './listen.ts';
import { Listener } from './listen.ts';
import { markLimited } from './rate.ts';
import { windowOf, windowShift } from './rcv.ts';
import { afterRead, readable, receiveStream, receiveUrgent, takeError, unreadBytes } from './reading.ts';
import { writable } from './recovery.ts';
import { advance, distance } from './seq.ts';
import { push } from './snd.ts';
import { getTcpOption, setCongestion, setTcpOption } from './sockopt.ts';
import type { Tcb } from './tcb.ts';
import { MODE_RTO, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, URGENT_NONE, URGENT_VALID } from './tcb.ts';
import { pathMss, sendSyn, syncMss } from './transmit.ts';

/** What endpoints need of their protocol. Between enter and leave, segments that come in wait. */
export interface EndpointHost extends ListenHost {
  enter(): number;
  leave(): void;
  /** 0 or -EADDRINUSE, -EADDRNOTAVAIL; with a port, the socket has it. */
  takePort(tcb: Tcb, address: IpAddress, port: number): number;
  /** A port for a connection to tcb.remote, and its place in the table. */
  takeFlow(tcb: Tcb, nowNs: number): number;
  /** A connection that no socket has; false when there are too many (tcp_max_orphans). */
  addOrphan(tcb: Tcb): boolean;
  addListener(listener: Listener): void;
  removeListener(listener: Listener): void;
}

/** Bytes that one send takes before it pushes. */
const SLICE = 4 << 20;

export class TcpEndpoint implements StreamEndpoint {
  readonly tcb: Tcb;
  private readonly host: EndpointHost;
  private listener: Listener | null = null;
  optionValue = 0;
  receivedNs = 0;

  constructor(host: EndpointHost, tcb: Tcb) {
    this.host = host;
    this.tcb = tcb;
  }

  get owner(): EndpointOwner | null {
    return this.tcb.owner;
  }

  set owner(owner: EndpointOwner | null) {
    this.tcb.owner = owner;
  }

  setFilter(filter: PacketFilter | null): number {
    this.tcb.options.filter = filter;
    return 0;
  }

  get state(): number {
    return this.tcb.state;
  }

  get local(): Name | null {
    const { tcb } = this;
    return tcb.localPort === 0 ? null : { address: tcb.local, port: tcb.localPort };
  }

  get remote(): Name | null {
    const { tcb } = this;
    const { state } = tcb;
    if (state === TCP_CLOSE || state === TCP_LISTEN || state === TCP_SYN_SENT || tcb.remotePort === 0)
      return null;
    return { address: tcb.remote, port: tcb.remotePort };
  }

  /** bind(2). */
  bind(address: IpAddress, port: number): number {
    const { tcb } = this;
    if (tcb.state !== TCP_CLOSE || tcb.hasPort) return -EINVAL;
    if (!address.isAny && !tcb.options.freebind && !tcb.options.transparent) {
      if (address.isMulticast || address.isBroadcast) return -EADDRNOTAVAIL;
      if (!this.host.layer.bindable(address, tcb.options.ifindex)) return -EADDRNOTAVAIL;
    }
    if (port === 0 && tcb.options.noPort) {
      tcb.local = address;
      tcb.boundAddress = !address.isAny;
      return 0;
    }
    const r = this.host.takePort(tcb, address, port);
    if (r < 0) return r;
    tcb.local = address;
    tcb.boundAddress = !address.isAny;
    tcb.boundPort = true;
    return 0;
  }

  private route(src: IpAddress, dst: IpAddress): Path | number {
    const { options, uid } = this.tcb;
    return this.host.layer.route({
      src,
      dst,
      ifindex: options.ifindex,
      tos: options.tos,
      mark: options.mark,
      uid,
    });
  }

  /** connect(2), never waiting; how it went is told by a further call, or by takeError. */
  connect(address: IpAddress, port: number): number {
    const { tcb } = this;
    if (tcb.connecting) {
      if (tcb.state === TCP_SYN_SENT || tcb.state === TCP_SYN_RECV) return -EALREADY;
      tcb.connecting = false;
      if (tcb.state === TCP_CLOSE) return -(this.takeError() || ECONNABORTED);
      return 0;
    }
    if (tcb.state !== TCP_CLOSE) return -EISCONN;
    const now = this.host.enter();
    const r = this.beginConnect(address, port, null, tcb.options.fastOpenConnect, now);
    this.host.leave();
    return r < 0 ? r : -EINPROGRESS;
  }

  /** sendto(2) with MSG_FASTOPEN, and what TCP_FASTOPEN_CONNECT put off. */
  fastConnect(address: IpAddress, port: number, from: ByteSource): number {
    const { tcb } = this;
    if (!mayFastOpen(tcb)) return -EOPNOTSUPP;
    if (tcb.connecting) return -EALREADY;
    if (tcb.state !== TCP_CLOSE) return -EISCONN;
    const now = this.host.enter();
    const r = this.beginConnect(address, port, from, true, now);
    this.host.leave();
    return r;
  }

  /** TCP_FASTOPEN_CONNECT: would the first send's bytes go with the SYN? Then connect(2) waits for it. */
  defers(address: IpAddress): boolean {
    const { tcb } = this;
    if (!tcb.options.fastOpenConnect || !mayFastOpen(tcb) || tcb.state !== TCP_CLOSE) return false;
    const path = this.route(tcb.local.isAny ? anyOf(address) : tcb.local, address);
    return typeof path !== 'number' && knowsCookie(tcb, path.src, path.dst);
  }

  /** Bytes of `from` that the SYN carries, when it is `fast`; -errno. */
  private beginConnect(
    to: IpAddress,
    port: number,
    from: ByteSource | null,
    fast: boolean,
    nowNs: number,
  ): number {
    const { tcb, host } = this;
    const { sysctl } = host;
    let address = to;
    if (!tcb.boundAddress) tcb.local = tcb.v6 ? ANY_V6 : ANY_V4;
    if (address.isAny) address = address.isV4 ? LOOPBACK_V4 : LOOPBACK_V6;
    if (address.isMulticast || address.isBroadcast) return -ENETUNREACH;
    if (tcb.v6 && tcb.options.v6only && address.isV4) return -ENETUNREACH;
    if (tcb.boundAddress && tcb.local.isV4 !== address.isV4) return address.isV4 ? -ENETUNREACH : -EINVAL;
    const path = this.route(tcb.local.isAny ? anyOf(address) : tcb.local, address);
    if (typeof path === 'number') return path;
    if (path.broadcast) return -ENETUNREACH;
    const wasLocal = tcb.local;
    tcb.path = path;
    tcb.remote = path.dst;
    tcb.remotePort = port;
    if (tcb.local.isAny) tcb.local = path.src;
    tcb.tsOffset = host.hash.pair(tcb.local, tcb.remote, 1);
    tcb.iss = 0;
    const r = host.takeFlow(tcb, nowNs);
    if (r < 0) {
      tcb.local = wasLocal;
      tcb.remotePort = 0;
      return r;
    }
    tcb.una = tcb.iss;
    tcb.nxt = advance(tcb.iss, 1);
    tcb.bufSeq = tcb.nxt;
    tcb.shutdown = 0;
    tcb.error = 0;
    tcb.startAnew();
    tcb.advMss = Math.min(pathMss(path), tcb.options.maxSeg || 65535, 65535);
    tcb.peerMss = tcb.advMss;
    syncMss(tcb);
    tcb.rcvShift = sysctl.tcp_window_scaling === 0 ? 0 : windowShift(tcb.options, sysctl.tcp_rmem[2]);
    tcb.rcvWnd = Math.min(windowOf(tcb.options.rcvBuf), 65535);
    if (tcb.options.windowClamp > 0) tcb.rcvWnd = Math.min(tcb.rcvWnd, tcb.options.windowClamp);
    tcb.rcvNxt = 0;
    setState(tcb, TCP_SYN_SENT);
    tcb.connecting = true;
    host.counters.ActiveOpens++;
    tcb.deliveredNs = nowNs;
    tcb.setRetransmit(MODE_RTO, nowNs + tcb.rtt.rtoNs);
    const n = fast && mayFastOpen(tcb) ? prepareSyn(tcb, from, nowNs) : 0;
    if (n < 0) {
      finish(tcb, 0);
      tcb.connecting = false;
      return n;
    }
    sendSyn(tcb, nowNs);
    return n;
  }

  /** listen(2). */
  listen(backlog: number): number {
    const { tcb, host } = this;
    if (tcb.state !== TCP_CLOSE && tcb.state !== TCP_LISTEN) return -EINVAL;
    const most = backlog < 0 ? host.sysctl.somaxconn : Math.min(backlog, host.sysctl.somaxconn);
    const bits = host.sysctl.tcp_fastopen;
    if (tcb.options.fastOpen === 0 && bits & TFO_SERVER_ENABLE && bits & TFO_SERVER_WO_SOCKOPT1)
      tcb.options.fastOpen = most;
    if (this.listener !== null) {
      this.listener.backlog = most;
      return 0;
    }
    const r = host.takePort(tcb, tcb.local, tcb.hasPort ? tcb.localPort : 0);
    if (r < 0) return -EADDRINUSE;
    setState(tcb, TCP_LISTEN);
    this.listener = new Listener(host, tcb, most);
    host.addListener(this.listener);
    return 0;
  }

  /** accept(2). */
  accept(): StreamEndpoint | number {
    if (this.listener === null) return -EINVAL;
    const tcb = this.listener.next();
    return tcb === undefined ? -EAGAIN : new TcpEndpoint(this.host, tcb);
  }

  /** send(2). */
  send(from: ByteSource, flags: number): number {
    const { tcb } = this;
    if (tcb.error !== 0) return -this.takeError();
    if (tcb.shutdown & SEND_SHUTDOWN) return -EPIPE;
    const { state } = tcb;
    if (tcb.shaking) return -EAGAIN;
    if (state !== TCP_ESTABLISHED && state !== TCP_CLOSE_WAIT && state !== TCP_SYN_RECV) return -EPIPE;
    if (from.remaining === 0) return 0;
    const room = this.sendRoom();
    if (room <= 0) return -EAGAIN;
    const now = this.host.enter();
    if (tcb.cc.models && distance(tcb.bufEnd, tcb.nxt) < tcb.mss) markLimited(tcb);
    const n = tcb.buffer.append(from, Math.min(room, SLICE));
    if (n > 0) {
      tcb.charge(n);
      if (flags & MSG_OOB) {
        tcb.urgentEnd = tcb.bufEnd;
        tcb.urgentPending = true;
      }
      tcb.more = (flags & MSG_MORE) !== 0 && from.remaining === 0;
      push(tcb, now);
    }
    this.host.leave();
    return n < 0 ? n : n === 0 ? -EFAULT : n;
  }

  /** Bytes that the send buffer, TCP_NOTSENT_LOWAT and the memory account have room for. */
  private sendRoom(): number {
    const { tcb, host } = this;
    const lowat = tcb.options.notSentLowat || host.sysctl.tcp_notsent_lowat;
    if (distance(tcb.bufEnd, tcb.nxt) >= lowat) return 0;
    const room = tcb.options.sndBuf - tcb.buffer.length;
    if (room <= 0 || tcb.memory.fits(room)) return room;
    return tcb.memory.fits(4096) ? Math.min(room, 4096) : 0;
  }

  /** recv(2). */
  receive(to: ByteSink, flags: number, skip: number): number {
    const { tcb, host } = this;
    if (tcb.state === TCP_LISTEN) return -ENOTCONN;
    if (flags & MSG_OOB) return receiveUrgent(tcb, to, flags);
    const r = receiveStream(tcb, to, flags, skip);
    if (r > 0) this.noteStamp(flags & MSG_PEEK ? skip + r : 0);
    if (r <= 0 || flags & MSG_PEEK) return r;
    const now = host.enter();
    afterRead(tcb, now);
    host.leave();
    return r;
  }

  /** When the last byte came that was read, or looked at `ahead` of what was read. */
  private noteStamp(ahead: number): void {
    const { stamps, copied } = this.tcb;
    this.receivedNs = stamps === null ? 0 : stamps.of(advance(copied, ahead), copied);
  }

  get stamping(): boolean {
    return this.tcb.options.stamping;
  }

  set stamping(on: boolean) {
    this.tcb.options.stamping = on;
    if (!on) this.tcb.stamps = null;
  }

  get ipOptions(): IpOptions | null {
    return this.tcb.options.ipOptions;
  }

  /** IP_OPTIONS of ip(7): segments become smaller by them. */
  set ipOptions(options: IpOptions | null) {
    this.tcb.options.ipOptions = options;
    syncMss(this.tcb);
  }

  /** shutdown(2). */
  shutdown(how: number): number {
    const { tcb, host } = this;
    if (how !== SHUT_RD && how !== SHUT_WR && how !== SHUT_RDWR) return -EINVAL;
    if (tcb.state === TCP_CLOSE) return -ENOTCONN;
    const now = host.enter();
    if (this.listener !== null) {
      // As Linux: it stops to listen when reading ends.
      if (how !== SHUT_WR) this.stopListening(now);
    } else if (tcb.state === TCP_SYN_SENT) {
      finish(tcb, 0);
    } else {
      tcb.shutdown |= how + 1;
      if (how !== SHUT_RD) queueFin(tcb, now);
      tcb.tell(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLRDHUP);
    }
    host.leave();
    return 0;
  }

  private stopListening(nowNs: number): void {
    const { listener, tcb, host } = this;
    if (listener === null) return;
    this.listener = null;
    host.removeListener(listener);
    for (const child of listener.close()) {
      child.orphan = true;
      abort(child, 0, nowNs);
    }
    setState(tcb, TCP_CLOSE);
    tcb.shutdown = 0;
    host.ended(tcb, 0);
    tcb.tell(POLLIN | POLLRDNORM | POLLHUP);
  }

  /** close(2), with SO_LINGER as `lingerNs` says. */
  close(lingerNs: number): void {
    const { tcb, host } = this;
    if (tcb.orphan) return;
    const now = host.enter();
    if (lingerNs <= 0) tcb.owner = null;
    if (this.listener !== null) this.stopListening(now);
    tcb.orphan = true;
    const unread = tcb.queue.length > 0;
    purgeReceive(tcb);
    tcb.shutdown = SHUTDOWN_MASK;
    const { state } = tcb;
    if (state === TCP_CLOSE) host.ended(tcb, 0);
    else if (state === TCP_SYN_SENT) finish(tcb, 0);
    else if (unread || lingerNs === 0) {
      // RFC 9293, section 3.6.1: what was not read is lost, and the peer is to know (RFC 2525, section 2.17).
      abort(tcb, 0, now);
    } else if (state === TCP_FIN_WAIT2) finWait2(tcb, now);
    else queueFin(tcb, now);
    if (tcb.state !== TCP_CLOSE && !host.addOrphan(tcb)) abort(tcb, 0, now);
    if (lingerNs > 0) this.linger(lingerNs, now);
    host.leave();
  }

  private linger(lingerNs: number, nowNs: number): void {
    const { tcb } = this;
    const { state } = tcb;
    if (state === TCP_FIN_WAIT1 || state === TCP_CLOSING || state === TCP_LAST_ACK) {
      tcb.lingering = true;
      this.host.clock.arm(tcb.lingerTimer, nowNs + lingerNs);
      return;
    }
    tcb.tell(POLLHUP);
    tcb.owner = null;
  }

  /** poll(2), as Linux's tcp_poll has it. */
  poll(): number {
    const { tcb } = this;
    const { state, shutdown } = tcb;
    if (this.listener !== null) return this.listener.ready.length > 0 ? POLLIN | POLLRDNORM : 0;
    let mask = 0;
    if (shutdown === SHUTDOWN_MASK || state === TCP_CLOSE) mask |= POLLHUP;
    if (tcb.orphan) return tcb.lingering ? 0 : mask | POLLHUP;
    if (shutdown & RCV_SHUTDOWN) mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (!tcb.shaking) {
      if (readable(tcb)) mask |= POLLIN | POLLRDNORM;
      if (shutdown & SEND_SHUTDOWN || writable(tcb)) mask |= POLLOUT | POLLWRNORM;
      if (tcb.urgent === URGENT_VALID) mask |= POLLPRI;
    }
    if (tcb.error !== 0) mask |= POLLERR;
    return mask;
  }

  takeError(): number {
    return takeError(this.tcb);
  }

  /** SIOCINQ: tcp(7). */
  get unread(): number {
    return unreadBytes(this.tcb);
  }

  get unacknowledged(): number {
    const { tcb } = this;
    return tcb.shaking ? 0 : tcb.buffer.length;
  }

  get unsent(): number {
    const { tcb } = this;
    if (tcb.shaking) return 0;
    return Math.max(0, distance(tcb.bufEnd, tcb.nxt));
  }

  get atMark(): boolean {
    const { tcb } = this;
    return tcb.urgent !== URGENT_NONE && tcb.copied === tcb.urgentSeq;
  }

  setOption(level: number, name: number, value: number): number {
    const now = this.host.enter();
    const r = setTcpOption(this.tcb, level, name, value, now);
    this.host.leave();
    return r;
  }

  getOption(level: number, name: number): number {
    const r = getTcpOption(this.tcb, level, name);
    if (typeof r === 'number') {
      this.optionValue = r;
      return 0;
    }
    return -r.errno;
  }

  get congestion(): string {
    return this.tcb.cc.name;
  }

  /** TCP_CONGESTION; a name that is unknown changes nothing: see setCongestion. */
  set congestion(name: string) {
    setCongestion(this.tcb, name);
  }

  get fastOpenKeys(): Uint8Array | null {
    return this.tcb.options.fastOpenKeys ?? this.host.fastOpenKeys;
  }

  setFastOpenKeys(keys: Uint8Array): number {
    this.tcb.options.fastOpenKeys = keys;
    return 0;
  }

  /** TCP_INFO. */
  info(view: DataView): number {
    return fillInfo(this.tcb, this.host.clock.monotonicNs(), view, this.listener);
  }
}

function anyOf(address: IpAddress): IpAddress {
  return address.isV4 ? ANY_V4 : ANY_V6;
}
