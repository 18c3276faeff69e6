// setxattr(2), getxattr(2), listxattr(2), removexattr(2) and their l and f forms: xattr(7).

import {
  E2BIG,
  EBADF,
  EFAULT,
  EINVAL,
  ENODATA,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
  EROFS,
} from '../../../abi/errno.ts';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from '../../../abi/fs/fcntl.ts';
import { IN_ATTRIB } from '../../../abi/fs/inotify.ts';
import { S_IFDIR, S_IFMT, S_IFREG, S_ISVTX } from '../../../abi/fs/stat.ts';
import { XATTR_CREATE, XATTR_NAME_CAPS, XATTR_REPLACE } from '../../../abi/fs/xattr.ts';
import { XATTR_LIST_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX } from '../../../abi/limits.ts';
import { CAP_SETFCAP, CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import {
  SYS_fgetxattr,
  SYS_flistxattr,
  SYS_fremovexattr,
  SYS_fsetxattr,
  SYS_getxattr,
  SYS_lgetxattr,
  SYS_listxattr,
  SYS_llistxattr,
  SYS_lremovexattr,
  SYS_lsetxattr,
  SYS_removexattr,
  SYS_setxattr,
} from '../../../abi/syscall.ts';
import { stringToBytes } from '../../base/bytes.ts';
import { failed } from '../../base/errno.ts';
import { checkFileCaps, shownFileCaps } from '../../kernel/task/file_caps.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { Path } from '../../vfs/path.ts';
import { MAY_READ, MAY_WRITE, ownerOrCapable } from '../../vfs/permission.ts';
import { notifyDentry } from '../../vfs/watches.ts';
import { fdget } from '../fdget.ts';
import { targetArg, targetPlace } from '../file_args.ts';
import { ADDR, FD, FLAGS, IN_BUF, OUT_BUF, PATH, SIZE, STRING } from '../kinds.ts';
import { sys } from '../row.ts';

/** An attribute's name; -ERANGE when it is empty or too long. */
function nameArg(t: Task, addr: number): string | number {
  const name = t.mem.copyInString(addr, XATTR_NAME_MAX + 1);
  if (typeof name === 'number') return name === -EFAULT ? name : -ERANGE;
  return name.length === 0 ? -ERANGE : name;
}

/** xattr_permission(): who may read (MAY_READ) or change (MAY_WRITE) an attribute of this namespace. */
function mayXattr(t: Task, inode: Inode, at: Path | null, name: string, mask: number): number {
  const write = mask === MAY_WRITE;
  if (write && at?.mount.readonly) return -EROFS;
  if (name === XATTR_NAME_CAPS) return write && !t.cred.capable(CAP_SETFCAP) ? -EPERM : 0;
  if (name.startsWith('security.')) return write && !t.cred.capable(CAP_SYS_ADMIN) ? -EPERM : 0;
  if (name.startsWith('system.')) return 0;
  if (name.startsWith('trusted.')) return t.cred.capable(CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
  if (name.startsWith('user.')) {
    const type = inode.mode & S_IFMT;
    if (type !== S_IFREG && type !== S_IFDIR) return write ? -EPERM : -ENODATA;
    if (type === S_IFDIR && (inode.mode & S_ISVTX) !== 0 && write && !ownerOrCapable(t.cred, inode))
      return -EPERM;
  }
  return inode.permission(t, mask);
}

/** user. and the rest know a namespace by its prefix; anything else is not supported anywhere. */
function goodPrefix(name: string): boolean {
  return /^(user|trusted|security|system)\../s.test(name);
}

function set(
  t: Task,
  inode: Inode,
  at: Path | null,
  nameAddr: number,
  addr: number,
  size: number,
  flags: number,
): number {
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
  const name = nameArg(t, nameAddr);
  if (typeof name === 'number') return name;
  if (size < 0 || size > XATTR_SIZE_MAX) return -E2BIG;
  const value = new Uint8Array(size);
  if (size > 0 && t.mem.copyInExact(addr, value, 0, size) !== 0) return -EFAULT;
  if (name === XATTR_NAME_CAPS && size > 0) {
    const good = checkFileCaps(value);
    if (good < 0) return good;
  }
  const may = mayXattr(t, inode, at, name, MAY_WRITE);
  if (may < 0) return may;
  if (!goodPrefix(name)) return -EOPNOTSUPP;
  const r = inode.setxattr(t, name, value, flags);
  if (r === 0 && at !== null) notifyDentry(at.dentry, IN_ATTRIB);
  return r;
}

function get(t: Task, inode: Inode, at: Path | null, nameAddr: number, addr: number, size: number): number {
  const name = nameArg(t, nameAddr);
  if (typeof name === 'number') return name;
  const may = mayXattr(t, inode, at, name, MAY_READ);
  if (may < 0) return may;
  if (!goodPrefix(name)) return -EOPNOTSUPP;
  let value = inode.getxattr(t, name);
  if (!failed(value) && name === XATTR_NAME_CAPS) value = shownFileCaps(value);
  if (failed(value)) return value;
  if (size === 0) return value.length;
  if (size < value.length) return -ERANGE;
  return t.mem.copyOutExact(addr, value, 0, value.length) !== 0 ? -EFAULT : value.length;
}

function list(t: Task, inode: Inode, addr: number, size: number): number {
  const names = inode.listxattr(t);
  // A file system without attributes has an empty list.
  if (typeof names === 'number') return names === -EOPNOTSUPP ? 0 : names;
  const trusted = t.cred.capable(CAP_SYS_ADMIN);
  let text = '';
  for (const n of names) if (trusted || !n.startsWith('trusted.')) text += `${n}\0`;
  if (text.length > XATTR_LIST_MAX) return -E2BIG;
  if (size === 0) return text.length;
  if (size < text.length) return -ERANGE;
  return t.mem.copyOutExact(addr, stringToBytes(text), 0, text.length) !== 0 ? -EFAULT : text.length;
}

function remove(t: Task, inode: Inode, at: Path | null, nameAddr: number): number {
  const name = nameArg(t, nameAddr);
  if (typeof name === 'number') return name;
  const may = mayXattr(t, inode, at, name, MAY_WRITE);
  if (may < 0) return may;
  if (!goodPrefix(name)) return -EOPNOTSUPP;
  const r = inode.removexattr(t, name);
  if (r === 0 && at !== null) notifyDentry(at.dentry, IN_ATTRIB);
  return r;
}

/** Implements setxattr(2). */
function setxattr(t: Task, path: number, name: number, addr: number, size: number, flags: number): number {
  const inode = targetArg(t, AT_FDCWD, path, 0);
  return failed(inode) ? inode : set(t, inode, targetPlace(), name, addr, size, flags);
}

/** Implements lsetxattr(2). */
function lsetxattr(t: Task, path: number, name: number, addr: number, size: number, flags: number): number {
  const inode = targetArg(t, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
  return failed(inode) ? inode : set(t, inode, targetPlace(), name, addr, size, flags);
}

/** Implements fsetxattr(2). */
function fsetxattr(t: Task, fd: number, name: number, addr: number, size: number, flags: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : set(t, f.inode, f.path, name, addr, size, flags);
}

/** Implements getxattr(2): bytes of the value. -ERANGE when the buffer is too small. */
function getxattr(t: Task, path: number, name: number, addr: number, size: number): number {
  const inode = targetArg(t, AT_FDCWD, path, 0);
  return failed(inode) ? inode : get(t, inode, targetPlace(), name, addr, size);
}

/** Implements lgetxattr(2). */
function lgetxattr(t: Task, path: number, name: number, addr: number, size: number): number {
  const inode = targetArg(t, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
  return failed(inode) ? inode : get(t, inode, targetPlace(), name, addr, size);
}

/** Implements fgetxattr(2). */
function fgetxattr(t: Task, fd: number, name: number, addr: number, size: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : get(t, f.inode, f.path, name, addr, size);
}

/** Implements listxattr(2): bytes of all names with their NULs. */
function listxattr(t: Task, path: number, addr: number, size: number): number {
  const inode = targetArg(t, AT_FDCWD, path, 0);
  return failed(inode) ? inode : list(t, inode, addr, size);
}

/** Implements llistxattr(2). */
function llistxattr(t: Task, path: number, addr: number, size: number): number {
  const inode = targetArg(t, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
  return failed(inode) ? inode : list(t, inode, addr, size);
}

/** Implements flistxattr(2). */
function flistxattr(t: Task, fd: number, addr: number, size: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : list(t, f.inode, addr, size);
}

/** Implements removexattr(2). */
function removexattr(t: Task, path: number, name: number): number {
  const inode = targetArg(t, AT_FDCWD, path, 0);
  return failed(inode) ? inode : remove(t, inode, targetPlace(), name);
}

/** Implements lremovexattr(2). */
function lremovexattr(t: Task, path: number, name: number): number {
  const inode = targetArg(t, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
  return failed(inode) ? inode : remove(t, inode, targetPlace(), name);
}

/** Implements fremovexattr(2). */
function fremovexattr(t: Task, fd: number, name: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : remove(t, f.inode, f.path, name);
}

const XATTR_FLAGS = FLAGS('flags', [
  ['XATTR_CREATE', XATTR_CREATE],
  ['XATTR_REPLACE', XATTR_REPLACE],
]);

export const rows = [
  sys(SYS_setxattr, [PATH, STRING, IN_BUF, SIZE, XATTR_FLAGS], setxattr),
  sys(SYS_lsetxattr, [PATH, STRING, IN_BUF, SIZE, XATTR_FLAGS], lsetxattr),
  sys(SYS_fsetxattr, [FD, STRING, IN_BUF, SIZE, XATTR_FLAGS], fsetxattr),
  sys(SYS_getxattr, [PATH, STRING, OUT_BUF, SIZE], getxattr),
  sys(SYS_lgetxattr, [PATH, STRING, OUT_BUF, SIZE], lgetxattr),
  sys(SYS_fgetxattr, [FD, STRING, OUT_BUF, SIZE], fgetxattr),
  sys(SYS_listxattr, [PATH, ADDR, SIZE], listxattr),
  sys(SYS_llistxattr, [PATH, ADDR, SIZE], llistxattr),
  sys(SYS_flistxattr, [FD, ADDR, SIZE], flistxattr),
  sys(SYS_removexattr, [PATH, PATH], removexattr),
  sys(SYS_lremovexattr, [PATH, PATH], lremovexattr),
  sys(SYS_fremovexattr, [FD, PATH], fremovexattr),
];
