// The seam for what leaves the sandbox: who has a way out that is no interface of the stack (relays on sockets of the host).

import type { IpAddress } from '../../../net/address.ts';
import type { DatagramEndpoint, StreamEndpoint } from '../../../net/endpoint.ts';

/**
 * A way out of a network namespace. A socket whose destination no route of the stack leads to, and which is covered, goes on
 * with an endpoint from here: it is asked for at connect(2) or the first send, told the options that were set, and bound
 * when the socket was. An endpoint answers for itself then: local and remote names, readiness, errors.
 */
export interface Outside {
  /** AF_INET or AF_INET6; -errno when there can be no more. */
  stream(family: number): StreamEndpoint | number;
  /** IPPROTO_UDP, IPPROTO_ICMP or IPPROTO_ICMPV6; -EPROTONOSUPPORT for others. */
  datagram(family: number, protocol: number): DatagramEndpoint | number;
  /** Does this address lie outside? What policy says of it comes from connect and send. */
  covers(address: IpAddress): boolean;
}
