// KernelStack: a namespace's stack with TCP, as sockets, ioctls and tables see it.

import { EADDRNOTAVAIL, EINVAL, ENODEV } from '../../../abi/errno.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../../../abi/net/in.ts';
import { AF_INET6, SOCK_DGRAM } from '../../../abi/net/socket.ts';
import { randomWord } from '../../../host/random.ts';
import { ANY_V4, ANY_V6, type IpAddress } from '../../../net/address.ts';
import type { DatagramEndpoint, StreamEndpoint } from '../../../net/endpoint.ts';
import { InterfaceAddress } from '../../../net/ip/addresses.ts';
import type { Link } from '../../../net/link/link.ts';
import type { NetMemory } from '../../../net/memory.ts';
import { Stack } from '../../../net/stack.ts';
import type { NetSysctl } from '../../../net/sysctl.ts';
import { TcpProtocol } from '../../../net/tcp/protocol.ts';
import type { TcpSysctl } from '../../../net/tcp/sysctl.ts';
import type { NetClock } from '../../../net/time.ts';
import type { NetRandom } from '../../../net/transport.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { AddressView, LinkCounters, LinkView } from './links.ts';
import type { SocketStack } from './namespace.ts';

const LEAST_MTU = 68;
const MOST_MTU = 65536;

/** The account of whoever pays, as net/ sees it: what a connection holds is its socket's. */
export class ChargedMemory implements NetMemory {
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
export const hostRandom: NetRandom = { u32: randomWord };

/** An interface of the stack as others look at it. */
class InterfaceView implements LinkView {
  readonly link: Link;
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
  get counters(): LinkCounters {
    return this.link.counters;
  }
  get addresses(): readonly AddressView[] {
    return this.stack.addresses.all
      .filter((a) => a.ifindex === this.link.ifindex)
      .map((a) => ({ address: a.address, bits: a.prefix, broadcast: a.broadcast }));
  }
}

export class KernelStack implements SocketStack {
  readonly stack: Stack;
  private readonly protocol: TcpProtocol;
  /** One for each interface, made when first looked at. */
  private readonly views: Map<Link, InterfaceView> = new Map();

  constructor(clock: NetClock, payer: Account) {
    const memory = new ChargedMemory(payer);
    this.stack = new Stack(clock, hostRandom, memory);
    this.protocol = new TcpProtocol(this.stack, clock, hostRandom, memory);
    this.stack.transports[IPPROTO_TCP] = this.protocol;
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

  datagram(family: number, type: number, protocol: number): DatagramEndpoint | number {
    const v6 = family === AF_INET6;
    if (type !== SOCK_DGRAM) return this.stack.raw.open(v6, protocol);
    if (protocol === IPPROTO_UDP) return this.stack.udp.open(v6);
    return protocol === (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ? this.stack.ping.open(v6) : -EINVAL;
  }

  flush(): void {
    this.stack.flush();
  }

  end(): void {
    for (const link of this.stack.links.values()) this.stack.setUp(link, false);
  }

  reaches(address: IpAddress): boolean {
    const src = address.isV4 ? ANY_V4 : ANY_V6;
    return typeof this.stack.route({ src, dst: address, ifindex: 0, tos: 0, mark: 0, uid: 0 }) !== 'number';
  }

  isLocal(address: IpAddress): boolean {
    return this.stack.addresses.isLocal(address);
  }

  linkOfAddress(address: IpAddress): number {
    return this.stack.addresses.get(address)?.ifindex ?? 0;
  }

  addressOf(index: number): number {
    for (const a of this.stack.addresses.all) if (a.ifindex === index && a.address.isV4) return a.address.w3;
    return 0;
  }

  get links(): readonly LinkView[] {
    return [...this.stack.links.values()].map((link) => this.view(link));
  }

  private view(link: Link): InterfaceView {
    let view = this.views.get(link);
    if (view === undefined) {
      view = new InterfaceView(this.stack, link);
      this.views.set(link, view);
    }
    return view;
  }

  linkByIndex(index: number): LinkView | null {
    const link = this.stack.link(index);
    return link === null ? null : this.view(link);
  }

  linkByName(name: string): LinkView | null {
    const link = this.stack.linkByName(name);
    return link === null ? null : this.view(link);
  }

  setUp(index: number, up: boolean): number {
    const link = this.stack.link(index);
    if (link === null) return -ENODEV;
    this.stack.setUp(link, up);
    return 0;
  }

  setMtu(index: number, mtu: number): number {
    const link = this.stack.link(index);
    if (link === null) return -ENODEV;
    if (mtu < (link === this.stack.loopback ? 0 : LEAST_MTU) || mtu > MOST_MTU) return -EINVAL;
    link.mtu = mtu;
    this.stack.routes.generation++;
    return 0;
  }

  setQueueLength(index: number, length: number): number {
    const link = this.stack.link(index);
    if (link === null) return -ENODEV;
    link.txQueueLength = length;
    return 0;
  }

  setAddress(index: number, address: IpAddress | null, bits: number): number {
    const { addresses } = this.stack;
    const old = addresses.all.find((a) => a.ifindex === index && a.address.isV4);
    if (address === null && old === undefined) return -EADDRNOTAVAIL;
    if (old !== undefined) this.stack.removeAddress(old);
    if (address === null) return 0;
    const link = this.stack.link(index);
    if (link === null) return -ENODEV;
    const broadcast = bits < 31 && link !== this.stack.loopback ? address.masked(bits, true) : null;
    return this.stack.addAddress(new InterfaceAddress(address, bits, index, 0, broadcast, null, link.name));
  }
}

export function makeStack(clock: NetClock, payer: Account): KernelStack {
  return new KernelStack(clock, payer);
}
