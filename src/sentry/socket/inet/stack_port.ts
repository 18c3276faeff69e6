// StackPort: what sockets ask of a namespace's stack (net/stack.ts, net/tcp/), in their words, and who pays for it.

import { EADDRNOTAVAIL, EINVAL, ENODEV } from '../../../abi/errno.ts';
import { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE } from '../../../abi/net/in.ts';
import { AF_INET6, SOCK_RAW } from '../../../abi/net/socket.ts';
import { randomWord } from '../../../host/random.ts';
import { ANY_V4, ANY_V6, type IpAddress } from '../../../net/address.ts';
import type { DatagramEndpoint, StreamEndpoint } from '../../../net/endpoint.ts';
import { Filter } from '../../../net/filter/filter.ts';
import { InterfaceAddress } from '../../../net/ip/addresses.ts';
import { BridgeDevice } from '../../../net/link/bridge.ts';
import type { Link } from '../../../net/link/link.ts';
import type { NetMemory } from '../../../net/memory.ts';
import { Stack } from '../../../net/stack.ts';
import type { NetSysctl } from '../../../net/sysctl.ts';
import { TcpProtocol } from '../../../net/tcp/protocol.ts';
import type { TcpCounters, TcpSysctl } from '../../../net/tcp/sysctl.ts';
import { type NetClock, NetTimer, type NetTimerTarget } from '../../../net/time.ts';
import type { NetRandom } from '../../../net/transport.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { lowerLink, moveLink, operState, removeLink, setLinkMtu, setLinkUp } from './link_life.ts';
import type { AddressView, LinkView } from './links.ts';
import type { EndListener, SocketStack, Waiting } from './namespace.ts';

const LEAST_MTU = 68;
const MOST_LOOP_MTU = 65536;
const IFA_F_PERMANENT = 0x80;

/** The account of whoever pays, as net/ sees it. */
class ChargedMemory implements NetMemory {
  private readonly payer: Account;

  constructor(payer: Account) {
    this.payer = payer;
  }

  fits(bytes: number): boolean {
    return kernelMemory.fits(bytes, this.payer);
  }

  take(bytes: number): void {
    kernelMemory.take(bytes, this.payer);
  }

  give(bytes: number): void {
    kernelMemory.give(this.payer, bytes);
  }
}

/** The host's getrandom(2). */
const hostRandom: NetRandom = { u32: randomWord };

/** A link with its addresses. */
class PortLink implements LinkView {
  private readonly link: Link;
  private readonly stack: Stack;

  constructor(stack: Stack, link: Link) {
    this.stack = stack;
    this.link = link;
  }

  get ifindex(): number {
    return this.link.ifindex;
  }

  get name(): string {
    return this.link.name;
  }

  get mtu(): number {
    return this.link.mtu;
  }

  get flags(): number {
    return this.link.flags;
  }

  get hardwareType(): number {
    return this.link.hardware;
  }

  get hardwareAddress(): Uint8Array {
    return this.link.address;
  }

  get queueLength(): number {
    return this.link.txQueueLength;
  }

  get counters(): Link['counters'] {
    return this.link.counters;
  }

  get carrier(): boolean {
    return this.link.carrier;
  }

  get operState(): number {
    return operState(this.link);
  }

  get peer(): number {
    return lowerLink(this.link)?.ifindex ?? this.link.ifindex;
  }

  get master(): string | null {
    return this.link.master?.link.name ?? null;
  }

  get ports(): readonly string[] | null {
    const { device } = this.link;
    return device instanceof BridgeDevice ? device.ports.map((p) => p.name) : null;
  }

  get group(): number {
    return this.link.group;
  }

  get alias(): string {
    return this.link.alias;
  }

  get carrierUps(): number {
    return this.link.carrierUps;
  }

  get carrierDowns(): number {
    return this.link.carrierDowns;
  }

  get addresses(): readonly AddressView[] {
    const all: AddressView[] = [];
    for (const a of this.stack.addresses.all)
      if (a.ifindex === this.link.ifindex)
        all.push({ address: a.address, bits: a.prefix, broadcast: a.broadcast });
    return all;
  }
}

export class StackPort implements SocketStack, NetTimerTarget {
  readonly stack: Stack;
  readonly protocol: TcpProtocol;
  private readonly timer: NetTimer = new NetTimer(this);
  private listener: EndListener | null = null;
  /** The first namespace's, of which this one has its wires; null for that one itself. */
  private readonly first: Stack | null;
  private filters: Filter | null = null;

  /** `payer` pays for what no socket of its own has: neighbours, routes, fragments. */
  constructor(clock: NetClock, payer: Account, first: Stack | null) {
    const memory = new ChargedMemory(payer);
    this.first = first;
    this.stack =
      first === null
        ? new Stack(clock, hostRandom, memory)
        : new Stack(clock, hostRandom, memory, first.wires);
    this.protocol = new TcpProtocol(this.stack, clock, hostRandom, memory);
    this.stack.transports[IPPROTO_TCP] = this.protocol;
  }

  get tcpCounters(): TcpCounters {
    return this.protocol.counters;
  }

  get own(): this {
    return this;
  }

  get net(): NetSysctl {
    return this.stack.sysctl;
  }

  get tcp(): TcpSysctl {
    return this.protocol.sysctl;
  }

