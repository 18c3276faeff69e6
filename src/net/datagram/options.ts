// Options of endpoints for datagrams: socket(7), ip(7), ipv6(7), udp(7). Which values are allowed the socket has looked at.

import { EINVAL, ENOPROTOOPT } from '../../abi/errno.ts';
import { ICMP_FILTER } from '../../abi/net/icmp.ts';
import {
  IP_FREEBIND,
  IP_HDRINCL,
  IP_MINTTL,
  IP_MTU_DISCOVER,
  IP_MULTICAST_ALL,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_PROBE,
  IP_PMTUDISC_WANT,
  IP_RECVERR,
  IP_TOS,
  IP_TRANSPARENT,
  IP_TTL,
  IP_UNICAST_IF,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_UDP,
  IPV6_CHECKSUM,
  IPV6_DONTFRAG,
  IPV6_FREEBIND,
  IPV6_HDRINCL,
  IPV6_MINHOPCOUNT,
  IPV6_MTU_DISCOVER,
  IPV6_MULTICAST_ALL,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_LOOP,
  IPV6_RECVERR,
  IPV6_TCLASS,
  IPV6_TRANSPARENT,
  IPV6_UNICAST_HOPS,
  IPV6_UNICAST_IF,
  IPV6_V6ONLY,
} from '../../abi/net/in.ts';
import {
  SO_BINDTODEVICE,
  SO_BINDTOIFINDEX,
  SO_BROADCAST,
  SO_MARK,
  SO_NO_CHECK,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SOL_RAW,
  SOL_SOCKET,
  SOL_UDPLITE,
} from '../../abi/net/socket.ts';
import {
  UDP_CORK,
  UDP_GRO,
  UDP_NO_CHECK6_RX,
  UDP_NO_CHECK6_TX,
  UDP_SEGMENT,
  UDPLITE_RECV_CSCOV,
  UDPLITE_SEND_CSCOV,
} from '../../abi/net/tcp.ts';

/** Kept by name: [level, option] of each is in OPTION_FIELDS. */
export class DatagramOptions {
  reuseAddr = 0;
  reusePort = 0;
  broadcast = 0;
  sndbuf = 212992;
  rcvbuf = 212992;
  priority = 0;
  mark = 0;
  device = 0;
  noCheck = 0;
  tos = 0;
  /** -1: the stack's. */
  ttl = -1;
  mcastTtl = 1;
  mcastLoop = 1;
  mcastIf = 0;
  mcastAll = 1;
  unicastIf = 0;
  recvErr = 0;
  mtuDiscover = IP_PMTUDISC_WANT;
  minTtl = 0;
  freebind = 0;
  transparent = 0;
  hdrIncl = 0;
  tclass = 0;
  hops = -1;
  mcastHops = 1;
  mcastLoop6 = 1;
  mcastIf6 = 0;
  mcastAll6 = 1;
  unicastIf6 = 0;
  recvErr6 = 0;
  mtuDiscover6 = IP_PMTUDISC_WANT;
  minHops = 0;
  dontFrag = 0;
  v6only = 0;
  /** IPV6_CHECKSUM of raw sockets: where the checksum is; -1 for none. */
  checksumAt = -1;
  segment = 0;
  gro = 0;
  cork = 0;
  noCheck6Tx = 0;
  noCheck6Rx = 0;
  /** UDPLITE_SEND_CSCOV and UDPLITE_RECV_CSCOV; -1: not set. */
  sendCoverage = -1;
  receiveCoverage = -1;
  /** ICMP_FILTER: a bit for each type that is not wanted. */
  icmpFilter = 0;

  /** May no packet of this size be fragmented? WANT lets go what does not fit, as ip_dont_fragment() and ip_append_data() do. */
  dontFragment(isV4: boolean, fits: boolean): boolean {
    if (!isV4 && this.dontFrag !== 0) return true;
    const how = isV4 ? this.mtuDiscover : this.mtuDiscover6;
    return how === IP_PMTUDISC_DO || how === IP_PMTUDISC_PROBE || (how === IP_PMTUDISC_WANT && fits);
  }

  /** Does the path's MTU bind it, rather than the link's? */
  obeysPmtu(isV4: boolean): boolean {
    const how = isV4 ? this.mtuDiscover : this.mtuDiscover6;
    return how === IP_PMTUDISC_DO || how === IP_PMTUDISC_WANT;
  }

  wantsErrors(isV4: boolean): boolean {
    return (isV4 ? this.recvErr : this.recvErr6) !== 0;
  }
}

type Field = keyof { [K in keyof DatagramOptions as DatagramOptions[K] extends number ? K : never]: 0 };

