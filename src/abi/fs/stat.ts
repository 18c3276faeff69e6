/** File modes and statx(2) masks: <asm/stat.h>, <linux/stat.h>. */

import { zeroFill } from '../bytes.ts';
import { getI64, getU64, getU64Exact, putU64, putU64Exact, type U64 } from '../u64.ts';

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o60000;
export const S_IFDIR = 0o40000;
export const S_IFCHR = 0o20000;
export const S_IFIFO = 0o10000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
export const S_IRWXU = 0o700;
export const S_IRUSR = 0o400;
export const S_IWUSR = 0o200;
export const S_IXUSR = 0o100;
export const S_IRWXG = 0o70;
export const S_IRGRP = 0o40;
export const S_IWGRP = 0o20;
export const S_IXGRP = 0o10;
export const S_IRWXO = 0o7;
export const S_IROTH = 0o4;
export const S_IWOTH = 0o2;
export const S_IXOTH = 0o1;

export const STATX_TYPE = 0x1;
export const STATX_MODE = 0x2;
export const STATX_NLINK = 0x4;
export const STATX_UID = 0x8;
export const STATX_GID = 0x10;
export const STATX_ATIME = 0x20;
export const STATX_MTIME = 0x40;
export const STATX_CTIME = 0x80;
export const STATX_INO = 0x100;
export const STATX_SIZE = 0x200;
export const STATX_BLOCKS = 0x400;
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_BTIME = 0x800;
export const STATX_MNT_ID = 0x1000;
export const STATX_DIOALIGN = 0x2000;
export const STATX__RESERVED = 0x80000000;
export const STATX_ALL = 0xfff;
export const STATX_ATTR_COMPRESSED = 0x4;
export const STATX_ATTR_IMMUTABLE = 0x10;
export const STATX_ATTR_APPEND = 0x20;
export const STATX_ATTR_NODUMP = 0x40;
export const STATX_ATTR_ENCRYPTED = 0x800;
export const STATX_ATTR_AUTOMOUNT = 0x1000;
export const STATX_ATTR_MOUNT_ROOT = 0x2000;
export const STATX_ATTR_VERITY = 0x100000;
export const STATX_ATTR_DAX = 0x200000;

export const STATX_MNT_ID_UNIQUE = 0x4000;
export const STATX_SUBVOL = 0x8000;
export const STATX_WRITE_ATOMIC = 0x10000;
export const STATX_DIO_READ_ALIGN = 0x20000;
export const STATX_ATTR_WRITE_ATOMIC = 0x400000;

/** Layout of struct stat. */
export const SIZEOF_STAT = 144;
export const STAT_ST_DEV = 0;
export const STAT_ST_INO = 8;
export const STAT_ST_NLINK = 16;
export const STAT_ST_MODE = 24;
export const STAT_ST_UID = 28;
export const STAT_ST_GID = 32;
export const STAT_ST_RDEV = 40;
export const STAT_ST_SIZE = 48;
export const STAT_ST_BLKSIZE = 56;
export const STAT_ST_BLOCKS = 64;
export const STAT_ST_ATIME = 72;
export const STAT_ST_ATIME_NSEC = 80;
export const STAT_ST_MTIME = 88;
export const STAT_ST_MTIME_NSEC = 96;
export const STAT_ST_CTIME = 104;
export const STAT_ST_CTIME_NSEC = 112;

/** What stat(2) reports. */
export type Stat = {
  dev: number;
  ino: U64;
  nlink: number;
  mode: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  blksize: number;
  blocks: number;
  atimeSec: number;
  atimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
  ctimeSec: number;
  ctimeNsec: number;
};

export function encodeStat(view: DataView, off: number, s: Stat): void {
  putU64(view, off + STAT_ST_DEV, s.dev);
  putU64Exact(view, off + STAT_ST_INO, s.ino);
  putU64(view, off + STAT_ST_NLINK, s.nlink);
  view.setUint32(off + STAT_ST_MODE, s.mode, true);
  view.setUint32(off + STAT_ST_UID, s.uid, true);
  view.setUint32(off + STAT_ST_GID, s.gid, true);
  view.setUint32(off + 36, 0, true); // padding
  putU64(view, off + STAT_ST_RDEV, s.rdev);
  putU64(view, off + STAT_ST_SIZE, s.size);
  putU64(view, off + STAT_ST_BLKSIZE, s.blksize);
  putU64(view, off + STAT_ST_BLOCKS, s.blocks);
  putU64(view, off + STAT_ST_ATIME, s.atimeSec);
  putU64(view, off + STAT_ST_ATIME_NSEC, s.atimeNsec);
  putU64(view, off + STAT_ST_MTIME, s.mtimeSec);
  putU64(view, off + STAT_ST_MTIME_NSEC, s.mtimeNsec);
  putU64(view, off + STAT_ST_CTIME, s.ctimeSec);
  putU64(view, off + STAT_ST_CTIME_NSEC, s.ctimeNsec);
  zeroFill(view, off + 120, 24); // padding
}

