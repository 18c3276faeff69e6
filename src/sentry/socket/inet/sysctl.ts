// What /proc/sys/net tells of TCP that the stack has no field for.

/** tcp_available_congestion_control, all of them allowed. */
export const CONGESTION_CONTROLS: readonly string[] = ['reno', 'cubic'];
