// What Linux takes for each option of ip(7) and ipv6(7) that is a number: its range, its first value, for which sockets it is.

import {
  IP_BIND_ADDRESS_NO_PORT,
  IP_CHECKSUM,
  IP_FREEBIND,
  IP_HDRINCL,
  IP_MINTTL,
  IP_MTU_DISCOVER,
  IP_MULTICAST_ALL,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_NODEFRAG,
  IP_PKTINFO,
  IP_RECVERR,
  IP_RECVERR_RFC4884,
  IP_RECVFRAGSIZE,
  IP_RECVOPTS,
  IP_RECVORIGDSTADDR,
  IP_RECVTOS,
  IP_RECVTTL,
  IP_RETOPTS,
  IP_TOS,
  IP_TRANSPARENT,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_2292HOPLIMIT,
  IPV6_2292PKTINFO,
  IPV6_AUTOFLOWLABEL,
  IPV6_DONTFRAG,
  IPV6_FLOWINFO_SEND,
  IPV6_FREEBIND,
  IPV6_HDRINCL,
  IPV6_MINHOPCOUNT,
  IPV6_MTU_DISCOVER,
  IPV6_MULTICAST_ALL,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_LOOP,
  IPV6_RECVDSTOPTS,
  IPV6_RECVERR,
  IPV6_RECVERR_RFC4884,
  IPV6_RECVFRAGSIZE,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVHOPOPTS,
  IPV6_RECVORIGDSTADDR,
  IPV6_RECVPATHMTU,
  IPV6_RECVPKTINFO,
  IPV6_RECVRTHDR,
  IPV6_RECVTCLASS,
  IPV6_TCLASS,
  IPV6_TRANSPARENT,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
} from '../../../abi/net/in.ts';

/** Any number but 0 means 1. */
export const SWITCH = 1;
/** Not of streams: -EINVAL there (IPv4), -ENOPROTOOPT (IPv6). */
export const NOT_STREAM = 2;
/** Of raw sockets alone: -ENOPROTOOPT elsewhere. */
export const RAW_ONLY = 4;
/** CAP_NET_ADMIN or CAP_NET_RAW sets it. */
export const PRIVILEGED = 8;
/** The socket does what it says, or nothing has to be done: the endpoint need not know it. */
export const KEPT = 16;

/** [level, name, least, most, first value, bits]. */
type Spec = readonly [number, number, number, number, number, number];

/** A switch whose messages nobody makes yet (options of packets): set for what may come, which is nothing. */
const QUIET = SWITCH | KEPT;

const SPECS: readonly Spec[] = [
  [IPPROTO_IP, IP_TOS, -0x80000000, 0x7fffffff, 0, 0],
  [IPPROTO_IP, IP_TTL, -1, 255, -1, 0],
  [IPPROTO_IP, IP_HDRINCL, 0, 1, 0, SWITCH | RAW_ONLY],
  [IPPROTO_IP, IP_PKTINFO, 0, 1, 0, QUIET],
  [IPPROTO_IP, IP_RECVTTL, 0, 1, 0, QUIET],
  [IPPROTO_IP, IP_RECVTOS, 0, 1, 0, QUIET],
  [IPPROTO_IP, IP_RECVOPTS, 0, 1, 0, QUIET],
  [IPPROTO_IP, IP_RETOPTS, 0, 1, 0, QUIET],
  [IPPROTO_IP, IP_RECVORIGDSTADDR, 0, 1, 0, QUIET],
  [IPPROTO_IP, IP_CHECKSUM, 0, 1, 0, QUIET],
  [IPPROTO_IP, IP_RECVERR, 0, 1, 0, SWITCH],
  [IPPROTO_IP, IP_RECVERR_RFC4884, 0, 1, 0, QUIET],
  [IPPROTO_IP, IP_FREEBIND, 0, 1, 0, SWITCH],
  [IPPROTO_IP, IP_TRANSPARENT, 0, 1, 0, SWITCH | PRIVILEGED],
  [IPPROTO_IP, IP_NODEFRAG, 0, 1, 0, SWITCH | RAW_ONLY],
  [IPPROTO_IP, IP_RECVFRAGSIZE, 0, 1, 0, QUIET | NOT_STREAM],
  [IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0, 1, 0, SWITCH],
  [IPPROTO_IP, IP_MTU_DISCOVER, 0, 5, 1, 0],
  [IPPROTO_IP, IP_MULTICAST_TTL, -1, 255, 1, NOT_STREAM],
  [IPPROTO_IP, IP_MULTICAST_LOOP, 0, 1, 1, SWITCH],
  [IPPROTO_IP, IP_MULTICAST_ALL, 0, 1, 1, 0],
  [IPPROTO_IP, IP_MINTTL, 0, 255, 0, 0],
  [IPPROTO_IPV6, IPV6_V6ONLY, 0, 1, 0, SWITCH],
  [IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1, 255, -1, 0],
  [IPPROTO_IPV6, IPV6_MULTICAST_HOPS, -1, 255, 1, NOT_STREAM],
  [IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, 1, 1, 0],
  [IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, 1, 1, SWITCH],
  [IPPROTO_IPV6, IPV6_TCLASS, -1, 255, 0, 0],
  [IPPROTO_IPV6, IPV6_MTU_DISCOVER, 0, 5, 1, 0],
  [IPPROTO_IPV6, IPV6_MINHOPCOUNT, 0, 255, 0, 0],
  [IPPROTO_IPV6, IPV6_RECVERR, 0, 1, 0, SWITCH],
  [IPPROTO_IPV6, IPV6_RECVERR_RFC4884, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVPKTINFO, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_2292PKTINFO, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_2292HOPLIMIT, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVTCLASS, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVRTHDR, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVHOPOPTS, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVDSTOPTS, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVPATHMTU, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_FLOWINFO_SEND, 0, 1, 0, QUIET],
  [IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0, 1, 1, QUIET],
  [IPPROTO_IPV6, IPV6_DONTFRAG, 0, 1, 0, SWITCH],
  [IPPROTO_IPV6, IPV6_FREEBIND, 0, 1, 0, SWITCH],
  [IPPROTO_IPV6, IPV6_TRANSPARENT, 0, 1, 0, SWITCH | PRIVILEGED],
  [IPPROTO_IPV6, IPV6_HDRINCL, 0, 1, 0, SWITCH | RAW_ONLY],
];

export class IpRow {
  readonly least: number;
  readonly most: number;
  readonly first: number;
  readonly bits: number;

  constructor(spec: Spec) {
    this.least = spec[2];
    this.most = spec[3];
    this.first = spec[4];
    this.bits = spec[5];
  }
}

/** One number for a level and a name: what options are remembered by. */
export function optionKey(level: number, name: number): number {
  return level * 256 + name;
}

/** By optionKey(). */
export const IP_ROWS: ReadonlyMap<number, IpRow> = new Map(
  SPECS.map((s) => [optionKey(s[0], s[1]), new IpRow(s)] as const),
);
