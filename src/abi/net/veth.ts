/** veth(4): <linux/veth.h>. */

export const VETH_INFO_MAX = 1;
export const VETH_INFO_UNSPEC = 0;
export const VETH_INFO_PEER = 1;
