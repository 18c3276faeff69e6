// The seam between transport endpoints and sockets: what a socket asks of a connection or of a port, whoever keeps it: the
// stack's own TCP and UDP, or a socket of the host's. Bytes come from and go to cursors; readiness is told to an owner.

import type { IpAddress } from './address.ts';
import type { Packet } from './packet.ts';
import type { IpOptions } from './wire/ip_options.ts';

/** Where a send takes its bytes from: memory of a guest, or a buffer. */
export interface ByteSource {
  /** Bytes that are left. */
  readonly remaining: number;
  /** Moves min(len, remaining) bytes to dst[off..]; bytes moved, short when memory faults midway; -EFAULT when none. */
  take(dst: Uint8Array, off: number, len: number): number;
}

/** Where a receive puts its bytes. */
export interface ByteSink {
  readonly remaining: number;
  /** Moves min(len, remaining) bytes from src[off..]; as take. */
  put(src: Uint8Array, off: number, len: number): number;
}

/** The socket of an endpoint. */
export interface EndpointOwner {
  /** Something changed: POLL* events that may hold now. Must not call back into the endpoint. */
  endpointReady(events: number): void;
}

/** Looks at what comes in before an endpoint does: SO_ATTACH_FILTER of socket(7). */
export interface PacketFilter {
  /** Bytes that may pass, counted from head[at]; 0: the packet is not for this endpoint. */
  admits(packet: Packet, at: number): number;
}

/** An end of a connection, or where one is waited for. */
export interface Name {
  readonly address: IpAddress;
  readonly port: number;
}

/**
 * A connection-oriented endpoint: tcp(7). All calls return at once: -EAGAIN when there is nothing, or no room. Errors are those
 * of the manual pages of the socket calls.
 */
export interface StreamEndpoint {
  owner: EndpointOwner | null;
  /** TCP_ESTABLISHED, TCP_LISTEN, ... (abi/net/tcp.ts). */
  readonly state: number;
  /** Null as long as it is bound to nothing, connected to nobody. */
  readonly local: Name | null;
  readonly remote: Name | null;

  /** Port 0 takes a free one. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL when it has one already. */
  bind(address: IpAddress, port: number): number;
  /**
   * Begins a connection: -EINPROGRESS; 0 when it is there at once; -EISCONN, -EALREADY, -ECONNREFUSED, -ENETUNREACH, ... The end of
   * one under way is told by POLLOUT, how it went by takeError.
   */
  connect(address: IpAddress, port: number): number;
  /**
   * As connect, with bytes of `from` in what goes first, as far as the peer is known to take them (RFC 7413): how many; -EOPNOTSUPP.
   */
  fastConnect(address: IpAddress, port: number, from: ByteSource): number;
  /** TCP_FASTOPEN_CONNECT: a connect is better put off until there is something to send. */
  defers(address: IpAddress): boolean;
  listen(backlog: number): number;
  accept(): StreamEndpoint | number;
  /** Bytes taken (some of them when there is room for some); -EAGAIN, -EPIPE, -ENOTCONN, the pending error. Flags: MSG_OOB, MSG_MORE. */
  send(from: ByteSource, flags: number): number;
  /**
   * Bytes given; 0 at the end of the stream; -EAGAIN, -ENOTCONN, the pending error. Flags: MSG_PEEK (from `skip` bytes on),
   * MSG_OOB, MSG_TRUNC (bytes are dropped in place of given, `to.remaining` of them).
   */
  receive(to: ByteSink, flags: number, skip: number): number;
  /** SHUT_RD, SHUT_WR, SHUT_RDWR; -ENOTCONN. */
  shutdown(how: number): number;
  /**
   * The socket is closed: the endpoint ends by itself and tells its owner nothing more, unless `lingerNs` > 0: then POLLHUP says
   * that all was sent, or the time is over. 0 resets the connection (SO_LINGER); -1 is the usual end.
   */
  close(lingerNs: number): void;
  /** POLL* events that hold. */
  poll(): number;
  /** SO_ERROR: an errno, or 0; forgotten then. */
  takeError(): number;
  /** SIOCINQ, SIOCOUTQ, SIOCOUTQNSD: bytes that can be received, that are not acknowledged, that were not sent. */
  readonly unread: number;
  readonly unacknowledged: number;
  readonly unsent: number;
  /** SIOCATMARK: the next byte is where urgent data was. */
  readonly atMark: boolean;
  /** IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6 and SOL_SOCKET options that are an int. -ENOPROTOOPT, -EINVAL, -EDOM, ... */
  setOption(level: number, name: number, value: number): number;
  /** The value in `optionValue`; 0 or -errno. */
  getOption(level: number, name: number): number;
  optionValue: number;
  /** 0, or -ENOPROTOOPT where somebody else receives the packets. */
  setFilter(filter: PacketFilter | null): number;
  /** TCP_CONGESTION. */
  congestion: string;
  /** When bytes came is remembered; of the last that were received, 0 when it is not known. */
  stamping: boolean;
  readonly receivedNs: number;
  /** TCP_FASTOPEN_KEY: one or two keys of 16 bytes; null as long as there are none. */
  readonly fastOpenKeys: Uint8Array | null;
  /** 0 or -ENOPROTOOPT. */
  setFastOpenKeys(keys: Uint8Array): number;
  /** Fills struct tcp_info in `view`; bytes. */
  info(view: DataView): number;
}

