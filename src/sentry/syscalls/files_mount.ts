// mount(2), umount2(2), name_to_handle_at(2), open_by_handle_at(2).

import { CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN } from '../../abi/capability.ts';
import { EBADF, EINVAL, ENODEV, ENOSPC, EOPNOTSUPP, EPERM } from '../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW } from '../../abi/fcntl.ts';
import { PAGE_SIZE } from '../../abi/limits.ts';
import {
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MGC_MSK,
  MS_MGC_VAL,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_REMOUNT,
  MS_SHARED,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  UMOUNT_NOFOLLOW,
} from '../../abi/mount.ts';
import { SYS_mount, SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_umount2 } from '../../abi/syscall.ts';
import { failed } from '../base/errno.ts';
import { countUnsupported } from '../base/log.ts';
import { ProcFs } from '../fs/proc/proc.ts';
import { TmpfsFs } from '../fs/tmpfs/tmpfs.ts';
import type { Task } from '../kernel/task.ts';
import type { FileSystem } from '../vfs/filesystem.ts';
import { copyTree, countTree, MOUNT_FLAGS, newMount } from '../vfs/mount.ts';
import { LOOKUP_FOLLOW, lookupPath } from '../vfs/namei.ts';
import type { Path } from '../vfs/path.ts';
import { AT_FLAGS, pathArg, targetArg } from './file_args.ts';
import { ADDR, FD, FLAGS, PATH } from './kinds.ts';
import { sys } from './row.ts';

/** Propagation types: every mount is private. */
const PROPAGATION = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

/** Options of a file system: up to a page of text, '' for none. */
function optionsArg(t: Task, addr: number): string | number {
  return addr === 0 ? '' : t.mem.copyInString(addr, PAGE_SIZE);
}

