/** statfs(2) flags: <sys/statvfs.h>. */

export const ST_RDONLY = 1;
export const ST_NOSUID = 2;
export const ST_NODEV = 4;
export const ST_NOEXEC = 8;
export const ST_SYNCHRONOUS = 16;
export const ST_MANDLOCK = 64;
export const ST_WRITE = 128;
export const ST_APPEND = 256;
export const ST_IMMUTABLE = 512;
export const ST_NOATIME = 1024;
export const ST_NODIRATIME = 2048;
export const ST_RELATIME = 4096;

export const ST_VALID = 0x20;
export const ST_NOSYMFOLLOW = 0x2000;
