// LocalTrees: the calls of tree_calls.ts made by this process itself, by descriptors of directories.

import { EACCES, EINVAL, ENOSYS } from '../abi/errno.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
} from '../abi/fs/fcntl.ts';
import { PATH_MAX } from '../abi/limits.ts';
import {
  SYS_chmod,
  SYS_close,
  SYS_fchmodat2,
  SYS_fchownat,
  SYS_fstat,
  SYS_fstatfs,
  SYS_fsync,
  SYS_getdents64,
  SYS_getxattr,
  SYS_lgetxattr,
  SYS_linkat,
  SYS_listxattr,
  SYS_lseek,
  SYS_mkdirat,
  SYS_mknodat,
  SYS_newfstatat,
  SYS_openat,
  SYS_readlink,
  SYS_readlinkat,
  SYS_removexattr,
  SYS_renameat2,
  SYS_setxattr,
  SYS_symlinkat,
  SYS_syncfs,
  SYS_umask,
  SYS_unlinkat,
  SYS_utimensat,
} from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';
import type { ThreadFile, TreeCalls } from './tree_calls.ts';

const NEW_FLAGS = O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;

export class LocalTrees implements TreeCalls {
  /** What is before the number of a descriptor in the path that the host resolves to its object. */
  private readonly fdPath: string;
  /** What is before PID in those of threads. */
  private readonly procPath: string;
  /** The umask counts for what is made, and is in the way. */
  private readonly hasUmask: boolean;
  private readonly one: HostBuffer = HostBuffer.alloc(PATH_MAX + 64);
  private readonly two: HostBuffer = HostBuffer.alloc(PATH_MAX + 64);

  constructor(fdPath = '/proc/self/fd/', procPath = '/proc/', hasUmask = true) {
    this.fdPath = fdPath;
    this.procPath = procPath;
    this.hasUmask = hasUmask;
  }

