// chmod(2), chown(2), utime(2), utimes(2), futimesat(2), utimensat(2), truncate(2), ftruncate(2), fallocate(2),
// fsync(2), fdatasync(2), sync(2), syncfs(2), sync_file_range(2), fadvise64(2), readahead(2).

import {
  EBADF,
  EFAULT,
  EFBIG,
  EINVAL,
  EISDIR,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
  ESPIPE,
} from '../../../abi/errno.ts';
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_UNSHARE_RANGE,
  FALLOC_FL_ZERO_RANGE,
} from '../../../abi/fs/falloc.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_APPEND,
  POSIX_FADV_NOREUSE,
} from '../../../abi/fs/fcntl.ts';
import { IN_MODIFY } from '../../../abi/fs/inotify.ts';
import { SYNC_FILE_RANGE_WRITE_AND_WAIT } from '../../../abi/fs/splice.ts';
import { S_IFBLK, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import {
  SYS_chmod,
  SYS_chown,
  SYS_fadvise64,
  SYS_fallocate,
  SYS_fchmod,
  SYS_fchmodat,
  SYS_fchmodat2,
  SYS_fchown,
  SYS_fchownat,
  SYS_fdatasync,
  SYS_fsync,
  SYS_ftruncate,
  SYS_futimesat,
  SYS_lchown,
  SYS_readahead,
  SYS_sync,
  SYS_sync_file_range,
  SYS_syncfs,
  SYS_truncate,
  SYS_utime,
  SYS_utimensat,
  SYS_utimes,
} from '../../../abi/syscall.ts';
import { getI64 } from '../../../abi/u64.ts';
import { failed } from '../../base/errno.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED } from '../../kernel/block.ts';
import { anyHold, awaitHold, endHolds, hold } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { changeMode, changeOwner, changeTimes, truncateAt, truncateInode } from '../../vfs/attr.ts';
import { lookupPath } from '../../vfs/namei.ts';
import { removePrivs } from '../../vfs/permission.ts';
import { MAX_FILE_SIZE } from '../../vfs/regularfile.ts';
import { UTIME_NOW, UTIME_OMIT } from '../../vfs/utime.ts';
import { notifyDentry } from '../../vfs/watches.ts';
import { fdget } from '../fdget.ts';
import { AT_FLAGS, pathArg, targetArg, targetPlace } from '../file_args.ts';
import { FD, FLAGS, INT, MODE, OFF, PATH, SIZE, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

/** Implements fchmodat2(2). */
function fchmodat2(t: Task, dirfd: number, pathAddr: number, mode: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const inode = targetArg(t, dirfd, pathAddr, flags);
  return failed(inode) ? inode : changeMode(t, inode, targetPlace(), mode);
}

/** Implements fchmodat(2), which has no flags in the kernel. */
function fchmodat(t: Task, dirfd: number, pathAddr: number, mode: number): number {
  return fchmodat2(t, dirfd, pathAddr, mode, 0);
}

/** Implements chmod(2). */
function chmod(t: Task, pathAddr: number, mode: number): number {
  return fchmodat2(t, AT_FDCWD, pathAddr, mode, 0);
}

/** Implements fchmod(2). */
function fchmod(t: Task, fd: number, mode: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : changeMode(t, f.inode, f.path, mode);
}

/** Implements fchownat(2). */
function fchownat(t: Task, dirfd: number, pathAddr: number, uid: number, gid: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const inode = targetArg(t, dirfd, pathAddr, flags);
  return failed(inode) ? inode : own(t, inode, targetPlace(), uid, gid);
}

/** Ids are unsigned; -1 keeps one. */
function own(
  t: Task,
  inode: Parameters<typeof changeOwner>[1],
  at: Parameters<typeof changeOwner>[2],
  uid: number,
  gid: number,
): number {
  return changeOwner(t, inode, at, uid === -1 ? -1 : uid >>> 0, gid === -1 ? -1 : gid >>> 0);
}

/** Implements chown(2). */
function chown(t: Task, pathAddr: number, uid: number, gid: number): number {
  return fchownat(t, AT_FDCWD, pathAddr, uid, gid, 0);
}

/** Implements lchown(2). */
function lchown(t: Task, pathAddr: number, uid: number, gid: number): number {
  return fchownat(t, AT_FDCWD, pathAddr, uid, gid, AT_SYMLINK_NOFOLLOW);
}

/** Implements fchown(2). */
function fchown(t: Task, fd: number, uid: number, gid: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : own(t, f.inode, f.path, uid, gid);
}

/** The two times of a call, read from guest memory. */
let aSec = 0;
let aNsec = 0;
let mSec = 0;
let mNsec = 0;

/** Sets times from (aSec .. mNsec), or both to now. A null path means the descriptor (futimens). */
function setTimes(t: Task, dirfd: number, pathAddr: number, now: boolean, flags: number): number {
  if (pathAddr === 0 && dirfd !== AT_FDCWD) {
    if ((flags & AT_SYMLINK_NOFOLLOW) !== 0) return -EINVAL;
    const f = fdget(t, dirfd);
    return f === null ? -EBADF : changeTimes(t, f.inode, f.path, now, aSec, aNsec, mSec, mNsec);
  }
  const inode = targetArg(t, dirfd, pathAddr, flags);
  return failed(inode) ? inode : changeTimes(t, inode, targetPlace(), now, aSec, aNsec, mSec, mNsec);
}

function goodNsec(n: number): boolean {
  return (n >= 0 && n <= 999999999) || n === UTIME_NOW || n === UTIME_OMIT;
}

/** Implements utimensat(2). */
function utimensat(t: Task, dirfd: number, pathAddr: number, timesAddr: number, flags: number): number {
  if (timesAddr !== 0) {
    if (t.mem.copyInExact(timesAddr, scratch, 0, 32) !== 0) return -EFAULT;
    aSec = getI64(scratchView, 0);
    aNsec = getI64(scratchView, 8);
    mSec = getI64(scratchView, 16);
    mNsec = getI64(scratchView, 24);
    if (aNsec === UTIME_OMIT && mNsec === UTIME_OMIT) return 0;
    if (!goodNsec(aNsec) || !goodNsec(mNsec)) return -EINVAL;
  }
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  return setTimes(t, dirfd, pathAddr, timesAddr === 0, flags);
}

/** Implements futimesat(2): struct timeval[2]. */
function futimesat(t: Task, dirfd: number, pathAddr: number, timesAddr: number): number {
  if (timesAddr !== 0) {
    if (t.mem.copyInExact(timesAddr, scratch, 0, 32) !== 0) return -EFAULT;
    const aUsec = getI64(scratchView, 8);
    const mUsec = getI64(scratchView, 24);
    if (aUsec < 0 || aUsec >= 1e6 || mUsec < 0 || mUsec >= 1e6) return -EINVAL;
    aSec = getI64(scratchView, 0);
    aNsec = aUsec * 1000;
    mSec = getI64(scratchView, 16);
    mNsec = mUsec * 1000;
  }
  return setTimes(t, dirfd, pathAddr, timesAddr === 0, 0);
}

/** Implements utimes(2). */
function utimes(t: Task, pathAddr: number, timesAddr: number): number {
  return futimesat(t, AT_FDCWD, pathAddr, timesAddr);
}

/** Implements utime(2): struct utimbuf, seconds. */
function utime(t: Task, pathAddr: number, timesAddr: number): number {
  if (timesAddr !== 0) {
    if (t.mem.copyInExact(timesAddr, scratch, 0, 16) !== 0) return -EFAULT;
    aSec = getI64(scratchView, 0);
    mSec = getI64(scratchView, 8);
    aNsec = 0;
    mNsec = 0;
  }
  return setTimes(t, AT_FDCWD, pathAddr, timesAddr === 0, 0);
}

/** Implements truncate(2). */
function truncate(t: Task, pathAddr: number, size: number): number {
  if (size < 0) return -EINVAL;
  const path = pathArg(t, pathAddr);
  if (typeof path === 'number') return path;
  const p = lookupPath(t, AT_FDCWD, path);
  if (failed(p)) return p;
  const wait = anyHold() ? awaitHold(t, p.dentry.inode!) : 0;
  if (wait !== 0) return wait;
  return size > MAX_FILE_SIZE ? -EFBIG : truncateAt(t, p, size);
}

/** Implements ftruncate(2). */
function ftruncate(t: Task, fd: number, size: number): number {
  if (size < 0) return -EINVAL;
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if ((f.inode.mode & S_IFMT) !== S_IFREG || !f.writable) return -EINVAL;
  if (size > MAX_FILE_SIZE) return -EFBIG;
  if (anyHold()) {
    t.pin(fd, f);
    const wait = awaitHold(t, f.inode);
    if (wait !== 0) return wait;
  }
  return truncateInode(t, f.inode, f.path, size);
}

/** Implements fallocate(2). */
function fallocate(t: Task, fd: number, mode: number, off: number, len: number): number {
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if (off < 0 || len <= 0) return -EINVAL;
  const all =
    FALLOC_FL_KEEP_SIZE |
    FALLOC_FL_PUNCH_HOLE |
    FALLOC_FL_COLLAPSE_RANGE |
    FALLOC_FL_ZERO_RANGE |
    FALLOC_FL_INSERT_RANGE |
    FALLOC_FL_UNSHARE_RANGE;
  if ((mode & ~all) !== 0) return -EOPNOTSUPP;
  if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0 && (mode & FALLOC_FL_ZERO_RANGE) !== 0) return -EOPNOTSUPP;
  if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0 && (mode & FALLOC_FL_KEEP_SIZE) === 0) return -EOPNOTSUPP;
  if ((mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) !== 0 && (mode & (mode - 1)) !== 0)
    return -EINVAL;
  if (!f.writable) return -EBADF;
  if ((mode & ~FALLOC_FL_KEEP_SIZE) !== 0 && (f.flags & O_APPEND) !== 0 && !t.call.active) return -EPERM;
  const type = f.inode.mode & S_IFMT;
  if (type === S_IFIFO) return -ESPIPE;
  if (type === S_IFDIR) return -EISDIR;
  if (type !== S_IFREG && type !== S_IFBLK) return -ENODEV;
  if (off + len > MAX_FILE_SIZE) return -EFBIG;
  if (anyHold()) {
    t.pin(fd, f);
    const wait = awaitHold(t, f.inode);
    if (wait !== 0) return wait;
  }
  const done = f.fallocate(t, mode, off, len, t.call.active ? t.call.done : 0);
  if (done >= 0 && done < len) {
    t.pin(fd, f);
    t.call.done = done;
    hold(t, f.inode);
    const w = t.giveWay();
    if (w === BLOCKED) return w;
  }
  endHolds(t);
  if (done < 0) return done;
  removePrivs(t, f.inode);
  if (f.path !== null) notifyDentry(f.path.dentry, IN_MODIFY);
  return 0;
}

