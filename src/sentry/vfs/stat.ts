// stat(2) and statx(2) structs from inodes, straight into a buffer.

import { zeroFill } from '../../abi/bytes.ts';
import { major, minor } from '../../abi/fs/kdev.ts';
import {
  encodeStatx,
  STAT_ST_ATIME,
  STAT_ST_ATIME_NSEC,
  STAT_ST_BLKSIZE,
  STAT_ST_BLOCKS,
  STAT_ST_CTIME,
  STAT_ST_CTIME_NSEC,
  STAT_ST_DEV,
  STAT_ST_GID,
  STAT_ST_INO,
  STAT_ST_MODE,
  STAT_ST_MTIME,
  STAT_ST_MTIME_NSEC,
  STAT_ST_NLINK,
  STAT_ST_RDEV,
  STAT_ST_SIZE,
  STAT_ST_UID,
  STATX_ATTR_MOUNT_ROOT,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_MNT_ID,
} from '../../abi/fs/stat.ts';
import { putU64, putU64Exact } from '../../abi/u64.ts';
import type { Inode } from './inode.ts';
import type { Path } from './path.ts';

/** Writes struct stat; the caller has refreshed the inode. No intermediate object: stat is a hot call. */
export function putStat(view: DataView, off: number, i: Inode): void {
  putU64(view, off + STAT_ST_DEV, i.dev);
  putU64Exact(view, off + STAT_ST_INO, i.ino);
  putU64(view, off + STAT_ST_NLINK, i.nlink);
  view.setUint32(off + STAT_ST_MODE, i.mode, true);
  view.setUint32(off + STAT_ST_UID, i.uid, true);
  view.setUint32(off + STAT_ST_GID, i.gid, true);
  view.setUint32(off + STAT_ST_GID + 4, 0, true);
  putU64(view, off + STAT_ST_RDEV, i.rdev);
  putU64(view, off + STAT_ST_SIZE, i.size);
  putU64(view, off + STAT_ST_BLKSIZE, i.blksize);
  putU64(view, off + STAT_ST_BLOCKS, i.blocks);
  putU64(view, off + STAT_ST_ATIME, i.atimeSec);
  putU64(view, off + STAT_ST_ATIME_NSEC, i.atimeNsec);
  putU64(view, off + STAT_ST_MTIME, i.mtimeSec);
  putU64(view, off + STAT_ST_MTIME_NSEC, i.mtimeNsec);
  putU64(view, off + STAT_ST_CTIME, i.ctimeSec);
  putU64(view, off + STAT_ST_CTIME_NSEC, i.ctimeNsec);
  zeroFill(view, off + 120, 24);
}

/** Writes struct statx with everything there is; `at` is null for files without a place. */
export function putStatx(view: DataView, off: number, i: Inode, at: Path | null): void {
  const born = i.btimeSec !== 0;
  encodeStatx(view, off, {
    mask: STATX_BASIC_STATS | (born ? STATX_BTIME : 0) | STATX_MNT_ID,
    blksize: i.blksize,
    attributes: at !== null && at.dentry === at.mount.root ? STATX_ATTR_MOUNT_ROOT : 0,
    nlink: i.nlink,
    uid: i.uid,
    gid: i.gid,
    mode: i.mode,
    ino: i.ino,
    size: i.size,
    blocks: i.blocks,
    attributesMask: STATX_ATTR_MOUNT_ROOT,
    atimeSec: i.atimeSec,
    atimeNsec: i.atimeNsec,
    btimeSec: i.btimeSec,
    btimeNsec: i.btimeNsec,
    ctimeSec: i.ctimeSec,
    ctimeNsec: i.ctimeNsec,
    mtimeSec: i.mtimeSec,
    mtimeNsec: i.mtimeNsec,
    rdevMajor: major(i.rdev),
    rdevMinor: minor(i.rdev),
    devMajor: major(i.dev),
    devMinor: minor(i.dev),
    mntId: at === null ? 0 : at.mount.id,
    dioMemAlign: 0,
    dioOffsetAlign: 0,
  });
}
