/** Namespace ioctls: <linux/nsfs.h>. */

export const NSIO = 0xb7;

export const NS_GET_USERNS = 0xb701;
export const NS_GET_PARENT = 0xb702;
export const NS_GET_NSTYPE = 0xb703;
export const NS_GET_OWNER_UID = 0xb704;
