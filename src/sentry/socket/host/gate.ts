// Gate: what lies between an endpoint and the host's network: who may be reached, as whom, and what is shown of it.

import type { IpAddress } from '../../../net/address.ts';

/** Takes datagrams that answer. */
export interface Deliver {
  /** A datagram for the endpoint; dropped when it has too many. */
  deliver(from: IpAddress, port: number, bytes: Uint8Array): void;
}

/** decide(): the host's network, at `target`. */
export const GATE_OUT = 0;
/** decide(): a service of our own at that address. */
export const GATE_SERVICE = 1;

/** A connection that a taker has, as the taker sees it. */
export interface Taken {
  /** The taker's number for it. */
  takenId: number;
  /** Whoever had it is done with it: its end is one. */
  finish(): void;
  /** Whoever had it is gone: it is reset. */
  breakOff(): void;
}

/** Who reads connections between the program and the host's socket. */
export interface Taker {
  /** False when it has ended: what it had is reset. */
  readonly alive: boolean;
  /** Takes the connected descriptor `server`, which is its own from then on; a connected descriptor for the program, or -errno. */
  take(taken: Taken, server: number, passage: Passage): number;
  /** The program has closed its end. */
  left(taken: Taken): void;
}

/** A connection goes through a taker, who needs to know this of it. */
export interface Passage {
  readonly taker: Taker;
  readonly names: readonly string[];
  readonly address: IpAddress;
  readonly port: number;
  /** Rules in the taker's own words. */
  readonly rules: readonly object[];
}

export interface Gate {
  /** Names of the host's sockets are not shown, and nothing but answers comes in. */
  readonly hides: boolean;
  /** GATE_*, or -errno: it is refused. `protocol` is IPPROTO_*. */
  decide(protocol: number, address: IpAddress, port: number): number;
  /** After GATE_OUT: what the host calls the address. */
  readonly target: IpAddress;
  /** After GATE_OUT of a stream: who reads it on its way; null for nobody. */
  readonly passage: Passage | null;
  /** What programs inside call an address of the host's. */
  shown(address: IpAddress): IpAddress;
  /** The sandbox's own address towards one. */
  ownAddress(towards: IpAddress): IpAddress;
  /** A port for a socket that has none. */
  freePort(): number;
  /** After GATE_SERVICE of a stream: a connected descriptor, or -errno. */
  dial(address: IpAddress, port: number): number;
  /** After GATE_SERVICE of a datagram: takes it; answers go to `from`. */
  query(from: Deliver, bytes: Uint8Array, address: IpAddress, port: number): void;
}
