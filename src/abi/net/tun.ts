/** ioctls of /dev/net/tun: <sys/ioctl.h>, <linux/filter.h>, <linux/if_tun.h>, <linux/virtio_net.h>. */

export const TUNSETNOCSUM = 0x400454c8;
export const TUNSETDEBUG = 0x400454c9;
export const TUNSETIFF = 0x400454ca;
export const TUNSETPERSIST = 0x400454cb;
export const TUNSETOWNER = 0x400454cc;
export const TUNSETLINK = 0x400454cd;
export const TUNSETGROUP = 0x400454ce;
export const TUNGETFEATURES = 0x800454cf;
export const TUNSETOFFLOAD = 0x400454d0;
export const TUNSETTXFILTER = 0x400454d1;
export const TUNGETIFF = 0x800454d2;
export const TUNGETSNDBUF = 0x800454d3;
export const TUNSETSNDBUF = 0x400454d4;
export const TUNGETVNETHDRSZ = 0x800454d7;
export const TUNSETVNETHDRSZ = 0x400454d8;
export const TUNSETQUEUE = 0x400454d9;
export const TUNSETIFINDEX = 0x400454da;
export const TUNGETFILTER = 0x801054db;
export const TUNSETVNETLE = 0x400454dc;
export const TUNGETVNETLE = 0x800454dd;
export const TUNSETVNETBE = 0x400454de;
export const TUNGETVNETBE = 0x800454df;
export const TUNSETSTEERINGEBPF = 0x800454e0;
export const TUNSETFILTEREBPF = 0x800454e1;
export const TUNSETCARRIER = 0x400454e2;
export const TUNGETDEVNETNS = 0x54e3;

export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
export const VIRTIO_NET_HDR_F_DATA_VALID = 2;
export const VIRTIO_NET_HDR_GSO_NONE = 0;
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1;
export const VIRTIO_NET_HDR_GSO_UDP = 3;
export const VIRTIO_NET_HDR_GSO_TCPV6 = 4;
export const VIRTIO_NET_HDR_GSO_ECN = 128;
