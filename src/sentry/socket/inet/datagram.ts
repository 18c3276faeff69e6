// InetDatagram: UDP, ping and raw sockets: udp(7), icmp(7), raw(7). The endpoint of the stack and, once something was sent there,
// one of the outside: what came in either is received.

import {
  EACCES,
  EAFNOSUPPORT,
  EAGAIN,
  EDESTADDRREQ,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  ENOPROTOOPT,
  EOPNOTSUPP,
} from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLRDHUP } from '../../../abi/events/poll.ts';
import { SIOCINQ, SIOCOUTQ } from '../../../abi/ioctl.ts';
import { SOF_TIMESTAMPING_TX_RECORD_MASK } from '../../../abi/net/errqueue.ts';
import { IPPROTO_UDP, IPPROTO_UDPLITE } from '../../../abi/net/in.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  MSG_ERRQUEUE,
  MSG_MORE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_ZEROCOPY,
  SHUT_RDWR,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_SNDBUF,
  SOCK_RAW,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { TCP_CLOSE, TCP_ESTABLISHED } from '../../../abi/net/tcp.ts';
import type { IpAddress } from '../../../net/address.ts';
import { type DatagramEndpoint, DatagramInfo } from '../../../net/endpoint.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { SocketFilter } from '../filter.ts';
import type { Message, SockAddr } from '../message.ts';
import { READ_EVENTS, type SocketFile, WRITE_EVENTS } from '../socket.ts';
import { readControl, writeControl, writeError } from './control.ts';
import { getFilterOption, setFilterOption } from './filter_option.ts';
import { InetSocket } from './inet.ts';
import { getIpOption, isIpLevel, setIpOption } from './ip_options.ts';
import { NO_MEMBERSHIP, setMembership } from './multicast.ts';
import type { InetNamespace } from './namespace.ts';
import { getRawOption, isRawOption, setRawOption } from './raw_options.ts';
import { getInetSocketOption, setInetSocketOption } from './so_options.ts';
import { orLoopback, readIn, readIn6, readPeer, told, writeName } from './sockaddr.ts';
import { getUdpOption, isUdpLevel, SkippingSink, setUdpOption } from './udp_options.ts';

/** Longest datagram that the length of UDP's header can tell. */
const MOST_BYTES = 0xffff;
const RECEIVE_EVENTS = READ_EVENTS | POLLRDHUP | POLLHUP | POLLERR;

/** What goes with the datagram of the call in progress. */
const info = new DatagramInfo();
const skipping = new SkippingSink();

export class InetDatagram extends InetSocket {
  /** The stack's, or the outside's after connect(2) to there. */
  endpoint: DatagramEndpoint;
  /** The outside's, of a socket that sends to both worlds. */
  private far: DatagramEndpoint | null = null;

  constructor(
    ctx: VfsContext,
    ns: InetNamespace,
    family: number,
    type: number,
    protocol: number,
    endpoint: DatagramEndpoint,
    flags: number,
  ) {
    super(ctx, ns, family, type, protocol, flags);
    this.endpoint = endpoint;
    endpoint.owner = this;
    endpoint.setOption(SOL_SOCKET, SO_SNDBUF, this.options.sndbuf);
    endpoint.setOption(SOL_SOCKET, SO_RCVBUF, this.options.rcvbuf);
  }

  /** UDP or UDP-Lite. */
  private get isUdp(): boolean {
    return this.protocol === IPPROTO_UDP || this.protocol === IPPROTO_UDPLITE;
  }

  protected override get hasPorts(): boolean {
    return this.isUdp && this.type !== SOCK_RAW;
  }

  get shownState(): number {
    return this.endpoint.remote === null ? TCP_CLOSE : TCP_ESTABLISHED;
  }

  get sendQueue(): number {
    return this.endpoint.unsent;
  }

  get receiveQueue(): number {
    return this.endpoint.unread;
  }

  override listen(): number {
    return -EOPNOTSUPP;
  }

  override accept(): SocketFile | number {
    return -EOPNOTSUPP;
  }

  /** inet_dgram_connect(), ip6_datagram_connect(). */
  override connect(_ctx: VfsContext, addr: SockAddr): number {
    if (addr.len < 2) return -EINVAL;
    if (addr.family === AF_UNSPEC) {
      const r = this.endpoint.connect(null, 0);
      if (this.boundPort === 0) this.boundAddress = null;
      return r;
    }
    let r = this.readTo(addr);
    if (r < 0) return r;
    const { port } = told;
    const to = orLoopback(told.address);
    r = this.takePort();
    if (r < 0) return r;
    if (this.leaves(to)) {
      if (!this.mayBroadcast(to)) return -EACCES;
      const far = this.openFar();
      if (typeof far === 'number') return far;
      r = far.connect(to, port);
      if (r < 0) return r;
      // Whoever is connected to the outside hears nobody else.
      const old = this.endpoint;
      this.endpoint = far;
      this.far = null;
      old.owner = null;
      old.close();
      return 0;
    }
    return this.endpoint.connect(to, port);
  }

