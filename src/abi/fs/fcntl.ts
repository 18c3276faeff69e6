/**
 * open(2), fcntl(2), openat2(2), *at(2), splice(2), renameat2(2), fadvise and flock flags: <asm/fcntl.h>,
 * <linux/fcntl.h>, <linux/openat2.h>, <linux/fadvise.h>.
 */

import { getI64, getU64, putU64 } from '../u64.ts';

export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DSYNC = 0o10000;

export const FASYNC = 0o20000;

export const O_DIRECT = 0o40000;
export const O_LARGEFILE = 0o100000;
export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;
export const O_NOATIME = 0o1000000;
export const O_CLOEXEC = 0o2000000;
export const O_SYNC = 0o4010000;
export const O_PATH = 0o10000000;
export const O_TMPFILE = 0o20200000;
export const O_NDELAY = 0o4000;

export const F_DUPFD = 0;
export const F_GETFD = 1;
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_GETLK = 5;
export const F_SETLK = 6;
export const F_SETLKW = 7;
export const F_SETOWN = 8;
export const F_GETOWN = 9;
export const F_SETSIG = 10;
export const F_GETSIG = 11;
export const F_SETOWN_EX = 15;
export const F_GETOWN_EX = 16;
export const F_GETOWNER_UIDS = 17;
export const F_OFD_GETLK = 36;
export const F_OFD_SETLK = 37;
export const F_OFD_SETLKW = 38;
export const F_OWNER_TID = 0;
export const F_OWNER_PID = 1;
export const F_OWNER_PGRP = 2;

export const FD_CLOEXEC = 1;

export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;
export const F_EXLCK = 4;
export const F_SHLCK = 8;

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;
export const LOCK_MAND = 32;
export const LOCK_READ = 64;
export const LOCK_WRITE = 128;
export const LOCK_RW = 192;

export const F_LINUX_SPECIFIC_BASE = 1024;

export const RESOLVE_NO_XDEV = 0x1;
export const RESOLVE_NO_MAGICLINKS = 0x2;
export const RESOLVE_NO_SYMLINKS = 0x4;
export const RESOLVE_BENEATH = 0x8;
export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_CACHED = 0x20;

export const F_SETLEASE = 1024;
export const F_GETLEASE = 1025;
export const F_CANCELLK = 1029;
export const F_DUPFD_CLOEXEC = 1030;
export const F_NOTIFY = 1026;
export const F_SETPIPE_SZ = 1031;
export const F_GETPIPE_SZ = 1032;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;
export const F_SEAL_SEAL = 0x1;
export const F_SEAL_SHRINK = 0x2;
export const F_SEAL_GROW = 0x4;
export const F_SEAL_WRITE = 0x8;
export const F_SEAL_FUTURE_WRITE = 0x10;
export const F_GET_RW_HINT = 1035;
export const F_SET_RW_HINT = 1036;
export const F_GET_FILE_RW_HINT = 1037;
export const F_SET_FILE_RW_HINT = 1038;

export const RWH_WRITE_LIFE_NOT_SET = 0;
export const RWH_WRITE_LIFE_NONE = 1;
export const RWH_WRITE_LIFE_SHORT = 2;
export const RWH_WRITE_LIFE_MEDIUM = 3;
export const RWH_WRITE_LIFE_LONG = 4;
export const RWH_WRITE_LIFE_EXTREME = 5;

export const RWF_WRITE_LIFE_NOT_SET = 0;

export const DN_ACCESS = 0x1;
export const DN_MODIFY = 0x2;
export const DN_CREATE = 0x4;
export const DN_DELETE = 0x8;
export const DN_RENAME = 0x10;
export const DN_ATTRIB = 0x20;
export const DN_MULTISHOT = 0x80000000;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_EACCESS = 0x200;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_EMPTY_PATH = 0x1000;
export const AT_STATX_SYNC_TYPE = 0x6000;
export const AT_STATX_SYNC_AS_STAT = 0x0;
export const AT_STATX_FORCE_SYNC = 0x2000;
export const AT_STATX_DONT_SYNC = 0x4000;
export const AT_RECURSIVE = 0x8000;

