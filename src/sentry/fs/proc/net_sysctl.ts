// /proc/sys/net, of the reader's network namespace: Documentation/networking/ip-sysctl.rst of the kernel, tcp(7), ip(7).
// Those that a stack goes by can be written; the others tell what it does.

import { EINVAL, ENOENT } from '../../../abi/errno.ts';
import type { InetNamespace } from '../../socket/inet/namespace.ts';
import { CONGESTION_CONTROLS } from '../../socket/inet/sysctl.ts';

export interface NetSysctl {
  /** Under net/. */
  readonly path: string;
  readonly get: (ns: InetNamespace) => string;
  readonly set?: (ns: InetNamespace, text: string) => number;
}

function fixed(path: string, value: string | number): NetSysctl {
  return { path, get: () => String(value) };
}

/** A number within bounds. */
function number(
  path: string,
  get: (ns: InetNamespace) => number,
  set: (ns: InetNamespace, value: number) => void,
  least: number,
  most: number,
): NetSysctl {
  return {
    path,
    get: (ns) => String(get(ns)),
    set: (ns, text) => {
      const v = Number(text);
      if (!/^-?\d+$/.test(text) || v < least || v > most) return -EINVAL;
      set(ns, v);
      return 0;
    },
  };
}

/** Several numbers, written with blanks between them; `set` says whether they go together. */
function numbers(
  path: string,
  get: (ns: InetNamespace) => readonly number[],
  set: (ns: InetNamespace, values: readonly number[]) => boolean,
): NetSysctl {
  return {
    path,
    get: (ns) => get(ns).join('\t'),
    set: (ns, text) => {
      const parts = text.split(/\s+/);
      if (parts.length !== get(ns).length || !parts.every((p) => /^\d{1,10}$/.test(p))) return -EINVAL;
      return set(ns, parts.map(Number)) ? 0 : -EINVAL;
    },
  };
}

const INT_MAX = 0x7fffffff;
const PORT_MAX = 65535;
/** GID_MAX of ping_group_range. */
const GROUP_MAX = 0xfffffffe;

/** Numbers of TCP that are one field each: name, least, most. */
const TCP_NUMBERS = [
  ['tcp_fin_timeout', 1, INT_MAX / 1000],
  ['tcp_keepalive_time', 1, 32767],
  ['tcp_keepalive_intvl', 1, 32767],
  ['tcp_keepalive_probes', 1, 127],
  ['tcp_syn_retries', 1, 127],
  ['tcp_synack_retries', 0, 255],
  ['tcp_retries1', 0, 255],
  ['tcp_retries2', 0, 255],
  ['tcp_orphan_retries', 0, 255],
  ['tcp_max_syn_backlog', 0, INT_MAX],
  ['tcp_max_tw_buckets', 0, INT_MAX],
  ['tcp_syncookies', 0, 2],
  ['tcp_abort_on_overflow', 0, 1],
  ['tcp_timestamps', 0, 2],
  ['tcp_window_scaling', 0, 1],
  ['tcp_sack', 0, 1],
  ['tcp_dsack', 0, 1],
  ['tcp_ecn', 0, 2],
  ['tcp_tw_reuse', 0, 2],
  ['tcp_moderate_rcvbuf', 0, 1],
  ['tcp_slow_start_after_idle', 0, 1],
  ['tcp_fastopen', 0, INT_MAX],
  ['tcp_mtu_probing', 0, 2],
  ['tcp_base_mss', 48, 65535],
] as const;

function pair(
  path: string,
  get: (ns: InetNamespace) => readonly number[],
  set: (ns: InetNamespace, low: number, high: number) => void,
  least: number,
  most: number,
): NetSysctl {
  return numbers(path, get, (ns, v) => {
    if (v[0]! < least || v[1]! > most || v[1]! < v[0]!) return false;
    set(ns, v[0]!, v[1]!);
    return true;
  });
}

