/** netlink(7): <linux/netlink.h>, <linux/sock_diag.h>, <linux/inet_diag.h>, <linux/genetlink.h>. */

export const NETLINK_ROUTE = 0;
export const NETLINK_UNUSED = 1;
export const NETLINK_USERSOCK = 2;
export const NETLINK_FIREWALL = 3;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NFLOG = 5;
export const NETLINK_XFRM = 6;
export const NETLINK_SELINUX = 7;
export const NETLINK_ISCSI = 8;
export const NETLINK_AUDIT = 9;
export const NETLINK_FIB_LOOKUP = 10;
export const NETLINK_CONNECTOR = 11;
export const NETLINK_NETFILTER = 12;
export const NETLINK_IP6_FW = 13;
export const NETLINK_DNRTMSG = 14;
export const NETLINK_KOBJECT_UEVENT = 15;
export const NETLINK_GENERIC = 16;
export const NETLINK_SCSITRANSPORT = 18;
export const NETLINK_ECRYPTFS = 19;
export const NETLINK_RDMA = 20;
export const NETLINK_CRYPTO = 21;
export const NETLINK_SMC = 22;
export const NETLINK_INET_DIAG = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_ECHO = 0x8;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP_FILTERED = 0x20;
export const NLM_F_ROOT = 0x100;
export const NLM_F_MATCH = 0x200;
export const NLM_F_ATOMIC = 0x400;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_NONREC = 0x100;
export const NLM_F_BULK = 0x200;
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

export const NLMSG_ALIGNTO = 4;
export const NLMSG_HDRLEN = 16;
export const NLMSG_NOOP = 0x1;
export const NLMSG_ERROR = 0x2;
export const NLMSG_DONE = 0x3;
export const NLMSG_OVERRUN = 0x4;
export const NLMSG_MIN_TYPE = 0x10;

export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_DROP_MEMBERSHIP = 2;
export const NETLINK_PKTINFO = 3;
export const NETLINK_BROADCAST_ERROR = 4;
export const NETLINK_NO_ENOBUFS = 5;
export const NETLINK_RX_RING = 6;
export const NETLINK_TX_RING = 7;
export const NETLINK_LISTEN_ALL_NSID = 8;
export const NETLINK_LIST_MEMBERSHIPS = 9;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;
export const NETLINK_GET_STRICT_CHK = 12;
export const NETLINK_UNCONNECTED = 0;
export const NETLINK_CONNECTED = 1;

export const NLA_F_NESTED = 0x8000;
export const NLA_F_NET_BYTEORDER = 0x4000;
export const NLA_TYPE_MASK = -0xc001;
export const NLA_ALIGNTO = 4;
export const NLA_HDRLEN = 4;

export const SOCK_DIAG_BY_FAMILY = 20;
export const SOCK_DESTROY = 21;
export const TCPDIAG_GETSOCK = 18;
export const DCCPDIAG_GETSOCK = 19;