export const POSIX_FADV_NORMAL = 0;
export const POSIX_FADV_RANDOM = 1;
export const POSIX_FADV_SEQUENTIAL = 2;
export const POSIX_FADV_WILLNEED = 3;
export const POSIX_FADV_DONTNEED = 4;
export const POSIX_FADV_NOREUSE = 5;

export const F_SEAL_EXEC = 0x20;
export const F_DUPFD_QUERY = 0x403;
export const F_CREATED_QUERY = 0x404;
export const AT_RENAME_NOREPLACE = 0x1;
export const AT_RENAME_EXCHANGE = 0x2;
export const AT_RENAME_WHITEOUT = 0x4;
export const AT_HANDLE_FID = 0x200;
export const AT_HANDLE_MNT_ID_UNIQUE = 0x1;
export const AT_HANDLE_CONNECTABLE = 0x2;
export const AT_EXECVE_CHECK = 0x10000;

/** Layout of struct flock. */
export const SIZEOF_FLOCK = 32;
export const FLOCK_L_TYPE = 0;
export const FLOCK_L_WHENCE = 2;
export const FLOCK_L_START = 8;
export const FLOCK_L_LEN = 16;
export const FLOCK_L_PID = 24;

/** F_SETLK. */
export type Flock = {
  type: number;
  whence: number;
  start: number;
  len: number;
  pid: number;
};

export function encodeFlock(view: DataView, off: number, s: Flock): void {
  view.setInt16(off + FLOCK_L_TYPE, s.type, true);
  view.setInt16(off + FLOCK_L_WHENCE, s.whence, true);
  view.setUint32(off + 4, 0, true); // padding
  putU64(view, off + FLOCK_L_START, s.start);
  putU64(view, off + FLOCK_L_LEN, s.len);
  view.setInt32(off + FLOCK_L_PID, s.pid, true);
  view.setUint32(off + 28, 0, true); // padding
}

export function decodeFlock(view: DataView, off: number): Flock {
  return {
    type: view.getInt16(off + FLOCK_L_TYPE, true),
    whence: view.getInt16(off + FLOCK_L_WHENCE, true),
    start: getI64(view, off + FLOCK_L_START),
    len: getI64(view, off + FLOCK_L_LEN),
    pid: view.getInt32(off + FLOCK_L_PID, true),
  };
}

/** Layout of struct f_owner_ex. */
export const SIZEOF_F_OWNER_EX = 8;
export const F_OWNER_EX_TYPE = 0;
export const F_OWNER_EX_PID = 4;

/** F_SETOWN_EX. */
export type FOwnerEx = {
  type: number;
  pid: number;
};

export function encodeFOwnerEx(view: DataView, off: number, s: FOwnerEx): void {
  view.setInt32(off + F_OWNER_EX_TYPE, s.type, true);
  view.setInt32(off + F_OWNER_EX_PID, s.pid, true);
}

export function decodeFOwnerEx(view: DataView, off: number): FOwnerEx {
  return {
    type: view.getInt32(off + F_OWNER_EX_TYPE, true),
    pid: view.getInt32(off + F_OWNER_EX_PID, true),
  };
}

/** Layout of struct open_how. */
export const SIZEOF_OPEN_HOW = 24;
export const OPEN_HOW_FLAGS = 0;
export const OPEN_HOW_MODE = 8;
export const OPEN_HOW_RESOLVE = 16;

/** openat2(2). */
export type OpenHow = {
  flags: number;
  mode: number;
  resolve: number;
};

export function decodeOpenHow(view: DataView, off: number): OpenHow {
  return {
    flags: getU64(view, off + OPEN_HOW_FLAGS),
    mode: getU64(view, off + OPEN_HOW_MODE),
    resolve: getU64(view, off + OPEN_HOW_RESOLVE),
  };
}