const FIELDS: ReadonlyMap<number, Field> = new Map<number, Field>(
  (
    [
      [SOL_SOCKET, SO_REUSEADDR, 'reuseAddr'],
      [SOL_SOCKET, SO_REUSEPORT, 'reusePort'],
      [SOL_SOCKET, SO_BROADCAST, 'broadcast'],
      [SOL_SOCKET, SO_SNDBUF, 'sndbuf'],
      [SOL_SOCKET, SO_RCVBUF, 'rcvbuf'],
      [SOL_SOCKET, SO_PRIORITY, 'priority'],
      [SOL_SOCKET, SO_MARK, 'mark'],
      [SOL_SOCKET, SO_BINDTODEVICE, 'device'],
      [SOL_SOCKET, SO_BINDTOIFINDEX, 'device'],
      [SOL_SOCKET, SO_NO_CHECK, 'noCheck'],
      [IPPROTO_IP, IP_TOS, 'tos'],
      [IPPROTO_IP, IP_TTL, 'ttl'],
      [IPPROTO_IP, IP_MULTICAST_TTL, 'mcastTtl'],
      [IPPROTO_IP, IP_MULTICAST_LOOP, 'mcastLoop'],
      [IPPROTO_IP, IP_MULTICAST_IF, 'mcastIf'],
      [IPPROTO_IP, IP_MULTICAST_ALL, 'mcastAll'],
      [IPPROTO_IP, IP_UNICAST_IF, 'unicastIf'],
      [IPPROTO_IP, IP_RECVERR, 'recvErr'],
      [IPPROTO_IP, IP_MTU_DISCOVER, 'mtuDiscover'],
      [IPPROTO_IP, IP_MINTTL, 'minTtl'],
      [IPPROTO_IP, IP_FREEBIND, 'freebind'],
      [IPPROTO_IP, IP_TRANSPARENT, 'transparent'],
      [IPPROTO_IP, IP_HDRINCL, 'hdrIncl'],
      [IPPROTO_IPV6, IPV6_HDRINCL, 'hdrIncl'],
      [IPPROTO_IPV6, IPV6_TCLASS, 'tclass'],
      [IPPROTO_IPV6, IPV6_UNICAST_HOPS, 'hops'],
      [IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 'mcastHops'],
      [IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 'mcastLoop6'],
      [IPPROTO_IPV6, IPV6_MULTICAST_IF, 'mcastIf6'],
      [IPPROTO_IPV6, IPV6_MULTICAST_ALL, 'mcastAll6'],
      [IPPROTO_IPV6, IPV6_UNICAST_IF, 'unicastIf6'],
      [IPPROTO_IPV6, IPV6_RECVERR, 'recvErr6'],
      [IPPROTO_IPV6, IPV6_MTU_DISCOVER, 'mtuDiscover6'],
      [IPPROTO_IPV6, IPV6_MINHOPCOUNT, 'minHops'],
      [IPPROTO_IPV6, IPV6_DONTFRAG, 'dontFrag'],
      [IPPROTO_IPV6, IPV6_V6ONLY, 'v6only'],
      [IPPROTO_IPV6, IPV6_FREEBIND, 'freebind'],
      [IPPROTO_IPV6, IPV6_TRANSPARENT, 'transparent'],
      [IPPROTO_IPV6, IPV6_CHECKSUM, 'checksumAt'],
      [IPPROTO_UDP, UDP_SEGMENT, 'segment'],
      [IPPROTO_UDP, UDP_GRO, 'gro'],
      [IPPROTO_UDP, UDP_CORK, 'cork'],
      [IPPROTO_UDP, UDP_NO_CHECK6_TX, 'noCheck6Tx'],
      [IPPROTO_UDP, UDP_NO_CHECK6_RX, 'noCheck6Rx'],
      [SOL_UDPLITE, UDPLITE_SEND_CSCOV, 'sendCoverage'],
      [SOL_UDPLITE, UDPLITE_RECV_CSCOV, 'receiveCoverage'],
      [SOL_RAW, ICMP_FILTER, 'icmpFilter'],
    ] as const
  ).map(([level, name, field]) => [level * 256 + name, field] as const),
);

/** -ENOPROTOOPT for those that no endpoint has. */
export function setDatagramOption(o: DatagramOptions, level: number, name: number, value: number): number {
  const field = FIELDS.get(level * 256 + name);
  if (field === undefined) return -ENOPROTOOPT;
  if (field === 'segment' && (value < 0 || value > 0xffff)) return -EINVAL;
  o[field] = value;
  return 0;
}

/** The value, or undefined. */
export function getDatagramOption(o: DatagramOptions, level: number, name: number): number | undefined {
  const field = FIELDS.get(level * 256 + name);
  return field === undefined ? undefined : o[field];
}
