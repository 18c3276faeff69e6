// What NETLINK_ROUTE shows and changes: the tables of a namespace's stack. net/stack.ts has all of this.

import type { IpAddress } from '../../../../net/address.ts';
import type { AddressTable, InterfaceAddress } from '../../../../net/ip/addresses.ts';
import type { Route, RouteTables } from '../../../../net/ip/routes.ts';
import type { Link } from '../../../../net/link/link.ts';
import type { Flow } from '../../../../net/path.ts';

/** An entry of a neighbour cache, as it is shown. */
export interface NeighbourRow {
  readonly address: IpAddress;
  readonly ifindex: number;
  /** NUD_*. */
  readonly state: number;
  readonly hardware: Uint8Array | null;
}

export interface NetTables {
  readonly addresses: AddressTable;
  readonly routes: RouteTables;
  links(): Iterable<Link>;
  link(ifindex: number): Link | undefined;
  /** Up or down, with the routes that come and go with it. */
  setLinkUp(link: Link, up: boolean): void;
  /** With the routes that belong to it: 0, -EEXIST, -EADDRNOTAVAIL, -ENOBUFS. */
  addAddress(address: InterfaceAddress, prefixRoute: boolean): number;
  removeAddress(address: InterfaceAddress): number;
  /** What a flow would take, for RTM_GETROUTE. */
  lookup(flow: Flow): Route | number;
  neighbours(): Iterable<NeighbourRow>;
  /** A permanent or reachable entry from above; null takes one away: 0, -ENOENT, -ENOBUFS, -EINVAL. */
  setNeighbour(ifindex: number, address: IpAddress, hardware: Uint8Array | null, state: number): number;
}