  attach(path: string, _writes: boolean, _only: string): number {
    if (path.length >= PATH_MAX) return -EACCES;
    const at = this.one.putString(path);
    const fd = hostCall(SYS_openat, AT_FDCWD, at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // One that we may pass through and not list.
    return fd === -EACCES ? hostCall(SYS_openat, AT_FDCWD, at, O_PATH | O_DIRECTORY | O_CLOEXEC) : fd;
  }

  protect(_dir: number): void {}

  /** One step of a path. */
  protected openAt(dir: number, name: string, flags: number): number {
    return hostCall(SYS_openat, dir, this.one.putString(name), flags);
  }

  open(dir: number, name: string, flags: number, stat: HostBuffer): number {
    const fd = this.openAt(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return fd;
    const r = this.stat(fd, stat);
    if (r === 0) return fd;
    hostCall(SYS_close, fd);
    return r;
  }

  create(dir: number, name: string, mode: number): number {
    // Without a name by the directory itself, the one path that is ours.
    return name === ''
      ? this.masked(SYS_openat, dir, this.one.putString('.'), O_TMPFILE | O_RDWR | O_CLOEXEC, mode)
      : this.masked(SYS_openat, dir, this.one.putString(name), NEW_FLAGS, mode);
  }

  reopen(fd: number, flags: number): number {
    return hostCall(SYS_openat, AT_FDCWD, this.pathOf(fd), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
  }

  /** SAFETY: the host resolves it to the very object, whatever has its name by now. */
  private pathOf(fd: number): number {
    return this.one.putString(`${this.fdPath}${fd}`);
  }

  close(h: number): void {
    hostCall(SYS_close, h);
  }

  stat(h: number, out: HostBuffer): number {
    return hostCall(SYS_fstat, h, out.addr);
  }

  statAt(dir: number, name: string, out: HostBuffer): number {
    return hostCall(SYS_newfstatat, dir, this.one.putString(name), out.addr, AT_SYMLINK_NOFOLLOW);
  }

  statfs(h: number, out: HostBuffer): number {
    return hostCall(SYS_fstatfs, h, out.addr);
  }

  list(dir: number, first: boolean, out: HostBuffer): number {
    // An O_PATH descriptor has no offset.
    if (first && hostCall(SYS_lseek, dir, 0, 0) < 0) return -EACCES;
    return hostCall(SYS_getdents64, dir, out.addr, out.size);
  }

  readlink(dir: number, name: string, out: HostBuffer): number {
    return hostCall(SYS_readlinkat, dir, this.one.putString(name), out.addr, Math.min(out.size, PATH_MAX));
  }

  mkdir(dir: number, name: string, mode: number): number {
    return this.masked(SYS_mkdirat, dir, this.one.putString(name), mode);
  }

  mknod(dir: number, name: string, mode: number): number {
    return this.masked(SYS_mknodat, dir, this.one.putString(name), mode);
  }

  /** A host call that makes something with a mode in which the caller's umask is not to count: the guest's did already. */
  private masked(nr: number, a: number, b: number, c: number, d = 0): number {
    if (!this.hasUmask) return hostCall(nr, a, b, c, d);
    const umask = hostCall(SYS_umask, 0);
    const r = hostCall(nr, a, b, c, d);
    hostCall(SYS_umask, umask);
    return r;
  }

  symlink(target: string, dir: number, name: string): number {
    return hostCall(SYS_symlinkat, this.two.putString(target), dir, this.one.putString(name));
  }

  link(from: number, name: string, dir: number, newName: string): number {
    return hostCall(SYS_linkat, from, this.one.putString(name), dir, this.two.putString(newName), 0);
  }

  linkOpen(fd: number, dir: number, name: string): number {
    return hostCall(SYS_linkat, AT_FDCWD, this.pathOf(fd), dir, this.two.putString(name), AT_SYMLINK_FOLLOW);
  }

  unlink(dir: number, name: string, flags: number): number {
    return hostCall(SYS_unlinkat, dir, this.one.putString(name), flags);
  }

  rename(from: number, name: string, to: number, newName: string, flags: number): number {
    return hostCall(SYS_renameat2, from, this.one.putString(name), to, this.two.putString(newName), flags);
  }

  chown(h: number, uid: number, gid: number): number {
    return hostCall(SYS_fchownat, h, this.one.putString(''), uid, gid, AT_EMPTY_PATH);
  }

  chmod(h: number, mode: number): number {
    const r = hostCall(SYS_fchmodat2, h, this.one.putString(''), mode, AT_EMPTY_PATH);
    // Linux 6.6 and newer have it.
    return r === -ENOSYS ? hostCall(SYS_chmod, this.pathOf(h), mode) : r;
  }

  utimens(h: number, times: HostBuffer): number {
    const r = hostCall(SYS_utimensat, h, this.one.putString(''), times.addr, AT_EMPTY_PATH);
    // Older hosts do not take the flag.
    return r === -EINVAL ? hostCall(SYS_utimensat, AT_FDCWD, this.pathOf(h), times.addr, 0) : r;
  }

  getxattr(h: number, name: string, attribute: string, out: HostBuffer): number {
    const key = this.two.putString(attribute);
    if (name === '') return hostCall(SYS_getxattr, this.pathOf(h), key, out.addr, out.size);
    // No descriptor of the object is needed so, which would take the right to read it.
    const path = this.one.putString(`${this.fdPath}${h}/${name}`);
    return hostCall(SYS_lgetxattr, path, key, out.addr, out.size);
  }

  setxattr(h: number, attribute: string, value: HostBuffer, size: number, flags: number): number {
    return hostCall(SYS_setxattr, this.pathOf(h), this.two.putString(attribute), value.addr, size, flags);
  }

  removexattr(h: number, attribute: string): number {
    return hostCall(SYS_removexattr, this.pathOf(h), this.two.putString(attribute));
  }

  listxattr(h: number, out: HostBuffer): number {
    return hostCall(SYS_listxattr, this.pathOf(h), out.addr, out.size);
  }

  fsync(dir: number): number {
    return hostCall(SYS_fsync, dir);
  }

  syncfs(h: number): number {
    return hostCall(SYS_syncfs, h);
  }

  linkText(fd: number, out: HostBuffer): number {
    return hostCall(SYS_readlink, this.pathOf(fd), out.addr, out.size);
  }

  threadFile(pid: number, tid: number, file: ThreadFile): number {
    this.one.putString(`${this.procPath}${pid}/task/${tid}/${file}`);
    return hostCall(SYS_openat, AT_FDCWD, this.one.addr, O_RDONLY | O_CLOEXEC, 0);
  }
}
