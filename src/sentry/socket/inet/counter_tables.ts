// /proc/net/snmp, snmp6 and netstat: the counters of a stack by the names of RFC 1213, RFC 4293 and Linux's own (proc_net(5)).

import type { IcmpCounters, UdpCounters } from '../../../net/counters.ts';
import type { TcpCounters } from '../../../net/tcp/sysctl.ts';
import type { InetNamespace } from './namespace.ts';

type Field = readonly [name: string, value: number];

/** A line of names and a line of values. */
function block(title: string, fields: readonly Field[]): string {
  return `${title}: ${fields.map(([name]) => name).join(' ')}\n${title}: ${fields.map(([, v]) => v).join(' ')}\n`;
}

/** Those of a counter object by name, in the order of `names`. */
function pick<T>(counters: T, names: readonly (keyof T & string)[]): Field[] {
  return names.map((name) => [name, counters[name] as number]);
}

const IP_NAMES = [
  ...([
    'InReceives',
    'InHdrErrors',
    'InAddrErrors',
    'ForwDatagrams',
    'InUnknownProtos',
    'InDiscards',
  ] as const),
  ...(['InDelivers', 'OutRequests', 'OutDiscards', 'OutNoRoutes', 'ReasmTimeout', 'ReasmReqds'] as const),
  ...(['ReasmOKs', 'ReasmFails', 'FragOKs', 'FragFails', 'FragCreates'] as const),
];
const IP_EXT_NAMES = [
  ...([
    'InNoRoutes',
    'InTruncatedPkts',
    'InMcastPkts',
    'OutMcastPkts',
    'InBcastPkts',
    'OutBcastPkts',
  ] as const),
];
const IP6_NAMES = [
  ...([
    'InReceives',
    'InHdrErrors',
    'InTooBigErrors',
    'InNoRoutes',
    'InAddrErrors',
    'InUnknownProtos',
  ] as const),
  ...(['InTruncatedPkts', 'InDiscards', 'InDelivers'] as const),
];
const IP6_OUT_NAMES = [
  ...([
    'OutRequests',
    'OutDiscards',
    'OutNoRoutes',
    'ReasmTimeout',
    'ReasmReqds',
    'ReasmOKs',
    'ReasmFails',
  ] as const),
  ...(['FragOKs', 'FragFails', 'FragCreates', 'InMcastPkts', 'OutMcastPkts'] as const),
];
const UDP_NAMES: readonly (keyof UdpCounters)[] = [
  ...(['InDatagrams', 'NoPorts', 'InErrors', 'OutDatagrams', 'RcvbufErrors', 'SndbufErrors'] as const),
  ...(['InCsumErrors', 'IgnoredMulti', 'MemErrors'] as const),
];
const TCP_NAMES = [
  ...([
    'ActiveOpens',
    'PassiveOpens',
    'AttemptFails',
    'EstabResets',
    'CurrEstab',
    'InSegs',
    'OutSegs',
  ] as const),
  ...(['RetransSegs', 'InErrs', 'OutRsts', 'InCsumErrors'] as const),
];
/** TcpExt in Linux's order: those that are counted. */
const TCP_EXT_NAMES: readonly (keyof TcpCounters)[] = [
  ...(['SyncookiesSent', 'SyncookiesRecv', 'SyncookiesFailed', 'TW', 'TWRecycled', 'PAWSEstab'] as const),
  ...(['ListenOverflows', 'ListenDrops', 'TCPSackRecovery', 'TCPTimeouts', 'TCPLossProbes'] as const),
  ...(['TCPDSACKRecv', 'TCPAbortOnData', 'TCPAbortOnMemory', 'TCPAbortOnTimeout'] as const),
  ...(['TCPBacklogDrop', 'TCPTimeWaitOverflow', 'TCPReqQFullDoCookies', 'TCPReqQFullDrop'] as const),
  ...(['TCPOFOQueue', 'TCPOFODrop', 'TCPChallengeACK'] as const),
  ...([
    'TCPFastOpenActive',
    'TCPFastOpenActiveFail',
    'TCPFastOpenPassive',
    'TCPFastOpenPassiveFail',
  ] as const),
  ...(['TCPFastOpenListenOverflow', 'TCPFastOpenCookieReqd', 'TCPFastOpenPassiveAltKey'] as const),
];
/** Types of ICMP that have names: icmpmibmap. */
const ICMP_TYPES: readonly (readonly [string, number])[] = [
  ['DestUnreachs', 3],
  ['TimeExcds', 11],
  ['ParmProbs', 12],
  ['SrcQuenchs', 4],
  ['Redirects', 5],
  ['Echos', 8],
  ['EchoReps', 0],
  ['Timestamps', 13],
  ['TimestampReps', 14],
  ['AddrMasks', 17],
  ['AddrMaskReps', 18],
];
/** icmp6type2name. */
const ICMP6_TYPES: readonly (readonly [string, number])[] = [
  ['DestUnreachs', 1],
  ['PktTooBigs', 2],
  ['TimeExcds', 3],
  ['ParmProblems', 4],
  ['Echos', 128],
  ['EchoReplies', 129],
  ['GroupMembQueries', 130],
  ['GroupMembResponses', 131],
  ['GroupMembReductions', 132],
  ['RouterSolicits', 133],
  ['RouterAdvertisements', 134],
  ['NeighborSolicits', 135],
  ['NeighborAdvertisements', 136],
  ['Redirects', 137],
  ['MLDv2Reports', 143],
];

