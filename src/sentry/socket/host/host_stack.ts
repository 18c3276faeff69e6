// HostStack: --network=host: every socket of the first namespace is one of the host's. Its interfaces are shown as the host has them, and
// nothing of them can be changed.

import { EPERM, EPROTONOSUPPORT } from '../../../abi/errno.ts';
import { SOCK_DGRAM } from '../../../abi/net/socket.ts';
import { type IpAddress, ipv4 } from '../../../net/address.ts';
import type { DatagramEndpoint, StreamEndpoint } from '../../../net/endpoint.ts';
import type { NetSysctl } from '../../../net/sysctl.ts';
import type { TcpSysctl } from '../../../net/tcp/sysctl.ts';
import type { LinkView } from '../inet/links.ts';
import type { EndListener, OwnStack, SocketStack, Waiting } from '../inet/namespace.ts';
import { RelayOutside } from './outside.ts';
import type { Relays } from './relays.ts';

/** The host's interfaces as they are now. */
export interface LinkSource {
  readonly links: readonly LinkView[];
}

export class HostStack implements SocketStack {
  private readonly source: LinkSource;
  readonly net: NetSysctl;
  readonly tcp: TcpSysctl;
  readonly own: OwnStack | null = null;
  private readonly out: RelayOutside;

  /** `settings`: those of the stack in whose place it is. */
  constructor(relays: Relays, source: LinkSource, settings: SocketStack) {
    this.net = settings.net;
    this.tcp = settings.tcp;
    this.out = new RelayOutside(relays);
    this.source = source;
  }

  get links(): readonly LinkView[] {
    return this.source.links;
  }

  stream(family: number): StreamEndpoint {
    return this.out.stream(family);
  }

  datagram(family: number, type: number, protocol: number): DatagramEndpoint | number {
    return type === SOCK_DGRAM ? this.out.datagram(family, protocol) : -EPROTONOSUPPORT;
  }

  reaches(): boolean {
    return true;
  }

  linkByIndex(index: number): LinkView | null {
    return this.links.find((link) => link.ifindex === index) ?? null;
  }

  linkByName(name: string): LinkView | null {
    return this.links.find((link) => link.name === name) ?? null;
  }

  linkOfAddress(address: IpAddress): number {
    return this.links.find((link) => link.addresses.some((a) => a.address.equals(address)))?.ifindex ?? 0;
  }

  isLocal(address: IpAddress): boolean {
    return this.linkOfAddress(address) !== 0;
  }

  addressOf(index: number): number {
    const first = this.linkByIndex(index)?.addresses.find((a) => a.address.isV4);
    return first === undefined ? ipv4(0).w3 : first.address.w3;
  }

  setUp(): number {
    return -EPERM;
  }

  setMtu(): number {
    return -EPERM;
  }

  setQueueLength(): number {
    return -EPERM;
  }

  setAddress(): number {
    return -EPERM;
  }

  flush(): void {}

  addLocal(): void {}

  *timeWaits(): Iterable<Waiting> {}

  // Sockets of the host would pass it by.
  filter(): null {
    return null;
  }

  end(listener: EndListener): void {
    listener.ended();
  }
}
