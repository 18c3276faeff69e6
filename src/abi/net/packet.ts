/** packet(7) and tun/tap: <linux/if_packet.h>, <linux/if_tun.h>. */

export const PACKET_HOST = 0;
export const PACKET_BROADCAST = 1;
export const PACKET_MULTICAST = 2;
export const PACKET_OTHERHOST = 3;
export const PACKET_OUTGOING = 4;
export const PACKET_LOOPBACK = 5;
export const PACKET_USER = 6;
export const PACKET_KERNEL = 7;
export const PACKET_FASTROUTE = 6;
export const PACKET_ADD_MEMBERSHIP = 1;
export const PACKET_DROP_MEMBERSHIP = 2;
export const PACKET_RECV_OUTPUT = 3;
export const PACKET_RX_RING = 5;
export const PACKET_STATISTICS = 6;
export const PACKET_COPY_THRESH = 7;
export const PACKET_AUXDATA = 8;
export const PACKET_ORIGDEV = 9;
export const PACKET_VERSION = 10;
export const PACKET_HDRLEN = 11;
export const PACKET_RESERVE = 12;
export const PACKET_TX_RING = 13;
export const PACKET_LOSS = 14;
export const PACKET_VNET_HDR = 15;
export const PACKET_TX_TIMESTAMP = 16;
export const PACKET_TIMESTAMP = 17;
export const PACKET_FANOUT = 18;
export const PACKET_TX_HAS_OFF = 19;
export const PACKET_QDISC_BYPASS = 20;
export const PACKET_ROLLOVER_STATS = 21;
export const PACKET_FANOUT_DATA = 22;
export const PACKET_IGNORE_OUTGOING = 23;
export const PACKET_FANOUT_HASH = 0;
export const PACKET_FANOUT_LB = 1;
export const PACKET_FANOUT_CPU = 2;
export const PACKET_FANOUT_ROLLOVER = 3;
export const PACKET_FANOUT_RND = 4;
export const PACKET_FANOUT_QM = 5;
export const PACKET_FANOUT_CBPF = 6;
export const PACKET_FANOUT_EBPF = 7;
export const PACKET_FANOUT_FLAG_ROLLOVER = 0x1000;
export const PACKET_FANOUT_FLAG_UNIQUEID = 0x2000;
export const PACKET_FANOUT_FLAG_DEFRAG = 0x8000;

export const TP_STATUS_KERNEL = 0;
export const TP_STATUS_USER = 0x1;
export const TP_STATUS_COPY = 0x2;
export const TP_STATUS_LOSING = 0x4;
export const TP_STATUS_CSUMNOTREADY = 0x8;
export const TP_STATUS_VLAN_VALID = 0x10;
export const TP_STATUS_BLK_TMO = 0x20;
export const TP_STATUS_VLAN_TPID_VALID = 0x40;
export const TP_STATUS_CSUM_VALID = 0x80;
export const TP_STATUS_AVAILABLE = 0;
export const TP_STATUS_SEND_REQUEST = 0x1;
export const TP_STATUS_SENDING = 0x2;
export const TP_STATUS_WRONG_FORMAT = 0x4;
export const TP_STATUS_TS_SOFTWARE = 0x20000000;
export const TP_STATUS_TS_SYS_HARDWARE = 0x40000000;
export const TP_STATUS_TS_RAW_HARDWARE = 0x80000000;
export const TP_FT_REQ_FILL_RXHASH = 0x1;

export const TPACKET_ALIGNMENT = 16;
export const TPACKET_HDRLEN = 52;
export const TPACKET_V1 = 0;
export const TPACKET_V2 = 1;
export const TPACKET_V3 = 2;

export const PACKET_MR_MULTICAST = 0;
export const PACKET_MR_PROMISC = 1;
export const PACKET_MR_ALLMULTI = 2;
export const PACKET_MR_UNICAST = 3;

export const TUN_READQ_SIZE = 500;
export const TUN_TUN_DEV = 0x1;
export const TUN_TAP_DEV = 0x2;
export const TUN_TYPE_MASK = 0xf;

export const IFF_TUN = 0x1;
export const IFF_TAP = 0x2;
export const IFF_NAPI = 0x10;
export const IFF_NAPI_FRAGS = 0x20;
export const IFF_NO_CARRIER = 0x40;
export const IFF_NO_PI = 0x1000;
export const IFF_ONE_QUEUE = 0x2000;
export const IFF_VNET_HDR = 0x4000;
export const IFF_TUN_EXCL = 0x8000;
export const IFF_MULTI_QUEUE = 0x100;
export const IFF_ATTACH_QUEUE = 0x200;
export const IFF_DETACH_QUEUE = 0x400;
export const IFF_PERSIST = 0x800;
export const IFF_NOFILTER = 0x1000;

export const TUN_TX_TIMESTAMP = 1;
export const TUN_F_CSUM = 0x1;
export const TUN_F_TSO4 = 0x2;
export const TUN_F_TSO6 = 0x4;
export const TUN_F_TSO_ECN = 0x8;
export const TUN_F_UFO = 0x10;
export const TUN_PKT_STRIP = 0x1;
export const TUN_FLT_ALLMULTI = 0x1;

