/** close_range(2) flags: <linux/close_range.h>. */

export const CLOSE_RANGE_UNSHARE = 0x2;
export const CLOSE_RANGE_CLOEXEC = 0x4;