  /** The destination in an address, to `told`. */
  private readTo(addr: SockAddr): number {
    if (this.v6 && addr.family === AF_INET) {
      if (this.v6only) return -EAFNOSUPPORT;
      return readIn(addr);
    }
    const r = readPeer(addr, this.family);
    return r < 0 ? r : this.checkPeer();
  }

  /** ip_route_output_flow() and its callers: to everybody only with SO_BROADCAST. */
  private mayBroadcast(to: IpAddress): boolean {
    return !to.isBroadcast || ((this.options.bits >>> SO_BROADCAST) & 1) !== 0;
  }

  private openFar(): DatagramEndpoint | number {
    if (this.far !== null) return this.far;
    const r = this.mayLeave;
    if (r < 0) return r;
    const far = this.ns.outside!.datagram(this.family, this.protocol);
    if (typeof far === 'number') return far;
    far.owner = this;
    this.replay(far);
    if (this.boundAddress?.isAny) {
      const r = far.bind(this.boundAddress, this.boundPort);
      if (r < 0) {
        far.owner = null;
        far.close();
        return r;
      }
    }
    this.far = far;
    return far;
  }

  override shutdown(_ctx: VfsContext, how: number): number {
    if (how < 0 || how > SHUT_RDWR) return -EINVAL;
    const r = this.endpoint.shutdown(how);
    // As on Linux, a socket that is not connected is shut down, and told that it is not.
    this.waiters.wake(RECEIVE_EVENTS | WRITE_EVENTS);
    return r;
  }

