/** statfs(2) flags: <sys/statvfs.h>, <asm/statfs.h>. */

import { zeroFill } from '../bytes.ts';
import { getI64, getU64, putU64 } from '../u64.ts';

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

/** Layout of struct statfs. */
export const SIZEOF_STATFS = 120;
export const STATFS_F_TYPE = 0;
export const STATFS_F_BSIZE = 8;
export const STATFS_F_BLOCKS = 16;
export const STATFS_F_BFREE = 24;
export const STATFS_F_BAVAIL = 32;
export const STATFS_F_FILES = 40;
export const STATFS_F_FFREE = 48;
export const STATFS_F_FSID = 56;
export const STATFS_F_NAMELEN = 64;
export const STATFS_F_FRSIZE = 72;
export const STATFS_F_FLAGS = 80;

/** What statfs(2) reports. */
export type Statfs = {
  type: number;
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
  fsidLo: number;
  fsidHi: number;
  namelen: number;
  frsize: number;
  flags: number;
};

export function encodeStatfs(view: DataView, off: number, s: Statfs): void {
  putU64(view, off + STATFS_F_TYPE, s.type);
  putU64(view, off + STATFS_F_BSIZE, s.bsize);
  putU64(view, off + STATFS_F_BLOCKS, s.blocks);
  putU64(view, off + STATFS_F_BFREE, s.bfree);
  putU64(view, off + STATFS_F_BAVAIL, s.bavail);
  putU64(view, off + STATFS_F_FILES, s.files);
  putU64(view, off + STATFS_F_FFREE, s.ffree);
  view.setUint32(off + STATFS_F_FSID, s.fsidLo, true);
  view.setUint32(off + STATFS_F_FSID + 4, s.fsidHi, true);
  putU64(view, off + STATFS_F_NAMELEN, s.namelen);
  putU64(view, off + STATFS_F_FRSIZE, s.frsize);
  putU64(view, off + STATFS_F_FLAGS, s.flags);
  zeroFill(view, off + 88, 32); // padding
}

export function decodeStatfs(view: DataView, off: number): Statfs {
  return {
    type: getI64(view, off + STATFS_F_TYPE),
    bsize: getI64(view, off + STATFS_F_BSIZE),
    blocks: getU64(view, off + STATFS_F_BLOCKS),
    bfree: getU64(view, off + STATFS_F_BFREE),
    bavail: getU64(view, off + STATFS_F_BAVAIL),
    files: getU64(view, off + STATFS_F_FILES),
    ffree: getU64(view, off + STATFS_F_FFREE),
    fsidLo: view.getUint32(off + STATFS_F_FSID, true),
    fsidHi: view.getUint32(off + STATFS_F_FSID + 4, true),
    namelen: getI64(view, off + STATFS_F_NAMELEN),
    frsize: getI64(view, off + STATFS_F_FRSIZE),
    flags: getI64(view, off + STATFS_F_FLAGS),
  };
}
