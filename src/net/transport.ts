// What the network layer hands to transports: packets, and what routers and peers say of packets that we sent.

import type { IpAddress } from './address.ts';
import type { Packet } from './packet.ts';

/** An ICMP error (RFC 792, RFC 4443), or one of our own (a fragment that cannot be sent), about a packet of ours. */
export interface PathError {
  /** As Linux maps it: ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ... */
  readonly errno: number;
  /** Ends connections that are being made, and more than that only where RFC 5461 allows it. */
  readonly fatal: boolean;
  /** SO_EE_ORIGIN_*, ICMP type and code. */
  readonly origin: number;
  readonly type: number;
  readonly code: number;
  /** The new path MTU of EMSGSIZE, else 0. */
  readonly mtu: number;
  /** Who reports it. */
  readonly offender: IpAddress;
  /** Of the report's own packet: where it came to, TTL and TOS; null and -1 when there was none. */
  readonly to: IpAddress | null;
  readonly ifindex: number;
  readonly ttl: number;
  readonly tos: number;
  /** Of the packet: addresses, and its transport header as far as it was quoted: at least 8 bytes. */
  readonly src: IpAddress;
  readonly dst: IpAddress;
  readonly quoted: DataView;
}

/** A transport protocol: tcp/, udp/, raw/. */
export interface Transport {
  /** A packet for an address of ours: its header begins at packet.l4, and lies in packet.head as far as it may be parsed. */
  input(packet: Packet): void;
  /** Is the report about something that we may have sent? Others are forged, or late (RFC 5927, section 4). */
  owns(report: PathError): boolean;
  error(report: PathError): void;
}

/** Secure random numbers: sequence numbers, ports, ids, hash seeds. */
export interface NetRandom {
  /** 32 bits, unsigned. */
  u32(): number;
}