  override sendmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    // udp_sendmsg(); udpv6_sendmsg() puts such an error into the queue of errors.
    if (this.isUdp && !this.v6 && io.remaining > MOST_BYTES) return -EMSGSIZE;
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.error !== 0) return -super.takeError();
    info.clear();
    let ep = this.endpoint;
    if (msg.addr.len > 0) {
      const r = this.readDestination(msg.addr);
      if (r < 0) return r;
      if (r > 0) {
        const to = orLoopback(told.address);
        info.address = to;
        info.port = told.port;
        if (this.leaves(to)) {
          if (!this.mayBroadcast(to)) return -EACCES;
          const far = this.endpoint === this.far ? this.endpoint : this.openFar();
          if (typeof far === 'number') return far;
          ep = far;
        }
      }
    }
    if (info.address === null && this.endpoint.remote === null) return -EDESTADDRREQ;
    const bad = this.takePort();
    if (bad < 0) return bad;
    if (msg.controlLen > 0) {
      const r = readControl(ctx, this, msg, info);
      if (r < 0) return r;
    }
    let n = ep.send(io, info, flags & MSG_MORE);
    this.ns.flush();
    if (n === -EAGAIN) {
      // Who was given something has made room.
      n = ep.send(io, info, flags & MSG_MORE);
      if (n >= 0) this.ns.flush();
    }
    if (n === -EAGAIN) return this.again(this.waiters, WRITE_EVENTS | POLLERR);
    if (n >= 0) {
      if (n > 0 && (flags & MSG_ZEROCOPY) !== 0 && this.zerocopy) this.copied();
      if ((this.stampFlags & SOF_TIMESTAMPING_TX_RECORD_MASK) !== 0) this.stamped(ctx);
    }
    return n;
  }

  /** The address of a message, to `told`: 1, 0 when it means none, -errno (udp_sendmsg(), udpv6_sendmsg()). */
  private readDestination(addr: SockAddr): number {
    let r: number;
    if (!this.v6) {
      r = readIn(addr);
      if (r < 0) return r;
      if (addr.family !== AF_INET && addr.family !== AF_UNSPEC) return -EAFNOSUPPORT;
    } else {
      if (addr.len < 2) return -EINVAL;
      if (addr.family === AF_UNSPEC) return 0;
      if (addr.family === AF_INET) {
        if (this.v6only) return -ENETUNREACH;
        r = readIn(addr);
      } else if (addr.family !== AF_INET6) return this.type === SOCK_RAW ? -EAFNOSUPPORT : -EINVAL;
      else {
        r = readIn6(addr);
        if (r === 0) r = this.checkPeer();
      }
      if (r < 0) return r;
    }
    return this.hasPorts && told.port === 0 ? -EINVAL : 1;
  }

  override recvmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if ((flags & MSG_ERRQUEUE) !== 0) return this.receiveError(ctx, io, msg, flags);
    if (this.error !== 0) return -super.takeError();
    const peek = (flags & MSG_PEEK) !== 0;
    const skip = peek && this.peekOff > 0 ? this.peekOff : 0;
    const want = io.remaining;
    info.clear();
    const sink = skip > 0 ? skipping.aim(io, skip) : io;
    let n = this.endpoint.receive(sink, info, flags & MSG_PEEK);
    if (n === -EAGAIN && this.far !== null) n = this.far.receive(sink, info, flags & MSG_PEEK);
    if (n === -EAGAIN) return this.again(this.waiters, RECEIVE_EVENTS);
    if (n < 0) return n;
    const length = Math.max(0, info.length - skip);
    const given = want - io.remaining;
    if (given < length) msg.flags |= MSG_TRUNC;
    if (this.peekOff >= 0) this.peekOff = peek ? this.peekOff + given : Math.max(0, this.peekOff - given);
    if (info.address !== null) writeName(msg.addr, this.family, info.address, info.port, info.ifindex);
    else msg.addr.len = 0;
    writeControl(ctx, this, msg, info);
    return (flags & MSG_TRUNC) !== 0 ? length : given;
  }

  /** MSG_ERRQUEUE: what was sent, where to, and what became of it. */
  private receiveError(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if (this.notices?.receive(msg, this.v6, this.stampType) === true) return 0;
    info.clear();
    const want = io.remaining;
    let n = this.endpoint.receive(io, info, flags & (MSG_PEEK | MSG_ERRQUEUE));
    if (n === -EAGAIN && this.far !== null) n = this.far.receive(io, info, flags & (MSG_PEEK | MSG_ERRQUEUE));
    if (n < 0) return n;
    msg.flags |= MSG_ERRQUEUE;
    if (want - io.remaining < info.length) msg.flags |= MSG_TRUNC;
    if (info.address !== null) writeName(msg.addr, this.family, info.address, info.port);
    writeError(ctx, this, msg, info);
    return n;
  }

  override poll(): number {
    let events = this.endpoint.poll() | this.noticed | (this.error !== 0 ? POLLERR : 0);
    if (this.far !== null) events |= this.far.poll() & (READ_EVENTS | POLLERR);
    return events;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    if (cmd !== SIOCINQ && cmd !== SIOCOUTQ) return super.ioctl(ctx, cmd, arg);
    let value = cmd === SIOCINQ ? this.endpoint.unread : this.endpoint.unsent;
    if (value === 0 && this.far !== null) value = cmd === SIOCINQ ? this.far.unread : this.far.unsent;
    scratchView.setInt32(0, value, true);
    return ctx.mem.copyOutExact(arg, scratch, 0, 4);
  }

  override getLargeOption(ctx: VfsContext, level: number, name: number, addr: number, len: number): number {
    return getFilterOption(ctx, this, level, name, addr, len);
  }

  override setLargeOption(ctx: VfsContext, level: number, name: number, addr: number, len: number): number {
    return setFilterOption(ctx, this, level, name, addr, len);
  }

  override getsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level === SOL_SOCKET) return getInetSocketOption(ctx, this, name, len);
    if (isUdpLevel(level) && this.isUdp) return getUdpOption(this, name, len);
    if (isRawOption(this, level, name)) return getRawOption(this, level, name, len);
    if (isIpLevel(this, level)) return getIpOption(this, level, name, len);
    // do_ip_getsockopt() has an errno of its own.
    return this.v6 ? -ENOPROTOOPT : -EOPNOTSUPP;
  }

  override setsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level === SOL_SOCKET) return setInetSocketOption(ctx, this, name, len);
    if (isUdpLevel(level) && this.isUdp) return setUdpOption(this, name, len);
    if (isRawOption(this, level, name)) return setRawOption(this, level, name, len);
    if (!isIpLevel(this, level)) return -ENOPROTOOPT;
    const r = setMembership(this, this.endpoint, level, name, len);
    return r === NO_MEMBERSHIP ? setIpOption(ctx, this, level, name, len) : r;
  }

  override filterChanges(filter: SocketFilter | null): number {
    const r = this.far === null ? 0 : this.far.setFilter(filter);
    return r < 0 ? r : super.filterChanges(filter);
  }

  protected override release(): void {
    this.dropFilter();
    for (const ep of [this.endpoint, this.far]) {
      if (ep === null) continue;
      ep.owner = null;
      ep.close();
    }
    super.release();
  }
}
