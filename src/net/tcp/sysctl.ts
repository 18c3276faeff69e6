// The knobs of /proc/sys/net/ipv4/tcp_* (tcp(7), Documentation/networking/ip-sysctl.rst), with Linux's names and defaults.

/** Plain fields: whoever serves /proc/sys writes them, connections read them when they need them. */
export class TcpSysctl {
  tcp_rmem: [number, number, number] = [4096, 131072, 6291456];
  tcp_wmem: [number, number, number] = [4096, 16384, 4194304];
  /** net.core.rmem_max, wmem_max: what SO_RCVBUF and SO_SNDBUF may ask for. */
  rmem_max = 212992;
  wmem_max = 212992;
  /** net.core.somaxconn. */
  somaxconn = 4096;
  ip_local_port_range: [number, number] = [32768, 60999];
  tcp_fin_timeout = 60;
  tcp_keepalive_time = 7200;
  tcp_keepalive_intvl = 75;
  tcp_keepalive_probes = 9;
  tcp_syn_retries = 6;
  tcp_synack_retries = 5;
  tcp_retries1 = 3;
  tcp_retries2 = 15;
  tcp_orphan_retries = 8;
  tcp_max_syn_backlog = 1024;
  tcp_max_tw_buckets = 16384;
  tcp_max_orphans = 8192;
  tcp_syncookies = 1;
  tcp_abort_on_overflow = 0;
  tcp_timestamps = 1;
  tcp_window_scaling = 1;
  tcp_sack = 1;
  tcp_dsack = 1;
  /** 0 off, 1 asked for and accepted, 2 accepted. */
  tcp_ecn = 2;
  /** TFO_* bits. */
  tcp_fastopen = 1;
  tcp_tw_reuse = 2;
  tcp_rfc1337 = 0;
  tcp_stdurg = 0;
  tcp_adv_win_scale = 1;
  tcp_moderate_rcvbuf = 1;
  tcp_congestion_control = 'cubic';
  tcp_slow_start_after_idle = 1;
  tcp_challenge_ack_limit = 1000;
  /** ms between challenge ACKs of one connection, and answers to out-of-window segments. */
  tcp_invalid_ratelimit = 500;
  tcp_notsent_lowat = 0xffffffff;
  tcp_early_retrans = 3;
  tcp_recovery = 1;
  tcp_reordering = 3;
  tcp_mtu_probing = 0;
  tcp_base_mss = 1024;
  tcp_min_snd_mss = 48;
  tcp_no_metrics_save = 0;
  tcp_autocorking = 1;
}

/** Counters of /proc/net/snmp (Tcp:) and netstat (TcpExt:), by Linux's names. */
export class TcpCounters {
  ActiveOpens = 0;
  PassiveOpens = 0;
  AttemptFails = 0;
  EstabResets = 0;
  CurrEstab = 0;
  InSegs = 0;
  OutSegs = 0;
  RetransSegs = 0;
  InErrs = 0;
  OutRsts = 0;
  InCsumErrors = 0;
  SyncookiesSent = 0;
  SyncookiesRecv = 0;
  SyncookiesFailed = 0;
  TW = 0;
  TWRecycled = 0;
  PAWSEstab = 0;
  ListenOverflows = 0;
  ListenDrops = 0;
  TCPLossProbes = 0;
  TCPTimeouts = 0;
  TCPSackRecovery = 0;
  TCPOFOQueue = 0;
  TCPOFODrop = 0;
  TCPChallengeACK = 0;
  TCPAbortOnData = 0;
  TCPAbortOnTimeout = 0;
  TCPAbortOnMemory = 0;
  TCPTimeWaitOverflow = 0;
  TCPReqQFullDrop = 0;
  TCPReqQFullDoCookies = 0;
  TCPDSACKRecv = 0;
  TCPBacklogDrop = 0;
  TCPFastOpenActive = 0;
  TCPFastOpenActiveFail = 0;
  TCPFastOpenPassive = 0;
  TCPFastOpenPassiveFail = 0;
  TCPFastOpenPassiveAltKey = 0;
  TCPFastOpenListenOverflow = 0;
  TCPFastOpenCookieReqd = 0;
}
