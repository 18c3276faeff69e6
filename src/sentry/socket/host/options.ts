// Options of sockets that reach the host: those listed, with values in their range, and no others. The rest is not there.

import { EINVAL, ENOPROTOOPT } from '../../../abi/errno.ts';
import {
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_RECVERR,
  IP_RECVTOS,
  IP_RECVTTL,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV6_MTU,
  IPV6_MTU_DISCOVER,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_LOOP,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVTCLASS,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
} from '../../../abi/net/in.ts';
import {
  AF_INET,
  SO_BROADCAST,
  SO_KEEPALIVE,
  SO_OOBINLINE,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import {
  TCP_CORK,
  TCP_DEFER_ACCEPT,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_LINGER2,
  TCP_MAXSEG,
  TCP_NODELAY,
  TCP_NOTSENT_LOWAT,
  TCP_QUICKACK,
  TCP_SYNCNT,
  TCP_USER_TIMEOUT,
  TCP_WINDOW_CLAMP,
  UDP_CORK,
} from '../../../abi/net/tcp.ts';
import { hostGetOption, hostSetInt, optionInt } from '../../../host/socket.ts';

interface Row {
  readonly level: number;
  readonly name: number;
  readonly least: number;
  readonly most: number;
  /** Values above are made the largest, as buffer sizes are. */
  readonly clamps: boolean;
  /** Only told. */
  readonly readOnly: boolean;
  /** Means nothing to a host's socket that nobody sees: kept here. */
  readonly hostOnly: boolean;
}

const INT_MAX = 0x7fffffff;
const BUFFER_MAX = 4 << 20;

function row(level: number, name: number, least: number, most: number, more: Partial<Row> = {}): Row {
  return { level, name, least, most, clamps: false, readOnly: false, hostOnly: false, ...more };
}

const ROWS: readonly Row[] = [
  row(SOL_SOCKET, SO_KEEPALIVE, 0, INT_MAX),
  row(SOL_SOCKET, SO_OOBINLINE, 0, INT_MAX),
  row(SOL_SOCKET, SO_BROADCAST, 0, INT_MAX, { hostOnly: true }),
  row(SOL_SOCKET, SO_REUSEADDR, 0, INT_MAX, { hostOnly: true }),
  row(SOL_SOCKET, SO_REUSEPORT, 0, INT_MAX, { hostOnly: true }),
  row(SOL_SOCKET, SO_PRIORITY, 0, 6),
  row(SOL_SOCKET, SO_RCVLOWAT, 0, BUFFER_MAX, { clamps: true }),
  row(SOL_SOCKET, SO_SNDBUF, 0, BUFFER_MAX, { clamps: true }),
  row(SOL_SOCKET, SO_RCVBUF, 0, BUFFER_MAX, { clamps: true }),
  row(IPPROTO_TCP, TCP_NODELAY, 0, INT_MAX),
  row(IPPROTO_TCP, TCP_CORK, 0, INT_MAX),
  row(IPPROTO_TCP, TCP_MAXSEG, 88, 32767),
  row(IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767),
  row(IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767),
  row(IPPROTO_TCP, TCP_KEEPCNT, 1, 127),
  row(IPPROTO_TCP, TCP_SYNCNT, 1, 127),
  row(IPPROTO_TCP, TCP_LINGER2, -INT_MAX, INT_MAX),
  row(IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, INT_MAX, { hostOnly: true }),
  row(IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, INT_MAX),
  row(IPPROTO_TCP, TCP_QUICKACK, 0, INT_MAX),
  row(IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT_MAX),
  row(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, INT_MAX),
  row(IPPROTO_UDP, UDP_CORK, 0, INT_MAX),
  row(IPPROTO_IP, IP_TOS, 0, 255),
  row(IPPROTO_IP, IP_TTL, -1, 255),
  row(IPPROTO_IP, IP_MTU, 0, 0, { readOnly: true }),
  row(IPPROTO_IP, IP_MTU_DISCOVER, 0, 5),
  row(IPPROTO_IP, IP_RECVERR, 0, INT_MAX),
  row(IPPROTO_IP, IP_RECVTTL, 0, INT_MAX),
  row(IPPROTO_IP, IP_RECVTOS, 0, INT_MAX),
  row(IPPROTO_IP, IP_MULTICAST_TTL, -1, 255),
  row(IPPROTO_IP, IP_MULTICAST_LOOP, 0, 1),
  row(IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1, 255),
  row(IPPROTO_IPV6, IPV6_TCLASS, -1, 255),
  row(IPPROTO_IPV6, IPV6_V6ONLY, 0, INT_MAX, { hostOnly: true }),
  row(IPPROTO_IPV6, IPV6_MTU, 0, 0, { readOnly: true }),
  row(IPPROTO_IPV6, IPV6_MTU_DISCOVER, 0, 5),
  row(IPPROTO_IPV6, IPV6_RECVERR, 0, INT_MAX),
  row(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0, INT_MAX),
  row(IPPROTO_IPV6, IPV6_RECVTCLASS, 0, INT_MAX),
  row(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, -1, 255),
  row(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, 1),
];

const key = (level: number, name: number): number => level * 1024 + name;
const TABLE: ReadonlyMap<number, Row> = new Map(ROWS.map((r) => [key(r.level, r.name), r]));

/** What an IPv6 socket's options are on the host's IPv4 socket that stands for it. */
const AS_IPV4: ReadonlyMap<number, number> = new Map([
  [IPV6_UNICAST_HOPS, IP_TTL],
  [IPV6_TCLASS, IP_TOS],
  [IPV6_MTU, IP_MTU],
  [IPV6_MTU_DISCOVER, IP_MTU_DISCOVER],
  [IPV6_RECVERR, IP_RECVERR],
  [IPV6_RECVHOPLIMIT, IP_RECVTTL],
  [IPV6_RECVTCLASS, IP_RECVTOS],
  [IPV6_MULTICAST_HOPS, IP_MULTICAST_TTL],
  [IPV6_MULTICAST_LOOP, IP_MULTICAST_LOOP],
]);

/** Options of one endpoint: kept until there is a socket of the host, and applied then. */
export class RelayOptions {
  /** At most one entry for each row of the list. */
  private readonly set: Map<number, number> = new Map();
  private readonly hides: boolean;
  value = 0;

  constructor(hides: boolean) {
    this.hides = hides;
  }

  /** setsockopt(2) with an int: -ENOPROTOOPT, -EINVAL, or what the host says; `fd` may be -1. */
  put(fd: number, family: number, level: number, name: number, value: number): number {
    const r = TABLE.get(key(level, name));
    if (r === undefined || r.readOnly) return -ENOPROTOOPT;
    let to = value;
    if (to > r.most && r.clamps) to = r.most;
    if (to < r.least || to > r.most) return -EINVAL;
    const result = fd < 0 ? 0 : this.apply(fd, family, r, to);
    if (result >= 0) this.set.set(key(level, name), to);
    return result < 0 ? result : 0;
  }

  /** getsockopt(2): the value is in `value`. */
  get(fd: number, family: number, level: number, name: number): number {
    const r = TABLE.get(key(level, name));
    if (r === undefined) return -ENOPROTOOPT;
    if (fd < 0 || (r.hostOnly && this.hides)) {
      this.value = this.set.get(key(level, name)) ?? 0;
      return 0;
    }
    const as = family === AF_INET && level === IPPROTO_IPV6 ? AS_IPV4.get(name) : name;
    if (as === undefined) {
      this.value = this.set.get(key(level, name)) ?? 0;
      return 0;
    }
    const n = hostGetOption(fd, as === name ? level : IPPROTO_IP, as, 4);
    this.value = optionInt();
    return n < 0 ? n : 0;
  }

  /** There is a socket now. What it refuses was refused to whoever asks for it later, too. */
  applyAll(fd: number, family: number): void {
    for (const [k, value] of this.set) {
      const r = TABLE.get(k)!;
      this.apply(fd, family, r, value);
    }
  }

  private apply(fd: number, family: number, r: Row, value: number): number {
    if (r.hostOnly && this.hides) return 0;
    if (family === AF_INET && r.level === IPPROTO_IPV6) {
      const as = AS_IPV4.get(r.name);
      return as === undefined ? 0 : hostSetInt(fd, IPPROTO_IP, as, value);
    }
    return hostSetInt(fd, r.level, r.name, value);
  }
}
