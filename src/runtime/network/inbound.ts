// Inbound: -p. Listeners of the host whose connections go on to a program's own port, from the gateway's address.

import { EINPROGRESS, errnoName } from '../../abi/errno.ts';
import { EPOLLET, EPOLLIN } from '../../abi/events/epoll.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import {
  AF_INET,
  AF_INET6,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../abi/net/socket.ts';
import type { HostPoller, HostPollTarget } from '../../host/poller.ts';
import {
  clearControl,
  HostAddress,
  hostAccept,
  hostBind,
  hostClose,
  hostLingerZero,
  hostListen,
  hostReceiveMessage,
  hostSendMessage,
  hostSetInt,
  hostSocket,
  TRANSFER_SIZE,
  transfer,
} from '../../host/socket.ts';
import { IpAddress } from '../../net/address.ts';
import {
  type ByteSink,
  type ByteSource,
  type DatagramEndpoint,
  DatagramInfo,
  type EndpointOwner,
  type StreamEndpoint,
} from '../../net/endpoint.ts';
import { type Account, kernelMemory } from '../../sentry/base/charge.ts';
import { Timer, type TimerTarget, type TimeSource } from '../../sentry/base/time.ts';
import { HostStream } from '../../sentry/socket/host/host_stream.ts';
import type { Relays } from '../../sentry/socket/host/relays.ts';
import { STATUS_USAGE, StartError } from '../options.ts';
import { GATEWAY_V4, OWN_V4 } from './addresses.ts';
import type { NetworkLog } from './network_log.ts';
import type { Publish } from './publish.ts';
import { Splice, type SpliceOwner } from './splice.ts';

const BACKLOG = 128;
/** Peers of a UDP port at a time; who was silent for long is forgotten. */
const MOST_PEERS = 256;
const IDLE_NS = 60e9;

/** Endpoints on the sandbox's own stack. */
export interface Inside {
  stream(family: number, payer: Account, uid: number): StreamEndpoint | number;
  datagram(family: number, type: number, protocol: number, payer: Account): DatagramEndpoint | number;
}

const at = new HostAddress();

function listen(p: Publish, type: number, protocol: number): number {
  const family = p.address.isV4 ? AF_INET : AF_INET6;
  const fd = hostSocket(family, type, protocol);
  let r = fd;
  if (r >= 0 && type === SOCK_STREAM) r = hostSetInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (r >= 0) r = hostBind(fd, family, at.set(p.address, p.hostPort));
  if (r >= 0 && type === SOCK_STREAM) r = hostListen(fd, BACKLOG);
  if (r >= 0) return fd;
  if (fd >= 0) hostClose(fd);
  const name = errnoName(-r);
  const fix =
    name === 'EADDRINUSE'
      ? 'another port of this machine, or end the program that has it'
      : name === 'EACCES'
        ? 'a port from 1024 on, which needs no privilege'
        : 'an address of this machine, as in 127.0.0.1:8080:80';
  throw new StartError(`-p ${p.text}: ${name}; fix: ${fix}`, STATUS_USAGE);
}

/** One TCP port. */
export class PublishedStream implements HostPollTarget, SpliceOwner {
  private readonly relays: Relays;
  private readonly time: TimeSource;
  private readonly log: NetworkLog;
  private readonly inside: Inside;
  private readonly to: Publish;
  private readonly fd: number;
  private readonly splices: Set<Splice> = new Set();

  /** Throws StartError when the host does not give the port. */
  constructor(relays: Relays, time: TimeSource, log: NetworkLog, inside: Inside, to: Publish) {
    this.relays = relays;
    this.time = time;
    this.log = log;
    this.inside = inside;
    this.to = to;
    this.fd = listen(to, SOCK_STREAM, IPPROTO_TCP);
    relays.poller.add(this.fd, EPOLLIN | EPOLLET, this);
  }

  onHostReady(): void {
    for (;;) {
      const fd = hostAccept(this.fd, at);
      if (fd < 0) return;
      const from = { address: new IpAddress(at.w0, at.w1, at.w2, at.w3), port: at.port };
      const ok = this.begin(fd, from);
      this.log.write({
        event: 'accept',
        allowed: ok,
        rule: `-p ${this.to.text}`,
        protocol: 'tcp',
        address: from.address.toString(),
        port: from.port,
      });
    }
  }

  /** False: there are too many, or nobody listens. The peer sees a reset, as it would from the program's own machine. */
  private begin(fd: number, from: { address: IpAddress; port: number }): boolean {
    if (this.relays.full || !Splice.fits) {
      hostLingerZero(fd);
      hostClose(fd);
      return false;
    }
    const outer = HostStream.connected(this.relays, AF_INET, fd, from);
    const inner = this.inside.stream(AF_INET, kernelMemory.current, 0);
    if (typeof inner === 'number') {
      outer.close(0);
      return false;
    }
    inner.bind(GATEWAY_V4, 0);
    const r = inner.connect(OWN_V4, this.to.guestPort);
    if (r < 0 && r !== -EINPROGRESS) {
      inner.close(0);
      outer.close(0);
      return false;
    }
    const splice = new Splice(this, this.time, outer, inner, r < 0);
    this.splices.add(splice);
    splice.endpointReady();
    return true;
  }

