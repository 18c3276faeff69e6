// BareStack: --network=user as long as net/ has no stack of its own: sockets that are nowhere yet, and can only go out. Nothing can listen, and
// nothing comes from the sandbox's own addresses.

import {
  EADDRNOTAVAIL,
  EAGAIN,
  EDESTADDRREQ,
  ENETUNREACH,
  ENOPROTOOPT,
  ENOTCONN,
} from '../../../abi/errno.ts';
import { POLLHUP, POLLOUT, POLLWRNORM } from '../../../abi/events/poll.ts';
import { TCP_CLOSE } from '../../../abi/net/tcp.ts';
import type { IpAddress } from '../../../net/address.ts';
import type { DatagramEndpoint, EndpointOwner, Name, StreamEndpoint } from '../../../net/endpoint.ts';
import type { LinkView } from '../inet/links.ts';
import { HostStack } from './host_stack.ts';
import type { Relays } from './relays.ts';

/** What both kinds have in common: a name, if anything. */
class Nowhere {
  owner: EndpointOwner | null = null;
  local: Name | null = null;
  readonly remote = null;
  readonly unread = 0;
  readonly unsent = 0;
  optionValue = 0;
  private readonly freePort: () => number;

  constructor(freePort: () => number) {
    this.freePort = freePort;
  }

  bind(address: IpAddress, port: number): number {
    this.local = { address, port: port === 0 ? this.freePort() : port };
    return 0;
  }

  connect(): number {
    return -ENETUNREACH;
  }

  shutdown(): number {
    return -ENOTCONN;
  }

  takeError(): number {
    return 0;
  }

  setOption(): number {
    return 0;
  }

  getOption(): number {
    return -ENOPROTOOPT;
  }
}

class NoStream extends Nowhere implements StreamEndpoint {
  readonly state = TCP_CLOSE;
  readonly unacknowledged = 0;
  readonly atMark = false;
  congestion = 'cubic';

  listen(): number {
    return -EADDRNOTAVAIL;
  }

  accept(): number {
    return -ENOTCONN;
  }

  send(): number {
    return -ENOTCONN;
  }

  receive(): number {
    return -ENOTCONN;
  }

  close(): void {}

  poll(): number {
    return POLLOUT | POLLWRNORM | POLLHUP;
  }

  info(): number {
    return 0;
  }
}

class NoDatagram extends Nowhere implements DatagramEndpoint {
  send(): number {
    return this.local === null ? -EDESTADDRREQ : -ENETUNREACH;
  }

  receive(): number {
    return -EAGAIN;
  }

  close(): void {}

  poll(): number {
    return POLLOUT | POLLWRNORM;
  }

  join(): number {
    return -ENOPROTOOPT;
  }

  leave(): number {
    return -ENOPROTOOPT;
  }
}

export class BareStack extends HostStack {
  private readonly freePort: () => number;

  constructor(relays: Relays, links: readonly LinkView[]) {
    super(relays, links);
    this.freePort = () => relays.gate.freePort();
  }

  override stream(): StreamEndpoint {
    return new NoStream(this.freePort);
  }

  override datagram(): DatagramEndpoint {
    return new NoDatagram(this.freePort);
  }

  override reaches(): boolean {
    return false;
  }
}
