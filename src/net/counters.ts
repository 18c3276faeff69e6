// What /proc/net/snmp and /proc/net/snmp6 tell, in their words.

export class IpCounters {
  InReceives = 0;
  InHdrErrors = 0;
  InTooBigErrors = 0;
  InNoRoutes = 0;
  InAddrErrors = 0;
  InUnknownProtos = 0;
  InTruncatedPkts = 0;
  InDiscards = 0;
  InDelivers = 0;
  ForwDatagrams = 0;
  OutRequests = 0;
  OutDiscards = 0;
  OutNoRoutes = 0;
  ReasmTimeout = 0;
  ReasmReqds = 0;
  ReasmOKs = 0;
  ReasmFails = 0;
  FragOKs = 0;
  FragFails = 0;
  FragCreates = 0;
  InMcastPkts = 0;
  OutMcastPkts = 0;
  InBcastPkts = 0;
  OutBcastPkts = 0;
}

export class IcmpCounters {
  InMsgs = 0;
  InErrors = 0;
  InCsumErrors = 0;
  OutMsgs = 0;
  OutErrors = 0;
  OutRateLimited = 0;
  /** By type. */
  readonly inType: Float64Array = new Float64Array(256);
  readonly outType: Float64Array = new Float64Array(256);
}

export class UdpCounters {
  InDatagrams = 0;
  NoPorts = 0;
  InErrors = 0;
  OutDatagrams = 0;
  RcvbufErrors = 0;
  SndbufErrors = 0;
  InCsumErrors = 0;
  IgnoredMulti = 0;
  MemErrors = 0;
}

export class NetCounters {
  readonly ip = new IpCounters();
  readonly ip6 = new IpCounters();
  readonly icmp = new IcmpCounters();
  readonly icmp6 = new IcmpCounters();
  readonly udp = new UdpCounters();
  readonly udp6 = new UdpCounters();
  readonly udpLite = new UdpCounters();
  readonly udpLite6 = new UdpCounters();
}
