/** getdents64(2) and getdents(2) records: <dirent.h>. */

export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;
export const DT_WHT = 14;

/** Layout of struct dirent64. */
export const SIZEOF_DIRENT64 = 280;
export const DIRENT64_D_INO = 0;
export const DIRENT64_D_OFF = 8;
export const DIRENT64_D_RECLEN = 16;
export const DIRENT64_D_TYPE = 18;
export const DIRENT64_D_NAME = 19;
