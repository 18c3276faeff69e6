/**
 * IPv4, IPv6 and transport protocol numbers and options: <linux/in.h>, <linux/in6.h>, <linux/ipv6.h>,
 * <linux/ip.h>.
 */

import { getBytes, putBytes } from '../bytes.ts';

export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IGMP = 2;
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_EGP = 8;
export const IPPROTO_PUP = 12;
export const IPPROTO_UDP = 17;
export const IPPROTO_IDP = 22;
export const IPPROTO_TP = 29;
export const IPPROTO_DCCP = 33;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_RSVP = 46;
export const IPPROTO_GRE = 47;
export const IPPROTO_ESP = 50;
export const IPPROTO_AH = 51;
export const IPPROTO_MTP = 92;
export const IPPROTO_BEETPH = 94;
export const IPPROTO_ENCAP = 98;
export const IPPROTO_PIM = 103;
export const IPPROTO_COMP = 108;
export const IPPROTO_L2TP = 115;
export const IPPROTO_SCTP = 132;
export const IPPROTO_UDPLITE = 136;
export const IPPROTO_MPLS = 137;
export const IPPROTO_ETHERNET = 143;
export const IPPROTO_RAW = 255;
export const IPPROTO_MPTCP = 262;
export const IPPROTO_MAX = 263;

export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_HDRINCL = 3;
export const IP_OPTIONS = 4;
export const IP_ROUTER_ALERT = 5;
export const IP_RECVOPTS = 6;
export const IP_RETOPTS = 7;
export const IP_PKTINFO = 8;
export const IP_PKTOPTIONS = 9;
export const IP_MTU_DISCOVER = 10;
export const IP_RECVERR = 11;
export const IP_RECVTTL = 12;
export const IP_RECVTOS = 13;
export const IP_MTU = 14;
export const IP_FREEBIND = 15;
export const IP_IPSEC_POLICY = 16;
export const IP_XFRM_POLICY = 17;
export const IP_PASSSEC = 18;
export const IP_TRANSPARENT = 19;
export const IP_RECVRETOPTS = 7;
export const IP_ORIGDSTADDR = 20;
export const IP_RECVORIGDSTADDR = 20;
export const IP_MINTTL = 21;
export const IP_NODEFRAG = 22;
export const IP_CHECKSUM = 23;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IP_RECVFRAGSIZE = 25;
export const IP_RECVERR_RFC4884 = 26;
export const IP_PMTUDISC_DONT = 0;
export const IP_PMTUDISC_WANT = 1;
export const IP_PMTUDISC_DO = 2;
export const IP_PMTUDISC_PROBE = 3;
export const IP_PMTUDISC_INTERFACE = 4;
export const IP_PMTUDISC_OMIT = 5;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;
export const IP_DROP_MEMBERSHIP = 36;
export const IP_UNBLOCK_SOURCE = 37;
export const IP_BLOCK_SOURCE = 38;
export const IP_ADD_SOURCE_MEMBERSHIP = 39;
export const IP_DROP_SOURCE_MEMBERSHIP = 40;
export const IP_MSFILTER = 41;

export const MCAST_JOIN_GROUP = 42;
export const MCAST_BLOCK_SOURCE = 43;
export const MCAST_UNBLOCK_SOURCE = 44;
export const MCAST_LEAVE_GROUP = 45;
export const MCAST_JOIN_SOURCE_GROUP = 46;
export const MCAST_LEAVE_SOURCE_GROUP = 47;
export const MCAST_MSFILTER = 48;

export const IP_MULTICAST_ALL = 49;
export const IP_UNICAST_IF = 50;
export const IP_LOCAL_PORT_RANGE = 51;
export const IP_PROTOCOL = 52;

export const MCAST_EXCLUDE = 0;
export const MCAST_INCLUDE = 1;
export const IP_DEFAULT_MULTICAST_TTL = 1;
export const IP_DEFAULT_MULTICAST_LOOP = 1;

export const IN_CLASSA_NET = 0xff000000;
export const IN_CLASSA_NSHIFT = 24;
export const IN_CLASSA_HOST = 0xffffff;
export const IN_CLASSA_MAX = 128;
export const IN_CLASSB_NET = 0xffff0000;
export const IN_CLASSB_NSHIFT = 16;
export const IN_CLASSB_HOST = 0xffff;
export const IN_CLASSB_MAX = 65536;
export const IN_CLASSC_NET = 0xffffff00;
export const IN_CLASSC_NSHIFT = 8;
export const IN_CLASSC_HOST = 0xff;
export const IN_CLASSE_NET = 0xffffffff;
export const IN_CLASSE_NSHIFT = 0;