/** What goes with a datagram: where to or from, and what control messages carry. Reused from call to call. */
export class DatagramInfo {
  /** Sent: the destination, null for that of connect. Received: the sender. */
  address: IpAddress | null = null;
  port = 0;
  /** IP_PKTINFO: source to use, or destination that it had. */
  local: IpAddress | null = null;
  ifindex = 0;
  /** -1: the socket's. */
  ttl = -1;
  tos = -1;
  /** UDP_SEGMENT to send; UDP_GRO received; 0 for one datagram. */
  segment = 0;
  /** Length of the datagram, also when less was given. */
  length = 0;
  atNs = 0;
  /** Options of IPv4: to send in place of the socket's; those that came, for as long as the call takes. */
  options: IpOptions | null = null;
  came: Uint8Array | null = null;
  /** Of an error (MSG_ERRQUEUE): struct sock_extended_err and the offender. */
  errno = 0;
  origin = 0;
  type = 0;
  code = 0;
  info = 0;
  offender: IpAddress | null = null;

  clear(): void {
    this.address = null;
    this.port = 0;
    this.local = null;
    this.ifindex = 0;
    this.ttl = -1;
    this.tos = -1;
    this.segment = 0;
    this.length = 0;
    this.atNs = 0;
    this.options = null;
    this.came = null;
    this.errno = 0;
    this.origin = 0;
    this.type = 0;
    this.code = 0;
    this.info = 0;
    this.offender = null;
  }
}

/** A port for datagrams, a ping socket, or a raw one: udp(7), raw(7), icmp(7). For the last two the port is the ICMP id, or 0. */
export interface DatagramEndpoint {
  owner: EndpointOwner | null;
  readonly local: Name | null;
  readonly remote: Name | null;
  bind(address: IpAddress, port: number): number;
  /** Whom sends go to and whom is heard; null for anybody again. */
  connect(address: IpAddress | null, port: number): number;
  /** The whole datagram: its length, -EMSGSIZE, -EAGAIN, -EDESTADDRREQ, -ECONNREFUSED (of an earlier one), ... */
  send(from: ByteSource, info: DatagramInfo, flags: number): number;
  /** Bytes given; `info` says the rest. -EAGAIN, the pending error. Flags: MSG_PEEK, MSG_ERRQUEUE. */
  receive(to: ByteSink, info: DatagramInfo, flags: number): number;
  shutdown(how: number): number;
  close(): void;
  poll(): number;
  takeError(): number;
  /** SIOCINQ: length of the next datagram. */
  readonly unread: number;
  /** SIOCOUTQ. */
  readonly unsent: number;
  setOption(level: number, name: number, value: number): number;
  getOption(level: number, name: number): number;
  optionValue: number;
  /** ICMP6_FILTER (RFC 3542, section 3.2) of a raw ICMPv6 one: a bit for each type that is not wanted. */
  readonly icmp6Filter: Uint32Array | null;
  /** 0, or -ENOPROTOOPT where somebody else receives the packets. */
  setFilter(filter: PacketFilter | null): number;
  /** IP_ADD_MEMBERSHIP and its like: -ENODEV, -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS. */
  join(group: IpAddress, ifindex: number, source: IpAddress | null): number;
  leave(group: IpAddress, ifindex: number, source: IpAddress | null): number;
}
