// UserStack: --network=user: a namespace's own stack with one interface more, that of the way out. Programs see it with its address and
// default route; what sockets send there goes through the relays in place of it, and what -p brings in comes over loopback.

import { ENETUNREACH } from '../../../abi/errno.ts';
import { ARPHRD_NONE, IFF_NOARP, IFF_POINTOPOINT } from '../../../abi/net/if.ts';
import type { IpAddress } from '../../../net/address.ts';
import { ANY_V4, ANY_V6 } from '../../../net/address.ts';
import type { DatagramEndpoint, StreamEndpoint } from '../../../net/endpoint.ts';
import { InterfaceAddress } from '../../../net/ip/addresses.ts';
import { Route } from '../../../net/ip/routes.ts';
import { Link, type LinkDevice, type PacketSink } from '../../../net/link/link.ts';
import type { NetSysctl } from '../../../net/sysctl.ts';
import type { TcpSysctl } from '../../../net/tcp/sysctl.ts';
import type { Account } from '../../base/charge.ts';
import type { AddressView, LinkView } from '../inet/links.ts';
import type { EndListener, SocketStack, Waiting } from '../inet/namespace.ts';
import type { StackPort } from '../inet/stack_port.ts';

const NO_ADDRESS = new Uint8Array(0);

/** Takes no packets: those of raw sockets, since others' do not come here. */
class NoDevice implements LinkDevice {
  sink: PacketSink | null = null;
  readonly gso = 0;
  readonly sums = true;

  transmit(): number {
    return -ENETUNREACH;
  }
}

export class UserStack implements SocketStack {
  private readonly inner: StackPort;
  private readonly gateway: IpAddress;

  /** `addresses`: the sandbox's own towards the world. `gateway`: who comes in with -p comes from there. */
  constructor(inner: StackPort, addresses: readonly AddressView[], gateway: IpAddress, mtu: number) {
    this.inner = inner;
    this.gateway = gateway;
    const { stack } = inner;
    const link = new Link('eth0', new NoDevice(), ARPHRD_NONE, mtu, IFF_POINTOPOINT | IFF_NOARP, NO_ADDRESS);
    stack.addLink(link);
    stack.setUp(link, true);
    for (const a of addresses)
      stack.addAddress(
        new InterfaceAddress(a.address, a.bits, link.ifindex, 0, a.broadcast, null, link.name),
      );
    // Programs look for a default route to see whether there is a network.
    const v4 = new Route(ANY_V4, 0, link.ifindex);
    v4.gateway = gateway;
    stack.routes.add(v4);
    const v6 = new Route(ANY_V6, 0, link.ifindex);
    v6.metric = 1024;
    stack.routes.add(v6);
    inner.addLocal(gateway);
  }

  get own(): StackPort {
    return this.inner;
  }

  get net(): NetSysctl {
    return this.inner.net;
  }

  get tcp(): TcpSysctl {
    return this.inner.tcp;
  }

  get links(): readonly LinkView[] {
    return this.inner.links;
  }

  stream(family: number, payer: Account, uid: number): StreamEndpoint | number {
    return this.inner.stream(family, payer, uid);
  }

  datagram(family: number, type: number, protocol: number, payer: Account): DatagramEndpoint | number {
    return this.inner.datagram(family, type, protocol, payer);
  }

  flush(): void {
    this.inner.flush();
  }

  reaches(address: IpAddress): boolean {
    // All but ourselves is outside; whoever goes to the gateway goes to the host.
    return !address.equals(this.gateway) && this.inner.isLocal(address);
  }

  isLocal(address: IpAddress): boolean {
    return this.inner.isLocal(address);
  }

  addLocal(address: IpAddress): void {
    this.inner.addLocal(address);
  }

  timeWaits(): Iterable<Waiting> {
    return this.inner.timeWaits();
  }

  linkByIndex(index: number): LinkView | null {
    return this.inner.linkByIndex(index);
  }

  linkByName(name: string): LinkView | null {
    return this.inner.linkByName(name);
  }

  linkOfAddress(address: IpAddress): number {
    return this.inner.linkOfAddress(address);
  }

  addressOf(index: number): number {
    return this.inner.addressOf(index);
  }

  setUp(index: number, up: boolean): number {
    return this.inner.setUp(index, up);
  }

  setMtu(index: number, mtu: number): number {
    return this.inner.setMtu(index, mtu);
  }

  setQueueLength(index: number, length: number): number {
    return this.inner.setQueueLength(index, length);
  }

  setAddress(index: number, address: IpAddress | null, bits: number): number {
    return this.inner.setAddress(index, address, bits);
  }

  // Sockets of the host would pass it by.
  filter(): null {
    return null;
  }

  end(listener: EndListener): void {
    this.inner.end(listener);
  }
}
