/** Sockets: families, types, options and message flags: <sys/socket.h>, <asm/socket.h>, <linux/net.h>. */

import { getU64, putU64 } from '../u64.ts';

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_RDM = 4;
export const SOCK_SEQPACKET = 5;
export const SOCK_DCCP = 6;
export const SOCK_PACKET = 10;
export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;

export const AF_UNSPEC = 0;
export const AF_LOCAL = 1;
export const AF_UNIX = 1;
export const AF_FILE = 1;
export const AF_INET = 2;
export const AF_AX25 = 3;
export const AF_IPX = 4;
export const AF_APPLETALK = 5;
export const AF_NETROM = 6;
export const AF_BRIDGE = 7;
export const AF_ATMPVC = 8;
export const AF_X25 = 9;
export const AF_INET6 = 10;
export const AF_ROSE = 11;
export const AF_DECnet = 12;
export const AF_NETBEUI = 13;
export const AF_SECURITY = 14;
export const AF_KEY = 15;
export const AF_NETLINK = 16;
export const AF_ROUTE = 16;
export const AF_PACKET = 17;
export const AF_ASH = 18;
export const AF_ECONET = 19;
export const AF_ATMSVC = 20;
export const AF_RDS = 21;
export const AF_SNA = 22;
export const AF_IRDA = 23;
export const AF_PPPOX = 24;
export const AF_WANPIPE = 25;
export const AF_LLC = 26;
export const AF_IB = 27;
export const AF_MPLS = 28;
export const AF_CAN = 29;
export const AF_TIPC = 30;
export const AF_BLUETOOTH = 31;
export const AF_IUCV = 32;
export const AF_RXRPC = 33;
export const AF_ISDN = 34;
export const AF_PHONET = 35;
export const AF_IEEE802154 = 36;
export const AF_CAIF = 37;
export const AF_ALG = 38;
export const AF_NFC = 39;
export const AF_VSOCK = 40;
export const AF_KCM = 41;
export const AF_QIPCRTR = 42;
export const AF_SMC = 43;
export const AF_XDP = 44;
export const AF_MCTP = 45;
export const AF_MAX = 46;

export const SOL_RAW = 255;
export const SOL_DECNET = 261;
export const SOL_X25 = 262;
export const SOL_PACKET = 263;
export const SOL_ATM = 264;
export const SOL_AAL = 265;
export const SOL_IRDA = 266;
export const SOL_NETBEUI = 267;
export const SOL_LLC = 268;
export const SOL_DCCP = 269;
export const SOL_NETLINK = 270;
export const SOL_TIPC = 271;
export const SOL_RXRPC = 272;
export const SOL_PPPOL2TP = 273;
export const SOL_BLUETOOTH = 274;
export const SOL_PNPIPE = 275;
export const SOL_RDS = 276;
export const SOL_IUCV = 277;
export const SOL_CAIF = 278;
export const SOL_ALG = 279;
export const SOL_NFC = 280;
export const SOL_KCM = 281;
export const SOL_TLS = 282;
export const SOL_XDP = 283;
export const SOL_MPTCP = 284;
export const SOL_MCTP = 285;
export const SOL_SMC = 286;

export const SOMAXCONN = 4096;

export const MSG_OOB = 0x1;
export const MSG_PEEK = 0x2;
export const MSG_DONTROUTE = 0x4;
export const MSG_TRYHARD = 0x4;
export const MSG_CTRUNC = 0x8;
export const MSG_PROXY = 0x10;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_EOR = 0x80;
export const MSG_WAITALL = 0x100;
export const MSG_FIN = 0x200;
export const MSG_SYN = 0x400;
export const MSG_CONFIRM = 0x800;
export const MSG_RST = 0x1000;
export const MSG_ERRQUEUE = 0x2000;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;
export const MSG_WAITFORONE = 0x10000;
export const MSG_BATCH = 0x40000;
export const MSG_ZEROCOPY = 0x4000000;
export const MSG_FASTOPEN = 0x20000000;
export const MSG_CMSG_CLOEXEC = 0x40000000;

export const SCM_RIGHTS = 0x1;
export const SCM_CREDENTIALS = 0x2;
export const SOL_SOCKET = 1;

export const SO_DEBUG = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_DONTROUTE = 5;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_KEEPALIVE = 9;
export const SO_OOBINLINE = 10;
export const SO_NO_CHECK = 11;
export const SO_PRIORITY = 12;
export const SO_LINGER = 13;
export const SO_BSDCOMPAT = 14;
export const SO_REUSEPORT = 15;
export const SO_PASSCRED = 16;
export const SO_PEERCRED = 17;
export const SO_RCVLOWAT = 18;
export const SO_SNDLOWAT = 19;
export const SO_RCVTIMEO_OLD = 20;
export const SO_SNDTIMEO_OLD = 21;
export const SO_SECURITY_AUTHENTICATION = 22;
export const SO_SECURITY_ENCRYPTION_TRANSPORT = 23;
export const SO_SECURITY_ENCRYPTION_NETWORK = 24;
export const SO_BINDTODEVICE = 25;
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
export const SO_GET_FILTER = 26;
export const SO_PEERNAME = 28;
export const SO_ACCEPTCONN = 30;
export const SO_PEERSEC = 31;
export const SO_PASSSEC = 34;
export const SO_MARK = 36;
export const SO_PROTOCOL = 38;
export const SO_DOMAIN = 39;
export const SO_RXQ_OVFL = 40;
export const SO_WIFI_STATUS = 41;