  stream(family: number, payer: Account, uid: number): StreamEndpoint | number {
    return this.protocol.open(family === AF_INET6, new ChargedMemory(payer), uid);
  }

  datagram(family: number, type: number, protocol: number, payer: Account): DatagramEndpoint | number {
    const v6 = family === AF_INET6;
    const memory = new ChargedMemory(payer);
    if (type === SOCK_RAW) return this.stack.raw.open(v6, protocol, memory);
    if (protocol === IPPROTO_UDP) return this.stack.udp.open(v6, memory);
    if (protocol === IPPROTO_UDPLITE) return this.stack.udpLite.open(v6, memory);
    return this.stack.ping.open(v6, memory);
  }

  flush(): void {
    this.stack.flush();
  }

  filter(): Filter {
    this.filters ??= new Filter(this.stack);
    return this.filters;
  }

  /** Connections without a socket go on to their end: as on Linux they keep the namespace. */
  end(listener: EndListener): void {
    this.listener = listener;
    if (this.protocol.orphans > 0) this.protocol.idleListener = this;
    else this.onTimer();
  }

  /** The last of them is gone, in the middle of what it did. */
  idle(): void {
    this.protocol.idleListener = null;
    this.stack.clock.arm(this.timer, this.stack.clock.monotonicNs());
  }

  onTimer(): void {
    const { listener } = this;
    if (listener === null || listener.inUse) return;
    this.listener = null;
    this.removeLinks();
    listener.ended();
  }

  /** default_device_exit_net(): what a request has made goes, the rest returns to the first namespace. */
  private removeLinks(): void {
    const { stack } = this;
    stack.ended = true;
    this.filters?.clear();
    for (const link of [...stack.links.values()]) {
      if (stack.links.get(link.ifindex) !== link) continue;
      if (link === stack.loopback) stack.setUp(link, false);
      else if (link.kind !== '' || this.first === null) removeLink(link);
      else if (moveLink(link, this.first, undefined) < 0) moveLink(link, this.first, 'dev%d');
    }
    stack.neighbours.clear();
    stack.routes.clear();
  }

  reaches(address: IpAddress): boolean {
    const src = address.isV4 ? ANY_V4 : ANY_V6;
    return typeof this.stack.route({ src, dst: address, ifindex: 0, tos: 0, mark: 0, uid: 0 }) !== 'number';
  }

  isLocal(address: IpAddress): boolean {
    return this.stack.addresses.isLocal(address);
  }

  *timeWaits(): Iterable<Waiting> {
    yield* this.protocol.timeWaiting();
  }

  get links(): readonly LinkView[] {
    return [...this.stack.links.values()].map((link) => new PortLink(this.stack, link));
  }

  linkByIndex(index: number): LinkView | null {
    const link = this.stack.link(index);
    return link === null ? null : new PortLink(this.stack, link);
  }

  linkByName(name: string): LinkView | null {
    const link = this.stack.linkByName(name);
    return link === null ? null : new PortLink(this.stack, link);
  }

  linkOfAddress(address: IpAddress): number {
    const own = this.stack.addresses.get(address);
    if (own !== undefined) return own.ifindex;
    return this.isLocal(address) ? this.stack.loopback.ifindex : 0;
  }

  addressOf(index: number): number {
    const first = this.stack.addresses.all.find((a) => a.ifindex === index && a.address.isV4);
    return first === undefined ? 0 : first.address.w3;
  }

  addLocal(address: IpAddress): void {
    const bits = address.isV4 ? 32 : 128;
    const lo = this.stack.loopback;
    this.stack.addAddress(
      new InterfaceAddress(address, bits, lo.ifindex, IFA_F_PERMANENT, null, null, lo.name),
    );
  }

  setUp(index: number, up: boolean): number {
    const link = this.stack.link(index);
    return link === null ? -ENODEV : setLinkUp(this.stack, link, up);
  }

  setMtu(index: number, mtu: number): number {
    const link = this.stack.link(index);
    if (link === null) return -ENODEV;
    if (mtu > MOST_LOOP_MTU || mtu < (link === this.stack.loopback ? 0 : LEAST_MTU)) return -EINVAL;
    const r = setLinkMtu(this.stack, link, mtu);
    this.stack.routes.generation++;
    return r;
  }

  setQueueLength(index: number, length: number): number {
    const link = this.stack.link(index);
    if (link === null) return -ENODEV;
    link.txQueueLength = length;
    return 0;
  }

  setAddress(index: number, address: IpAddress | null, bits: number): number {
    const { stack } = this;
    const link = stack.link(index);
    if (link === null) return -ENODEV;
    const first = stack.addresses.all.find((a) => a.ifindex === index && a.address.isV4);
    if (first !== undefined) stack.removeAddress(first);
    else if (address === null) return -EADDRNOTAVAIL;
    if (address === null) return 0;
    const isLoop = link === stack.loopback;
    const broadcast = isLoop || bits > 30 ? null : address.masked(bits, true);
    return stack.addAddress(new InterfaceAddress(address, bits, index, IFA_F_PERMANENT, broadcast));
  }
}

export function makeStack(clock: NetClock, payer: Account, first: Stack | null): StackPort {
  return new StackPort(clock, payer, first);
}
