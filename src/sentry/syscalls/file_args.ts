// What the file calls share: paths and descriptors as arguments, and the argument kinds that show them.

import { EBADF, ENOENT } from '../../abi/errno.ts';
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
} from '../../abi/fs/fcntl.ts';
import { PATH_MAX } from '../../abi/limits.ts';
import { failed } from '../base/errno.ts';
import type { ArgKind } from '../kernel/syscall_table.ts';
import type { Task } from '../kernel/task/task.ts';
import type { Inode } from '../vfs/inode.ts';
import { lookupFlags, lookupPath } from '../vfs/namei.ts';
import type { Path } from '../vfs/path.ts';
import { FLAGS } from './kinds.ts';

/** A path argument as a byte string; -EFAULT, -ENAMETOOLONG. */
export function pathArg(t: Task, addr: number): string | number {
  return t.mem.copyInString(addr, PATH_MAX);
}

/** Where targetOf() found its inode; null for a descriptor of something without a place. */
let targetAt: Path | null = null;

/** The place of the last targetOf(). */
export function targetPlace(): Path | null {
  return targetAt;
}

/**
 * The inode that (dirfd, path, AT_* flags) names. With AT_EMPTY_PATH and an empty path it is the descriptor's own, which
 * need not have a place: a pipe, a socket.
 */
export function targetOf(t: Task, dirfd: number, path: string, at: number): Inode | number {
  targetAt = null;
  if (path.length === 0) {
    if ((at & AT_EMPTY_PATH) === 0) return -ENOENT;
    if (dirfd !== AT_FDCWD) {
      const f = t.fds.get(dirfd);
      if (f === null) return -EBADF;
      targetAt = f.path;
      return f.inode;
    }
  }
  const p = lookupPath(t, dirfd, path, lookupFlags(at));
  if (failed(p)) return p;
  targetAt = p;
  return p.dentry.inode!;
}

/** targetOf() with the path still in guest memory. */
export function targetArg(t: Task, dirfd: number, pathAddr: number, at: number): Inode | number {
  const path = pathArg(t, pathAddr);
  return typeof path === 'number' ? path : targetOf(t, dirfd, path, at);
}

export const AT_FLAGS: ArgKind = FLAGS('flags', [
  ['AT_SYMLINK_NOFOLLOW', AT_SYMLINK_NOFOLLOW],
  ['AT_SYMLINK_FOLLOW', AT_SYMLINK_FOLLOW],
  ['AT_NO_AUTOMOUNT', AT_NO_AUTOMOUNT],
  ['AT_EMPTY_PATH', AT_EMPTY_PATH],
]);
export const UNLINK_FLAGS: ArgKind = FLAGS('flags', [['AT_REMOVEDIR', AT_REMOVEDIR]]);
export const ACCESS_FLAGS: ArgKind = FLAGS('flags', [
  ['AT_EACCESS', AT_EACCESS],
  ['AT_SYMLINK_NOFOLLOW', AT_SYMLINK_NOFOLLOW],
  ['AT_EMPTY_PATH', AT_EMPTY_PATH],
]);