export const SCM_WIFI_STATUS = 41;

export const SO_PEEK_OFF = 42;
export const SO_NOFCS = 43;
export const SO_LOCK_FILTER = 44;
export const SO_SELECT_ERR_QUEUE = 45;
export const SO_BUSY_POLL = 46;
export const SO_MAX_PACING_RATE = 47;
export const SO_BPF_EXTENSIONS = 48;
export const SO_INCOMING_CPU = 49;
export const SO_ATTACH_BPF = 50;
export const SO_DETACH_BPF = 27;
export const SO_ATTACH_REUSEPORT_CBPF = 51;
export const SO_ATTACH_REUSEPORT_EBPF = 52;
export const SO_CNX_ADVICE = 53;

export const SCM_TIMESTAMPING_OPT_STATS = 54;

export const SO_MEMINFO = 55;
export const SO_INCOMING_NAPI_ID = 56;
export const SO_COOKIE = 57;

export const SCM_TIMESTAMPING_PKTINFO = 58;

export const SO_PEERGROUPS = 59;
export const SO_ZEROCOPY = 60;
export const SO_TXTIME = 61;

export const SCM_TXTIME = 61;

export const SO_BINDTOIFINDEX = 62;
export const SO_TIMESTAMP_OLD = 29;
export const SO_TIMESTAMPNS_OLD = 35;
export const SO_TIMESTAMPING_OLD = 37;
export const SO_TIMESTAMP_NEW = 63;
export const SO_TIMESTAMPNS_NEW = 64;
export const SO_TIMESTAMPING_NEW = 65;
export const SO_RCVTIMEO_NEW = 66;
export const SO_SNDTIMEO_NEW = 67;
export const SO_DETACH_REUSEPORT_BPF = 68;
export const SO_PREFER_BUSY_POLL = 69;
export const SO_BUSY_POLL_BUDGET = 70;
export const SO_NETNS_COOKIE = 71;
export const SO_BUF_LOCK = 72;
export const SO_RESERVE_MEM = 73;
export const SO_TXREHASH = 74;
export const SO_RCVMARK = 75;
export const SO_TIMESTAMP = 29;
export const SO_TIMESTAMPNS = 35;
export const SO_TIMESTAMPING = 37;
export const SO_RCVTIMEO = 20;
export const SO_SNDTIMEO = 21;

export const SCM_TIMESTAMP = 29;
export const SCM_TIMESTAMPNS = 35;
export const SCM_TIMESTAMPING = 37;

export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

export const SOCK_SNDBUF_LOCK = 1;
export const SOCK_RCVBUF_LOCK = 2;
export const SOCK_BUF_LOCK_MASK = 3;
export const SOCK_TXREHASH_DEFAULT = 255;
export const SOCK_TXREHASH_DISABLED = 0;
export const SOCK_TXREHASH_ENABLED = 1;

export const SCM_SECURITY = 0x03;
export const SCM_PIDFD = 0x04;
export const MSG_SPLICE_PAGES = 0x8000000;
export const MSG_SOCK_DEVMEM = 0x2000000;
export const MSG_CMSG_COMPAT = 0x80000000;
export const SO_PASSPIDFD = 76;
export const SO_PEERPIDFD = 77;
export const SO_DEVMEM_LINEAR = 78;
export const SO_DEVMEM_DMABUF = 79;
export const SO_DEVMEM_DONTNEED = 80;
export const SCM_TS_OPT_ID = 81;
export const SO_RCVPRIORITY = 82;
export const SO_PASSRIGHTS = 83;
export const SO_INQ = 84;
export const SCM_INQ = 84;
export const SOL_UDP = 17;
export const SOL_UDPLITE = 136;
export const SOL_SCTP = 132;
export const SOL_IPV6 = 41;
export const SOL_TCP = 6;
export const SOL_VSOCK = 287;

/** Layout of struct msghdr. */
export const SIZEOF_MSGHDR = 56;
export const MSGHDR_MSG_NAME = 0;
export const MSGHDR_MSG_NAMELEN = 8;
export const MSGHDR_MSG_IOV = 16;
export const MSGHDR_MSG_IOVLEN = 24;
export const MSGHDR_MSG_CONTROL = 32;
export const MSGHDR_MSG_CONTROLLEN = 40;
export const MSGHDR_MSG_FLAGS = 48;

/** sendmsg(2). */
export type Msghdr = {
  name: number;
  namelen: number;
  iov: number;
  iovlen: number;
  control: number;
  controllen: number;
  flags: number;
};

