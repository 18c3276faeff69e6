// inotify_init(2), inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2).

import { EBADF, EINVAL } from '../../../abi/errno.ts';
import { AT_FDCWD } from '../../../abi/fs/fcntl.ts';
import {
  IN_ALL_EVENTS,
  IN_CLOEXEC,
  IN_DONT_FOLLOW,
  IN_EXCL_UNLINK,
  IN_IGNORED,
  IN_ISDIR,
  IN_MASK_ADD,
  IN_MASK_CREATE,
  IN_NONBLOCK,
  IN_ONESHOT,
  IN_ONLYDIR,
  IN_Q_OVERFLOW,
  IN_UNMOUNT,
} from '../../../abi/fs/inotify.ts';
import { PATH_MAX } from '../../../abi/limits.ts';
import {
  SYS_inotify_add_watch,
  SYS_inotify_init,
  SYS_inotify_init1,
  SYS_inotify_rm_watch,
} from '../../../abi/syscall.ts';
import { failed } from '../../base/errno.ts';
import { InotifyFile } from '../../fs/inotify/inotify.ts';
import type { Task } from '../../kernel/task/task.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, lookupPath } from '../../vfs/namei.ts';
import { MAY_READ } from '../../vfs/permission.ts';
import { fdget } from '../fdget.ts';
import { installNew } from '../install.ts';
import { FD, FLAGS, HEX, INT, PATH } from '../kinds.ts';
import { sys } from '../row.ts';

/** ALL_INOTIFY_BITS of Linux: what a mask may hold. */
const ALL_BITS =
  (IN_ALL_EVENTS |
    IN_UNMOUNT |
    IN_Q_OVERFLOW |
    IN_IGNORED |
    IN_ONLYDIR |
    IN_DONT_FOLLOW |
    IN_EXCL_UNLINK |
    IN_MASK_ADD |
    IN_MASK_CREATE |
    IN_ISDIR |
    IN_ONESHOT) >>>
  0;

/** Implements inotify_init1(2). -EINVAL, -EMFILE. */
function inotify_init1(t: Task, flags: number): number {
  if ((flags & ~(IN_CLOEXEC | IN_NONBLOCK)) !== 0) return -EINVAL;
  const file = new InotifyFile(new AnonInode(anonInodeFs, 0o600, t), flags & IN_NONBLOCK);
  return installNew(t, file, (flags & IN_CLOEXEC) !== 0);
}

/** Implements inotify_init(2). */
function inotify_init(t: Task): number {
  return inotify_init1(t, 0);
}

/** Implements inotify_add_watch(2): the watch descriptor. -EBADF, -EINVAL, -EACCES, -EEXIST, -ENOTDIR, -ENOSPC. */
function inotify_add_watch(t: Task, fd: number, pathAddr: number, mask: number): number {
  if ((mask & ALL_BITS) === 0 || (mask & ~ALL_BITS) !== 0) return -EINVAL;
  const file = fdget(t, fd);
  if (file === null) return -EBADF;
  if ((mask & IN_MASK_ADD) !== 0 && (mask & IN_MASK_CREATE) !== 0) return -EINVAL;
  if (!(file instanceof InotifyFile)) return -EINVAL;
  const path = t.mem.copyInString(pathAddr, PATH_MAX);
  if (typeof path === 'number') return path;
  const look =
    ((mask & IN_DONT_FOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) | ((mask & IN_ONLYDIR) !== 0 ? LOOKUP_DIRECTORY : 0);
  const at = lookupPath(t, AT_FDCWD, path, look);
  if (failed(at)) return at;
  const inode = at.dentry.inode!;
  const r = inode.permission(t, MAY_READ);
  return r < 0 ? r : file.add(inode, mask);
}

/** Implements inotify_rm_watch(2). -EBADF, -EINVAL. */
function inotify_rm_watch(t: Task, fd: number, wd: number): number {
  const file = fdget(t, fd);
  if (file === null) return -EBADF;
  return file instanceof InotifyFile ? file.removeWd(wd) : -EINVAL;
}

const INIT_FLAGS = FLAGS('flags', [
  ['IN_CLOEXEC', IN_CLOEXEC],
  ['IN_NONBLOCK', IN_NONBLOCK],
]);

export const rows = [
  sys(SYS_inotify_init, [], inotify_init),
  sys(SYS_inotify_init1, [INIT_FLAGS], inotify_init1),
  sys(SYS_inotify_add_watch, [FD, PATH, HEX], inotify_add_watch),
  sys(SYS_inotify_rm_watch, [FD, INT], inotify_rm_watch),
];
