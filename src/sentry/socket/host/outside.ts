// RelayOutside: the way out of a network namespace through sockets of the host.

import { EPROTONOSUPPORT } from '../../../abi/errno.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDP } from '../../../abi/net/in.ts';
import type { IpAddress } from '../../../net/address.ts';
import type { DatagramEndpoint, StreamEndpoint } from '../../../net/endpoint.ts';
import type { Outside } from '../inet/outside.ts';
import { HostDatagram } from './host_datagram.ts';
import { HostStream } from './host_stream.ts';
import type { Relays } from './relays.ts';

export class RelayOutside implements Outside {
  private readonly relays: Relays;

  constructor(relays: Relays) {
    this.relays = relays;
  }

  stream(family: number): StreamEndpoint {
    return new HostStream(this.relays, family);
  }

  datagram(family: number, protocol: number): DatagramEndpoint | number {
    if (protocol !== IPPROTO_UDP && protocol !== IPPROTO_ICMP && protocol !== IPPROTO_ICMPV6)
      return -EPROTONOSUPPORT;
    return new HostDatagram(this.relays, family, protocol);
  }

  covers(address: IpAddress): boolean {
    return !address.isLoopback && !address.isAny;
  }
}
