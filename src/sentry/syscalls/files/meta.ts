// stat(2), lstat(2), fstat(2), newfstatat(2), statx(2), access(2), faccessat(2), faccessat2(2), statfs(2), fstatfs(2).

import { EACCES, EBADF, EINVAL, EROFS } from '../../../abi/errno.ts';
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_STATX_SYNC_TYPE,
  AT_SYMLINK_NOFOLLOW,
} from '../../../abi/fs/fcntl.ts';
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_STRICTATIME,
} from '../../../abi/fs/mount.ts';
import {
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  SIZEOF_STAT,
  SIZEOF_STATX,
  STATX__RESERVED,
} from '../../../abi/fs/stat.ts';
import {
  encodeStatfs,
  SIZEOF_STATFS,
  ST_NOATIME,
  ST_NODEV,
  ST_NODIRATIME,
  ST_NOEXEC,
  ST_NOSUID,
  ST_RDONLY,
  ST_RELATIME,
  ST_VALID,
} from '../../../abi/fs/statfs.ts';
import {
  SYS_access,
  SYS_faccessat,
  SYS_faccessat2,
  SYS_fstat,
  SYS_fstatfs,
  SYS_lstat,
  SYS_newfstatat,
  SYS_stat,
  SYS_statfs,
  SYS_statx,
} from '../../../abi/syscall.ts';
import { CapSet } from '../../base/cred.ts';
import { failed } from '../../base/errno.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import { StatFs } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { Mount } from '../../vfs/mount.ts';
import { lookupPath } from '../../vfs/namei.ts';
import { MAY_EXEC, MAY_WRITE } from '../../vfs/permission.ts';
import { putStat, putStatx } from '../../vfs/stat.ts';
import { LOOKUP_FOLLOW, walker } from '../../vfs/walk.ts';
import { ACCESS_FLAGS, AT_FLAGS, pathArg, targetArg, targetPlace } from '../file_args.ts';
import { FD, FLAGS, HEX, PATH, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';

/** Copies struct stat of an inode out. */
function statOut(t: Task, inode: Inode, addr: number): number {
  const r = inode.refresh(t);
  if (r < 0) return r;
  putStat(scratchView, 0, inode);
  return t.mem.copyOutExact(addr, scratch, 0, SIZEOF_STAT);
}

/** stat(2) and lstat(2): a walk whose result is not made an object. */
function statPath(t: Task, pathAddr: number, addr: number, look: number): number {
  const path = pathArg(t, pathAddr);
  if (typeof path === 'number') return path;
  const r = walker.walk(t, AT_FDCWD, path, look);
  return r < 0 ? r : statOut(t, walker.dentry!.inode!, addr);
}

/** Implements stat(2). */
function stat(t: Task, pathAddr: number, addr: number): number {
  return statPath(t, pathAddr, addr, LOOKUP_FOLLOW);
}

/** Implements lstat(2). */
function lstat(t: Task, pathAddr: number, addr: number): number {
  return statPath(t, pathAddr, addr, 0);
}

/** Implements fstat(2). */
function fstat(t: Task, fd: number, addr: number): number {
  const f = t.fds.get(fd);
  return f === null ? -EBADF : statOut(t, f.inode, addr);
}

/** Implements newfstatat(2). With AT_EMPTY_PATH a null path is the empty one (Linux 6.11). */
function newfstatat(t: Task, dirfd: number, pathAddr: number, addr: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)) !== 0) return -EINVAL;
  if (pathAddr === 0 && (flags & AT_EMPTY_PATH) !== 0 && dirfd >= 0) return fstat(t, dirfd, addr);
  const path = pathArg(t, pathAddr);
  if (typeof path === 'number') return path;
  if (path.length === 0 && (flags & AT_EMPTY_PATH) !== 0 && dirfd !== AT_FDCWD) return fstat(t, dirfd, addr);
  const look = (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW;
  if (path.length === 0 && (flags & AT_EMPTY_PATH) !== 0) return statOut(t, t.fs.cwd.dentry.inode!, addr);
  const r = walker.walk(t, dirfd, path, look);
  return r < 0 ? r : statOut(t, walker.dentry!.inode!, addr);
}

/** Implements statx(2). Everything that is known is filled in, whatever the mask asks for. */
function statx(t: Task, dirfd: number, pathAddr: number, flags: number, mask: number, addr: number): number {
  if ((mask & STATX__RESERVED) !== 0) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE)) !== 0)
    return -EINVAL;
  let inode: Inode | number;
  let at = null;
  if (pathAddr === 0 && (flags & AT_EMPTY_PATH) !== 0 && dirfd >= 0) {
    const f = t.fds.get(dirfd);
    if (f === null) return -EBADF;
    inode = f.inode;
    at = f.path;
  } else {
    inode = targetArg(t, dirfd, pathAddr, flags);
    if (failed(inode)) return inode;
    at = targetPlace();
  }
  const r = inode.refresh(t);
  if (r < 0) return r;
  putStatx(scratchView, 0, inode, at);
  return t.mem.copyOutExact(addr, scratch, 0, SIZEOF_STATX);
}