export const INET_DIAG_GETSOCK_MAX = 24;
export const INET_DIAG_NOCOOKIE = 4294967295;
export const INET_DIAG_REQ_NONE = 0;
export const INET_DIAG_REQ_BYTECODE = 1;
export const INET_DIAG_REQ_SK_BPF_STORAGES = 2;
export const INET_DIAG_REQ_PROTOCOL = 3;
export const INET_DIAG_REQ_MAX = 3;
export const INET_DIAG_BC_NOP = 0;
export const INET_DIAG_BC_JMP = 1;
export const INET_DIAG_BC_S_GE = 2;
export const INET_DIAG_BC_S_LE = 3;
export const INET_DIAG_BC_D_GE = 4;
export const INET_DIAG_BC_D_LE = 5;
export const INET_DIAG_BC_AUTO = 6;
export const INET_DIAG_BC_S_COND = 7;
export const INET_DIAG_BC_D_COND = 8;
export const INET_DIAG_BC_DEV_COND = 9;
export const INET_DIAG_BC_MARK_COND = 10;
export const INET_DIAG_BC_S_EQ = 11;
export const INET_DIAG_BC_D_EQ = 12;
export const INET_DIAG_BC_CGROUP_COND = 13;
export const INET_DIAG_NONE = 0;
export const INET_DIAG_MEMINFO = 1;
export const INET_DIAG_INFO = 2;
export const INET_DIAG_VEGASINFO = 3;
export const INET_DIAG_CONG = 4;
export const INET_DIAG_TOS = 5;
export const INET_DIAG_TCLASS = 6;
export const INET_DIAG_SKMEMINFO = 7;
export const INET_DIAG_SHUTDOWN = 8;
export const INET_DIAG_DCTCPINFO = 9;
export const INET_DIAG_PROTOCOL = 10;
export const INET_DIAG_SKV6ONLY = 11;
export const INET_DIAG_LOCALS = 12;
export const INET_DIAG_PEERS = 13;
export const INET_DIAG_PAD = 14;
export const INET_DIAG_MARK = 15;
export const INET_DIAG_BBRINFO = 16;
export const INET_DIAG_CLASS_ID = 17;
export const INET_DIAG_MD5SIG = 18;
export const INET_DIAG_ULP_INFO = 19;
export const INET_DIAG_SK_BPF_STORAGES = 20;
export const INET_DIAG_CGROUP_ID = 21;
export const INET_DIAG_SOCKOPT = 22;
export const INET_DIAG_MAX = 22;

export const GENL_NAMSIZ = 16;
export const GENL_MIN_ID = 0x10;
export const GENL_MAX_ID = 1023;
export const GENL_HDRLEN = 4;
export const GENL_ADMIN_PERM = 0x1;
export const GENL_CMD_CAP_DO = 0x2;
export const GENL_CMD_CAP_DUMP = 0x4;
export const GENL_CMD_CAP_HASPOL = 0x8;
export const GENL_UNS_ADMIN_PERM = 0x10;
export const GENL_ID_CTRL = 0x10;
export const GENL_ID_VFS_DQUOT = 0x11;
export const GENL_ID_PMCRAID = 0x12;
export const GENL_START_ALLOC = 0x13;

export const CTRL_CMD_UNSPEC = 0;
export const CTRL_CMD_NEWFAMILY = 1;
export const CTRL_CMD_DELFAMILY = 2;
export const CTRL_CMD_GETFAMILY = 3;
export const CTRL_CMD_NEWOPS = 4;
export const CTRL_CMD_DELOPS = 5;
export const CTRL_CMD_GETOPS = 6;
export const CTRL_CMD_NEWMCAST_GRP = 7;
export const CTRL_CMD_DELMCAST_GRP = 8;
export const CTRL_CMD_GETMCAST_GRP = 9;
export const CTRL_CMD_GETPOLICY = 10;
export const CTRL_CMD_MAX = 10;
export const CTRL_ATTR_UNSPEC = 0;
export const CTRL_ATTR_FAMILY_ID = 1;
export const CTRL_ATTR_FAMILY_NAME = 2;
export const CTRL_ATTR_VERSION = 3;
export const CTRL_ATTR_HDRSIZE = 4;
export const CTRL_ATTR_MAXATTR = 5;
export const CTRL_ATTR_OPS = 6;
export const CTRL_ATTR_MCAST_GROUPS = 7;
export const CTRL_ATTR_POLICY = 8;
export const CTRL_ATTR_OP_POLICY = 9;
export const CTRL_ATTR_OP = 10;
export const CTRL_ATTR_MAX = 10;
export const CTRL_ATTR_OP_UNSPEC = 0;
export const CTRL_ATTR_OP_ID = 1;
export const CTRL_ATTR_OP_FLAGS = 2;
export const CTRL_ATTR_OP_MAX = 2;
export const CTRL_ATTR_MCAST_GRP_UNSPEC = 0;
export const CTRL_ATTR_MCAST_GRP_NAME = 1;
export const CTRL_ATTR_MCAST_GRP_ID = 2;
export const CTRL_ATTR_MCAST_GRP_MAX = 2;
export const CTRL_ATTR_POLICY_UNSPEC = 0;
export const CTRL_ATTR_POLICY_DO = 1;
export const CTRL_ATTR_POLICY_DUMP = 2;
export const CTRL_ATTR_POLICY_DUMP_MAX = 2;
export const CTRL_ATTR_POLICY_MAX = 2;