export const INADDR_ANY = 0x0;
export const INADDR_BROADCAST = 0xffffffff;
export const INADDR_NONE = 0xffffffff;
export const INADDR_DUMMY = 0xc0000008;

export const IN_LOOPBACKNET = 127;

export const INADDR_LOOPBACK = 0x7f000001;
export const INADDR_UNSPEC_GROUP = 0xe0000000;
export const INADDR_ALLHOSTS_GROUP = 0xe0000001;
export const INADDR_ALLRTRS_GROUP = 0xe0000002;
export const INADDR_ALLSNOOPERS_GROUP = 0xe000006a;
export const INADDR_MAX_LOCAL_GROUP = 0xe00000ff;

export const IPV6_FL_A_GET = 0;
export const IPV6_FL_A_PUT = 1;
export const IPV6_FL_A_RENEW = 2;
export const IPV6_FL_F_CREATE = 1;
export const IPV6_FL_F_EXCL = 2;
export const IPV6_FL_F_REFLECT = 4;
export const IPV6_FL_F_REMOTE = 8;
export const IPV6_FL_S_NONE = 0;
export const IPV6_FL_S_EXCL = 1;
export const IPV6_FL_S_PROCESS = 2;
export const IPV6_FL_S_USER = 3;
export const IPV6_FL_S_ANY = 255;
export const IPV6_FLOWINFO_FLOWLABEL = 0xfffff;
export const IPV6_FLOWINFO_PRIORITY = 0xff00000;
export const IPV6_PRIORITY_UNCHARACTERIZED = 0x0;
export const IPV6_PRIORITY_FILLER = 0x100;
export const IPV6_PRIORITY_UNATTENDED = 0x200;
export const IPV6_PRIORITY_RESERVED1 = 0x300;
export const IPV6_PRIORITY_BULK = 0x400;
export const IPV6_PRIORITY_RESERVED2 = 0x500;
export const IPV6_PRIORITY_INTERACTIVE = 0x600;
export const IPV6_PRIORITY_CONTROL = 0x700;
export const IPV6_PRIORITY_8 = 0x800;
export const IPV6_PRIORITY_9 = 0x900;
export const IPV6_PRIORITY_10 = 0xa00;
export const IPV6_PRIORITY_11 = 0xb00;
export const IPV6_PRIORITY_12 = 0xc00;
export const IPV6_PRIORITY_13 = 0xd00;
export const IPV6_PRIORITY_14 = 0xe00;
export const IPV6_PRIORITY_15 = 0xf00;

export const IPPROTO_HOPOPTS = 0;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_NONE = 59;
export const IPPROTO_DSTOPTS = 60;
export const IPPROTO_MH = 135;