  spliceEnded(splice: Splice): void {
    this.splices.delete(splice);
  }
}

/** A buffer as both ends of a transfer see it. */
class Bytes implements ByteSource, ByteSink {
  buffer: Uint8Array = new Uint8Array(0);
  at = 0;

  aim(buffer: Uint8Array): this {
    this.buffer = buffer;
    this.at = 0;
    return this;
  }

  get remaining(): number {
    return this.buffer.length - this.at;
  }

  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    dst.set(this.buffer.subarray(this.at, this.at + n), off);
    this.at += n;
    return n;
  }

  put(src: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    this.buffer.set(src.subarray(off, off + n), this.at);
    this.at += n;
    return n;
  }

  rewind(n: number): void {
    this.at -= n;
  }
}

const bytes = new Bytes();
const info = new DatagramInfo();
/** Larger than any datagram. */
const scratch = new Uint8Array(65536);

/** One peer of a UDP port: a port of its own on the gateway. */
class UdpPeer implements EndpointOwner, TimerTarget {
  readonly key: string;
  readonly from: HostAddress;
  readonly inner: DatagramEndpoint;
  lastNs = 0;
  private readonly port: PublishedDatagram;
  private readonly time: TimeSource;
  private readonly soon: Timer = new Timer(this);

  constructor(
    port: PublishedDatagram,
    time: TimeSource,
    key: string,
    from: HostAddress,
    inner: DatagramEndpoint,
  ) {
    this.port = port;
    this.time = time;
    this.key = key;
    this.from = from;
    this.inner = inner;
    inner.owner = this;
  }

  endpointReady(): void {
    if (!this.soon.armed) this.time.arm(this.soon, 0);
  }

  onTimer(): void {
    this.port.answers(this);
  }

  close(): void {
    this.time.cancel(this.soon);
    this.inner.close();
  }
}

/** One UDP port. */
export class PublishedDatagram implements HostPollTarget {
  private readonly time: TimeSource;
  private readonly inside: Inside;
  private readonly to: Publish;
  private readonly fd: number;
  private readonly family: number;
  /** In the order of the last datagram. */
  private readonly peers: Map<string, UdpPeer> = new Map();

  constructor(poller: HostPoller, time: TimeSource, inside: Inside, to: Publish) {
    this.time = time;
    this.inside = inside;
    this.to = to;
    this.family = to.address.isV4 ? AF_INET : AF_INET6;
    this.fd = listen(to, SOCK_DGRAM, IPPROTO_UDP);
    poller.add(this.fd, EPOLLIN, this);
  }

  onHostReady(): void {
    const from = new HostAddress();
    const n = hostReceiveMessage(this.fd, from, TRANSFER_SIZE, 0);
    if (n < 0) return;
    const peer = this.peerOf(from);
    if (peer === null) return;
    peer.lastNs = this.time.monotonicNs();
    this.peers.delete(peer.key);
    this.peers.set(peer.key, peer);
    info.clear();
    peer.inner.send(bytes.aim(transfer.u8.slice(0, n)), info, 0);
  }

  private peerOf(from: HostAddress): UdpPeer | null {
    const key = `${from.w0} ${from.w1} ${from.w2} ${from.w3} ${from.port}`;
    const known = this.peers.get(key);
    if (known !== undefined) return known;
    this.forget(this.peers.size >= MOST_PEERS);
    const inner = this.inside.datagram(AF_INET, SOCK_DGRAM, IPPROTO_UDP, kernelMemory.current);
    if (typeof inner === 'number') return null;
    inner.bind(GATEWAY_V4, 0);
    if (inner.connect(OWN_V4, this.to.guestPort) < 0) {
      inner.close();
      return null;
    }
    const peer = new UdpPeer(this, this.time, key, from, inner);
    this.peers.set(key, peer);
    return peer;
  }

  /** Those that were silent; with `room` at least the first. */
  private forget(room: boolean): void {
    const since = this.time.monotonicNs() - IDLE_NS;
    let needed = room;
    for (const peer of this.peers.values()) {
      if (peer.lastNs > since && !needed) return;
      needed = false;
      peer.close();
      this.peers.delete(peer.key);
    }
  }

  /** What the program sent back. */
  answers(peer: UdpPeer): void {
    for (;;) {
      info.clear();
      const n = peer.inner.receive(bytes.aim(scratch), info, 0);
      if (n < 0) return;
      transfer.u8.set(scratch.subarray(0, n));
      clearControl();
      hostSendMessage(this.fd, this.family, peer.from, n, 0);
    }
  }
}
