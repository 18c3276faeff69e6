// The rows of /proc/net about sockets and interfaces: proc_net(5), in the formats of tcp4_seq_show() and its like.

import { IFF_UP } from '../../../abi/net/if.ts';
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
} from '../../../abi/net/in.ts';
import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_PACKET,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
} from '../../../abi/net/socket.ts';
import { TCP_CLOSE, TCP_LISTEN } from '../../../abi/net/tcp.ts';
import { ANY_V4, ANY_V6, type IpAddress } from '../../../net/address.ts';
import { netstat, snmp, snmp6 } from './counter_tables.ts';
import { digits6, hex, swapped } from './hex.ts';
import type { InetMember, InetNamespace } from './namespace.ts';
import { arp, devMcast, igmp, igmp6, ipv6Route, route } from './stack_tables.ts';

const TCP_WIDTH = 149;
const UDP_WIDTH = 127;

function addressText(a: IpAddress, v6: boolean): string {
  if (!v6) return hex(swapped(a.w3), 8);
  return hex(swapped(a.w0), 8) + hex(swapped(a.w1), 8) + hex(swapped(a.w2), 8) + hex(swapped(a.w3), 8);
}

function nameText(s: InetMember, name: InetMember['endpoint']['local'], port: number): string {
  const v6 = s.family === AF_INET6;
  const a = name === null ? (v6 ? ANY_V6 : ANY_V4) : name.address;
  return `${addressText(a, v6)}:${hex(name === null ? port : name.port, 4)}`;
}

/** "local remote st tx:rx tr:when retrnsmt uid timeout inode". */
function commonText(s: InetMember): string {
  const { local, remote } = s.endpoint;
  // A raw socket has its protocol where others have a port.
  const port = s.type === SOCK_RAW ? s.protocol : 0;
  const listens = s.shownState === TCP_LISTEN && s.type === SOCK_STREAM;
  const queues = `${hex(listens ? 0 : s.sendQueue, 8)}:${hex(s.receiveQueue, 8)}`;
  return `${nameText(s, local, port)} ${nameText(s, remote, 0)} ${hex(s.shownState, 2)} ${queues} 00:00000000 00000000 ${String(s.inode.uid).padStart(5)} ${'0'.padStart(8)} ${s.inode.ino}`;
}

function tcpTail(s: InetMember): string {
  switch (s.shownState) {
    case TCP_LISTEN:
      return ` ${s.refs} 0000000000000000 100 0 0 10 0`;
  }
  return ` ${s.refs} 0000000000000000 20 4 0 10 -1`;
}

/** Sockets that tables list: those that have a name. */
function listed(s: InetMember): boolean {
  if (s.type === SOCK_RAW) return true;
  return s.endpoint.local !== null && (s.type !== SOCK_STREAM || s.shownState !== TCP_CLOSE);
}

function* rows(ns: InetNamespace, family: number, type: number, protocol: number): Iterable<string> {
  let n = 0;
  for (const s of ns.sockets) {
    if (s.family !== family || !listed(s)) continue;
    if (type === SOCK_RAW ? s.type !== SOCK_RAW : s.type === SOCK_RAW || s.protocol !== protocol) continue;
    const v6 = family === AF_INET6;
    if (protocol === IPPROTO_TCP && type === SOCK_STREAM) {
      const line = `${String(n++).padStart(4)}: ${commonText(s)}${tcpTail(s)}`;
      yield `${v6 ? line : line.padEnd(TCP_WIDTH)}\n`;
    } else {
      const line = `${String(n++).padStart(5)}: ${commonText(s)} ${s.refs} 0000000000000000 0`;
      yield `${v6 ? line : line.padEnd(UDP_WIDTH)}\n`;
    }
  }
  if (type === SOCK_STREAM) yield* waiting(ns, family, n);
}

/** Those in TIME-WAIT have neither owner nor inode. */
function* waiting(ns: InetNamespace, family: number, first: number): Iterable<string> {
  const v6 = family === AF_INET6;
  let n = first;
  for (const w of ns.stack.timeWaits()) {
    if (w.v6 !== v6) continue;
    const names = `${addressText(w.local, v6)}:${hex(w.localPort, 4)} ${addressText(w.remote, v6)}:${hex(w.remotePort, 4)}`;
    const line = `${String(n++).padStart(4)}: ${names} 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0000000000000000`;
    yield `${v6 ? line : line.padEnd(TCP_WIDTH)}\n`;
  }
}

