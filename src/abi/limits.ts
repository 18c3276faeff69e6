/** System limits: <linux/limits.h>. */

export const NR_OPEN = 1024;
export const NGROUPS_MAX = 65536;
export const ARG_MAX = 131072;
export const LINK_MAX = 127;
export const NAME_MAX = 255;
export const PATH_MAX = 4096;

export const XATTR_NAME_MAX = 255;
export const XATTR_SIZE_MAX = 65536;
export const XATTR_LIST_MAX = 65536;

export const RTSIG_MAX = 32;

export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;
export const USER_HZ = 100;
export const MAX_ARG_STRLEN = 131072;
export const MAX_ARG_STRINGS = 0x7fffffff;
export const MAXSYMLINKS = 40;