export function decodeStat(view: DataView, off: number): Stat {
  return {
    dev: getU64(view, off + STAT_ST_DEV),
    ino: getU64Exact(view, off + STAT_ST_INO),
    nlink: getU64(view, off + STAT_ST_NLINK),
    mode: view.getUint32(off + STAT_ST_MODE, true),
    uid: view.getUint32(off + STAT_ST_UID, true),
    gid: view.getUint32(off + STAT_ST_GID, true),
    rdev: getU64(view, off + STAT_ST_RDEV),
    size: getI64(view, off + STAT_ST_SIZE),
    blksize: getI64(view, off + STAT_ST_BLKSIZE),
    blocks: getI64(view, off + STAT_ST_BLOCKS),
    atimeSec: getI64(view, off + STAT_ST_ATIME),
    atimeNsec: getU64(view, off + STAT_ST_ATIME_NSEC),
    mtimeSec: getI64(view, off + STAT_ST_MTIME),
    mtimeNsec: getU64(view, off + STAT_ST_MTIME_NSEC),
    ctimeSec: getI64(view, off + STAT_ST_CTIME),
    ctimeNsec: getU64(view, off + STAT_ST_CTIME_NSEC),
  };
}

/** Layout of struct statx. */
export const SIZEOF_STATX = 256;
export const STATX_STX_MASK = 0;
export const STATX_STX_BLKSIZE = 4;
export const STATX_STX_ATTRIBUTES = 8;
export const STATX_STX_NLINK = 16;
export const STATX_STX_UID = 20;
export const STATX_STX_GID = 24;
export const STATX_STX_MODE = 28;
export const STATX_STX_INO = 32;
export const STATX_STX_SIZE = 40;
export const STATX_STX_BLOCKS = 48;
export const STATX_STX_ATTRIBUTES_MASK = 56;
export const STATX_STX_ATIME_TV_SEC = 64; // stx_atime.tv_sec
export const STATX_STX_ATIME_TV_NSEC = 72; // stx_atime.tv_nsec
export const STATX_STX_BTIME_TV_SEC = 80; // stx_btime.tv_sec
export const STATX_STX_BTIME_TV_NSEC = 88; // stx_btime.tv_nsec
export const STATX_STX_CTIME_TV_SEC = 96; // stx_ctime.tv_sec
export const STATX_STX_CTIME_TV_NSEC = 104; // stx_ctime.tv_nsec
export const STATX_STX_MTIME_TV_SEC = 112; // stx_mtime.tv_sec
export const STATX_STX_MTIME_TV_NSEC = 120; // stx_mtime.tv_nsec
export const STATX_STX_RDEV_MAJOR = 128;
export const STATX_STX_RDEV_MINOR = 132;
export const STATX_STX_DEV_MAJOR = 136;
export const STATX_STX_DEV_MINOR = 140;
export const STATX_STX_MNT_ID = 144;
export const STATX_STX_DIO_MEM_ALIGN = 152;
export const STATX_STX_DIO_OFFSET_ALIGN = 156;

/** What statx(2) reports. */
export type Statx = {
  mask: number;
  blksize: number;
  attributes: number;
  nlink: number;
  uid: number;
  gid: number;
  mode: number;
  ino: U64;
  size: number;
  blocks: number;
  attributesMask: number;
  atimeSec: number;
  atimeNsec: number;
  btimeSec: number;
  btimeNsec: number;
  ctimeSec: number;
  ctimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
  rdevMajor: number;
  rdevMinor: number;
  devMajor: number;
  devMinor: number;
  mntId: number;
  dioMemAlign: number;
  dioOffsetAlign: number;
};