function count(ns: InetNamespace, family: number, type: number, protocol: number): number {
  let n = 0;
  for (const s of ns.sockets)
    if (s.family === family && s.type === type && (type === SOCK_RAW || s.protocol === protocol)) n++;
  return n;
}

/** [name, sizeof its struct sock on a machine of Linux, maxhdr, what it can do], family, type and protocol. */
const PROTOCOLS: readonly (readonly [string, number, number, string, number, number, number])[] = [
  [
    'PINGv6',
    1344,
    0,
    'y  y  y  n  n  y  n  n  y  y  y  y  y  y  n  y  y  n',
    AF_INET6,
    SOCK_DGRAM,
    IPPROTO_ICMPV6,
  ],
  ['RAWv6', 1344, 0, 'y  y  y  n  y  y  y  n  y  y  y  y  y  y  y  y  n  n', AF_INET6, SOCK_RAW, 0],
  [
    'UDPLITEv6',
    1472,
    0,
    'y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n',
    AF_INET6,
    SOCK_DGRAM,
    IPPROTO_UDPLITE,
  ],
  [
    'UDPv6',
    1472,
    0,
    'y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n',
    AF_INET6,
    SOCK_DGRAM,
    IPPROTO_UDP,
  ],
  [
    'TCPv6',
    2432,
    192,
    'y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y',
    AF_INET6,
    SOCK_STREAM,
    IPPROTO_TCP,
  ],
  [
    'PING',
    1016,
    0,
    'y  y  y  n  n  y  n  n  y  y  y  y  y  y  n  y  y  n',
    AF_INET,
    SOCK_DGRAM,
    IPPROTO_ICMP,
  ],
  ['RAW', 1152, 0, 'y  y  y  n  y  y  y  n  y  y  y  y  y  y  y  y  n  n', AF_INET, SOCK_RAW, 0],
  [
    'UDP-Lite',
    1344,
    0,
    'y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n',
    AF_INET,
    SOCK_DGRAM,
    IPPROTO_UDPLITE,
  ],
  ['UDP', 1344, 0, 'y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n', AF_INET, SOCK_DGRAM, IPPROTO_UDP],
  [
    'TCP',
    2304,
    192,
    'y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y',
    AF_INET,
    SOCK_STREAM,
    IPPROTO_TCP,
  ],
];

function protocols(ns: InetNamespace): string {
  let out = '';
  for (const [name, size, room, able, family, type, protocol] of PROTOCOLS) {
    const n = String(count(ns, family, type, protocol)).padStart(6);
    // No account of memory for a protocol as a whole, and so no pressure.
    out += `${name.padEnd(9)} ${String(size).padStart(4)} ${n}      -1   NI   ${String(room).padStart(5)}   yes  kernel      ${able}\n`;
  }
  return out;
}

function sockstat(ns: InetNamespace): string {
  const tcp = count(ns, AF_INET, SOCK_STREAM, IPPROTO_TCP);
  const tw = [...ns.stack.timeWaits()].length;
  const udp = count(ns, AF_INET, SOCK_DGRAM, IPPROTO_UDP);
  return (
    `sockets: used ${ns.sockets.size}\nTCP: inuse ${tcp} orphan 0 tw ${tw} alloc ${tcp} mem 0\nUDP: inuse ${udp} mem 0\n` +
    `UDPLITE: inuse ${count(ns, AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)}\nRAW: inuse ${count(ns, AF_INET, SOCK_RAW, 0)}\nFRAG: inuse 0 memory 0\n`
  );
}

function sockstat6(ns: InetNamespace): string {
  return (
    `TCP6: inuse ${count(ns, AF_INET6, SOCK_STREAM, IPPROTO_TCP)}\nUDP6: inuse ${count(ns, AF_INET6, SOCK_DGRAM, IPPROTO_UDP)}\n` +
    `UDPLITE6: inuse ${count(ns, AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE)}\nRAW6: inuse ${count(ns, AF_INET6, SOCK_RAW, 0)}\nFRAG6: inuse 0 memory 0\n`
  );
}