export const IPV6_TLV_PAD1 = 0;
export const IPV6_TLV_PADN = 1;
export const IPV6_TLV_ROUTERALERT = 5;
export const IPV6_TLV_CALIPSO = 7;
export const IPV6_TLV_IOAM = 49;
export const IPV6_TLV_JUMBO = 194;
export const IPV6_TLV_HAO = 201;
export const IPV6_ADDRFORM = 1;
export const IPV6_2292PKTINFO = 2;
export const IPV6_2292HOPOPTS = 3;
export const IPV6_2292DSTOPTS = 4;
export const IPV6_2292RTHDR = 5;
export const IPV6_2292PKTOPTIONS = 6;
export const IPV6_CHECKSUM = 7;
export const IPV6_2292HOPLIMIT = 8;
export const IPV6_NEXTHOP = 9;
export const IPV6_AUTHHDR = 10;
export const IPV6_FLOWINFO = 11;
export const IPV6_UNICAST_HOPS = 16;
export const IPV6_MULTICAST_IF = 17;
export const IPV6_MULTICAST_HOPS = 18;
export const IPV6_MULTICAST_LOOP = 19;
export const IPV6_ADD_MEMBERSHIP = 20;
export const IPV6_DROP_MEMBERSHIP = 21;
export const IPV6_ROUTER_ALERT = 22;
export const IPV6_MTU_DISCOVER = 23;
export const IPV6_MTU = 24;
export const IPV6_RECVERR = 25;
export const IPV6_V6ONLY = 26;
export const IPV6_JOIN_ANYCAST = 27;
export const IPV6_LEAVE_ANYCAST = 28;
export const IPV6_MULTICAST_ALL = 29;
export const IPV6_ROUTER_ALERT_ISOLATE = 30;
export const IPV6_RECVERR_RFC4884 = 31;
export const IPV6_PMTUDISC_DONT = 0;
export const IPV6_PMTUDISC_WANT = 1;
export const IPV6_PMTUDISC_DO = 2;
export const IPV6_PMTUDISC_PROBE = 3;
export const IPV6_PMTUDISC_INTERFACE = 4;
export const IPV6_PMTUDISC_OMIT = 5;
export const IPV6_FLOWLABEL_MGR = 32;
export const IPV6_FLOWINFO_SEND = 33;
export const IPV6_IPSEC_POLICY = 34;
export const IPV6_XFRM_POLICY = 35;
export const IPV6_HDRINCL = 36;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IPV6_RECVHOPLIMIT = 51;
export const IPV6_HOPLIMIT = 52;
export const IPV6_RECVHOPOPTS = 53;
export const IPV6_HOPOPTS = 54;
export const IPV6_RTHDRDSTOPTS = 55;
export const IPV6_RECVRTHDR = 56;
export const IPV6_RTHDR = 57;
export const IPV6_RECVDSTOPTS = 58;
export const IPV6_DSTOPTS = 59;
export const IPV6_RECVPATHMTU = 60;
export const IPV6_PATHMTU = 61;
export const IPV6_DONTFRAG = 62;
export const IPV6_RECVTCLASS = 66;
export const IPV6_TCLASS = 67;
export const IPV6_AUTOFLOWLABEL = 70;
export const IPV6_ADDR_PREFERENCES = 72;
export const IPV6_PREFER_SRC_TMP = 0x1;
export const IPV6_PREFER_SRC_PUBLIC = 0x2;
export const IPV6_PREFER_SRC_PUBTMP_DEFAULT = 0x100;
export const IPV6_PREFER_SRC_COA = 0x4;
export const IPV6_PREFER_SRC_HOME = 0x400;
export const IPV6_PREFER_SRC_CGA = 0x8;
export const IPV6_PREFER_SRC_NONCGA = 0x800;
export const IPV6_MINHOPCOUNT = 73;
export const IPV6_ORIGDSTADDR = 74;
export const IPV6_RECVORIGDSTADDR = 74;
export const IPV6_TRANSPARENT = 75;
export const IPV6_UNICAST_IF = 76;
export const IPV6_RECVFRAGSIZE = 77;
export const IPV6_FREEBIND = 78;
export const IPV6_MIN_MTU = 1280;
export const IPV6_SRCRT_STRICT = 0x1;
export const IPV6_SRCRT_TYPE_0 = 0;
export const IPV6_SRCRT_TYPE_2 = 2;
export const IPV6_SRCRT_TYPE_3 = 3;
export const IPV6_SRCRT_TYPE_4 = 4;
export const IPV6_OPT_ROUTERALERT_MLD = 0x0;

export const IPTOS_TOS_MASK = 0x1e;
export const IPTOS_LOWDELAY = 0x10;
export const IPTOS_THROUGHPUT = 0x8;
export const IPTOS_RELIABILITY = 0x4;
export const IPTOS_MINCOST = 0x2;
export const IPTOS_PREC_MASK = 0xe0;
export const IPTOS_PREC_NETCONTROL = 0xe0;
export const IPTOS_PREC_INTERNETCONTROL = 0xc0;
export const IPTOS_PREC_CRITIC_ECP = 0xa0;
export const IPTOS_PREC_FLASHOVERRIDE = 0x80;
export const IPTOS_PREC_FLASH = 0x60;
export const IPTOS_PREC_IMMEDIATE = 0x40;
export const IPTOS_PREC_PRIORITY = 0x20;
export const IPTOS_PREC_ROUTINE = 0x0;

export const IPOPT_COPY = 0x80;
export const IPOPT_CLASS_MASK = 0x60;
export const IPOPT_NUMBER_MASK = 0x1f;
export const IPOPT_CONTROL = 0x0;
export const IPOPT_RESERVED1 = 0x20;
export const IPOPT_MEASUREMENT = 0x40;
export const IPOPT_RESERVED2 = 0x60;
export const IPOPT_END = 0x0;
export const IPOPT_NOOP = 0x1;
export const IPOPT_SEC = 0x82;
export const IPOPT_LSRR = 0x83;
export const IPOPT_TIMESTAMP = 0x44;
export const IPOPT_CIPSO = 0x86;
export const IPOPT_RR = 0x7;
export const IPOPT_SID = 0x88;
export const IPOPT_SSRR = 0x89;
export const IPOPT_RA = 0x94;

export const IPVERSION = 4;
export const MAXTTL = 255;
export const IPDEFTTL = 64;

export const IPOPT_OPTVAL = 0;
export const IPOPT_OLEN = 1;
export const IPOPT_OFFSET = 2;
export const IPOPT_MINOFF = 4;
export const IPOPT_NOP = 0x1;
export const IPOPT_EOL = 0x0;
export const IPOPT_TS = 0x44;
export const IPOPT_TS_TSONLY = 0;
export const IPOPT_TS_TSANDADDR = 1;
export const IPOPT_TS_PRESPEC = 3;

