// What of /proc/sys/net sockets go by, per network namespace: ip(7), tcp(7). The stack has its own beside.

export class InetSysctl {
  /** ip_unprivileged_port_start. */
  unprivilegedPortStart = 1024;
  /** core/somaxconn. */
  somaxconn = 4096;
  /** ping_group_range: nobody, when the first is the larger. */
  pingFirst = 1;
  pingLast = 0;
  /** core/rmem_default, wmem_default, rmem_max, wmem_max. */
  rmemDefault = 212992;
  wmemDefault = 212992;
  rmemMax = 212992;
  wmemMax = 212992;
  /** tcp_available_congestion_control, all of them allowed. */
  readonly congestionControls: readonly string[] = ['reno', 'cubic'];
}