/** Implements faccessat2(2). */
function faccessat2(t: Task, dirfd: number, pathAddr: number, mode: number, flags: number): number {
  if ((mode & ~7) !== 0) return -EINVAL;
  if ((flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const cred = t.cred;
  // Without AT_EACCESS the real ids count, and capabilities as execve(2) by the real user would set them.
  if ((flags & AT_EACCESS) === 0 && (cred.fsuid !== cred.uid || cred.fsgid !== cred.gid || cred.uid !== 0)) {
    const real = cred.clone();
    real.fsuid = cred.uid;
    real.fsgid = cred.gid;
    real.effective = cred.uid === 0 ? cred.permitted.clone() : new CapSet();
    t.cred = real;
  }
  const r = access(t, dirfd, pathAddr, mode, flags);
  t.cred = cred;
  return r;
}

function access(t: Task, dirfd: number, pathAddr: number, mode: number, flags: number): number {
  const inode = targetArg(t, dirfd, pathAddr, flags);
  if (failed(inode)) return inode;
  const at = targetPlace();
  if (mode === 0) return 0;
  const type = inode.mode & S_IFMT;
  if (at !== null && (mode & MAY_EXEC) !== 0 && type === S_IFREG && (at.mount.flags & MS_NOEXEC) !== 0)
    return -EACCES;
  const r = inode.permission(t, mode);
  if (r < 0) return r;
  if (at !== null && (mode & MAY_WRITE) !== 0 && at.mount.readonly && (type === S_IFREG || type === S_IFDIR))
    return -EROFS;
  return 0;
}

/** Implements faccessat(2). */
function faccessat(t: Task, dirfd: number, pathAddr: number, mode: number): number {
  return faccessat2(t, dirfd, pathAddr, mode, 0);
}

/** Implements access(2). */
function accessPath(t: Task, pathAddr: number, mode: number): number {
  return faccessat2(t, AT_FDCWD, pathAddr, mode, 0);
}

/** ST_* of a mount. */
function statfsFlags(m: Mount | null): number {
  if (m === null) return ST_VALID;
  let s = ST_VALID;
  if ((m.flags & MS_RDONLY) !== 0) s |= ST_RDONLY;
  if ((m.flags & MS_NOSUID) !== 0) s |= ST_NOSUID;
  if ((m.flags & MS_NODEV) !== 0) s |= ST_NODEV;
  if ((m.flags & MS_NOEXEC) !== 0) s |= ST_NOEXEC;
  if ((m.flags & MS_NOATIME) !== 0) s |= ST_NOATIME;
  if ((m.flags & MS_NODIRATIME) !== 0) s |= ST_NODIRATIME;
  if ((m.flags & (MS_NOATIME | MS_STRICTATIME)) === 0) s |= ST_RELATIME;
  return s;
}

function statfsOut(t: Task, fs: FileSystem, mount: Mount | null, addr: number): number {
  const s = new StatFs();
  s.type = fs.magic;
  fs.statfs(s);
  encodeStatfs(scratchView, 0, {
    type: s.type,
    bsize: s.bsize,
    blocks: s.blocks,
    bfree: s.bfree,
    bavail: s.bavail,
    files: s.files,
    ffree: s.ffree,
    fsidLo: fs.dev,
    fsidHi: 0,
    namelen: s.namelen,
    frsize: s.bsize,
    flags: statfsFlags(mount),
  });
  return t.mem.copyOutExact(addr, scratch, 0, SIZEOF_STATFS);
}

/** Implements statfs(2). */
function statfs(t: Task, pathAddr: number, addr: number): number {
  const path = pathArg(t, pathAddr);
  if (typeof path === 'number') return path;
  const p = lookupPath(t, AT_FDCWD, path);
  return failed(p) ? p : statfsOut(t, p.mount.fs, p.mount, addr);
}

/** Implements fstatfs(2). */
function fstatfs(t: Task, fd: number, addr: number): number {
  const f = t.fds.get(fd);
  if (f === null) return -EBADF;
  return f.path === null
    ? statfsOut(t, f.inode.fs, null, addr)
    : statfsOut(t, f.path.mount.fs, f.path.mount, addr);
}

const STAT = STRUCT('stat', true);
const STATFS = STRUCT('statfs', true);
const ACCESS_MODE = FLAGS(
  'mode',
  [
    ['R_OK', 4],
    ['W_OK', 2],
    ['X_OK', 1],
  ],
  'F_OK',
);

export const rows = [
  sys(SYS_stat, [PATH, STAT], stat),
  sys(SYS_lstat, [PATH, STAT], lstat),
  sys(SYS_fstat, [FD, STAT], fstat),
  sys(SYS_newfstatat, [FD, PATH, STAT, AT_FLAGS], newfstatat),
  sys(SYS_statx, [FD, PATH, AT_FLAGS, HEX, STRUCT('statx', true)], statx),
  sys(SYS_access, [PATH, ACCESS_MODE], accessPath),
  sys(SYS_faccessat, [FD, PATH, ACCESS_MODE], faccessat),
  sys(SYS_faccessat2, [FD, PATH, ACCESS_MODE, ACCESS_FLAGS], faccessat2),
  sys(SYS_statfs, [PATH, STATFS], statfs),
  sys(SYS_fstatfs, [FD, STATFS], fstatfs),
];
