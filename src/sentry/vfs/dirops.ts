// Operations on names: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rmdir(2), rename(2). Each resolves its paths,
// checks permission, asks the file system, then brings dentries and watches up to date.

import {
  EBADF,
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  EMLINK,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EROFS,
  EXDEV,
} from '../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_SYMLINK_FOLLOW } from '../../abi/fs/fcntl.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from '../../abi/fs/fs.ts';
import {
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
} from '../../abi/fs/inotify.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK, S_ISVTX } from '../../abi/fs/stat.ts';
import { CAP_DAC_READ_SEARCH, CAP_MKNOD } from '../../abi/process/capability.ts';
import { failed } from '../base/errno.ts';
import { modeInDir } from './acl.ts';
import type { VfsContext } from './context.ts';
import { type Dentry, dropDentry, instantiate, lookupChild, moveDentry } from './dentry.ts';
import type { Inode } from './inode.ts';
import { Path } from './path.ts';
import { MAY_EXEC, MAY_WRITE, mayCreate, mayDelete } from './permission.ts';
import {
  LAST_DOT,
  LAST_DOTDOT,
  LAST_NORM,
  LAST_ROOT,
  LOOKUP_EMPTY,
  LOOKUP_FOLLOW,
  LOOKUP_PARENT,
  walker,
} from './walk.ts';
import { moveCookie, notifyDir, notifyInode } from './watches.ts';

/** Names of one inode. */
const LINK_MAX = 65000;

function isDir(i: Inode): boolean {
  return (i.mode & S_IFMT) === S_IFDIR;
}

/**
 * The directory and the negative dentry for a new name (filename_create). `asDir`: a trailing slash is fine.
 * -EEXIST when the name exists, -EROFS, -EACCES.
 */
function newName(ctx: VfsContext, dirfd: number, path: string, asDir: boolean): Dentry | number {
  const w = walker;
  const r = w.walk(ctx, dirfd, path, LOOKUP_PARENT);
  if (r < 0) return r;
  if (w.lastType !== LAST_NORM) return -EEXIST;
  const d = lookupChild(ctx, w.dentry!, w.lastName);
  if (failed(d)) return d;
  if (d.inode !== null) return -EEXIST;
  if (w.lastSlash && !asDir) return -ENOENT;
  const dir = w.dentry!.inode!;
  const refused = dir.newNameError();
  if (refused < 0) return refused;
  if (w.mount!.readonly) return -EROFS;
  const may = mayCreate(ctx, dir);
  return may < 0 ? may : d;
}

/** The new inode takes its name. */
function born(d: Dentry, made: Inode | number): number {
  if (failed(made)) return made;
  instantiate(d, made);
  notifyDir(d.parent!.inode!, IN_CREATE, d.name, made);
  return 0;
}

/** Implements mkdirat(2). */
export function makeDir(ctx: VfsContext, dirfd: number, path: string, mode: number): number {
  const d = newName(ctx, dirfd, path, true);
  if (failed(d)) return d;
  const dir = d.parent!.inode!;
  if (dir.nlink >= LINK_MAX) return -EMLINK;
  return born(d, dir.mkdir(ctx, d.name, modeInDir(ctx, dir, mode & (0o777 | S_ISVTX))));
}

/** Implements mknodat(2); `mode` with its type. The unix sockets' bind(2) calls it with S_IFSOCK. */
export function makeNode(ctx: VfsContext, dirfd: number, path: string, mode: number, rdev: number): number {
  let type = mode & S_IFMT;
  if (type === 0) type = S_IFREG;
  if (type === S_IFDIR) return -EPERM;
  if (type !== S_IFREG && type !== S_IFIFO && type !== S_IFSOCK && type !== S_IFCHR && type !== S_IFBLK)
    return -EINVAL;
  const d = newName(ctx, dirfd, path, false);
  if (failed(d)) return d;
  if ((type === S_IFCHR || type === S_IFBLK) && !ctx.cred.capable(CAP_MKNOD)) return -EPERM;
  const dir = d.parent!.inode!;
  return born(d, dir.create(ctx, d.name, type | modeInDir(ctx, dir, mode & 0o7777), rdev));
}

/** As makeNode, and returns the place of the new node. */
export function makeNodeAt(
  ctx: VfsContext,
  dirfd: number,
  path: string,
  mode: number,
  rdev: number,
): Path | number {
  const r = makeNode(ctx, dirfd, path, mode, rdev);
  if (r < 0) return r;
  // makeNode left the walker at the directory; the name is in the cache or is looked up again.
  const d = lookupChild(ctx, walker.dentry!, walker.lastName);
  return failed(d) ? d : new Path(walker.mount!, d);
}

/** Implements symlinkat(2). */
export function makeSymlink(ctx: VfsContext, target: string, dirfd: number, path: string): number {
  if (target.length === 0) return -ENOENT;
  const d = newName(ctx, dirfd, path, false);
  if (failed(d)) return d;
  return born(d, d.parent!.inode!.symlink(ctx, d.name, target));
}

