// Interfaces as sockets, ioctls and tables see them, whoever keeps them.

import type { U64 } from '../../../abi/u64.ts';
import type { IpAddress } from '../../../net/address.ts';

/** Of a socket's inode, what tables show. */
export interface InodeLike {
  readonly ino: U64 | number;
  readonly uid: number;
}

export interface AddressView {
  readonly address: IpAddress;
  /** Bits of the prefix. */
  readonly bits: number;
  readonly broadcast: IpAddress | null;
}

/** One of /proc/net/dev's rows. */
export interface LinkCounters {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

export interface LinkView {
  readonly ifindex: number;
  readonly name: string;
  readonly mtu: number;
  /** IFF_*. */
  readonly flags: number;
  /** ARPHRD_*. */
  readonly hardwareType: number;
  readonly hardwareAddress: Uint8Array;
  readonly queueLength: number;
  readonly addresses: readonly AddressView[];
  readonly counters: LinkCounters;
  /** Of interfaces of a stack of ours. */
  readonly carrier?: boolean;
  /** IF_OPER_*. */
  readonly operState?: number;
  /** Index of the other end of a pair. */
  readonly peer?: number;
  /** Name of the bridge that it is a port of; names of a bridge's ports. */
  readonly master?: string | null;
  readonly ports?: readonly string[] | null;
  readonly group?: number;
  readonly alias?: string;
  readonly carrierUps?: number;
  readonly carrierDowns?: number;
}

/** Looks at interfaces, and changes them: -errno. */
export interface Links {
  readonly links: readonly LinkView[];
  linkByIndex(index: number): LinkView | null;
  linkByName(name: string): LinkView | null;
  /** Index of the interface that has an address; 0 for none. */
  linkOfAddress(address: IpAddress): number;
  setUp(index: number, up: boolean): number;
  setMtu(index: number, mtu: number): number;
  setQueueLength(index: number, length: number): number;
  /** Gives the first IPv4 address, or takes it with null. */
  setAddress(index: number, address: IpAddress | null, bits: number): number;
}