/** Layout of struct sockaddr_ll. */
export const SIZEOF_SOCKADDR_LL = 20;
export const SOCKADDR_LL_SLL_FAMILY = 0;
export const SOCKADDR_LL_SLL_PROTOCOL = 2;
export const SOCKADDR_LL_SLL_IFINDEX = 4;
export const SOCKADDR_LL_SLL_HATYPE = 8;
export const SOCKADDR_LL_SLL_PKTTYPE = 10;
export const SOCKADDR_LL_SLL_HALEN = 11;
export const SOCKADDR_LL_SLL_ADDR = 12;

/** Layout of struct tpacket_auxdata. */
export const SIZEOF_TPACKET_AUXDATA = 20;
export const TPACKET_AUXDATA_TP_STATUS = 0;
export const TPACKET_AUXDATA_TP_LEN = 4;
export const TPACKET_AUXDATA_TP_SNAPLEN = 8;
export const TPACKET_AUXDATA_TP_MAC = 12;
export const TPACKET_AUXDATA_TP_NET = 14;
export const TPACKET_AUXDATA_TP_VLAN_TCI = 16;
export const TPACKET_AUXDATA_TP_VLAN_TPID = 18;

/** Layout of struct tpacket_hdr; the frames of TPACKET_V1. */
export const SIZEOF_TPACKET_HDR = 32;
export const TPACKET_HDR_TP_STATUS = 0;
export const TPACKET_HDR_TP_LEN = 8;
export const TPACKET_HDR_TP_SNAPLEN = 12;
export const TPACKET_HDR_TP_MAC = 16;
export const TPACKET_HDR_TP_NET = 18;
export const TPACKET_HDR_TP_SEC = 20;
export const TPACKET_HDR_TP_USEC = 24;

/** Layout of struct tpacket2_hdr; the frames of TPACKET_V2. */
export const SIZEOF_TPACKET2_HDR = 32;
export const TPACKET2_HDR_TP_STATUS = 0;
export const TPACKET2_HDR_TP_LEN = 4;
export const TPACKET2_HDR_TP_SNAPLEN = 8;
export const TPACKET2_HDR_TP_MAC = 12;
export const TPACKET2_HDR_TP_NET = 14;
export const TPACKET2_HDR_TP_SEC = 16;
export const TPACKET2_HDR_TP_NSEC = 20;
export const TPACKET2_HDR_TP_VLAN_TCI = 24;
export const TPACKET2_HDR_TP_VLAN_TPID = 26;
export const TPACKET2_HDR_TP_PADDING = 28;

/** Layout of struct tpacket3_hdr; the packets in blocks of TPACKET_V3. */
export const SIZEOF_TPACKET3_HDR = 48;
export const TPACKET3_HDR_TP_NEXT_OFFSET = 0;
export const TPACKET3_HDR_TP_SEC = 4;
export const TPACKET3_HDR_TP_NSEC = 8;
export const TPACKET3_HDR_TP_SNAPLEN = 12;
export const TPACKET3_HDR_TP_LEN = 16;
export const TPACKET3_HDR_TP_STATUS = 20;
export const TPACKET3_HDR_TP_MAC = 24;
export const TPACKET3_HDR_TP_NET = 26;
export const TPACKET3_HDR_HV1 = 28;
export const TPACKET3_HDR_TP_PADDING = 40;

/** Layout of struct tpacket_block_desc. */
export const SIZEOF_TPACKET_BLOCK_DESC = 48;
export const TPACKET_BLOCK_DESC_VERSION = 0;
export const TPACKET_BLOCK_DESC_OFFSET_TO_PRIV = 4;
export const TPACKET_BLOCK_DESC_HDR = 8;

/** Layout of struct tpacket_hdr_v1; what a block's descriptor says of it. */
export const SIZEOF_TPACKET_HDR_V1 = 40;
export const TPACKET_HDR_V1_BLOCK_STATUS = 0;
export const TPACKET_HDR_V1_NUM_PKTS = 4;
export const TPACKET_HDR_V1_OFFSET_TO_FIRST_PKT = 8;
export const TPACKET_HDR_V1_BLK_LEN = 12;
export const TPACKET_HDR_V1_SEQ_NUM = 16;
export const TPACKET_HDR_V1_TS_FIRST_PKT = 24;
export const TPACKET_HDR_V1_TS_LAST_PKT = 32;

/** Layout of struct tpacket_req; it is the begin of the next one. */
export const SIZEOF_TPACKET_REQ = 16;

/** Layout of struct tpacket_req3. */
export const SIZEOF_TPACKET_REQ3 = 28;
export const TPACKET_REQ3_TP_BLOCK_SIZE = 0;
export const TPACKET_REQ3_TP_BLOCK_NR = 4;
export const TPACKET_REQ3_TP_FRAME_SIZE = 8;
export const TPACKET_REQ3_TP_FRAME_NR = 12;
export const TPACKET_REQ3_TP_RETIRE_BLK_TOV = 16;
export const TPACKET_REQ3_TP_SIZEOF_PRIV = 20;
export const TPACKET_REQ3_TP_FEATURE_REQ_WORD = 24;