export function encodeMsghdr(view: DataView, off: number, s: Msghdr): void {
  putU64(view, off + MSGHDR_MSG_NAME, s.name);
  view.setInt32(off + MSGHDR_MSG_NAMELEN, s.namelen, true);
  view.setUint32(off + 12, 0, true); // padding
  putU64(view, off + MSGHDR_MSG_IOV, s.iov);
  putU64(view, off + MSGHDR_MSG_IOVLEN, s.iovlen);
  putU64(view, off + MSGHDR_MSG_CONTROL, s.control);
  putU64(view, off + MSGHDR_MSG_CONTROLLEN, s.controllen);
  view.setUint32(off + MSGHDR_MSG_FLAGS, s.flags, true);
  view.setUint32(off + 52, 0, true); // padding
}

export function decodeMsghdr(view: DataView, off: number): Msghdr {
  return {
    name: getU64(view, off + MSGHDR_MSG_NAME),
    namelen: view.getInt32(off + MSGHDR_MSG_NAMELEN, true),
    iov: getU64(view, off + MSGHDR_MSG_IOV),
    iovlen: getU64(view, off + MSGHDR_MSG_IOVLEN),
    control: getU64(view, off + MSGHDR_MSG_CONTROL),
    controllen: getU64(view, off + MSGHDR_MSG_CONTROLLEN),
    flags: view.getUint32(off + MSGHDR_MSG_FLAGS, true),
  };
}

/** Layout of struct mmsghdr. */
export const SIZEOF_MMSGHDR = 64;
export const MMSGHDR_MSG_HDR = 0;
export const MMSGHDR_MSG_LEN = 56;

/** Layout of struct cmsghdr. */
export const SIZEOF_CMSGHDR = 16;
export const CMSGHDR_CMSG_LEN = 0;
export const CMSGHDR_CMSG_LEVEL = 8;
export const CMSGHDR_CMSG_TYPE = 12;

/** Control message header; data follows at SIZEOF_CMSGHDR. */
export type Cmsghdr = {
  len: number;
  level: number;
  type: number;
};

export function encodeCmsghdr(view: DataView, off: number, s: Cmsghdr): void {
  putU64(view, off + CMSGHDR_CMSG_LEN, s.len);
  view.setInt32(off + CMSGHDR_CMSG_LEVEL, s.level, true);
  view.setInt32(off + CMSGHDR_CMSG_TYPE, s.type, true);
}

export function decodeCmsghdr(view: DataView, off: number): Cmsghdr {
  return {
    len: getU64(view, off + CMSGHDR_CMSG_LEN),
    level: view.getInt32(off + CMSGHDR_CMSG_LEVEL, true),
    type: view.getInt32(off + CMSGHDR_CMSG_TYPE, true),
  };
}

const CMSG_ALIGN = 8;

/** CMSG_LEN(3): what cmsg_len says of `dataLen` bytes of data. */
export function cmsgLen(dataLen: number): number {
  return SIZEOF_CMSGHDR + dataLen;
}

/** CMSG_SPACE(3): bytes from one control message to the next. */
export function cmsgSpace(dataLen: number): number {
  return SIZEOF_CMSGHDR + Math.ceil(dataLen / CMSG_ALIGN) * CMSG_ALIGN;
}

/** Layout of struct sockaddr. */
export const SIZEOF_SOCKADDR = 16;
export const SOCKADDR_SA_FAMILY = 0;
export const SOCKADDR_SA_DATA = 2;

/** Layout of struct linger. */
export const SIZEOF_LINGER = 8;
export const LINGER_L_ONOFF = 0;
export const LINGER_L_LINGER = 4;

/** SO_LINGER. */
export type Linger = {
  onoff: number;
  lingerSec: number;
};

export function encodeLinger(view: DataView, off: number, s: Linger): void {
  view.setInt32(off + LINGER_L_ONOFF, s.onoff, true);
  view.setInt32(off + LINGER_L_LINGER, s.lingerSec, true);
}

export function decodeLinger(view: DataView, off: number): Linger {
  return {
    onoff: view.getInt32(off + LINGER_L_ONOFF, true),
    lingerSec: view.getInt32(off + LINGER_L_LINGER, true),
  };
}

/** Layout of struct ucred. */
export const SIZEOF_UCRED = 12;
export const UCRED_PID = 0;
export const UCRED_UID = 4;
export const UCRED_GID = 8;

/** SO_PEERCRED and SCM_CREDENTIALS. */
export type Ucred = {
  pid: number;
  uid: number;
  gid: number;
};

export function encodeUcred(view: DataView, off: number, s: Ucred): void {
  view.setInt32(off + UCRED_PID, s.pid, true);
  view.setUint32(off + UCRED_UID, s.uid, true);
  view.setUint32(off + UCRED_GID, s.gid, true);
}

export function decodeUcred(view: DataView, off: number): Ucred {
  return {
    pid: view.getInt32(off + UCRED_PID, true),
    uid: view.getUint32(off + UCRED_UID, true),
    gid: view.getUint32(off + UCRED_GID, true),
  };
}
