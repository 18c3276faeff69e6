// DatagramBase: what endpoints for datagrams have in common: names, datagrams that wait to be received, errors, readiness.

import {
  EACCES,
  EADDRNOTAVAIL,
  EAGAIN,
  EFAULT,
  EHOSTUNREACH,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  ENOPROTOOPT,
  ENOTCONN,
} from '../../abi/errno.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../../abi/events/poll.ts';
import { SO_EE_ORIGIN_ICMP6, SO_EE_ORIGIN_LOCAL } from '../../abi/net/errqueue.ts';
import {
  ICMP_DEST_UNREACH,
  ICMP_PARAMETERPROB,
  ICMPV6_DEST_UNREACH,
  ICMPV6_PARAMPROB,
} from '../../abi/net/icmp.ts';
import { IP_MTU, IPPROTO_IP, IPPROTO_IPV6, IPV6_MTU } from '../../abi/net/in.ts';
import { RTN_BROADCAST, RTN_UNICAST } from '../../abi/net/rtnetlink.ts';
import { MSG_ERRQUEUE, MSG_PEEK, SHUT_RD, SHUT_WR } from '../../abi/net/socket.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V4, ANY_V6, LOOPBACK_V4, LOOPBACK_V6 } from '../address.ts';
import type {
  ByteSink,
  ByteSource,
  DatagramEndpoint,
  DatagramInfo,
  EndpointOwner,
  Name,
  PacketFilter,
} from '../endpoint.ts';
import type { NetPath } from '../ip/path.ts';
import type { NetMemory } from '../memory.ts';
import type { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { PathError } from '../transport.ts';
import { trimPacket } from '../wire/clone.ts';
import type { IpOptions } from '../wire/ip_options.ts';
import { IPV4_SIZE } from '../wire/ipv4.ts';
import { Memberships } from './memberships.ts';
import { DatagramOptions, getDatagramOption, setDatagramOption } from './options.ts';

/** What a datagram costs beside its bytes: Linux's truesize of a small one is 768. */
export const DATAGRAM_OVERHEAD = 512;
/** Errors of one endpoint that wait. */
const MOST_ERRORS = 64;

/** A datagram that waits: packet.head[at..end) and the parts. */
export class Received {
  readonly packet: Packet;
  readonly at: number;
  readonly length: number;
  readonly port: number;
  readonly segment: number;
  readonly charged: number;

  constructor(packet: Packet, at: number, port: number, segment: number) {
    this.packet = packet;
    this.at = at;
    this.length = packet.end - at + packet.length;
    this.port = port;
    this.segment = segment;
    this.charged = this.length + DATAGRAM_OVERHEAD;
  }
}

/** An error that waits: struct sock_extended_err. */
class QueuedError {
  readonly errno: number;
  readonly origin: number;
  readonly type: number;
  readonly code: number;
  readonly info: number;
  readonly offender: IpAddress | null;
  readonly to: IpAddress | null;
  readonly ifindex: number;
  readonly ttl: number;
  readonly tos: number;
  readonly address: IpAddress;
  readonly port: number;
  readonly data: Uint8Array;

  constructor(report: PathError, port: number, data: Uint8Array, offender: IpAddress | null) {
    this.errno = report.errno;
    this.origin = report.origin;
    this.type = report.type;
    this.code = report.code;
    this.info = report.mtu;
    this.offender = offender;
    this.to = report.to;
    this.ifindex = report.ifindex;
    this.ttl = report.ttl;
    this.tos = report.tos;
    this.address = report.dst;
    this.port = port;
    this.data = data;
  }
}

export abstract class DatagramBase implements DatagramEndpoint {
  owner: EndpointOwner | null = null;
  readonly stack: Stack;
  /** Who pays for datagrams that wait. */
  protected readonly memory: NetMemory;
  /** AF_INET6; it takes IPv4 too unless IPV6_V6ONLY. */
  readonly isV6: boolean;
  readonly options = new DatagramOptions();
  readonly memberships = new Memberships();
  local: Name | null = null;
  remote: Name | null = null;
  optionValue = 0;
  readonly icmp6Filter: Uint32Array | null = null;
  /** The path to the last destination. */
  protected path: NetPath | null = null;
  /** What bind gave, which disconnecting goes back to. */
  protected boundAddress: IpAddress;
  protected closed = false;
  protected filter: PacketFilter | null = null;
  /** IP_OPTIONS. */
  ipOptions: IpOptions | null = null;
  /** IPV6 scope of the peer. */
  protected scope = 0;
  private readonly queue: Received[] = [];
  private queuedBytes = 0;
  private readonly errors: QueuedError[] = [];
  private pendingError = 0;
  private readShut = false;
  private writeShut = false;

  constructor(stack: Stack, isV6: boolean, memory: NetMemory = stack.memory) {
    this.stack = stack;
    this.memory = memory;
    this.isV6 = isV6;
    this.boundAddress = isV6 ? ANY_V6 : ANY_V4;
    if (isV6 && stack.sysctl.bindv6only) this.options.v6only = 1;
  }

  abstract bind(address: IpAddress, port: number): number;
  abstract connect(address: IpAddress | null, port: number): number;
  abstract send(from: ByteSource, info: DatagramInfo, flags: number): number;

  /** May an address be bound: ours, everybody's, a group's or a broadcast's (inet_addr_valid_or_nonlocal())? */
  protected checkBind(address: IpAddress): number {
    if (this.isV6 && this.options.v6only !== 0 && address.isV4) return -EINVAL;
    if (!this.isV6 && !address.isV4) return -EINVAL;
    const { options, stack } = this;
    if (address.isAny || options.freebind !== 0 || options.transparent !== 0) return 0;
    if (address.isV4 ? stack.sysctl.ipNonlocalBind : stack.sysctl.ip6NonlocalBind) return 0;
    const kind = stack.addresses.kindOn(address, options.device);
    if (kind === RTN_UNICAST || (kind === RTN_BROADCAST && !address.isV4)) return -EADDRNOTAVAIL;
    return 0;
  }

  /** The path to `dst`; -EACCES for a broadcast without SO_BROADCAST, or what the tables say. */
  protected pathTo(dst: IpAddress, info: DatagramInfo | null): NetPath | number {
    const { stack, options } = this;
    const { isV4 } = dst;
    if (this.isV6 ? isV4 && options.v6only !== 0 : !isV4) return -ENETUNREACH;
    let src = this.local?.address ?? this.boundAddress;
    if (src.isAny || src.isMulticast || src.isV4 !== isV4) {
      if (!src.isAny && !src.isMulticast) return -EINVAL;
      src = isV4 ? ANY_V4 : ANY_V6;
    }
    let ifindex = options.device !== 0 ? options.device : this.scope;
    if (info !== null) {
      if (info.local !== null && !info.local.isAny) src = info.local;
      if (info.ifindex !== 0) ifindex = info.ifindex;
    }
    const last = this.path;
    if (ifindex === 0) {
      if (dst.isMulticast) ifindex = isV4 ? options.mcastIf : options.mcastIf6;
      else ifindex = isV4 ? options.unicastIf : options.unicastIf6;
    }
    if (
      last !== null &&
      last.generation === stack.generation &&
      last.dst.equals(dst) &&
      (src.isAny || last.src.equals(src)) &&
      (ifindex === 0 || ifindex === last.ifindex || last.local)
    )
      return last;
    const flow = { src, dst, ifindex, tos: options.tos, mark: options.mark, uid: 0 };
    const path = stack.route(flow);
    if (typeof path === 'number') return path;
    if (path.broadcast && options.broadcast === 0) return -EACCES;
    this.path = path;
    return path;
  }

  /** What connect() does to the names; the protocol has its tables changed around it. */
  protected connectNames(address: IpAddress, port: number): NetPath | number {
    let to = address;
    if (to.isAny) to = to.isV4 ? LOOPBACK_V4 : LOOPBACK_V6;
    this.path = null;
    const path = this.pathTo(to, null);
    if (typeof path === 'number') return path;
    this.local = { address: path.src, port: this.local?.port ?? 0 };
    this.remote = { address: to, port };
    return path;
  }

  /** The bytes of one datagram; undefined when its memory faults. */
  protected gather(from: ByteSource): Uint8Array | undefined {
    const bytes = new Uint8Array(from.remaining);
    return this.fill(from, bytes, 0) ? bytes : undefined;
  }

  /** Fills into[at..] from the source; false when its memory faults. */
  protected fill(from: ByteSource, into: Uint8Array, at: number): boolean {
    let done = at;
    while (done < into.length) {
      const n = from.take(into, done, into.length - done);
      if (n <= 0) return false;
      done += n;
    }
    return true;
  }

  setFilter(filter: PacketFilter | null): number {
    this.filter = filter;
    return 0;
  }

  /** What the filter says of a packet of ours that it sees from head[at] on: true when it passes, cut to what may (`least` bytes or more). */
  protected admit(packet: Packet, at: number, least: number): boolean {
    const n = this.filter!.admits(packet, at);
    if (n === 0) return false;
    trimPacket(packet, at - packet.start + Math.max(n, least));
    return true;
  }

  /** A datagram for this endpoint: false when there is no room. */
  protected enqueue(d: Received): boolean {
    const { stack } = this;
    if (this.queuedBytes > this.options.rcvbuf || !this.memory.fits(d.charged)) return false;
    this.memory.take(d.charged);
    this.queuedBytes += d.charged;
    if (d.packet.atNs === 0) d.packet.atNs = stack.clock.monotonicNs();
    this.queue.push(d);
    this.owner?.endpointReady(POLLIN | POLLRDNORM);
    return true;
  }

  get hasRoom(): boolean {
    return this.queuedBytes <= this.options.rcvbuf;
  }

  receive(to: ByteSink, info: DatagramInfo, flags: number): number {
    info.clear();
    if ((flags & MSG_ERRQUEUE) !== 0) return this.receiveError(to, info);
    if (this.pendingError !== 0) return -this.takeError();
    const d = this.queue[0];
    if (d === undefined) return this.readShut ? 0 : -EAGAIN;
    const { packet } = d;
    info.address = packet.src;
    info.port = d.port;
    info.local = packet.dst;
    info.ifindex = packet.ifindex;
    info.ttl = packet.ttl;
    info.tos = packet.tos;
    info.segment = d.segment;
    info.length = d.length;
    info.atNs = packet.atNs;
    if (packet.dst.isV4 && packet.l4 - packet.l3 > IPV4_SIZE)
      info.came = packet.head.subarray(packet.l3 + IPV4_SIZE, packet.l4);
    const given = give(to, packet, d.at);
    // A datagram whose buffer was no memory is gone all the same, unless it was looked at: skb_copy_datagram_msg().
    if ((flags & MSG_PEEK) === 0) {
      this.queue.shift();
      this.queuedBytes -= d.charged;
      this.memory.give(d.charged);
    }
    return given;
  }

  private receiveError(to: ByteSink, info: DatagramInfo): number {
    const e = this.errors.shift();
    if (e === undefined) return -EAGAIN;
    info.errno = e.errno;
    info.origin = e.origin;
    info.type = e.type;
    info.code = e.code;
    info.info = e.info;
    info.offender = e.offender;
    info.local = e.to;
    info.ifindex = e.ifindex;
    info.ttl = e.ttl;
    info.tos = e.tos;
    info.address = e.address;
    info.port = e.port;
    info.length = e.data.length;
    if (this.errors.length > 0) this.pendingError = this.errors[0]!.errno;
    const n = Math.min(e.data.length, to.remaining);
    return n === 0 ? 0 : to.put(e.data, 0, n);
  }

  /** An ICMP error about what this endpoint sent. `dataAt` is where payload begins in what was quoted. */
  protected reported(report: PathError, port: number, dataAt: number): void {
    const isV4 = report.dst.isV4;
    const wants = this.options.wantsErrors(isV4);
    if (report.errno === EMSGSIZE && !this.options.obeysPmtu(isV4)) return;
    if (wants) this.queueError(report, port, dataAt, report.offender);
    else if (this.remote === null || !isHard(report)) return;
    this.pendingError = report.errno;
    this.owner?.endpointReady(POLLERR);
  }

  private queueError(report: PathError, port: number, dataAt: number, offender: IpAddress | null): void {
    if (this.errors.length >= MOST_ERRORS) return;
    const { quoted } = report;
    const from = Math.min(dataAt, quoted.byteLength);
    // Nobody may keep 64 KiB for an error: what ICMP quotes is shorter anyway.
    const size = Math.min(quoted.byteLength - from, 1280);
    const data = new Uint8Array(quoted.buffer, quoted.byteOffset + from, size).slice();
    this.errors.push(new QueuedError(report, port, data, offender));
  }

  /** A datagram that is larger than the path takes, and may not be fragmented: ip_local_error(). */
  protected tooLarge(path: NetPath, port: number): number {
    if (this.options.wantsErrors(path.dst.isV4)) {
      const report: PathError = {
        errno: EMSGSIZE,
        fatal: true,
        origin: SO_EE_ORIGIN_LOCAL,
        type: 0,
        code: 0,
        mtu: path.mtu,
        offender: path.src,
        to: null,
        ifindex: 0,
        ttl: -1,
        tos: -1,
        src: path.src,
        dst: path.dst,
        quoted: NOTHING,
      };
      this.queueError(report, port, 0, null);
      this.owner?.endpointReady(POLLERR);
    }
    return -EMSGSIZE;
  }

  shutdown(how: number): number {
    // As on Linux, one that is not connected is shut down all the same, and told that it is not: who waits is woken by that.
    if (how !== SHUT_WR) this.readShut = true;
    if (how !== SHUT_RD) this.writeShut = true;
    const events = (this.readShut ? POLLIN | POLLRDNORM | POLLRDHUP : 0) | POLLOUT;
    this.owner?.endpointReady(this.readShut && this.writeShut ? events | POLLHUP : events);
    return this.remote === null ? -ENOTCONN : 0;
  }

  protected get sendShut(): boolean {
    return this.writeShut;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.owner = null;
    this.filter = null;
    this.memberships.leaveAll(this.stack);
    for (const d of this.queue.splice(0)) this.memory.give(d.charged);
    this.queuedBytes = 0;
    this.errors.length = 0;
    this.path = null;
  }

  poll(): number {
    let events = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (this.queue.length > 0 || this.readShut) events |= POLLIN | POLLRDNORM;
    if (this.pendingError !== 0 || this.errors.length > 0) events |= POLLERR;
    if (this.readShut) events |= POLLRDHUP;
    if (this.readShut && this.writeShut) events |= POLLHUP;
    return events;
  }

  takeError(): number {
    const e = this.pendingError;
    this.pendingError = 0;
    return e;
  }

  get unread(): number {
    return this.queue[0]?.length ?? 0;
  }

  get unsent(): number {
    return 0;
  }

  /** Bytes that wait, for /proc/net/udp. */
  get received(): number {
    return this.queuedBytes;
  }

  setOption(level: number, name: number, value: number): number {
    const r = setDatagramOption(this.options, level, name, value);
    if (r === 0) this.path = null;
    return r;
  }

  getOption(level: number, name: number): number {
    if ((level === IPPROTO_IP && name === IP_MTU) || (level === IPPROTO_IPV6 && name === IPV6_MTU)) {
      if (this.remote === null) return -ENOTCONN;
      const path = this.pathTo(this.remote.address, null);
      if (typeof path === 'number') return path;
      this.optionValue = path.mtu;
      return 0;
    }
    const value = getDatagramOption(this.options, level, name);
    if (value === undefined) return -ENOPROTOOPT;
    this.optionValue = value;
    return 0;
  }

  join(group: IpAddress, ifindex: number, source: IpAddress | null): number {
    return this.memberships.join(this.stack, group, ifindex, source);
  }

  leave(group: IpAddress, ifindex: number, source: IpAddress | null): number {
    return this.memberships.leave(this.stack, group, ifindex, source);
  }

  /** Fills in what the options, or one send, say of the packet's IP header. */
  protected dress(packet: Packet, path: NetPath, info: DatagramInfo): void {
    const { options } = this;
    const isV4 = path.dst.isV4;
    packet.mark = options.mark;
    packet.options = info.options ?? this.ipOptions;
    packet.priority = options.priority;
    packet.tos = info.tos >= 0 ? info.tos : isV4 ? options.tos : Math.max(0, options.tclass);
    if (info.ttl >= 0) packet.ttl = info.ttl;
    else if (path.multicast) {
      // 0 would be the default: such a packet stays here, which -1 says to output().
      const own = isV4 ? options.mcastTtl : options.mcastHops;
      packet.ttl = own < 0 ? 1 : own === 0 ? -1 : own;
    } else {
      const own = isV4 ? options.ttl : options.hops;
      packet.ttl = own > 0 ? own : 0;
    }
  }

  /** Do our own members of the group hear it? */
  protected loops(path: NetPath): boolean {
    return (path.dst.isV4 ? this.options.mcastLoop : this.options.mcastLoop6) !== 0;
  }
}

/** Is it told to those who did not ask for errors: the fatal ones of icmp_err_convert and icmpv6_err_convert. */
function isHard(report: PathError): boolean {
  const { type, code, errno } = report;
  if (errno === EMSGSIZE) return true;
  if (report.origin === SO_EE_ORIGIN_ICMP6)
    return (
      type === ICMPV6_PARAMPROB ||
      (type === ICMPV6_DEST_UNREACH && errno !== ENETUNREACH && errno !== EHOSTUNREACH)
    );
  return type === ICMP_PARAMETERPROB || (type === ICMP_DEST_UNREACH && ((HARD_CODES >>> code) & 1) === 1);
}

/** Codes 2 to 4, 6 to 10, and 13 to 15. */
const HARD_CODES = 0b1110_0111_1101_1100;

const NOTHING = new DataView(new ArrayBuffer(0));

/** Puts head[at..end) and the parts in the sink; bytes, or -EFAULT when none could be put. */
function give(to: ByteSink, packet: Packet, at: number): number {
  let done = 0;
  const first = Math.min(packet.end - at, to.remaining);
  if (first > 0) {
    const n = to.put(packet.head, at, first);
    if (n < first) return n > 0 ? n : -EFAULT;
    done = n;
  }
  for (let i = 0; i < packet.parts.length; i++) {
    const part = packet.parts[i]!;
    const want = Math.min(part.length, to.remaining);
    if (want === 0) break;
    const n = to.put(part, 0, want);
    if (n > 0) done += n;
    if (n < want) return done > 0 ? done : -EFAULT;
  }
  return done;
}
