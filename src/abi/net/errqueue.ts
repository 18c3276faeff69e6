/** Socket error queue: <time.h>, <linux/errqueue.h>, <linux/net_tstamp.h>. */

export const SO_EE_ORIGIN_NONE = 0;
export const SO_EE_ORIGIN_LOCAL = 1;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;
export const SO_EE_ORIGIN_TXSTATUS = 4;
export const SO_EE_ORIGIN_ZEROCOPY = 5;
export const SO_EE_ORIGIN_TXTIME = 6;
export const SO_EE_ORIGIN_TIMESTAMPING = 4;
export const SO_EE_CODE_ZEROCOPY_COPIED = 1;
export const SO_EE_CODE_TXTIME_INVALID_PARAM = 1;
export const SO_EE_CODE_TXTIME_MISSED = 2;
export const SO_EE_RFC4884_FLAG_INVALID = 1;

export const SCM_TSTAMP_SND = 0;
export const SCM_TSTAMP_SCHED = 1;
export const SCM_TSTAMP_ACK = 2;

export const SOF_TIMESTAMPING_TX_HARDWARE = 0x1;
export const SOF_TIMESTAMPING_TX_SOFTWARE = 0x2;
export const SOF_TIMESTAMPING_RX_HARDWARE = 0x4;
export const SOF_TIMESTAMPING_RX_SOFTWARE = 0x8;
export const SOF_TIMESTAMPING_SOFTWARE = 0x10;
export const SOF_TIMESTAMPING_SYS_HARDWARE = 0x20;
export const SOF_TIMESTAMPING_RAW_HARDWARE = 0x40;
export const SOF_TIMESTAMPING_OPT_ID = 0x80;
export const SOF_TIMESTAMPING_TX_SCHED = 0x100;
export const SOF_TIMESTAMPING_TX_ACK = 0x200;
export const SOF_TIMESTAMPING_OPT_CMSG = 0x400;
export const SOF_TIMESTAMPING_OPT_TSONLY = 0x800;
export const SOF_TIMESTAMPING_OPT_STATS = 0x1000;
export const SOF_TIMESTAMPING_OPT_PKTINFO = 0x2000;
export const SOF_TIMESTAMPING_OPT_TX_SWHW = 0x4000;
export const SOF_TIMESTAMPING_BIND_PHC = 0x8000;
export const SOF_TIMESTAMPING_LAST = 0x8000;
export const SOF_TIMESTAMPING_MASK = 0xffff;
export const SOF_TIMESTAMPING_TX_RECORD_MASK = 0x303;

/** Layout of struct sock_extended_err. */
export const SIZEOF_SOCK_EXTENDED_ERR = 16;
export const SOCK_EXTENDED_ERR_EE_ERRNO = 0;
export const SOCK_EXTENDED_ERR_EE_ORIGIN = 4;
export const SOCK_EXTENDED_ERR_EE_TYPE = 5;
export const SOCK_EXTENDED_ERR_EE_CODE = 6;
export const SOCK_EXTENDED_ERR_EE_INFO = 8;
export const SOCK_EXTENDED_ERR_EE_DATA = 12;

/** IP_RECVERR. */
export type SockExtendedErr = {
  errno: number;
  origin: number;
  type: number;
  code: number;
  info: number;
  data: number;
};

export function encodeSockExtendedErr(view: DataView, off: number, s: SockExtendedErr): void {
  view.setUint32(off + SOCK_EXTENDED_ERR_EE_ERRNO, s.errno, true);
  view.setUint8(off + SOCK_EXTENDED_ERR_EE_ORIGIN, s.origin);
  view.setUint8(off + SOCK_EXTENDED_ERR_EE_TYPE, s.type);
  view.setUint8(off + SOCK_EXTENDED_ERR_EE_CODE, s.code);
  view.setUint8(off + 7, 0); // padding
  view.setUint32(off + SOCK_EXTENDED_ERR_EE_INFO, s.info, true);
  view.setUint32(off + SOCK_EXTENDED_ERR_EE_DATA, s.data, true);
}

export function decodeSockExtendedErr(view: DataView, off: number): SockExtendedErr {
  return {
    errno: view.getUint32(off + SOCK_EXTENDED_ERR_EE_ERRNO, true),
    origin: view.getUint8(off + SOCK_EXTENDED_ERR_EE_ORIGIN),
    type: view.getUint8(off + SOCK_EXTENDED_ERR_EE_TYPE),
    code: view.getUint8(off + SOCK_EXTENDED_ERR_EE_CODE),
    info: view.getUint32(off + SOCK_EXTENDED_ERR_EE_INFO, true),
    data: view.getUint32(off + SOCK_EXTENDED_ERR_EE_DATA, true),
  };
}