/** Implements fsync(2). */
function fsync(t: Task, fd: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : f.fsync(t);
}

/** Implements sync(2): every file system that is mounted. */
function sync(t: Task): number {
  for (const m of t.fs.ns.mounts) m.fs.sync();
  return 0;
}

/** Implements syncfs(2). */
function syncfs(t: Task, fd: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : f.inode.fs.sync();
}

/** Implements sync_file_range(2). */
function sync_file_range(t: Task, fd: number, off: number, len: number, flags: number): number {
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if ((flags & ~SYNC_FILE_RANGE_WRITE_AND_WAIT) !== 0 || off < 0 || len < 0) return -EINVAL;
  const type = f.inode.mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFBLK && type !== S_IFDIR && type !== S_IFLNK) return -ESPIPE;
  return 0;
}

/** Implements posix_fadvise(2): advice changes nothing here. */
function fadvise64(t: Task, fd: number, _off: number, len: number, advice: number): number {
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if ((f.inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
  return len < 0 || advice < 0 || advice > POSIX_FADV_NOREUSE ? -EINVAL : 0;
}

/** Implements readahead(2). */
function readahead(t: Task, fd: number, _off: number, _count: number): number {
  const f = fdget(t, fd);
  if (f === null || !f.readable) return -EBADF;
  const type = f.inode.mode & S_IFMT;
  return type === S_IFREG || type === S_IFBLK ? 0 : -EINVAL;
}

const TIMES = STRUCT('timespec[2]');
const FALLOC = FLAGS('mode', [
  ['FALLOC_FL_KEEP_SIZE', FALLOC_FL_KEEP_SIZE],
  ['FALLOC_FL_PUNCH_HOLE', FALLOC_FL_PUNCH_HOLE],
  ['FALLOC_FL_COLLAPSE_RANGE', FALLOC_FL_COLLAPSE_RANGE],
  ['FALLOC_FL_ZERO_RANGE', FALLOC_FL_ZERO_RANGE],
  ['FALLOC_FL_INSERT_RANGE', FALLOC_FL_INSERT_RANGE],
]);

export const rows = [
  sys(SYS_chmod, [PATH, MODE], chmod),
  sys(SYS_fchmod, [FD, MODE], fchmod),
  sys(SYS_fchmodat, [FD, PATH, MODE], fchmodat),
  sys(SYS_fchmodat2, [FD, PATH, MODE, AT_FLAGS], fchmodat2),
  sys(SYS_chown, [PATH, INT, INT], chown),
  sys(SYS_lchown, [PATH, INT, INT], lchown),
  sys(SYS_fchown, [FD, INT, INT], fchown),
  sys(SYS_fchownat, [FD, PATH, INT, INT, AT_FLAGS], fchownat),
  sys(SYS_utime, [PATH, STRUCT('utimbuf')], utime),
  sys(SYS_utimes, [PATH, STRUCT('timeval[2]')], utimes),
  sys(SYS_futimesat, [FD, PATH, STRUCT('timeval[2]')], futimesat),
  sys(SYS_utimensat, [FD, PATH, TIMES, AT_FLAGS], utimensat),
  sys(SYS_truncate, [PATH, OFF], truncate),
  sys(SYS_ftruncate, [FD, OFF], ftruncate),
  sys(SYS_fallocate, [FD, FALLOC, OFF, OFF], fallocate, 'no COLLAPSE_RANGE, INSERT_RANGE'),
  sys(SYS_fsync, [FD], fsync),
  sys(SYS_fdatasync, [FD], fsync),
  sys(SYS_sync, [], sync),
  sys(SYS_syncfs, [FD], syncfs),
  sys(SYS_sync_file_range, [FD, OFF, OFF, UINT], sync_file_range),
  sys(SYS_fadvise64, [FD, OFF, SIZE, INT], fadvise64),
  sys(SYS_readahead, [FD, OFF, SIZE], readahead),
];
