// link(2), symlink(2), readlink(2), unlink(2), rmdir(2), rename(2), mknod(2) and their *at forms.

import { EFAULT, EINVAL, ENOENT } from '../../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from '../../../abi/fs/fcntl.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from '../../../abi/fs/fs.ts';
import { S_IFLNK, S_IFMT } from '../../../abi/fs/stat.ts';
import {
  SYS_link,
  SYS_linkat,
  SYS_mknod,
  SYS_mknodat,
  SYS_readlink,
  SYS_readlinkat,
  SYS_rename,
  SYS_renameat,
  SYS_renameat2,
  SYS_rmdir,
  SYS_symlink,
  SYS_symlinkat,
  SYS_unlink,
  SYS_unlinkat,
} from '../../../abi/syscall.ts';
import { stringToBytes } from '../../base/bytes.ts';
import { failed } from '../../base/errno.ts';
import type { Task } from '../../kernel/task/task.ts';
import {
  makeLink,
  makeNode,
  makeSymlink,
  removeDir,
  removeFile,
  rename as renamePath,
} from '../../vfs/dirops.ts';
import { touchAtime } from '../../vfs/times.ts';
import { AT_FLAGS, pathArg, targetOf, targetPlace, UNLINK_FLAGS } from '../file_args.ts';
import { FD, FLAGS, MODE, PATH, SIZE, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

/** Implements linkat(2). */
function linkat(
  t: Task,
  oldFd: number,
  oldAddr: number,
  newFd: number,
  newAddr: number,
  flags: number,
): number {
  const from = pathArg(t, oldAddr);
  if (typeof from === 'number') return from;
  const to = pathArg(t, newAddr);
  if (typeof to === 'number') return to;
  return makeLink(t, oldFd, from, newFd, to, flags);
}

/** Implements link(2). */
function link(t: Task, oldAddr: number, newAddr: number): number {
  return linkat(t, AT_FDCWD, oldAddr, AT_FDCWD, newAddr, 0);
}

/** Implements symlinkat(2). */
function symlinkat(t: Task, targetAddr: number, dirfd: number, pathAddr: number): number {
  const target = pathArg(t, targetAddr);
  if (typeof target === 'number') return target;
  const path = pathArg(t, pathAddr);
  return typeof path === 'number' ? path : makeSymlink(t, target, dirfd, path);
}

/** Implements symlink(2). */
function symlink(t: Task, targetAddr: number, pathAddr: number): number {
  return symlinkat(t, targetAddr, AT_FDCWD, pathAddr);
}

/** Implements readlinkat(2): bytes written, without a NUL. An empty path reads the link that dirfd was opened on. */
function readlinkat(t: Task, dirfd: number, pathAddr: number, addr: number, size: number): number {
  if (size <= 0) return -EINVAL;
  const path = pathArg(t, pathAddr);
  return typeof path === 'number' ? path : readLink(t, dirfd, path, addr, size);
}

function readLink(t: Task, dirfd: number, path: string, addr: number, size: number): number {
  const inode = targetOf(t, dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
  if (failed(inode)) return inode;
  if ((inode.mode & S_IFMT) !== S_IFLNK) return path.length === 0 ? -ENOENT : -EINVAL;
  const text = inode.readlink(t);
  if (typeof text === 'number') return text;
  const at = targetPlace();
  if (at !== null) touchAtime(t, inode, at.mount.flags);
  const n = Math.min(size, text.length);
  return t.mem.copyOutExact(addr, stringToBytes(text), 0, n) !== 0 ? -EFAULT : n;
}

/** Implements readlink(2). */
function readlink(t: Task, pathAddr: number, addr: number, size: number): number {
  if (size <= 0) return -EINVAL;
  const path = pathArg(t, pathAddr);
  if (typeof path === 'number') return path;
  return path === '' ? -ENOENT : readLink(t, AT_FDCWD, path, addr, size);
}

/** Implements unlinkat(2). */
function unlinkat(t: Task, dirfd: number, pathAddr: number, flags: number): number {
  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  const path = pathArg(t, pathAddr);
  if (typeof path === 'number') return path;
  return flags === 0 ? removeFile(t, dirfd, path) : removeDir(t, dirfd, path);
}

/** Implements unlink(2). */
function unlink(t: Task, pathAddr: number): number {
  return unlinkat(t, AT_FDCWD, pathAddr, 0);
}

/** Implements rmdir(2). */
function rmdir(t: Task, pathAddr: number): number {
  return unlinkat(t, AT_FDCWD, pathAddr, AT_REMOVEDIR);
}

/** Implements renameat2(2). */
function renameat2(
  t: Task,
  oldFd: number,
  oldAddr: number,
  newFd: number,
  newAddr: number,
  flags: number,
): number {
  const from = pathArg(t, oldAddr);
  if (typeof from === 'number') return from;
  const to = pathArg(t, newAddr);
  if (typeof to === 'number') return to;
  return renamePath(t, oldFd, from, newFd, to, flags);
}

/** Implements renameat(2). */
function renameat(t: Task, oldFd: number, oldAddr: number, newFd: number, newAddr: number): number {
  return renameat2(t, oldFd, oldAddr, newFd, newAddr, 0);
}

/** Implements rename(2). */
function rename(t: Task, oldAddr: number, newAddr: number): number {
  return renameat2(t, AT_FDCWD, oldAddr, AT_FDCWD, newAddr, 0);
}

/** Implements mknodat(2). */
function mknodat(t: Task, dirfd: number, pathAddr: number, mode: number, dev: number): number {
  const path = pathArg(t, pathAddr);
  return typeof path === 'number' ? path : makeNode(t, dirfd, path, mode, dev >>> 0);
}

/** Implements mknod(2). */
function mknod(t: Task, pathAddr: number, mode: number, dev: number): number {
  return mknodat(t, AT_FDCWD, pathAddr, mode, dev);
}

const RENAME_FLAGS = FLAGS('flags', [
  ['RENAME_NOREPLACE', RENAME_NOREPLACE],
  ['RENAME_EXCHANGE', RENAME_EXCHANGE],
  ['RENAME_WHITEOUT', RENAME_WHITEOUT],
]);
const TEXT_OUT = STRUCT('char', true);

export const rows = [
  sys(SYS_link, [PATH, PATH], link),
  sys(SYS_linkat, [FD, PATH, FD, PATH, AT_FLAGS], linkat),
  sys(SYS_symlink, [PATH, PATH], symlink),
  sys(SYS_symlinkat, [PATH, FD, PATH], symlinkat),
  sys(SYS_readlink, [PATH, TEXT_OUT, SIZE], readlink),
  sys(SYS_readlinkat, [FD, PATH, TEXT_OUT, SIZE], readlinkat),
  sys(SYS_unlink, [PATH], unlink),
  sys(SYS_unlinkat, [FD, PATH, UNLINK_FLAGS], unlinkat),
  sys(SYS_rmdir, [PATH], rmdir),
  sys(SYS_rename, [PATH, PATH], rename),
  sys(SYS_renameat, [FD, PATH, FD, PATH], renameat),
  sys(SYS_renameat2, [FD, PATH, FD, PATH, RENAME_FLAGS], renameat2, 'RENAME_WHITEOUT is refused'),
  sys(SYS_mknod, [PATH, MODE, UINT], mknod),
  sys(SYS_mknodat, [FD, PATH, MODE, UINT], mknodat),
];
