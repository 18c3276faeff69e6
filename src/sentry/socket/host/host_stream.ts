// HostStream: a TCP connection, or a listener, that is one of the host's: tcp(7). Nothing waits here: what the host's socket does not take is
// -EAGAIN, so that back pressure is the host's own, and so are half-close and resets.

import {
  EAGAIN,
  EALREADY,
  ECONNRESET,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENOBUFS,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../../abi/events/poll.ts';
import { FIONREAD, SIOCATMARK, SIOCOUTQ } from '../../../abi/ioctl.ts';
import { IPPROTO_TCP } from '../../../abi/net/in.ts';
import {
  AF_INET,
  AF_INET6,
  MSG_MORE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  SHUT_WR,
  SO_ERROR,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import {
  TCP_CLOSE,
  TCP_CONGESTION,
  TCP_ESTABLISHED,
  TCP_INFO,
  TCP_LISTEN,
  TCP_NODELAY,
  TCP_SYN_SENT,
} from '../../../abi/net/tcp.ts';
import type { HostPollTarget } from '../../../host/poller.ts';
import {
  HostAddress,
  hostAccept,
  hostBind,
  hostConnect,
  hostGetOption,
  hostIoctlInt,
  hostLingerZero,
  hostListen,
  hostName,
  hostPoll,
  hostReceive,
  hostSend,
  hostSetInt,
  hostSetText,
  hostShutdown,
  optionBytes,
  optionInt,
  TRANSFER_SIZE,
  transfer,
} from '../../../host/socket.ts';
import { IpAddress } from '../../../net/address.ts';
import type {
  ByteSink,
  ByteSource,
  EndpointOwner,
  Name,
  PacketFilter,
  StreamEndpoint,
} from '../../../net/endpoint.ts';
import type { Account } from '../../base/charge.ts';
import { Timer, type TimerTarget } from '../../base/time.ts';
import { GATE_SERVICE, type Passage, type Taken, type Taker } from './gate.ts';
import { RelayOptions } from './options.ts';
import { PlainStart } from './plain_start.ts';
import { type Relays, readyEvents, WATCHED } from './relays.ts';
import { rewind } from './source.ts';

/** Bytes of one send: what follows is another call's. */
const SEND_MOST = 1 << 20;
/** SIOCOUTQNSD of <linux/sockios.h>. */
const SIOCOUTQNSD = 0x894b;
/** What a connection shows that was reset. */
const BROKEN = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
/** How often a lingering close looks whether all was sent: the host tells nobody. */
const LINGER_NS = 20e6;
/** Algorithms that programs may choose, where the host has them. */
const CONGESTIONS = ['cubic', 'reno', 'bbr'];

const at = new HostAddress();

function nameOf(a: HostAddress): Name {
  return { address: new IpAddress(a.w0, a.w1, a.w2, a.w3), port: a.port };
}

export class HostStream extends PlainStart implements StreamEndpoint, HostPollTarget, TimerTarget, Taken {
  owner: EndpointOwner | null = null;
  optionValue = 0;
  private readonly relays: Relays;
  /** AF_* of the guest's socket, and of the host's. */
  private readonly family: number;
  private hostFamily: number;
  private fd = -1;
  private account: Account | null = null;
  private watching = false;
  private listening = false;
  /** The other end is ours. */
  private service = false;
  /** A connection was begun, and no call has told how it went. */
  private connecting = false;
  private readonly options: RelayOptions;
  /** As programs inside know them; null: the host's own, or none. */
  private localName: Name | null = null;
  private remoteName: Name | null = null;
  /** What the host calls the other end. */
  private target: IpAddress | null = null;
  /** Bytes taken from the host that a bad guest buffer could not take: no more than one transfer. */
  private pending: Uint8Array | null = null;
  /** Who will read the connection once it stands, and who does. */
  private passage: Passage | null = null;
  private taker: Taker | null = null;
  takenId = 0;
  /** The taker has said that it is done. */
  private finished = false;
  /** It was reset by us; and the errno that nobody was told yet. */
  private broken = false;
  private brokenError = 0;
  private lingerTimer: Timer | null = null;
  private lingerEndNs = 0;

  constructor(relays: Relays, family: number) {
    super();
    this.relays = relays;
    this.family = family;
    this.hostFamily = family;
    this.options = new RelayOptions(relays.gate.hides);
  }

  get state(): number {
    if (this.fd < 0) return TCP_CLOSE;
    if (this.listening) return TCP_LISTEN;
    if (this.service) return TCP_ESTABLISHED;
    return hostGetOption(this.fd, IPPROTO_TCP, TCP_INFO, 8) > 0 ? optionBytes[0]! : TCP_CLOSE;
  }

  get local(): Name | null {
    if (this.localName !== null || this.relays.gate.hides || this.fd < 0) return this.localName;
    return hostName(this.fd, false, at) < 0 || at.port === 0 ? null : nameOf(at);
  }

  get remote(): Name | null {
    return this.remoteName;
  }

  /** Makes the host's socket; -ENOBUFS at the limit. */
  private open(family: number): number {
    if (this.fd >= 0) return 0;
    const fd = this.relays.socket(family, SOCK_STREAM, IPPROTO_TCP);
    if (fd < 0) return fd;
    this.fd = fd;
    this.hostFamily = family;
    this.account = this.relays.charge();
    this.options.applyAll(fd, family);
    return 0;
  }

  private drop(): void {
    if (this.fd < 0) return;
    if (this.watching) this.relays.poller.remove(this.fd);
    if (this.taker !== null) this.taker.left(this);
    this.taker = null;
    this.passage = null;
    this.relays.close(this.fd, this.account!);
    this.fd = -1;
    this.account = null;
    this.watching = false;
  }

  private watch(): void {
    if (this.watching || this.fd < 0) return;
    this.watching = this.relays.poller.add(this.fd, WATCHED, this) === 0;
  }

  onHostReady(_fd: number, events: number): void {
    if (this.passage !== null) this.pass();
    if (this.owner !== null) this.owner.endpointReady(readyEvents(events));
  }

  bind(address: IpAddress, port: number): number {
    const { gate } = this.relays;
    if (this.localName !== null) return -EINVAL;
    if (gate.hides) {
      this.localName = { address, port: port === 0 ? gate.freePort() : port };
      return 0;
    }
    const r = this.open(this.family);
    return r < 0 ? r : hostBind(this.fd, this.family, at.set(address, port));
  }

  /** A connection that somebody reads on its way is handed over as soon as it stands. */
  private pass(): void {
    const { passage } = this;
    if (passage === null || this.state === TCP_SYN_SENT) return;
    this.passage = null;
    // It failed: the host says how.
    if (this.state === TCP_CLOSE) return;
    // Small pieces come from there, each when it is due.
    hostSetInt(this.fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (this.watching) this.relays.poller.remove(this.fd);
    this.watching = false;
    const fd = passage.taker.take(this, this.fd, passage);
    this.service = true;
    if (fd < 0) {
      this.relays.forget(this.account!);
      this.fd = -1;
      this.account = null;
      this.breakOff();
      return;
    }
    this.fd = fd;
    this.taker = passage.taker;
    this.watch();
  }

  finish(): void {
    this.finished = true;
    if (this.owner !== null) this.owner.endpointReady(POLLIN | POLLRDNORM | POLLHUP);
  }

  breakOff(): void {
    if (this.broken) return;
    this.drop();
    this.pending = null;
    this.broken = true;
    this.brokenError = ECONNRESET;
    if (this.owner !== null) this.owner.endpointReady(BROKEN);
  }

  /** The error of a reset once, as SO_ERROR has it (socket(7)). */
  private takeBroken(): number {
    const error = this.brokenError;
    this.brokenError = 0;
    return error;
  }

  connect(address: IpAddress, port: number): number {
    if (this.passage !== null) this.pass();
    if (this.connecting && this.service) {
      this.connecting = false;
      return this.broken ? -this.takeBroken() : 0;
    }
    if (this.listening || (this.remoteName !== null && this.service)) return -EISCONN;
    // Under way, or over: the host says which, and how it went.
    if (this.connecting) {
      const r = hostConnect(this.fd, this.hostFamily, at.set(this.target!, this.remoteName!.port));
      if (r === -EALREADY || r === -EINPROGRESS) return r;
      this.connecting = false;
      if (r < 0 && r !== -EISCONN) this.remoteName = null;
      return r;
    }
    if (this.remoteName !== null && this.state !== TCP_CLOSE) return -EISCONN;
    const { gate } = this.relays;
    const way = gate.decide(IPPROTO_TCP, address, port);
    if (way < 0) return way;
    if (way === GATE_SERVICE) return this.connectService(address, port);
    const { target, passage } = gate;
    const family = gate.hides ? (target.isV4 ? AF_INET : AF_INET6) : this.family;
    if (gate.hides && this.fd >= 0 && this.hostFamily !== family) this.drop();
    let r = this.open(family);
    if (r < 0) return r;
    r = hostConnect(this.fd, family, at.set(target, port));
    if (r < 0 && r !== -EINPROGRESS) return r;
    this.target = target;
    this.named(address, port);
    if (r < 0) {
      this.connecting = true;
      this.watch();
    }
    this.passage = passage;
    if (r === 0) this.pass();
    return r;
  }

  private named(address: IpAddress, port: number): void {
    this.remoteName = { address, port };
    const { gate } = this.relays;
    if (!gate.hides) return;
    const own = this.localName;
    if (own === null || own.address.isAny)
      this.localName = { address: gate.ownAddress(address), port: own?.port ?? gate.freePort() };
  }

  private connectService(address: IpAddress, port: number): number {
    if (this.relays.full) return -ENOBUFS;
    this.drop();
    const fd = this.relays.gate.dial(address, port);
    if (fd < 0) return fd;
    this.fd = this.relays.adopt(fd);
    this.account = this.relays.charge();
    this.service = true;
    this.named(address, port);
    return 0;
  }

  listen(backlog: number): number {
    if (this.relays.gate.hides) return -EOPNOTSUPP;
    if (this.remoteName !== null) return -EINVAL;
    let r = this.open(this.family);
    if (r < 0) return r;
    r = hostListen(this.fd, Math.max(0, Math.min(backlog, 4096)));
    if (r === 0) this.listening = true;
    return r;
  }

  accept(): StreamEndpoint | number {
    if (!this.listening) return -EINVAL;
    if (this.relays.full) return -ENOBUFS;
    const fd = hostAccept(this.fd, at);
    if (fd < 0) {
      if (fd === -EAGAIN) this.watch();
      return fd;
    }
    return HostStream.connected(this.relays, this.family, fd, nameOf(at));
  }

  /** The endpoint of a connection that the host has accepted. */
  static connected(relays: Relays, family: number, fd: number, from: Name): HostStream {
    const made = new HostStream(relays, family);
    made.fd = relays.adopt(fd);
    made.account = relays.charge();
    made.remoteName = from;
    return made;
  }

  send(from: ByteSource, flags: number): number {
    if (this.passage !== null) this.pass();
    if (this.broken) return -(this.takeBroken() || EPIPE);
    if (this.fd < 0) return -ENOTCONN;
    const how = flags & (MSG_OOB | MSG_MORE);
    let total = 0;
    do {
      const len = Math.min(from.remaining, TRANSFER_SIZE);
      const taken = from.take(transfer.u8, 0, len);
      if (taken < 0) return total > 0 ? total : taken;
      // More follows at once: nothing is sent in small pieces meanwhile.
      const more = from.remaining > 0 && taken === len ? how | MSG_MORE : how;
      const n = hostSend(this.fd, 0, taken, (flags & MSG_OOB) !== 0 ? how : more);
      const done = Math.max(n, 0);
      if (done < taken) rewind(from, taken - done);
      total += done;
      if (n === -EAGAIN || (n >= 0 && n < taken)) {
        this.watch();
        break;
      }
      if (n < 0) return total > 0 ? total : n;
      if (taken < len) break;
    } while (from.remaining > 0 && total < SEND_MOST);
    return total > 0 || from.remaining === 0 ? total : -EAGAIN;
  }

  receive(to: ByteSink, flags: number, skip: number): number {
    if (this.passage !== null) this.pass();
    if (this.broken) return -this.takeBroken();
    if (this.fd < 0) return -ENOTCONN;
    const peeks = (flags & MSG_PEEK) !== 0;
    const oob = (flags & MSG_OOB) !== 0;
    const drops = (flags & MSG_TRUNC) !== 0;
    if (this.pending !== null && !oob) return this.fromPending(this.pending, to, peeks, drops, skip);
    const offset = peeks && !oob ? skip : 0;
    if (offset >= TRANSFER_SIZE) return -EAGAIN;
    const want = Math.min(to.remaining, TRANSFER_SIZE - offset);
    if (want <= 0) return 0;
    const n = hostReceive(this.fd, offset + want, flags & (MSG_PEEK | MSG_OOB | MSG_TRUNC));
    if (n === 0 && this.taker !== null && !this.finished && (hostPoll(this.fd) & POLLHUP) !== 0) {
      // Closed without a word: its process is dead, or the word is on its way.
      if (this.taker.alive) return -EAGAIN;
      this.breakOff();
      return -this.takeBroken();
    }
    if (n <= 0) {
      if (n === -EAGAIN) this.watch();
      return n;
    }
    if (drops) return n;
    if (n <= offset) return -EAGAIN;
    const moved = to.put(transfer.u8, offset, n - offset);
    const kept = Math.max(moved, 0);
    if (!peeks && !oob && kept < n) this.pending = transfer.u8.slice(kept, n);
    return moved;
  }

  private fromPending(
    pending: Uint8Array,
    to: ByteSink,
    peeks: boolean,
    drops: boolean,
    skip: number,
  ): number {
    const offset = peeks ? skip : 0;
    const len = Math.min(to.remaining, pending.length - offset);
    if (len <= 0) return peeks && to.remaining > 0 ? -EAGAIN : 0;
    const moved = drops ? len : to.put(pending, offset, len);
    if (moved > 0 && !peeks) this.pending = moved === pending.length ? null : pending.slice(moved);
    return moved;
  }

  shutdown(how: number): number {
    if (this.fd < 0) return -ENOTCONN;
    if (how !== SHUT_WR) this.pending = null;
    if (this.listening && how === SHUT_WR) return 0;
    const r = hostShutdown(this.fd, how);
    if (r === 0 && this.listening) this.listening = false;
    return r;
  }

  close(lingerNs: number): void {
    if (this.fd < 0 || lingerNs <= 0) this.owner = lingerNs <= 0 ? null : this.owner;
    if (this.fd < 0) return;
    // The host's socket resets by itself what has unread bytes; those that wait here it does not know.
    if (lingerNs === 0 || this.pending !== null) hostLingerZero(this.fd);
    if (lingerNs <= 0 || this.listening || this.service || this.pending !== null) {
      this.drop();
      this.end();
      return;
    }
    if (hostIoctlInt(this.fd, FIONREAD) > 0) {
      this.drop();
      this.end();
      return;
    }
    hostShutdown(this.fd, SHUT_WR);
    this.lingerEndNs = this.relays.time.monotonicNs() + lingerNs;
    this.lingerTimer = new Timer(this);
    this.onTimer(this.lingerTimer, this.relays.time.monotonicNs());
  }

  /** Tells a closer who waits. */
  private end(): void {
    const { owner } = this;
    this.owner = null;
    if (owner !== null) owner.endpointReady(POLLHUP);
  }

  onTimer(timer: Timer, nowNs: number): void {
    if (this.fd < 0) return;
    if (nowNs < this.lingerEndNs && hostIoctlInt(this.fd, SIOCOUTQ) > 0) {
      this.relays.time.arm(timer, Math.min(nowNs + LINGER_NS, this.lingerEndNs));
      return;
    }
    this.drop();
    this.end();
  }

  poll(): number {
    if (this.passage !== null) this.pass();
    if (this.broken) return BROKEN;
    if (this.fd < 0) return this.remoteName === null ? POLLOUT | POLLWRNORM | POLLHUP : POLLHUP;
    this.watch();
    const events = hostPoll(this.fd);
    return this.pending === null ? events : events | POLLIN | POLLRDNORM;
  }

  takeError(): number {
    if (this.passage !== null) this.pass();
    if (this.broken) return this.takeBroken();
    if (this.fd < 0) return 0;
    return hostGetOption(this.fd, SOL_SOCKET, SO_ERROR, 4) < 0 ? 0 : optionInt();
  }

  private count(request: number): number {
    return this.fd < 0 || this.listening || this.service ? 0 : Math.max(0, hostIoctlInt(this.fd, request));
  }

  get unread(): number {
    const waiting = this.fd < 0 || this.listening ? 0 : Math.max(0, hostIoctlInt(this.fd, FIONREAD));
    return waiting + (this.pending?.length ?? 0);
  }

  get unacknowledged(): number {
    return this.count(SIOCOUTQ);
  }

  get unsent(): number {
    return this.count(SIOCOUTQNSD);
  }

  get atMark(): boolean {
    return this.pending === null && this.count(SIOCATMARK) > 0;
  }

  /** The packets are the host's: nothing of the guest's looks at them. */
  setFilter(filter: PacketFilter | null): number {
    return filter === null ? 0 : -ENOPROTOOPT;
  }

  setOption(level: number, name: number, value: number): number {
    return this.options.put(this.service ? -1 : this.fd, this.hostFamily, level, name, value);
  }

  getOption(level: number, name: number): number {
    const r = this.options.get(this.service ? -1 : this.fd, this.hostFamily, level, name);
    this.optionValue = this.options.value;
    return r;
  }

  get congestion(): string {
    if (this.fd < 0 || this.service) return CONGESTIONS[0]!;
    const n = hostGetOption(this.fd, IPPROTO_TCP, TCP_CONGESTION, 16);
    return n <= 0 ? CONGESTIONS[0]! : Buffer.from(optionBytes.slice(0, n)).toString('latin1').split('\0')[0]!;
  }

  set congestion(name: string) {
    if (this.fd >= 0 && !this.service && CONGESTIONS.includes(name))
      hostSetText(this.fd, IPPROTO_TCP, TCP_CONGESTION, name);
  }

  info(view: DataView): number {
    if (this.fd < 0 || this.service) return 0;
    const n = hostGetOption(this.fd, IPPROTO_TCP, TCP_INFO);
    const len = Math.min(Math.max(n, 0), view.byteLength);
    new Uint8Array(view.buffer, view.byteOffset, len).set(optionBytes.subarray(0, len));
    return len;
  }
}
