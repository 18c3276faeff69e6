/** uname(2) field lengths: <linux/utsname.h>. */

export const __OLD_UTS_LEN = 8;
export const __NEW_UTS_LEN = 64;

export const UTS_FIELD_SIZE = 65;
