// The seam between transports and the network layer: a flow is what somebody wants to send to, a path is how that goes.

import type { IpAddress } from './address.ts';
import type { Packet } from './packet.ts';

/** What is asked of the routing tables. */
export interface Flow {
  /** The source; an unspecified address (of the right family) lets the tables choose. */
  readonly src: IpAddress;
  readonly dst: IpAddress;
  /** SO_BINDTODEVICE or a scope id; 0 for any. */
  readonly ifindex: number;
  readonly tos: number;
  readonly mark: number;
  /** The caller's uid, for rules. */
  readonly uid: number;
}

/** The answer: kept by connections as long as `generation` is the tables' own. */
export interface Path {
  readonly src: IpAddress;
  readonly dst: IpAddress;
  readonly ifindex: number;
  /** Largest IP packet, path MTU discovery included. It may shrink. */
  readonly mtu: number;
  /** To an address of this machine: the packet never leaves memory. */
  readonly local: boolean;
  /** To a broadcast address. */
  readonly broadcast: boolean;
  /** Most bytes of one packet with `segment` set that the link takes; 0 when it takes none. */
  readonly gso: number;
  readonly generation: number;
}

/** What the network layer does for transports. */
export interface NetworkLayer {
  /** Number of the tables' state: paths of another one are asked for again. */
  readonly generation: number;
  /** -ENETUNREACH, -EHOSTUNREACH, -EACCES, -EINVAL. */
  route(flow: Flow): Path | number;
  /** May a socket of interface `ifindex` (0: any) have this address for its own: ours, also of an interface that is down? */
  bindable(address: IpAddress, ifindex: number): boolean;
  /**
   * Sends a transport packet: its header begins at packet.start, the checksum may be missing. Writes packet.l3, src, dst, protocol;
   * ttl 0 and tos are the socket's or the default. Fragments what may be (dontFragment false). 0, -EMSGSIZE, -ENOBUFS, -EPERM.
   */
  output(packet: Packet, path: Path, protocol: number, dontFragment: boolean): number;
}
