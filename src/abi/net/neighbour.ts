/** rtnetlink(7), neighbours: <linux/neighbour.h>. */

export const NDA_UNSPEC = 0;
export const NDA_DST = 1;
export const NDA_LLADDR = 2;
export const NDA_CACHEINFO = 3;
export const NDA_PROBES = 4;
export const NDA_VLAN = 5;
export const NDA_PORT = 6;
export const NDA_VNI = 7;
export const NDA_IFINDEX = 8;
export const NDA_MASTER = 9;
export const NDA_LINK_NETNSID = 10;
export const NDA_SRC_VNI = 11;
export const NDA_PROTOCOL = 12;
export const NDA_NH_ID = 13;
export const NDA_FDB_EXT_ATTRS = 14;
export const NDA_FLAGS_EXT = 15;
export const NDA_NDM_STATE_MASK = 16;
export const NDA_NDM_FLAGS_MASK = 17;
export const NDA_MAX = 17;

export const NTF_USE = 0x1;
export const NTF_SELF = 0x2;
export const NTF_MASTER = 0x4;
export const NTF_PROXY = 0x8;
export const NTF_EXT_LEARNED = 0x10;
export const NTF_OFFLOADED = 0x20;
export const NTF_STICKY = 0x40;
export const NTF_ROUTER = 0x80;
export const NTF_EXT_MANAGED = 0x1;

export const NUD_INCOMPLETE = 0x1;
export const NUD_REACHABLE = 0x2;
export const NUD_STALE = 0x4;
export const NUD_DELAY = 0x8;
export const NUD_PROBE = 0x10;
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;
export const NUD_NONE = 0x0;

/** Layout of struct ndmsg. */
export const SIZEOF_NDMSG = 12;
export const NDMSG_NDM_FAMILY = 0;
export const NDMSG_NDM_IFINDEX = 4;
export const NDMSG_NDM_STATE = 8;
export const NDMSG_NDM_FLAGS = 10;
export const NDMSG_NDM_TYPE = 11;

/** RTM_NEWNEIGH. */
export type Ndmsg = {
  family: number;
  ifindex: number;
  state: number;
  flags: number;
  type: number;
};

export function encodeNdmsg(view: DataView, off: number, s: Ndmsg): void {
  view.setUint8(off + NDMSG_NDM_FAMILY, s.family);
  view.setUint8(off + 1, 0); // padding
  view.setUint16(off + 2, 0, true); // padding
  view.setInt32(off + NDMSG_NDM_IFINDEX, s.ifindex, true);
  view.setUint16(off + NDMSG_NDM_STATE, s.state, true);
  view.setUint8(off + NDMSG_NDM_FLAGS, s.flags);
  view.setUint8(off + NDMSG_NDM_TYPE, s.type);
}

export function decodeNdmsg(view: DataView, off: number): Ndmsg {
  return {
    family: view.getUint8(off + NDMSG_NDM_FAMILY),
    ifindex: view.getInt32(off + NDMSG_NDM_IFINDEX, true),
    state: view.getUint16(off + NDMSG_NDM_STATE, true),
    flags: view.getUint8(off + NDMSG_NDM_FLAGS),
    type: view.getUint8(off + NDMSG_NDM_TYPE),
  };
}