/** Implements linkat(2). */
export function makeLink(
  ctx: VfsContext,
  oldFd: number,
  oldPath: string,
  newFd: number,
  newPath: string,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const empty = oldPath.length === 0 && (flags & AT_EMPTY_PATH) !== 0;
  if (empty && !ctx.cred.capable(CAP_DAC_READ_SEARCH)) {
    // Without the capability the descriptor must be the caller's own (Linux 6.10 and later).
    const f = ctx.fds.get(oldFd);
    if (f === null) return -EBADF;
    if (f.cred !== ctx.cred) return -ENOENT;
  }
  const look = ((flags & AT_SYMLINK_FOLLOW) !== 0 ? LOOKUP_FOLLOW : 0) | (empty ? LOOKUP_EMPTY : 0);
  const r = walker.walk(ctx, oldFd, oldPath, look);
  if (r < 0) return r;
  const from = walker.result();
  from.dentry.pin();
  const done = linkTo(ctx, from, newFd, newPath);
  from.dentry.unpin();
  return done;
}

function linkTo(ctx: VfsContext, from: Path, newFd: number, newPath: string): number {
  const d = newName(ctx, newFd, newPath, false);
  if (failed(d)) return d;
  if (walker.mount !== from.mount) return -EXDEV;
  const inode = from.dentry.inode!;
  if (isDir(inode)) return -EPERM;
  if (inode.nlink === 0 && !inode.linkable) return -ENOENT;
  if (inode.nlink >= LINK_MAX) return -EMLINK;
  const dir = d.parent!.inode!;
  const r = dir.link(ctx, d.name, inode);
  if (r < 0) return r;
  instantiate(d, inode);
  notifyInode(inode, IN_ATTRIB);
  notifyDir(dir, IN_CREATE, d.name, inode);
  return 0;
}

/** The last name of `inode` may be gone: tells watches, and frees the content when nobody has it open. */
function unlinked(inode: Inode): void {
  if (inode.nlink > 0) {
    notifyInode(inode, IN_ATTRIB);
    return;
  }
  notifyInode(inode, isDir(inode) ? IN_DELETE_SELF : IN_ATTRIB);
  if (inode.users === 0) {
    if (!isDir(inode)) notifyInode(inode, IN_DELETE_SELF);
    inode.evict();
  }
}

/** Implements unlinkat(2) without AT_REMOVEDIR. */
export function removeFile(ctx: VfsContext, dirfd: number, path: string): number {
  const w = walker;
  const r = w.walk(ctx, dirfd, path, LOOKUP_PARENT);
  if (r < 0) return r;
  if (w.lastType !== LAST_NORM) return -EISDIR;
  const d = lookupChild(ctx, w.dentry!, w.lastName);
  if (failed(d)) return d;
  const inode = d.inode;
  if (inode === null) return -ENOENT;
  if (w.lastSlash) return isDir(inode) ? -EISDIR : -ENOTDIR;
  if (w.mount!.readonly) return -EROFS;
  const dir = w.dentry!.inode!;
  const may = mayDelete(ctx, dir, inode);
  if (may < 0) return may;
  if (isDir(inode)) return -EISDIR;
  if (d.mounted > 0) return -EBUSY;
  const done = dir.unlink(ctx, d.name, inode);
  if (done < 0) return done;
  dropDentry(d);
  unlinked(inode);
  notifyDir(dir, IN_DELETE, d.name, inode);
  return 0;
}

/** Implements rmdir(2) and unlinkat(2) with AT_REMOVEDIR. */
export function removeDir(ctx: VfsContext, dirfd: number, path: string): number {
  const w = walker;
  const r = w.walk(ctx, dirfd, path, LOOKUP_PARENT);
  if (r < 0) return r;
  if (w.lastType === LAST_DOT) return -EINVAL;
  if (w.lastType === LAST_DOTDOT) return -ENOTEMPTY;
  if (w.lastType === LAST_ROOT) return -EBUSY;
  const d = lookupChild(ctx, w.dentry!, w.lastName);
  if (failed(d)) return d;
  const inode = d.inode;
  if (inode === null) return -ENOENT;
  if (w.mount!.readonly) return -EROFS;
  const dir = w.dentry!.inode!;
  const may = mayDelete(ctx, dir, inode);
  if (may < 0) return may;
  if (!isDir(inode)) return -ENOTDIR;
  if (d.mounted > 0 || (d === ctx.fs.root.dentry && w.mount === ctx.fs.root.mount)) return -EBUSY;
  const done = dir.rmdir(ctx, d.name, inode);
  if (done < 0) return done;
  forgetChildren(d);
  dropDentry(d);
  unlinked(inode);
  notifyDir(dir, IN_DELETE, d.name, inode);
  return 0;
}

/** The cached names below a removed directory are all negative: they go too. */
function forgetChildren(d: Dentry): void {
  if (d.children !== null) for (const c of [...d.children.values()]) dropDentry(c);
}