function typed(prefix: string, types: Float64Array, names: readonly (readonly [string, number])[]): Field[] {
  return names.map(([name, type]) => [prefix + name, types[type]!]);
}

function icmp(c: IcmpCounters): string {
  const all: Field[] = [
    ...pick(c, ['InMsgs', 'InErrors', 'InCsumErrors']),
    ...typed('In', c.inType, ICMP_TYPES),
    ...pick(c, ['OutMsgs', 'OutErrors']),
    ['OutRateLimitGlobal', 0],
    ['OutRateLimitHost', c.OutRateLimited],
    ...typed('Out', c.outType, ICMP_TYPES),
  ];
  const seen = seenTypes(c);
  return block('Icmp', all) + (seen.length === 0 ? '' : block('IcmpMsg', seen));
}

/** Types by number, those that came or went. */
function seenTypes(c: IcmpCounters): Field[] {
  const all: Field[] = [];
  for (let i = 0; i < 256; i++) if (c.inType[i]! > 0) all.push([`InType${i}`, c.inType[i]!]);
  for (let i = 0; i < 256; i++) if (c.outType[i]! > 0) all.push([`OutType${i}`, c.outType[i]!]);
  return all;
}

export function snmp(ns: InetNamespace): string {
  const own = ns.stack.own;
  if (own === null) return '';
  const { ip, icmp: c, udp, udpLite } = own.stack.counters;
  return (
    block('Ip', [
      ['Forwarding', ns.net.ipForward ? 1 : 2],
      ['DefaultTTL', ns.net.defaultTtl],
      ...pick(ip, IP_NAMES),
    ]) +
    icmp(c) +
    block('Tcp', [
      ['RtoAlgorithm', 1],
      ['RtoMin', 200],
      ['RtoMax', 120000],
      ['MaxConn', -1],
      ...pick(own.tcpCounters, TCP_NAMES),
    ]) +
    block('Udp', pick(udp, UDP_NAMES)) +
    block('UdpLite', pick(udpLite, UDP_NAMES))
  );
}

export function netstat(ns: InetNamespace): string {
  const own = ns.stack.own;
  if (own === null) return '';
  return (
    block('TcpExt', pick(own.tcpCounters, TCP_EXT_NAMES)) +
    block('IpExt', pick(own.stack.counters.ip, IP_EXT_NAMES))
  );
}

export function snmp6(ns: InetNamespace): string {
  const own = ns.stack.own;
  if (own === null) return '';
  const { ip6, icmp6, udp6, udpLite6 } = own.stack.counters;
  const all: Field[] = [];
  const add = (prefix: string, fields: readonly Field[]): void => {
    for (const [name, value] of fields) all.push([prefix + name, value]);
  };
  add('Ip6', pick(ip6, IP6_NAMES));
  all.push(['Ip6OutForwDatagrams', ip6.ForwDatagrams]);
  add('Ip6', pick(ip6, IP6_OUT_NAMES));
  add('Icmp6', pick(icmp6, ['InMsgs', 'InErrors', 'OutMsgs', 'OutErrors', 'InCsumErrors']));
  all.push(['Icmp6OutRateLimitHost', icmp6.OutRateLimited]);
  add('Icmp6', typed('In', icmp6.inType, ICMP6_TYPES));
  add('Icmp6', typed('Out', icmp6.outType, ICMP6_TYPES));
  add('Icmp6', seenTypes(icmp6));
  add('Udp6', pick(udp6, UDP_NAMES));
  add(
    'UdpLite6',
    pick(
      udpLite6,
      UDP_NAMES.filter((name) => name !== 'IgnoredMulti'),
    ),
  );
  return all.map(([name, value]) => `${name.padEnd(32)}\t${value}\n`).join('');
}
