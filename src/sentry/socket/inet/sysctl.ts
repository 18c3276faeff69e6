// tcp_available_congestion_control, all of them allowed: tcp(7).

export const CONGESTION_CONTROLS: readonly string[] = ['reno', 'cubic', 'bbr'];
