/** rtnetlink(7), addresses: <linux/if_addr.h>. */

export const IFA_UNSPEC = 0;
export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_LABEL = 3;
export const IFA_BROADCAST = 4;
export const IFA_ANYCAST = 5;
export const IFA_CACHEINFO = 6;
export const IFA_MULTICAST = 7;
export const IFA_FLAGS = 8;
export const IFA_RT_PRIORITY = 9;
export const IFA_TARGET_NETNSID = 10;
export const IFA_PROTO = 11;
export const IFA_MAX = 11;
export const IFA_F_SECONDARY = 0x1;
export const IFA_F_TEMPORARY = 0x1;
export const IFA_F_NODAD = 0x2;
export const IFA_F_OPTIMISTIC = 0x4;
export const IFA_F_DADFAILED = 0x8;
export const IFA_F_HOMEADDRESS = 0x10;
export const IFA_F_DEPRECATED = 0x20;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
export const IFA_F_MANAGETEMPADDR = 0x100;
export const IFA_F_NOPREFIXROUTE = 0x200;
export const IFA_F_MCAUTOJOIN = 0x400;
export const IFA_F_STABLE_PRIVACY = 0x800;

/** Layout of struct ifaddrmsg. */
export const SIZEOF_IFADDRMSG = 8;
export const IFADDRMSG_IFA_FAMILY = 0;
export const IFADDRMSG_IFA_PREFIXLEN = 1;
export const IFADDRMSG_IFA_FLAGS = 2;
export const IFADDRMSG_IFA_SCOPE = 3;
export const IFADDRMSG_IFA_INDEX = 4;

/** RTM_NEWADDR. */
export type Ifaddrmsg = {
  family: number;
  prefixlen: number;
  flags: number;
  scope: number;
  index: number;
};

export function encodeIfaddrmsg(view: DataView, off: number, s: Ifaddrmsg): void {
  view.setUint8(off + IFADDRMSG_IFA_FAMILY, s.family);
  view.setUint8(off + IFADDRMSG_IFA_PREFIXLEN, s.prefixlen);
  view.setUint8(off + IFADDRMSG_IFA_FLAGS, s.flags);
  view.setUint8(off + IFADDRMSG_IFA_SCOPE, s.scope);
  view.setUint32(off + IFADDRMSG_IFA_INDEX, s.index, true);
}

export function decodeIfaddrmsg(view: DataView, off: number): Ifaddrmsg {
  return {
    family: view.getUint8(off + IFADDRMSG_IFA_FAMILY),
    prefixlen: view.getUint8(off + IFADDRMSG_IFA_PREFIXLEN),
    flags: view.getUint8(off + IFADDRMSG_IFA_FLAGS),
    scope: view.getUint8(off + IFADDRMSG_IFA_SCOPE),
    index: view.getUint32(off + IFADDRMSG_IFA_INDEX, true),
  };
}