/** dev_seq_printf_stats(). */
function dev(ns: InetNamespace): string {
  let out = '';
  for (const l of ns.stack.links) {
    const c = l.counters;
    const num = (n: number, width: number): string => String(n).padStart(width);
    out += `${l.name.padStart(6)}: ${num(c.rxBytes, 7)} ${num(c.rxPackets, 7)} ${num(c.rxErrors, 4)} ${num(c.rxDropped, 4)} ${num(0, 4)} ${num(0, 5)} ${num(0, 10)} ${num(0, 9)} `;
    out += `${num(c.txBytes, 8)} ${num(c.txPackets, 7)} ${num(c.txErrors, 4)} ${num(c.txDropped, 4)} ${num(0, 4)} ${num(0, 5)} ${num(0, 7)} ${num(0, 10)}\n`;
  }
  return out;
}

/** if6_seq_show(): address, index, prefix, scope, flags, name. */
function ifInet6(ns: InetNamespace): string {
  let out = '';
  for (const l of ns.stack.links) {
    if ((l.flags & IFF_UP) === 0) continue;
    for (const { address, bits } of l.addresses) {
      if (address.isV4) continue;
      const scope = address.isLoopback ? 0x10 : address.isLinkLocal ? 0x20 : 0;
      const byte = (n: number): string => n.toString(16).padStart(2, '0');
      out += `${digits6(address)} ${byte(l.ifindex)} ${byte(bits)} ${byte(scope)} 80 ${l.name.padStart(8)}\n`;
    }
  }
  return out;
}

/** A table of sockets or interfaces of a namespace; undefined when its rows are nobody's here. */
export type NetTable = (ns: InetNamespace) => string | Iterable<string>;

/** Tables of the packet filter that somebody looked at: iptables-save(8) saves those. */
function filterNames(ns: InetNamespace, v6: boolean): string {
  const names = ns.stack.filter()?.names(v6) ?? [];
  return names.map((name) => `${name}\n`).join('');
}

export const INET_TABLES: ReadonlyMap<string, NetTable> = new Map<string, NetTable>([
  ['tcp', (ns) => rows(ns, AF_INET, SOCK_STREAM, IPPROTO_TCP)],
  ['tcp6', (ns) => rows(ns, AF_INET6, SOCK_STREAM, IPPROTO_TCP)],
  ['udp', (ns) => rows(ns, AF_INET, SOCK_DGRAM, IPPROTO_UDP)],
  ['udplite', (ns) => rows(ns, AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)],
  ['udplite6', (ns) => rows(ns, AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE)],
  ['udp6', (ns) => rows(ns, AF_INET6, SOCK_DGRAM, IPPROTO_UDP)],
  ['icmp', (ns) => rows(ns, AF_INET, SOCK_DGRAM, IPPROTO_ICMP)],
  ['icmp6', (ns) => rows(ns, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6)],
  ['raw', (ns) => rows(ns, AF_INET, SOCK_RAW, 0)],
  ['raw6', (ns) => rows(ns, AF_INET6, SOCK_RAW, 0)],
  ['sockstat', sockstat],
  ['sockstat6', sockstat6],
  ['dev', dev],
  ['if_inet6', ifInet6],
  ['route', route],
  ['ipv6_route', ipv6Route],
  ['arp', arp],
  ['igmp', igmp],
  ['igmp6', igmp6],
  ['dev_mcast', devMcast],
  ['snmp', snmp],
  ['snmp6', snmp6],
  ['netstat', netstat],
  ['protocols', protocols],
  ['ptype', () => '0800          ip_rcv\n0806          arp_rcv\n86dd          ipv6_rcv\n'],
  ['netlink', (ns) => ns.families.get(AF_NETLINK)?.procRows() ?? ''],
  ['packet', (ns) => ns.families.get(AF_PACKET)?.procRows() ?? ''],
  ['ip_tables_names', (ns) => filterNames(ns, false)],
  ['ip6_tables_names', (ns) => filterNames(ns, true)],
]);
