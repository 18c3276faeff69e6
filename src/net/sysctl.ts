// /proc/sys/net of one stack, without what is TCP's: ip-sysctl of the kernel's documentation. Plain fields with Linux's defaults.

export class NetSysctl {
  ipForward = false;
  ip6Forwarding = false;
  /** ip_default_ttl, ipv6 hop_limit. */
  defaultTtl = 64;
  hopLimit = 64;
  portRangeLow = 32768;
  portRangeHigh = 60999;
  unprivilegedPortStart = 1024;
  /** ip_local_reserved_ports: sorted. */
  reservedPorts: number[] = [];
  icmpEchoIgnoreAll = false;
  icmpEchoIgnoreBroadcasts = true;
  icmp6EchoIgnoreAll = false;
  /** icmp_ratelimit (ms to one peer), icmp_msgs_per_sec and icmp_msgs_burst (to all). */
  icmpRatelimitMs = 1000;
  icmpMsgsPerSec = 1000;
  icmpMsgsBurst = 50;
  pingGroupLow = 1;
  pingGroupHigh = 0;
  ipNonlocalBind = false;
  ip6NonlocalBind = false;
  bindv6only = false;
  ipNoPmtuDisc = false;
  /** ipfrag_high_thresh, ipfrag_time; the same of ip6frag. */
  ipfragHighBytes = 4 << 20;
  ipfragTimeS = 30;
  ip6fragHighBytes = 4 << 20;
  ip6fragTimeS = 60;
  /** route/min_pmtu, route/mtu_expires. */
  minPmtu = 552;
  mtuExpiresS = 600;
  /** neigh/default: gc_thresh3, base_reachable_time, retrans_time, delay_first_probe_time, probes. */
  neighMost = 1024;
  neighReachableMs = 30_000;
  neighRetransMs = 1000;
  neighDelayMs = 5000;
  neighProbes = 3;
  /** unres_qlen of old: packets that wait for one neighbour. */
  neighQueue = 3;
  /** conf/.../accept_ra, autoconf, dad_transmits. */
  acceptRa = true;
  autoconf = true;
  dadTransmits = 1;
  routerSolicitations = 3;
  /** igmp_max_memberships, and of all sockets together. */
  igmpMaxMemberships = 20;
  optmemMax = 131072;
  udpRmemMin = 4096;
  rmemDefault = 212992;
  rmemMax = 212992;
  wmemDefault = 212992;
  wmemMax = 212992;
}
