// HostDatagram: a UDP port, or a ping socket, that is one of the host's: udp(7), icmp(7). Where names of the host are hidden, only those who
// were sent something are heard, as behind a NAT (RFC 4787, address and port dependent filtering).

import { EAGAIN, EDESTADDRREQ, EINVAL, EMSGSIZE, ENODEV, ENOPROTOOPT, ENOTCONN } from '../../../abi/errno.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../../abi/events/poll.ts';
import { FIONREAD, SIOCOUTQ } from '../../../abi/ioctl.ts';
import {
  SIZEOF_SOCK_EXTENDED_ERR,
  SOCK_EXTENDED_ERR_EE_CODE,
  SOCK_EXTENDED_ERR_EE_ERRNO,
  SOCK_EXTENDED_ERR_EE_INFO,
  SOCK_EXTENDED_ERR_EE_ORIGIN,
  SOCK_EXTENDED_ERR_EE_TYPE,
} from '../../../abi/net/errqueue.ts';
import {
  IP_RECVERR,
  IP_TOS,
  IP_TTL,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_UDP,
  IPV6_HOPLIMIT,
  IPV6_RECVERR,
  IPV6_TCLASS,
  IPV6_V6ONLY,
} from '../../../abi/net/in.ts';
import {
  AF_INET,
  AF_INET6,
  MSG_ERRQUEUE,
  MSG_MORE,
  MSG_PEEK,
  MSG_TRUNC,
  SHUT_RD,
  SHUT_WR,
  SO_ERROR,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { UDP_GRO, UDP_SEGMENT } from '../../../abi/net/tcp.ts';
import type { HostPollTarget } from '../../../host/poller.ts';
import {
  addControl,
  type ControlSink,
  clearControl,
  controlAddress,
  eachControl,
  HostAddress,
  hostBind,
  hostConnect,
  hostDisconnect,
  hostGetOption,
  hostIoctlInt,
  hostName,
  hostPoll,
  hostReceiveMessage,
  hostSendMessage,
  hostSetInt,
  hostShutdown,
  optionInt,
  TRANSFER_SIZE,
  transfer,
} from '../../../host/socket.ts';
import { IpAddress } from '../../../net/address.ts';
import type {
  ByteSink,
  ByteSource,
  DatagramEndpoint,
  DatagramInfo,
  EndpointOwner,
  Name,
  PacketFilter,
} from '../../../net/endpoint.ts';
import type { Account } from '../../base/charge.ts';
import { type Deliver, GATE_SERVICE } from './gate.ts';
import { RelayOptions } from './options.ts';
import { type Relays, readyEvents, WATCHED } from './relays.ts';
import { rewind } from './source.ts';

const MOST_BYTES = 65507;
/** Answers of our own services that wait; further ones are dropped, as a full socket does. */
const MOST_WAITING = 32;
/** Whom one socket may hear at a time: the one that was sent to least lately is forgotten. */
const MOST_PEERS = 256;
/** Datagrams of strangers that one receive throws away. */
const MOST_STRANGERS = 64;

interface Waiting {
  readonly from: IpAddress;
  readonly port: number;
  readonly bytes: Uint8Array;
}

const at = new HostAddress();

function addressOf(a: HostAddress): IpAddress {
  return new IpAddress(a.w0, a.w1, a.w2, a.w3);
}

export class HostDatagram implements DatagramEndpoint, HostPollTarget, Deliver, ControlSink {
  owner: EndpointOwner | null = null;
  optionValue = 0;
  readonly icmp6Filter: Uint32Array | null = null;
  private readonly relays: Relays;
  private readonly family: number;
  private readonly protocol: number;
  private hostFamily: number;
  private fd = -1;
  private account: Account | null = null;
  private watching = false;
  private closed = false;
  private readonly options: RelayOptions;
  private localName: Name | null = null;
  private remoteName: Name | null = null;
  /** The host's socket is connected too. */
  private hostConnected = false;
  private readonly waiting: Waiting[] = [];
  /** By address and port as the host has them; in the order of the last send. */
  private readonly peers: Map<string, number> = new Map();
  /** Where the gate let the last datagram go: an exchange that goes on is not asked about again. */
  private lastTo: IpAddress | null = null;
  private lastPort = 0;
  private lastTarget: IpAddress | null = null;
  /** What eachControl fills. */
  private info: DatagramInfo | null = null;

  constructor(relays: Relays, family: number, protocol: number) {
    this.relays = relays;
    this.family = family;
    this.protocol = protocol;
    this.hostFamily = family;
    this.options = new RelayOptions(relays.gate.hides);
  }

  private get pings(): boolean {
    return this.protocol === IPPROTO_ICMP || this.protocol === IPPROTO_ICMPV6;
  }

  get local(): Name | null {
    // The id of a ping socket is the host's: it is in every reply.
    if (this.fd >= 0 && (this.pings || !this.relays.gate.hides) && hostName(this.fd, false, at) === 0)
      return {
        address: this.relays.gate.hides ? (this.localName?.address ?? addressOf(at)) : addressOf(at),
        port: at.port,
      };
    return this.localName;
  }

  get remote(): Name | null {
    return this.remoteName;
  }

  /** Makes the host's socket; -ENOBUFS at the limit, -EACCES where the host lets nobody ping. */
  private open(): number {
    if (this.fd >= 0) return 0;
    let family = this.family;
    let fd = this.relays.socket(family, SOCK_DGRAM, this.protocol);
    // A host without IPv6 can still send to the IPv4 addresses of an IPv6 socket.
    if (fd < 0 && family === AF_INET6 && this.relays.gate.hides && !this.pings) {
      family = AF_INET;
      fd = this.relays.socket(family, SOCK_DGRAM, this.protocol);
    }
    if (fd < 0) return fd;
    this.fd = fd;
    this.hostFamily = family;
    this.account = this.relays.charge();
    if (family === AF_INET6 && this.relays.gate.hides) hostSetInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    this.options.applyAll(fd, family);
    return 0;
  }

  private watch(): void {
    if (this.watching || this.fd < 0) return;
    this.watching = this.relays.poller.add(this.fd, WATCHED, this) === 0;
  }

  onHostReady(_fd: number, events: number): void {
    if (this.owner !== null) this.owner.endpointReady(readyEvents(events));
  }

  bind(address: IpAddress, port: number): number {
    const { gate } = this.relays;
    if (this.localName !== null) return -EINVAL;
    if (gate.hides) {
      this.localName = { address, port: port === 0 ? gate.freePort() : port };
      return 0;
    }
    const r = this.open();
    return r < 0 ? r : hostBind(this.fd, this.hostFamily, at.set(address, port));
  }

  connect(address: IpAddress | null, port: number): number {
    if (address === null) {
      this.remoteName = null;
      if (this.hostConnected) hostDisconnect(this.fd);
      this.hostConnected = false;
      return 0;
    }
    const way = this.relays.gate.decide(this.protocol, address, port);
    if (way < 0) return way;
    const { target } = this.relays.gate;
    if (this.hostConnected) hostDisconnect(this.fd);
    this.hostConnected = false;
    if (way !== GATE_SERVICE) {
      let r = this.open();
      if (r >= 0) r = hostConnect(this.fd, this.hostFamily, at.set(target, port));
      if (r < 0) return r;
      this.hostConnected = true;
      this.allowed(address, port, target);
    }
    this.remoteName = { address, port };
    this.named(address);
    return 0;
  }

  private named(towards: IpAddress): void {
    const { gate } = this.relays;
    if (!gate.hides) return;
    const own = this.localName;
    if (own === null || own.address.isAny)
      this.localName = { address: gate.ownAddress(towards), port: own?.port ?? gate.freePort() };
  }

  private allowed(address: IpAddress, port: number, target: IpAddress): void {
    this.lastTo = address;
    this.lastPort = port;
    this.lastTarget = target;
    if (!this.relays.gate.hides) return;
    const key = this.peerKey(target, port);
    this.peers.delete(key);
    this.peers.set(key, port);
    if (this.peers.size > MOST_PEERS) this.peers.delete(this.peers.keys().next().value!);
  }

  /** Replies to a ping have no port. */
  private peerKey(address: IpAddress, port: number): string {
    return this.pings ? address.toString() : `${address.toString()} ${port}`;
  }

  send(from: ByteSource, info: DatagramInfo, flags: number): number {
    const address = info.address ?? this.remoteName?.address;
    const port = info.address === null ? (this.remoteName?.port ?? 0) : info.port;
    if (address === undefined) return -EDESTADDRREQ;
    const len = from.remaining;
    if (len > MOST_BYTES) return -EMSGSIZE;
    if (this.lastTo === null || !this.lastTo.equals(address) || this.lastPort !== port) {
      const way = this.relays.gate.decide(this.protocol, address, port);
      if (way < 0) return way;
      if (way === GATE_SERVICE) return this.ask(from, address, port);
      this.allowed(address, port, this.relays.gate.target);
      if (this.localName === null) this.named(address);
    }
    const opened = this.open();
    if (opened < 0) return opened;
    const taken = from.take(transfer.u8, 0, len);
    if (taken < len) return taken < 0 ? taken : -EINVAL;
    this.layControl(info);
    const connected = this.hostConnected && info.address === null;
    const to = connected ? null : at.set(this.lastTarget!, port);
    const r = hostSendMessage(this.fd, this.hostFamily, to, len, flags & MSG_MORE);
    if (r === -EAGAIN) {
      this.watch();
      rewind(from, len);
    }
    return r;
  }

  private layControl(info: DatagramInfo): void {
    clearControl();
    const v4 = this.hostFamily === AF_INET || (info.address ?? this.remoteName?.address)?.isV4 === true;
    if (info.ttl >= 0 && info.ttl <= 255)
      addControl(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_HOPLIMIT, info.ttl, 4);
    if (info.tos >= 0 && info.tos <= 255)
      addControl(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, info.tos, 4);
    if (info.segment > 0 && info.segment <= 0xffff && this.protocol === IPPROTO_UDP)
      addControl(IPPROTO_UDP, UDP_SEGMENT, info.segment, 2);
  }

  private ask(from: ByteSource, address: IpAddress, port: number): number {
    const bytes = new Uint8Array(from.remaining);
    const n = from.take(bytes, 0, bytes.length);
    if (n < 0) return n;
    this.named(address);
    this.relays.gate.query(this, n === bytes.length ? bytes : bytes.subarray(0, n), address, port);
    return n;
  }

  deliver(from: IpAddress, port: number, bytes: Uint8Array): void {
    if (this.closed || this.waiting.length >= MOST_WAITING) return;
    const { remoteName } = this;
    if (remoteName !== null && (!remoteName.address.equals(from) || remoteName.port !== port)) return;
    this.waiting.push({ from, port, bytes });
    if (this.owner !== null) this.owner.endpointReady(POLLIN | POLLRDNORM);
  }

  receive(to: ByteSink, info: DatagramInfo, flags: number): number {
    info.clear();
    const errors = (flags & MSG_ERRQUEUE) !== 0;
    const peeks = (flags & MSG_PEEK) !== 0;
    const first = this.waiting[0];
    if (first !== undefined && !errors) {
      if (!peeks) this.waiting.shift();
      info.address = first.from;
      info.port = first.port;
      info.length = first.bytes.length;
      return first.bytes.length === 0 ? 0 : to.put(first.bytes, 0, first.bytes.length);
    }
    if (this.fd < 0) return -EAGAIN;
    const how = MSG_TRUNC | (flags & (MSG_PEEK | MSG_ERRQUEUE));
    for (let i = 0; i < MOST_STRANGERS; i++) {
      const n = hostReceiveMessage(this.fd, at, TRANSFER_SIZE, how);
      if (n < 0) {
        if (n === -EAGAIN && !errors) this.watch();
        return n;
      }
      const real = addressOf(at);
      const { port } = at;
      if (!errors && this.relays.gate.hides && !this.peers.has(this.peerKey(real, port))) {
        if (peeks) hostReceiveMessage(this.fd, at, TRANSFER_SIZE, 0);
        continue;
      }
      this.info = info;
      eachControl(this);
      this.info = null;
      info.address = this.relays.gate.shown(real);
      info.port = port;
      info.length = n;
      const len = Math.min(n, TRANSFER_SIZE);
      return len === 0 ? 0 : to.put(transfer.u8, 0, len);
    }
    return -EAGAIN;
  }

  /** One control message of the host's, in the words of DatagramInfo. */
  control(level: number, type: number, view: DataView, from: number, len: number): void {
    const info = this.info!;
    if (level === IPPROTO_UDP && type === UDP_GRO && len >= 2) info.segment = view.getUint16(from, true);
    if (level !== IPPROTO_IP && level !== IPPROTO_IPV6) return;
    const v6 = level === IPPROTO_IPV6;
    if (type === (v6 ? IPV6_RECVERR : IP_RECVERR) && len >= SIZEOF_SOCK_EXTENDED_ERR) {
      info.errno = view.getUint32(from + SOCK_EXTENDED_ERR_EE_ERRNO, true);
      info.origin = view.getUint8(from + SOCK_EXTENDED_ERR_EE_ORIGIN);
      info.type = view.getUint8(from + SOCK_EXTENDED_ERR_EE_TYPE);
      info.code = view.getUint8(from + SOCK_EXTENDED_ERR_EE_CODE);
      info.info = view.getUint32(from + SOCK_EXTENDED_ERR_EE_INFO, true);
      const where = from + SIZEOF_SOCK_EXTENDED_ERR;
      const offender = new HostAddress();
      if (controlAddress(view, where, len - SIZEOF_SOCK_EXTENDED_ERR, offender))
        info.offender = this.relays.gate.shown(addressOf(offender));
    } else if (type === (v6 ? IPV6_HOPLIMIT : IP_TTL) && len >= 4) info.ttl = view.getInt32(from, true);
    else if (type === (v6 ? IPV6_TCLASS : IP_TOS) && len >= 1) info.tos = view.getUint8(from);
  }

  shutdown(how: number): number {
    if (this.remoteName === null) return -ENOTCONN;
    if (how !== SHUT_WR) this.waiting.length = 0;
    return this.fd < 0 || !this.hostConnected ? 0 : hostShutdown(this.fd, how === SHUT_RD ? SHUT_RD : how);
  }

  close(): void {
    this.owner = null;
    this.closed = true;
    this.waiting.length = 0;
    if (this.fd < 0) return;
    if (this.watching) this.relays.poller.remove(this.fd);
    this.relays.close(this.fd, this.account!);
    this.fd = -1;
  }

  poll(): number {
    this.watch();
    const events = this.fd < 0 ? POLLOUT | POLLWRNORM : hostPoll(this.fd);
    return this.waiting.length > 0 ? events | POLLIN | POLLRDNORM : events;
  }

  takeError(): number {
    if (this.fd < 0) return 0;
    return hostGetOption(this.fd, SOL_SOCKET, SO_ERROR, 4) < 0 ? 0 : optionInt();
  }

  get unread(): number {
    const first = this.waiting[0];
    if (first !== undefined) return first.bytes.length;
    return this.fd < 0 ? 0 : Math.max(0, hostIoctlInt(this.fd, FIONREAD));
  }

  get unsent(): number {
    return this.fd < 0 ? 0 : Math.max(0, hostIoctlInt(this.fd, SIOCOUTQ));
  }

  /** The packets are the host's: nothing of the guest's looks at them. */
  setFilter(filter: PacketFilter | null): number {
    return filter === null ? 0 : -ENOPROTOOPT;
  }

  setOption(level: number, name: number, value: number): number {
    return this.options.put(this.fd, this.hostFamily, level, name, value);
  }

  getOption(level: number, name: number): number {
    const r = this.options.get(this.fd, this.hostFamily, level, name);
    this.optionValue = this.options.value;
    return r;
  }

  /** Groups are of interfaces, which a relay has none of. */
  join(): number {
    return -ENODEV;
  }

  leave(): number {
    return -ENODEV;
  }
}
