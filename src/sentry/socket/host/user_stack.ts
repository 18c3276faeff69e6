// UserStack: --network=user: a namespace's own stack with one interface more, that of the way out. It exists in name alone: what goes there goes
// through the relays, and what -p brings in comes over the stack's own loopback.

import {
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EAGAIN,
  EDESTADDRREQ,
  ENETUNREACH,
  ENOTCONN,
  EPERM,
} from '../../../abi/errno.ts';
import { POLLOUT, POLLWRNORM } from '../../../abi/events/poll.ts';
import {
  ARPHRD_ETHER,
  IFF_BROADCAST,
  IFF_LOWER_UP,
  IFF_MULTICAST,
  IFF_RUNNING,
  IFF_UP,
} from '../../../abi/net/if.ts';
import { SOCK_DGRAM } from '../../../abi/net/socket.ts';
import type { IpAddress } from '../../../net/address.ts';
import type { DatagramEndpoint, EndpointOwner, Name, StreamEndpoint } from '../../../net/endpoint.ts';
import type { TcpSysctl } from '../../../net/tcp/sysctl.ts';
import type { Account } from '../../base/charge.ts';
import type { AddressView, LinkView } from '../inet/links.ts';
import type { SocketStack } from '../inet/namespace.ts';
import type { InetSysctl } from '../inet/sysctl.ts';
import type { Relays } from './relays.ts';

const MTU = 1500;
const QUEUE = 1000;
/** Locally administered (IEEE 802), and of nobody. */
const HARDWARE = [0x52, 0x54, 0, 0, 2, 100];
const NO_COUNTERS = {
  rxBytes: 0,
  rxPackets: 0,
  rxErrors: 0,
  rxDropped: 0,
  txBytes: 0,
  txPackets: 0,
  txErrors: 0,
  txDropped: 0,
};

/** Where the stack has no datagrams yet: a socket that is nowhere until it goes out. */
class NoDatagram implements DatagramEndpoint {
  owner: EndpointOwner | null = null;
  local: Name | null = null;
  readonly remote = null;
  readonly unread = 0;
  readonly unsent = 0;
  optionValue = 0;
  private readonly relays: Relays;

  constructor(relays: Relays) {
    this.relays = relays;
  }

  bind(address: IpAddress, port: number): number {
    if (!address.isAny) return -EADDRNOTAVAIL;
    this.local = { address, port: port === 0 ? this.relays.gate.freePort() : port };
    return 0;
  }

  connect(address: IpAddress | null): number {
    return address === null ? 0 : -ENETUNREACH;
  }

  send(): number {
    return this.local === null ? -EDESTADDRREQ : -ENETUNREACH;
  }

  receive(): number {
    return -EAGAIN;
  }

  shutdown(): number {
    return -ENOTCONN;
  }

  close(): void {}

  poll(): number {
    return POLLOUT | POLLWRNORM;
  }

  takeError(): number {
    return 0;
  }

  setOption(): number {
    return 0;
  }

  getOption(): number {
    return 0;
  }

  join(): number {
    return -ENETUNREACH;
  }

  leave(): number {
    return -EADDRNOTAVAIL;
  }
}

export class UserStack implements SocketStack {
  readonly links: readonly LinkView[];
  private readonly inner: SocketStack;
  private readonly relays: Relays;
  private readonly way: LinkView;
  private readonly gateway: IpAddress;

  /** `addresses`: the sandbox's own towards the world. `gateway`: who comes in with -p comes from there. */
  constructor(inner: SocketStack, relays: Relays, addresses: readonly AddressView[], gateway: IpAddress) {
    this.gateway = gateway;
    this.inner = inner;
    this.relays = relays;
    this.way = {
      ifindex: Math.max(0, ...inner.links.map((link) => link.ifindex)) + 1,
      name: 'eth0',
      mtu: MTU,
      flags: IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST | IFF_LOWER_UP,
      hardwareType: ARPHRD_ETHER,
      hardwareAddress: Uint8Array.from(HARDWARE),
      queueLength: QUEUE,
      addresses,
      counters: NO_COUNTERS,
    };
    this.links = [...inner.links, this.way];
    for (const a of addresses) inner.addLocal(a.address);
    inner.addLocal(gateway);
  }

  get net(): InetSysctl {
    return this.inner.net;
  }

  get tcp(): TcpSysctl {
    return this.inner.tcp;
  }

  stream(family: number, payer: Account, uid: number): StreamEndpoint | number {
    return this.inner.stream(family, payer, uid);
  }

  datagram(
    family: number,
    type: number,
    protocol: number,
    payer: Account,
    uid: number,
  ): DatagramEndpoint | number {
    const made = this.inner.datagram(family, type, protocol, payer, uid);
    return made === -EAFNOSUPPORT && type === SOCK_DGRAM ? new NoDatagram(this.relays) : made;
  }

  flush(): void {
    this.inner.flush();
  }

  reaches(address: IpAddress): boolean {
    // Whoever goes there goes to the host.
    return !address.equals(this.gateway) && this.inner.reaches(address);
  }

  isLocal(address: IpAddress): boolean {
    return this.inner.isLocal(address);
  }

  addLocal(address: IpAddress): void {
    this.inner.addLocal(address);
  }

  private isWay(index: number): boolean {
    return index === this.way.ifindex;
  }

  linkByIndex(index: number): LinkView | null {
    return this.isWay(index) ? this.way : this.inner.linkByIndex(index);
  }

  linkByName(name: string): LinkView | null {
    return name === this.way.name ? this.way : this.inner.linkByName(name);
  }

  linkOfAddress(address: IpAddress): number {
    const own = this.way.addresses.some((a) => a.address.equals(address));
    return own ? this.way.ifindex : this.inner.linkOfAddress(address);
  }

  addressOf(index: number): number {
    if (!this.isWay(index)) return this.inner.addressOf(index);
    return this.way.addresses.find((a) => a.address.isV4)?.address.w3 ?? 0;
  }

  setUp(index: number, up: boolean): number {
    return this.isWay(index) ? -EPERM : this.inner.setUp(index, up);
  }

  setMtu(index: number, mtu: number): number {
    return this.isWay(index) ? -EPERM : this.inner.setMtu(index, mtu);
  }

  setQueueLength(index: number, length: number): number {
    return this.isWay(index) ? -EPERM : this.inner.setQueueLength(index, length);
  }

  setAddress(index: number, address: IpAddress | null, bits: number): number {
    return this.isWay(index) ? -EPERM : this.inner.setAddress(index, address, bits);
  }

  end(): void {
    this.inner.end();
  }
}
