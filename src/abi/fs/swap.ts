/** swapon(2) flags: <sys/swap.h>. */

export const SWAP_FLAG_PREFER = 0x8000;
export const SWAP_FLAG_PRIO_MASK = 0x7fff;
export const SWAP_FLAG_PRIO_SHIFT = 0;
export const SWAP_FLAG_DISCARD = 0x10000;

export const SWAP_FLAG_DISCARD_ONCE = 0x20000;
export const SWAP_FLAG_DISCARD_PAGES = 0x40000;
