// mkdir(2), rmdir(2), getdents(2), getdents64(2), chdir(2), fchdir(2), getcwd(2), chroot(2), umask(2).

import { EBADF, EFAULT, EINVAL, ENAMETOOLONG, ENOTDIR, EPERM, ERANGE } from '../../../abi/errno.ts';
import { dirent64Size, direntSize, encodeDirent, encodeDirent64 } from '../../../abi/fs/dirent.ts';
import { AT_FDCWD } from '../../../abi/fs/fcntl.ts';
import { IN_ACCESS } from '../../../abi/fs/inotify.ts';
import { S_IFDIR, S_IFMT } from '../../../abi/fs/stat.ts';
import { PATH_MAX } from '../../../abi/limits.ts';
import { CAP_SYS_CHROOT } from '../../../abi/process/capability.ts';
import {
  SYS_chdir,
  SYS_chroot,
  SYS_fchdir,
  SYS_getcwd,
  SYS_getdents,
  SYS_getdents64,
  SYS_mkdir,
  SYS_mkdirat,
  SYS_umask,
} from '../../../abi/syscall.ts';
import type { U64 } from '../../../abi/u64.ts';
import { stringToBytes } from '../../base/bytes.ts';
import { failed } from '../../base/errno.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { DirRecords } from '../../vfs/dir_records.ts';
import { makeDir } from '../../vfs/dirops.ts';
import { cwdString } from '../../vfs/dpath.ts';
import type { DirSink } from '../../vfs/inode.ts';
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, lookupPath } from '../../vfs/namei.ts';
import { MAY_EXEC } from '../../vfs/permission.ts';
import { fileAccessed } from '../../vfs/times.ts';
import { notifyDentry, watchCount } from '../../vfs/watches.ts';
import { fdget } from '../fdget.ts';
import { pathArg } from '../file_args.ts';
import { FD, MODE, PATH, SIZE, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

/** Bytes of entries that one getdents call gives at most: what libc asks for. */
const DIRENT_BUFFER = 32768;

/** Gathers entries as struct linux_dirent64 or struct linux_dirent. One serves all calls. */
class DirentSink implements DirSink {
  readonly bytes: Uint8Array = new Uint8Array(DIRENT_BUFFER);
  private readonly view: DataView = new DataView(this.bytes.buffer);
  private room = 0;
  private old = false;
  used = 0;
  /** An entry did not fit. */
  full = false;

  start(room: number, old: boolean): void {
    this.room = Math.min(room, DIRENT_BUFFER);
    this.old = old;
    this.used = 0;
    this.full = false;
  }

  emit(name: string, ino: U64, type: number, next: number): boolean {
    const size = this.old ? direntSize(name.length) : dirent64Size(name.length);
    if (this.used + size > this.room) {
      this.full = true;
      return false;
    }
    if (this.old) encodeDirent(this.view, this.used, ino, next, type, name);
    else encodeDirent64(this.view, this.used, ino, next, type, name);
    this.used += size;
    return true;
  }

  emitRecords(records: DirRecords, index: number): number {
    if (this.old) return -1;
    const n = records.fitting(index, this.room - this.used);
    const start = records.start(index);
    const end = records.start(index + n);
    this.bytes.set(records.bytes.subarray(start, end), this.used);
    this.used += end - start;
    this.full = index + n < records.length;
    return n;
  }
}

const sink = new DirentSink();

/** Both getdents calls. -EINVAL when not even one entry fits, -ENOTDIR, -ENOENT in a removed directory. */
function readEntries(t: Task, fd: number, addr: number, count: number, old: boolean): number {
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if ((f.inode.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
  sink.start(count >>> 0, old);
  const before = f.pos;
  const r = f.readdir(t, sink);
  fileAccessed(t, f);
  if (sink.used === 0) return r < 0 ? r : sink.full ? -EINVAL : 0;
  if (t.mem.copyOutExact(addr, sink.bytes, 0, sink.used) !== 0) {
    f.pos = before;
    return -EFAULT;
  }
  if (watchCount.n !== 0 && f.path !== null) notifyDentry(f.path.dentry, IN_ACCESS);
  return sink.used;
}

/** Implements getdents64(2). */
function getdents64(t: Task, fd: number, addr: number, count: number): number {
  return readEntries(t, fd, addr, count, false);
}

/** Implements getdents(2). */
function getdents(t: Task, fd: number, addr: number, count: number): number {
  return readEntries(t, fd, addr, count, true);
}

/** Implements mkdirat(2). */
function mkdirat(t: Task, dirfd: number, pathAddr: number, mode: number): number {
  const path = pathArg(t, pathAddr);
  return typeof path === 'number' ? path : makeDir(t, dirfd, path, mode);
}

/** Implements mkdir(2). */
function mkdir(t: Task, pathAddr: number, mode: number): number {
  return mkdirat(t, AT_FDCWD, pathAddr, mode);
}

/** Implements chdir(2). */
function chdir(t: Task, pathAddr: number): number {
  const path = pathArg(t, pathAddr);
  if (typeof path === 'number') return path;
  const p = lookupPath(t, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (failed(p)) return p;
  const r = p.dentry.inode!.permission(t, MAY_EXEC);
  if (r < 0) return r;
  t.fs.setCwd(p);
  return 0;
}

/** Implements fchdir(2). */
function fchdir(t: Task, fd: number): number {
  const f = t.fds.get(fd);
  if (f === null) return -EBADF;
  if (f.path === null || (f.inode.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
  const r = f.inode.permission(t, MAY_EXEC);
  if (r < 0) return r;
  t.fs.setCwd(f.path);
  return 0;
}

/** Implements getcwd(2): bytes with the NUL. -ERANGE when the buffer is too small. */
function getcwd(t: Task, addr: number, size: number): number {
  const s = cwdString(t.fs.cwd, t.fs.root);
  if (typeof s === 'number') return s;
  if (s.length >= PATH_MAX) return -ENAMETOOLONG;
  if (size < s.length + 1) return -ERANGE;
  const bytes = stringToBytes(`${s}\0`);
  return t.mem.copyOutExact(addr, bytes, 0, bytes.length) !== 0 ? -EFAULT : bytes.length;
}

/** Implements chroot(2). */
function chroot(t: Task, pathAddr: number): number {
  const path = pathArg(t, pathAddr);
  if (typeof path === 'number') return path;
  const p = lookupPath(t, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (failed(p)) return p;
  const r = p.dentry.inode!.permission(t, MAY_EXEC);
  if (r < 0) return r;
  if (!t.cred.capable(CAP_SYS_CHROOT)) return -EPERM;
  t.fs.setRoot(p);
  return 0;
}

/** Implements umask(2). */
function umask(t: Task, mask: number): number {
  const old = t.fs.umask;
  t.fs.umask = mask & 0o777;
  return old;
}

export const rows = [
  sys(SYS_getdents, [FD, STRUCT('linux_dirent', true), UINT], getdents),
  sys(SYS_getdents64, [FD, STRUCT('linux_dirent64', true), UINT], getdents64),
  sys(SYS_mkdir, [PATH, MODE], mkdir),
  sys(SYS_mkdirat, [FD, PATH, MODE], mkdirat),
  sys(SYS_chdir, [PATH], chdir),
  sys(SYS_fchdir, [FD], fchdir),
  sys(SYS_getcwd, [STRUCT('char', true), SIZE], getcwd),
  sys(SYS_chroot, [PATH], chroot),
  sys(SYS_umask, [MODE], umask),
];