/** Layout of struct sockaddr_nl. */
export const SIZEOF_SOCKADDR_NL = 12;
export const SOCKADDR_NL_NL_FAMILY = 0;
export const SOCKADDR_NL_NL_PID = 4;
export const SOCKADDR_NL_NL_GROUPS = 8;

/** netlink address. */
export type SockaddrNl = {
  family: number;
  pid: number;
  groups: number;
};

export function encodeSockaddrNl(view: DataView, off: number, s: SockaddrNl): void {
  view.setUint16(off + SOCKADDR_NL_NL_FAMILY, s.family, true);
  view.setUint16(off + 2, 0, true); // padding
  view.setUint32(off + SOCKADDR_NL_NL_PID, s.pid, true);
  view.setUint32(off + SOCKADDR_NL_NL_GROUPS, s.groups, true);
}

export function decodeSockaddrNl(view: DataView, off: number): SockaddrNl {
  return {
    family: view.getUint16(off + SOCKADDR_NL_NL_FAMILY, true),
    pid: view.getUint32(off + SOCKADDR_NL_NL_PID, true),
    groups: view.getUint32(off + SOCKADDR_NL_NL_GROUPS, true),
  };
}

/** Layout of struct nlmsghdr. */
export const SIZEOF_NLMSGHDR = 16;
export const NLMSGHDR_NLMSG_LEN = 0;
export const NLMSGHDR_NLMSG_TYPE = 4;
export const NLMSGHDR_NLMSG_FLAGS = 6;
export const NLMSGHDR_NLMSG_SEQ = 8;
export const NLMSGHDR_NLMSG_PID = 12;

/** netlink message header. */
export type Nlmsghdr = {
  len: number;
  type: number;
  flags: number;
  seq: number;
  pid: number;
};

export function encodeNlmsghdr(view: DataView, off: number, s: Nlmsghdr): void {
  view.setUint32(off + NLMSGHDR_NLMSG_LEN, s.len, true);
  view.setUint16(off + NLMSGHDR_NLMSG_TYPE, s.type, true);
  view.setUint16(off + NLMSGHDR_NLMSG_FLAGS, s.flags, true);
  view.setUint32(off + NLMSGHDR_NLMSG_SEQ, s.seq, true);
  view.setUint32(off + NLMSGHDR_NLMSG_PID, s.pid, true);
}

export function decodeNlmsghdr(view: DataView, off: number): Nlmsghdr {
  return {
    len: view.getUint32(off + NLMSGHDR_NLMSG_LEN, true),
    type: view.getUint16(off + NLMSGHDR_NLMSG_TYPE, true),
    flags: view.getUint16(off + NLMSGHDR_NLMSG_FLAGS, true),
    seq: view.getUint32(off + NLMSGHDR_NLMSG_SEQ, true),
    pid: view.getUint32(off + NLMSGHDR_NLMSG_PID, true),
  };
}

/** Layout of struct nlmsgerr. */
export const SIZEOF_NLMSGERR = 20;
export const NLMSGERR_ERROR = 0;
export const NLMSGERR_MSG = 4;

/** Layout of struct nlattr. */
export const SIZEOF_NLATTR = 4;
export const NLATTR_NLA_LEN = 0;
export const NLATTR_NLA_TYPE = 2;