export const NET_SYSCTLS: readonly NetSysctl[] = [
  number(
    'core/somaxconn',
    (ns) => ns.tcp.somaxconn,
    (ns, v) => {
      ns.tcp.somaxconn = v;
    },
    0,
    INT_MAX,
  ),
  fixed('core/rmem_default', 212992),
  fixed('core/rmem_max', 212992),
  fixed('core/wmem_default', 212992),
  fixed('core/wmem_max', 212992),
  fixed('core/optmem_max', 131072),
  fixed('core/netdev_max_backlog', 1000),
  number(
    'ipv4/ip_forward',
    (ns) => (ns.net.ipForward ? 1 : 0),
    (ns, v) => {
      ns.net.ipForward = v !== 0;
    },
    0,
    INT_MAX,
  ),
  number(
    'ipv6/conf/all/forwarding',
    (ns) => (ns.net.ip6Forwarding ? 1 : 0),
    (ns, v) => {
      ns.net.ip6Forwarding = v !== 0;
    },
    0,
    INT_MAX,
  ),
  number(
    'ipv4/ip_default_ttl',
    (ns) => ns.net.defaultTtl,
    (ns, v) => {
      ns.net.defaultTtl = v;
    },
    1,
    255,
  ),
  pair(
    'ipv4/ip_local_port_range',
    (ns) => [ns.net.portRangeLow, ns.net.portRangeHigh],
    (ns, low, high) => {
      ns.net.portRangeLow = low;
      ns.net.portRangeHigh = high;
      ns.tcp.ip_local_port_range = [low, high];
    },
    1,
    PORT_MAX,
  ),
  number(
    'ipv4/ip_unprivileged_port_start',
    (ns) => ns.net.unprivilegedPortStart,
    (ns, v) => {
      ns.net.unprivilegedPortStart = v;
    },
    0,
    PORT_MAX,
  ),
  numbers(
    'ipv4/ping_group_range',
    (ns) => [ns.net.pingGroupLow, ns.net.pingGroupHigh],
    (ns, v) => {
      if (v[0]! > GROUP_MAX || v[1]! > GROUP_MAX) return false;
      // An empty range is written as such: 1 0.
      ns.net.pingGroupLow = v[1]! < v[0]! ? 1 : v[0]!;
      ns.net.pingGroupHigh = v[1]! < v[0]! ? 0 : v[1]!;
      return true;
    },
  ),
  number(
    'ipv4/ip_nonlocal_bind',
    (ns) => (ns.net.ipNonlocalBind ? 1 : 0),
    (ns, v) => {
      ns.net.ipNonlocalBind = v !== 0;
    },
    0,
    255,
  ),
  number(
    'ipv6/ip_nonlocal_bind',
    (ns) => (ns.net.ip6NonlocalBind ? 1 : 0),
    (ns, v) => {
      ns.net.ip6NonlocalBind = v !== 0;
    },
    0,
    255,
  ),
  number(
    'ipv4/icmp_echo_ignore_all',
    (ns) => (ns.net.icmpEchoIgnoreAll ? 1 : 0),
    (ns, v) => {
      ns.net.icmpEchoIgnoreAll = v !== 0;
    },
    0,
    1,
  ),
  fixed('ipv4/tcp_available_congestion_control', 'reno cubic bbr'),
  fixed('ipv4/tcp_allowed_congestion_control', 'reno cubic bbr'),
  {
    path: 'ipv4/tcp_congestion_control',
    get: (ns) => ns.tcp.tcp_congestion_control,
    set: (ns, text) => {
      if (!CONGESTION_CONTROLS.includes(text)) return -ENOENT;
      ns.tcp.tcp_congestion_control = text;
      return 0;
    },
  },
  ...TCP_NUMBERS.map(([name, least, most]) =>
    number(
      `ipv4/${name}`,
      (ns) => ns.tcp[name],
      (ns, v) => {
        ns.tcp[name] = v;
      },
      least,
      most,
    ),
  ),
  numbers(
    'ipv4/tcp_rmem',
    (ns) => ns.tcp.tcp_rmem,
    (ns, v) => {
      if (!v.every((n) => n >= 1 && n <= INT_MAX)) return false;
      ns.tcp.tcp_rmem = [v[0]!, v[1]!, v[2]!];
      return true;
    },
  ),
  numbers(
    'ipv4/tcp_wmem',
    (ns) => ns.tcp.tcp_wmem,
    (ns, v) => {
      if (!v.every((n) => n >= 1 && n <= INT_MAX)) return false;
      ns.tcp.tcp_wmem = [v[0]!, v[1]!, v[2]!];
      return true;
    },
  ),
  fixed('ipv4/tcp_mem', '289095\t385462\t578190'),
  fixed('ipv4/udp_mem', '578190\t770924\t1156380'),
  number(
    'ipv6/bindv6only',
    (ns) => (ns.net.bindv6only ? 1 : 0),
    (ns, v) => {
      ns.net.bindv6only = v !== 0;
    },
    0,
    1,
  ),
  fixed('ipv6/conf/all/disable_ipv6', 0),
  fixed('ipv6/conf/default/disable_ipv6', 0),
  fixed('ipv6/conf/lo/disable_ipv6', 0),
  fixed('unix/max_dgram_qlen', 512),
];
