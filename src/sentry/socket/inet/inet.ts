// InetSocket: what AF_INET and AF_INET6 sockets of all types share: names, the endpoint and which world it belongs to, options.

import {
  EACCES,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EINVAL,
  ENETUNREACH,
  ENODEV,
  ENOTCONN,
  EOPNOTSUPP,
} from '../../../abi/errno.ts';
import { POLLERR } from '../../../abi/events/poll.ts';
import {
  IP_BIND_ADDRESS_NO_PORT,
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_TCLASS,
  IPV6_V6ONLY,
} from '../../../abi/net/in.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  MSG_ERRQUEUE,
  SO_BINDTOIFINDEX,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { CAP_NET_BIND_SERVICE } from '../../../abi/process/capability.ts';
import type { IpAddress } from '../../../net/address.ts';
import type { EndpointOwner } from '../../../net/endpoint.ts';
import { kernelMemory } from '../../base/charge.ts';
import { countUnsupported } from '../../base/log.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { SocketFilter } from '../filter.ts';
import type { SockAddr } from '../message.ts';
import { SocketFile } from '../socket.ts';
import { interfaceIoctl } from './if_ioctl.ts';
import { type AnyEndpoint, ipOption, tellOption } from './ip_options.ts';
import type { InetMember, InetNamespace } from './namespace.ts';
import { Notices } from './notices.ts';
import { readIn, readIn6, told, writeName } from './sockaddr.ts';

/** A socket beside its file and beside what its endpoint counts. */
export const INET_SOCKET_BYTES = 2048;

export abstract class InetSocket extends SocketFile implements EndpointOwner, InetMember {
  readonly ns: InetNamespace;
  readonly v6: boolean;
  /** Options that were set and that an endpoint may have to know: what it is told when it is another one. */
  readonly set: Map<number, number> = new Map();
  multicastAddress = 0;
  /** SO_COOKIE, when somebody asked; 0 before. */
  private ownCookie = 0;
  /** SO_BINDTODEVICE, by index. */
  boundDevice = 0;
  /** SO_PEEK_OFF; -1 when off. */
  peekOff = -1;
  /** SO_TIMESTAMP and its like: the option that is on, 0 for none. */
  stamp = 0;
  /** SO_TIMESTAMPING: SOF_TIMESTAMPING_*, and under which number messages tell of it. */
  stampFlags = 0;
  stampType = 0;
  /** SO_ZEROCOPY. */
  zerocopy = false;
  /** What the error queue tells of sends; made when somebody asks. */
  notices: Notices | null = null;
  /** A port was asked for by bind(2): it stays when the connection is dissolved. */
  boundPort = 0;
  boundAddress: IpAddress | null = null;
  private portLess = false;

  constructor(
    ctx: VfsContext,
    ns: InetNamespace,
    family: number,
    type: number,
    protocol: number,
    flags: number,
  ) {
    super(ctx, family, type, protocol, flags);
    this.ns = ns;
    this.v6 = family === AF_INET6;
    ns.hold().sockets.add(this);
    kernelMemory.take(INET_SOCKET_BYTES, this.payer);
  }

  /** The endpoint that answers for names and options. */
  abstract get endpoint(): AnyEndpoint;

  get cookie(): number {
    if (this.ownCookie === 0) this.ownCookie = this.ns.nextCookie();
    return this.ownCookie;
  }

  /** For /proc/net: the state's number, bytes that were sent and not acknowledged, bytes to be received. */
  abstract get shownState(): number;
  abstract get sendQueue(): number;
  abstract get receiveQueue(): number;

  override get heldToReceive(): number {
    return this.receiveQueue;
  }

  override get heldToSend(): number {
    return this.sendQueue;
  }

  endpointReady(events: number): void {
    if (!this.waiters.empty) this.waiters.wake(events);
  }

  override filterChanges(filter: SocketFilter | null): number {
    const r = this.endpoint.setFilter(filter);
    if (r < 0) countUnsupported('SO_ATTACH_FILTER towards the outside');
    return r;
  }

  /** A send with MSG_ZEROCOPY took its bytes. */
  protected copied(): void {
    this.notices ??= new Notices(this.payer);
    this.notices.copied(this.options.rcvbuf);
    this.waiters.wake(POLLERR);
  }

  /** A datagram went, and somebody wants to know when. */
  protected stamped(ctx: VfsContext): void {
    this.notices ??= new Notices(this.payer);
    this.notices.sent(ctx, this.stampFlags, this.options.rcvbuf);
    this.waiters.wake(POLLERR);
  }

  /** POLLERR while the error queue has something. */
  protected get noticed(): number {
    return this.notices?.any === true ? POLLERR : 0;
  }

  /** An error queue is looked at, and found empty: nobody waits for it. */
  override mustNotWait(flags: number): boolean {
    return (flags & MSG_ERRQUEUE) !== 0 || super.mustNotWait(flags);
  }

  get tos(): number {
    return ipOption(this, IPPROTO_IP, IP_TOS) & 0xff;
  }

  get tclass(): number {
    return this.v6 ? ipOption(this, IPPROTO_IPV6, IPV6_TCLASS) & 0xff : 0;
  }