/** Implements mount(2). */
function mount(
  t: Task,
  source: number,
  target: number,
  type: number,
  flagsArg: number,
  data: number,
): number {
  let flags = flagsArg | 0;
  if ((flags & MS_MGC_MSK) >>> 0 === MS_MGC_VAL) flags &= ~MS_MGC_MSK;
  const options = optionsArg(t, data);
  if (typeof options === 'number') return options;
  const path = pathArg(t, target);
  if (typeof path === 'number') return path;
  const at = lookupPath(t, AT_FDCWD, path, LOOKUP_FOLLOW);
  if (failed(at)) return at;
  if (!t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
  if ((flags & MS_REMOUNT) !== 0) return remount(at, flags, options);
  if ((flags & MS_BIND) !== 0) return bind(t, at, source, (flags & MS_REC) !== 0);
  if ((flags & PROPAGATION) !== 0) return propagation(at, flags);
  if ((flags & MS_MOVE) !== 0) return move(t, at, source);
  const name = pathArg(t, type);
  if (typeof name === 'number') return name;
  const fs = makeFs(t, name, options);
  if (failed(fs)) return fs;
  const from = source === 0 ? 'none' : pathArg(t, source);
  if (typeof from === 'number') return from;
  const m = newMount(fs, from, withAtime(flags));
  return at.mount.ns === null ? -EINVAL : at.mount.ns.attach(m, at);
}

/** Without a choice of access times, relatime. */
function withAtime(flags: number): number {
  return (flags & (MS_NOATIME | MS_STRICTATIME)) === 0 ? flags | MS_RELATIME : flags;
}

/** A file system of a type that can be mounted from inside. */
function makeFs(t: Task, name: string, options: string): FileSystem | number {
  switch (name) {
    case 'tmpfs':
      return TmpfsFs.mount(t.kernel.memfile, t, options);
    case 'ramfs':
      return TmpfsFs.mount(t.kernel.memfile, t, options);
    case 'proc':
      return mounted(t, name) ?? new ProcFs(t.kernel);
    case 'sysfs':
    case 'devpts':
      return mounted(t, name) ?? -ENODEV;
    default:
      countUnsupported(`mount of ${name}`);
      return -ENODEV;
  }
}

/** The instance of a type that there is one of, when it is mounted somewhere in the namespace. */
function mounted(t: Task, name: string): FileSystem | null {
  return t.fs.root.mount.ns?.mounts.find((m) => m.fs.name === name)?.fs ?? null;
}

function remount(at: Path, flags: number, options: string): number {
  if (at.dentry !== at.mount.root) return -EINVAL;
  if ((flags & MS_BIND) === 0) {
    const r = at.mount.fs.remount(options);
    if (r < 0) return r;
  }
  at.mount.flags = withAtime(flags) & MOUNT_FLAGS;
  return 0;
}

function bind(t: Task, at: Path, source: number, recursive: boolean): number {
  const path = pathArg(t, source);
  if (typeof path === 'number') return path;
  const from = lookupPath(t, AT_FDCWD, path, LOOKUP_FOLLOW);
  if (failed(from)) return from;
  if (from.mount.ns !== at.mount.ns || at.mount.ns === null) return -EINVAL;
  // Mounts on mounts double with every recursive bind: counted before they are made.
  if (!at.mount.ns.hasRoom(countTree(from.mount, recursive))) return -ENOSPC;
  return at.mount.ns.attach(copyTree(from.mount, from.dentry, recursive), at);
}

/** Mounts are private already; a private mount made a slave stays private. */
function propagation(at: Path, flags: number): number {
  if (at.dentry !== at.mount.root) return -EINVAL;
  if ((flags & (MS_SHARED | MS_UNBINDABLE)) === 0) return 0;
  countUnsupported('mount propagation');
  return -EINVAL;
}

function move(t: Task, at: Path, source: number): number {
  const path = pathArg(t, source);
  if (typeof path === 'number') return path;
  const from = lookupPath(t, AT_FDCWD, path, LOOKUP_FOLLOW);
  if (failed(from)) return from;
  const m = from.mount;
  if (from.dentry !== m.root || m.parent === null || m.ns === null || m.ns !== at.mount.ns) return -EINVAL;
  return m.ns.move(m, at);
}

/** Implements umount2(2). */
function umount2(t: Task, target: number, flags: number): number {
  if ((flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) !== 0) return -EINVAL;
  const path = pathArg(t, target);
  if (typeof path === 'number') return path;
  const at = lookupPath(t, AT_FDCWD, path, (flags & UMOUNT_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW);
  if (failed(at)) return at;
  if (!t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
  if (at.dentry !== at.mount.root || at.mount.ns === null) return -EINVAL;
  if ((flags & MNT_EXPIRE) !== 0) {
    countUnsupported('umount2 MNT_EXPIRE');
    return -EINVAL;
  }
  return at.mount.ns.detach(at.mount, (flags & MNT_DETACH) !== 0);
}

/** Implements name_to_handle_at(2) as a file system without handles does. */
function name_to_handle_at(
  t: Task,
  dirfd: number,
  path: number,
  _handle: number,
  _mountId: number,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const inode = targetArg(t, dirfd, path, flags & AT_EMPTY_PATH);
  return failed(inode) ? inode : -EOPNOTSUPP;
}

/** Implements open_by_handle_at(2) where no handle exists. */
function open_by_handle_at(t: Task, mountFd: number): number {
  if (!t.cred.capable(CAP_DAC_READ_SEARCH)) return -EPERM;
  return mountFd !== AT_FDCWD && t.fds.get(mountFd) === null ? -EBADF : -EOPNOTSUPP;
}

const MOUNT = FLAGS('flags', [
  ['MS_RDONLY', MS_RDONLY],
  ['MS_NOSUID', MS_NOSUID],
  ['MS_NODEV', MS_NODEV],
  ['MS_NOEXEC', MS_NOEXEC],
  ['MS_REMOUNT', MS_REMOUNT],
  ['MS_NOATIME', MS_NOATIME],
  ['MS_NODIRATIME', MS_NODIRATIME],
  ['MS_BIND', MS_BIND],
  ['MS_MOVE', MS_MOVE],
  ['MS_REC', MS_REC],
  ['MS_PRIVATE', MS_PRIVATE],
  ['MS_SLAVE', MS_SLAVE],
  ['MS_SHARED', MS_SHARED],
  ['MS_RELATIME', MS_RELATIME],
  ['MS_STRICTATIME', MS_STRICTATIME],
]);
const UMOUNT = FLAGS('flags', [
  ['MNT_FORCE', MNT_FORCE],
  ['MNT_DETACH', MNT_DETACH],
  ['MNT_EXPIRE', MNT_EXPIRE],
  ['UMOUNT_NOFOLLOW', UMOUNT_NOFOLLOW],
]);

export const rows = [
  sys(SYS_mount, [PATH, PATH, PATH, MOUNT, ADDR], mount, 'tmpfs, proc, bind mounts; no propagation'),
  sys(SYS_umount2, [PATH, UMOUNT], umount2, 'no MNT_EXPIRE'),
  sys(
    SYS_name_to_handle_at,
    [FD, PATH, ADDR, ADDR, AT_FLAGS],
    name_to_handle_at,
    'not: EOPNOTSUPP, no file handles',
  ),
  sys(SYS_open_by_handle_at, [FD, ADDR], open_by_handle_at, 'not: EOPNOTSUPP, no file handles'),
];