/** Layout of struct sockaddr_in. */
export const SIZEOF_SOCKADDR_IN = 16;
export const SOCKADDR_IN_SIN_FAMILY = 0;
export const SOCKADDR_IN_SIN_PORT = 2;
export const SOCKADDR_IN_SIN_ADDR = 4;

/** port and addr are host-order numbers; the struct holds network order. */
export type SockaddrIn = {
  family: number;
  port: number;
  addr: number;
};

export function encodeSockaddrIn(view: DataView, off: number, s: SockaddrIn): void {
  view.setUint16(off + SOCKADDR_IN_SIN_FAMILY, s.family, true);
  view.setUint16(off + SOCKADDR_IN_SIN_PORT, s.port);
  view.setUint32(off + SOCKADDR_IN_SIN_ADDR, s.addr);
  view.setUint32(off + 8, 0, true); // padding
  view.setUint32(off + 12, 0, true); // padding
}

export function decodeSockaddrIn(view: DataView, off: number): SockaddrIn {
  return {
    family: view.getUint16(off + SOCKADDR_IN_SIN_FAMILY, true),
    port: view.getUint16(off + SOCKADDR_IN_SIN_PORT),
    addr: view.getUint32(off + SOCKADDR_IN_SIN_ADDR),
  };
}

/** Layout of struct sockaddr_in6. */
export const SIZEOF_SOCKADDR_IN6 = 28;
export const SOCKADDR_IN6_SIN6_FAMILY = 0;
export const SOCKADDR_IN6_SIN6_PORT = 2;
export const SOCKADDR_IN6_SIN6_FLOWINFO = 4;
export const SOCKADDR_IN6_SIN6_ADDR = 8;
export const SOCKADDR_IN6_SIN6_SCOPE_ID = 24;

/** An IPv6 address, port and flow label, as host-order numbers and 16 address bytes. */
export type SockaddrIn6 = {
  family: number;
  port: number;
  flowinfo: number;
  addr: Uint8Array;
  scopeId: number;
};

export function encodeSockaddrIn6(view: DataView, off: number, s: SockaddrIn6): void {
  view.setUint16(off + SOCKADDR_IN6_SIN6_FAMILY, s.family, true);
  view.setUint16(off + SOCKADDR_IN6_SIN6_PORT, s.port);
  view.setUint32(off + SOCKADDR_IN6_SIN6_FLOWINFO, s.flowinfo);
  putBytes(view, off + SOCKADDR_IN6_SIN6_ADDR, 16, s.addr);
  view.setUint32(off + SOCKADDR_IN6_SIN6_SCOPE_ID, s.scopeId, true);
}

export function decodeSockaddrIn6(view: DataView, off: number): SockaddrIn6 {
  return {
    family: view.getUint16(off + SOCKADDR_IN6_SIN6_FAMILY, true),
    port: view.getUint16(off + SOCKADDR_IN6_SIN6_PORT),
    flowinfo: view.getUint32(off + SOCKADDR_IN6_SIN6_FLOWINFO),
    addr: getBytes(view, off + SOCKADDR_IN6_SIN6_ADDR, 16),
    scopeId: view.getUint32(off + SOCKADDR_IN6_SIN6_SCOPE_ID, true),
  };
}

/** Layout of struct ip_mreq. */
export const SIZEOF_IP_MREQ = 8;
export const IP_MREQ_IMR_MULTIADDR = 0;
export const IP_MREQ_IMR_INTERFACE = 4;

/** Layout of struct ip_mreqn. */
export const SIZEOF_IP_MREQN = 12;
export const IP_MREQN_IMR_MULTIADDR = 0;
export const IP_MREQN_IMR_ADDRESS = 4;
export const IP_MREQN_IMR_IFINDEX = 8;

/** Layout of struct in_pktinfo. */
export const SIZEOF_IN_PKTINFO = 12;
export const IN_PKTINFO_IPI_IFINDEX = 0;
export const IN_PKTINFO_IPI_SPEC_DST = 4;
export const IN_PKTINFO_IPI_ADDR = 8;

/** Layout of struct ipv6_mreq. */
export const SIZEOF_IPV6_MREQ = 20;
export const IPV6_MREQ_IPV6MR_MULTIADDR = 0;
export const IPV6_MREQ_IPV6MR_IFINDEX = 16;

/** Layout of struct in6_pktinfo. */
export const SIZEOF_IN6_PKTINFO = 20;
export const IN6_PKTINFO_IPI6_ADDR = 0;
export const IN6_PKTINFO_IPI6_IFINDEX = 16;
