/** Routing table flags: <linux/route.h>, <linux/ipv6_route.h>. */

export const RTF_UP = 0x1;
export const RTF_GATEWAY = 0x2;
export const RTF_HOST = 0x4;
export const RTF_REINSTATE = 0x8;
export const RTF_DYNAMIC = 0x10;
export const RTF_MODIFIED = 0x20;
export const RTF_MTU = 0x40;
export const RTF_MSS = 0x40;
export const RTF_WINDOW = 0x80;
export const RTF_IRTT = 0x100;
export const RTF_REJECT = 0x200;
export const RTF_DEFAULT = 0x10000;
export const RTF_ALLONLINK = 0x20000;
export const RTF_ADDRCONF = 0x40000;
export const RTF_PREFIX_RT = 0x80000;
export const RTF_ANYCAST = 0x100000;
export const RTF_NONEXTHOP = 0x200000;
export const RTF_EXPIRES = 0x400000;
export const RTF_ROUTEINFO = 0x800000;
export const RTF_CACHE = 0x1000000;
export const RTF_FLOW = 0x2000000;
export const RTF_POLICY = 0x4000000;
export const RTF_PREF_MASK = 0x18000000;
export const RTF_PCPU = 0x40000000;
export const RTF_LOCAL = 0x80000000;