  get v6only(): boolean {
    return this.v6 && ipOption(this, IPPROTO_IPV6, IPV6_V6ONLY) !== 0;
  }

  override takeError(): number {
    return super.takeError() || this.endpoint.takeError();
  }

  /** inet_bind(), inet6_bind(): -EINVAL, -EAFNOSUPPORT, -EACCES, -EADDRNOTAVAIL, -EADDRINUSE. */
  override bind(ctx: VfsContext, addr: SockAddr): number {
    const bad = this.readBind(addr);
    if (bad < 0) return bad;
    const { address, port, scope } = told;
    if (
      this.hasPorts &&
      port !== 0 &&
      port < this.ns.net.unprivilegedPortStart &&
      !ctx.cred.capable(CAP_NET_BIND_SERVICE)
    )
      return -EACCES;
    if (this.boundAddress !== null || this.endpoint.local !== null) return -EINVAL;
    if (this.v6 && !address.isV4 && address.isLinkLocal) {
      if (scope === 0 && this.boundDevice === 0) return -EINVAL;
      if (scope !== 0 && this.bindToDevice(scope) < 0) return -ENODEV;
    }
    if (port === 0 && ipOption(this, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) !== 0) {
      if (!address.isAny && !this.ns.isLocal(address)) return -EADDRNOTAVAIL;
      this.portLess = true;
    } else {
      const r = this.endpoint.bind(address, port);
      if (r < 0) return r;
    }
    this.boundAddress = address;
    this.boundPort = port;
    return 0;
  }

  /** IP_BIND_ADDRESS_NO_PORT: before it connects or sends, a socket gets the port that bind(2) left open. */
  protected takePort(): number {
    if (!this.portLess) return 0;
    const r = this.endpoint.bind(this.boundAddress!, 0);
    if (r === 0) this.portLess = false;
    return r;
  }

  /** Raw sockets and pings have none that need a privilege. */
  protected get hasPorts(): boolean {
    return true;
  }

  private readBind(addr: SockAddr): number {
    if (!this.v6) {
      const r = readIn(addr);
      if (r < 0) return r;
      if (addr.family === AF_INET) return 0;
      // AF_UNSPEC is taken with any address alone: old programs leave it out.
      return addr.family === AF_UNSPEC && told.address.isAny ? 0 : -EAFNOSUPPORT;
    }
    const r = readIn6(addr);
    if (r < 0) return r;
    if (addr.family !== AF_INET6) return -EAFNOSUPPORT;
    if (told.address.isMulticast && this.type === SOCK_STREAM) return -EINVAL;
    if (told.address.isV4 && this.v6only) return -EINVAL;
    return 0;
  }

  /** A destination that a socket of this kind may have at all, in `told`: 0 or -errno. */
  protected checkPeer(): number {
    const { address, scope } = told;
    if (address.isV4) return this.v6only ? -ENETUNREACH : 0;
    if (address.isLinkLocal) {
      if (scope === 0 && this.boundDevice === 0) return -EINVAL;
      if (scope !== 0) return this.bindToDevice(scope);
    }
    return 0;
  }

  /** Is this destination for the way out? */
  protected leaves(address: IpAddress): boolean {
    const { outside } = this.ns;
    return outside !== null && !this.ns.reaches(address) && outside.covers(address);
  }

  /** Packets of the outside are the host's, and no filter of ours sees them: -EOPNOTSUPP for a socket that has one. */
  protected get mayLeave(): number {
    if (this.filter === null) return 0;
    countUnsupported('SO_ATTACH_FILTER towards the outside');
    return -EOPNOTSUPP;
  }

  /** Tells a new endpoint what the old one was told. */
  protected replay(to: AnyEndpoint): void {
    to.setFilter(this.filter);
    for (const [key, value] of this.set) to.setOption(Math.floor(key / 256), key % 256, value);
  }

  override getsockname(addr: SockAddr): number {
    const name = this.endpoint.local;
    writeName(
      addr,
      this.family,
      name === null ? this.boundAddress : name.address,
      // inet_create(): a raw socket's port is its protocol.
      this.type === SOCK_RAW ? this.protocol : name === null ? 0 : name.port,
    );
    return 0;
  }

  override getpeername(addr: SockAddr): number {
    const name = this.endpoint.remote;
    if (name === null || name.port === 0) return -ENOTCONN;
    writeName(addr, this.family, name.address, name.port);
    return 0;
  }

  /** SO_BINDTODEVICE and scopes: -ENODEV, -EPERM for another device than before. */
  bindToDevice(index: number): number {
    if (index !== 0 && this.ns.linkByIndex(index) === null) return -ENODEV;
    if (this.boundDevice !== 0 && index !== 0 && index !== this.boundDevice) return -EINVAL;
    this.boundDevice = index;
    return tellOption(this, SOL_SOCKET, SO_BINDTOIFINDEX, index, index === 0);
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    return interfaceIoctl(ctx, this.ns.stack, this.family, cmd, arg);
  }

  protected override release(): void {
    this.notices?.drop();
    this.ns.sockets.delete(this);
    this.ns.drop();
    kernelMemory.give(this.payer, INET_SOCKET_BYTES);
  }
}
