// What of /proc/sys/net sockets go by beside what is TCP's, per network namespace: ip(7).

export class InetSysctl {
  ipForward = false;
  defaultTtl = 64;
  portRangeLow = 32768;
  portRangeHigh = 60999;
  unprivilegedPortStart = 1024;
  /** ping_group_range: nobody, when the first is the larger. */
  pingGroupLow = 1;
  pingGroupHigh = 0;
  icmpEchoIgnoreAll = false;
  ipNonlocalBind = false;
  bindv6only = false;
}

/** tcp_available_congestion_control, all of them allowed. */
export const CONGESTION_CONTROLS: readonly string[] = ['reno', 'cubic'];