export function encodeStatx(view: DataView, off: number, s: Statx): void {
  view.setUint32(off + STATX_STX_MASK, s.mask, true);
  view.setUint32(off + STATX_STX_BLKSIZE, s.blksize, true);
  putU64(view, off + STATX_STX_ATTRIBUTES, s.attributes);
  view.setUint32(off + STATX_STX_NLINK, s.nlink, true);
  view.setUint32(off + STATX_STX_UID, s.uid, true);
  view.setUint32(off + STATX_STX_GID, s.gid, true);
  view.setUint16(off + STATX_STX_MODE, s.mode, true);
  view.setUint16(off + 30, 0, true); // padding
  putU64Exact(view, off + STATX_STX_INO, s.ino);
  putU64(view, off + STATX_STX_SIZE, s.size);
  putU64(view, off + STATX_STX_BLOCKS, s.blocks);
  putU64(view, off + STATX_STX_ATTRIBUTES_MASK, s.attributesMask);
  putU64(view, off + STATX_STX_ATIME_TV_SEC, s.atimeSec);
  view.setUint32(off + STATX_STX_ATIME_TV_NSEC, s.atimeNsec, true);
  view.setUint32(off + 76, 0, true); // padding
  putU64(view, off + STATX_STX_BTIME_TV_SEC, s.btimeSec);
  view.setUint32(off + STATX_STX_BTIME_TV_NSEC, s.btimeNsec, true);
  view.setUint32(off + 92, 0, true); // padding
  putU64(view, off + STATX_STX_CTIME_TV_SEC, s.ctimeSec);
  view.setUint32(off + STATX_STX_CTIME_TV_NSEC, s.ctimeNsec, true);
  view.setUint32(off + 108, 0, true); // padding
  putU64(view, off + STATX_STX_MTIME_TV_SEC, s.mtimeSec);
  view.setUint32(off + STATX_STX_MTIME_TV_NSEC, s.mtimeNsec, true);
  view.setUint32(off + 124, 0, true); // padding
  view.setUint32(off + STATX_STX_RDEV_MAJOR, s.rdevMajor, true);
  view.setUint32(off + STATX_STX_RDEV_MINOR, s.rdevMinor, true);
  view.setUint32(off + STATX_STX_DEV_MAJOR, s.devMajor, true);
  view.setUint32(off + STATX_STX_DEV_MINOR, s.devMinor, true);
  putU64(view, off + STATX_STX_MNT_ID, s.mntId);
  view.setUint32(off + STATX_STX_DIO_MEM_ALIGN, s.dioMemAlign, true);
  view.setUint32(off + STATX_STX_DIO_OFFSET_ALIGN, s.dioOffsetAlign, true);
  zeroFill(view, off + 160, 96); // padding
}

export function decodeStatx(view: DataView, off: number): Statx {
  return {
    mask: view.getUint32(off + STATX_STX_MASK, true),
    blksize: view.getUint32(off + STATX_STX_BLKSIZE, true),
    attributes: getU64(view, off + STATX_STX_ATTRIBUTES),
    nlink: view.getUint32(off + STATX_STX_NLINK, true),
    uid: view.getUint32(off + STATX_STX_UID, true),
    gid: view.getUint32(off + STATX_STX_GID, true),
    mode: view.getUint16(off + STATX_STX_MODE, true),
    ino: getU64Exact(view, off + STATX_STX_INO),
    size: getU64(view, off + STATX_STX_SIZE),
    blocks: getU64(view, off + STATX_STX_BLOCKS),
    attributesMask: getU64(view, off + STATX_STX_ATTRIBUTES_MASK),
    atimeSec: getI64(view, off + STATX_STX_ATIME_TV_SEC),
    atimeNsec: view.getUint32(off + STATX_STX_ATIME_TV_NSEC, true),
    btimeSec: getI64(view, off + STATX_STX_BTIME_TV_SEC),
    btimeNsec: view.getUint32(off + STATX_STX_BTIME_TV_NSEC, true),
    ctimeSec: getI64(view, off + STATX_STX_CTIME_TV_SEC),
    ctimeNsec: view.getUint32(off + STATX_STX_CTIME_TV_NSEC, true),
    mtimeSec: getI64(view, off + STATX_STX_MTIME_TV_SEC),
    mtimeNsec: view.getUint32(off + STATX_STX_MTIME_TV_NSEC, true),
    rdevMajor: view.getUint32(off + STATX_STX_RDEV_MAJOR, true),
    rdevMinor: view.getUint32(off + STATX_STX_RDEV_MINOR, true),
    devMajor: view.getUint32(off + STATX_STX_DEV_MAJOR, true),
    devMinor: view.getUint32(off + STATX_STX_DEV_MINOR, true),
    mntId: getU64(view, off + STATX_STX_MNT_ID),
    dioMemAlign: view.getUint32(off + STATX_STX_DIO_MEM_ALIGN, true),
    dioOffsetAlign: view.getUint32(off + STATX_STX_DIO_OFFSET_ALIGN, true),
  };
}