/** Implements renameat2(2). */
export function rename(
  ctx: VfsContext,
  oldFd: number,
  oldPath: string,
  newFd: number,
  newPath: string,
  flags: number,
): number {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  if ((flags & RENAME_EXCHANGE) !== 0 && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  // No file system here keeps whiteouts.
  if ((flags & RENAME_WHITEOUT) !== 0) return -EINVAL;
  const w = walker;
  let r = w.walk(ctx, oldFd, oldPath, LOOKUP_PARENT);
  if (r < 0) return r;
  const fromDir = w.result();
  const fromType = w.lastType;
  const fromName = w.lastName;
  const fromSlash = w.lastSlash;
  fromDir.dentry.pin();
  r = w.walk(ctx, newFd, newPath, LOOKUP_PARENT);
  if (r === 0) {
    if (w.mount !== fromDir.mount) r = -EXDEV;
    else if (fromType !== LAST_NORM) r = -EBUSY;
    else if (w.lastType !== LAST_NORM) r = (flags & RENAME_NOREPLACE) !== 0 ? -EEXIST : -EBUSY;
    else r = renameIn(ctx, fromDir, fromName, fromSlash, w.result(), w.lastName, w.lastSlash, flags);
  }
  fromDir.dentry.unpin();
  return r;
}

function renameIn(
  ctx: VfsContext,
  fromDir: Path,
  fromName: string,
  fromSlash: boolean,
  toDir: Path,
  toName: string,
  toSlash: boolean,
  flags: number,
): number {
  const src = lookupChild(ctx, fromDir.dentry, fromName);
  if (failed(src)) return src;
  const inode = src.inode;
  if (inode === null) return -ENOENT;
  const dst = lookupChild(ctx, toDir.dentry, toName);
  if (failed(dst)) return dst;
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  const target = dst.inode;
  if ((flags & RENAME_NOREPLACE) !== 0 && target !== null) return -EEXIST;
  if (exchange) {
    if (target === null) return -ENOENT;
    if (!isDir(target) && toSlash) return -ENOTDIR;
  }
  if (!isDir(inode) && (fromSlash || (!exchange && toSlash))) return -ENOTDIR;
  if (src.contains(toDir.dentry)) return -EINVAL;
  if (dst.contains(fromDir.dentry)) return exchange ? -EINVAL : -ENOTEMPTY;
  if (toDir.mount.readonly) return -EROFS;
  const may = mayRename(ctx, fromDir, toDir, inode, target, exchange);
  if (may < 0) return may;
  // rename(2): two names of the same file do nothing, and succeed.
  if (inode === target) return 0;
  if (src.mounted > 0 || dst.mounted > 0) return -EBUSY;
  const r = fromDir.dentry.inode!.rename(ctx, fromName, inode, toDir.dentry.inode!, toName, target, flags);
  if (r < 0) return r;
  renamed(fromDir.dentry, src, fromName, toDir.dentry, dst, toName, exchange);
  return 0;
}

function mayRename(
  ctx: VfsContext,
  fromDir: Path,
  toDir: Path,
  inode: Inode,
  target: Inode | null,
  exchange: boolean,
): number {
  const from = fromDir.dentry.inode!;
  const to = toDir.dentry.inode!;
  let r = mayDelete(ctx, from, inode);
  if (r < 0) return r;
  r = target === null ? to.permission(ctx, MAY_WRITE | MAY_EXEC) : mayDelete(ctx, to, target);
  if (r < 0) return r;
  if (target !== null && !exchange && inode !== target) {
    if (isDir(inode) && !isDir(target)) return -ENOTDIR;
    if (!isDir(inode) && isDir(target)) return -EISDIR;
  }
  // A directory that changes its parent has its ".." rewritten.
  if (from !== to) {
    if (isDir(inode) && (r = inode.permission(ctx, MAY_WRITE)) < 0) return r;
    if (exchange && isDir(target!) && (r = target!.permission(ctx, MAY_WRITE)) < 0) return r;
    if (isDir(inode) && !exchange && (target === null || !isDir(target)) && to.nlink >= LINK_MAX)
      return -EMLINK;
  }
  return 0;
}

/** Dentries and watches after the file system has renamed. */
function renamed(
  fromDir: Dentry,
  src: Dentry,
  fromName: string,
  toDir: Dentry,
  dst: Dentry,
  toName: string,
  exchange: boolean,
): void {
  const inode = src.inode!;
  const target = dst.inode;
  if (!exchange) {
    if (target !== null) forgetChildren(dst);
    dropDentry(dst);
  }
  // What is exchanged loses its place before it gets the other one: it must not be forgotten in between.
  if (exchange) target!.aliases++;
  moveDentry(src, toDir, toName);
  if (exchange) {
    moveDentry(dst, fromDir, fromName);
    target!.aliases--;
  }
  const from = fromDir.inode!;
  const to = toDir.inode!;
  const cookie = moveCookie();
  notifyDir(from, IN_MOVED_FROM, fromName, inode, cookie);
  notifyDir(to, IN_MOVED_TO, toName, inode, cookie);
  notifyInode(inode, IN_MOVE_SELF);
  if (target === null) return;
  if (exchange) {
    const back = moveCookie();
    notifyDir(to, IN_MOVED_FROM, toName, target, back);
    notifyDir(from, IN_MOVED_TO, fromName, target, back);
    notifyInode(target, IN_MOVE_SELF);
  } else unlinked(target);
}
