// open(2) without descriptors: path, flags and mode to a File.

import { EACCES, EEXIST, EINVAL, EISDIR, ELOOP, ENOTDIR, EPERM, EROFS, ETXTBSY } from '../../abi/errno.ts';
import {
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
} from '../../abi/fs/fcntl.ts';
import { IN_CREATE, IN_OPEN } from '../../abi/fs/inotify.ts';
import { MS_NODEV } from '../../abi/fs/mount.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../abi/fs/stat.ts';
import { failed } from '../base/errno.ts';
import { modeInDir } from './acl.ts';
import type { VfsContext } from './context.ts';
import { Dentry, instantiate, lookupChild } from './dentry.ts';
import { openInode } from './devices.ts';
import { type File, PathFile } from './file.ts';
import type { Inode } from './inode.ts';
import { Path } from './path.ts';
import { MAY_READ, MAY_WRITE, mayCreate, ownerOrCapable, removePrivs } from './permission.ts';
import { LAST_NORM, LOOKUP_DIRECTORY, LOOKUP_FOLLOW, LOOKUP_PARENT, walker } from './walk.ts';
import { notifyDentry, notifyDir } from './watches.ts';

/** The flags of O_TMPFILE that are its own. */
const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;
/** Flags that end with the open call. */
const OPEN_ONLY = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

/** What the access mode and O_TRUNC ask of the inode, as MAY_*. */
function accessMask(flags: number): number {
  const acc = flags & O_ACCMODE;
  const mask = acc === O_RDONLY ? MAY_READ : acc === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  return (flags & O_TRUNC) !== 0 ? mask | MAY_WRITE : mask;
}

/**
 * Opens `path` from `dirfd` (open(2), openat(2), openat2(2)). `mode` is for O_CREAT and O_TMPFILE, before the umask.
 * A File with refs 1 that no descriptor holds yet, or -errno. A FIFO may still wait for its other end: File.openWait().
 */
export function openAt(
  ctx: VfsContext,
  dirfd: number,
  path: string,
  flags: number,
  mode: number,
  resolve = 0,
): File | number {
  if ((flags & O_PATH) !== 0) return openPlace(ctx, dirfd, path, flags, resolve);
  if ((flags & TMPFILE_BIT) !== 0) return openTmpfile(ctx, dirfd, path, flags, mode, resolve);
  if ((flags & O_CREAT) !== 0) return openCreate(ctx, dirfd, path, flags, mode, resolve);
  const look =
    ((flags & O_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) | ((flags & O_DIRECTORY) !== 0 ? LOOKUP_DIRECTORY : 0);
  const r = walker.walk(ctx, dirfd, path, look, resolve);
  return r < 0 ? r : openFound(ctx, walker.result(), flags, false);
}

/** Opens a place that was found already (open_by path, exec, /proc magic links). */
export function openFound(ctx: VfsContext, at: Path, flags: number, created: boolean): File | number {
  const inode = at.dentry.inode!;
  // What this call made may be opened whatever its mode says.
  const mask = created ? 0 : accessMask(flags);
  const r = mayOpen(ctx, at, inode, mask, flags);
  if (r < 0) return r;
  const type = inode.mode & S_IFMT;
  if (type === S_IFREG && (mask & MAY_WRITE) !== 0) {
    if (at.mount.readonly) return -EROFS;
    if (inode.writers < 0) return -ETXTBSY;
  }
  // Terminals look at O_NOCTTY, and keep it no more than others do.
  const f = openInode(inode, ctx, flags & ~(type === S_IFCHR ? OPEN_ONLY & ~O_NOCTTY : OPEN_ONLY));
  if (failed(f)) return f;
  f.flags &= ~O_NOCTTY;
  f.attach(at, ctx.cred);
  if ((flags & O_TRUNC) !== 0 && type === S_IFREG && !created) {
    const t = inode.truncate(ctx, 0);
    if (t < 0) {
      f.unref();
      return t;
    }
    removePrivs(ctx, inode);
  }
  notifyDentry(at.dentry, IN_OPEN);
  return f;
}

/** may_open(): what kind of inode it is, and what the caller may do with it. */
function mayOpen(ctx: VfsContext, at: Path, inode: Inode, mask: number, flags: number): number {
  switch (inode.mode & S_IFMT) {
    case S_IFLNK:
      return -ELOOP;
    case S_IFDIR:
      if ((mask & MAY_WRITE) !== 0 || (flags & O_CREAT) !== 0) return -EISDIR;
      break;
    case S_IFCHR:
    case S_IFBLK:
      if ((at.mount.flags & MS_NODEV) !== 0) return -EACCES;
      break;
  }
  if (mask !== 0) {
    const r = inode.permission(ctx, mask);
    if (r < 0) return r;
  }
  if ((flags & O_NOATIME) !== 0 && !ownerOrCapable(ctx.cred, inode)) return -EPERM;
  return 0;
}

function openPlace(
  ctx: VfsContext,
  dirfd: number,
  path: string,
  flags: number,
  resolve: number,
): File | number {
  const look =
    ((flags & O_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) | ((flags & O_DIRECTORY) !== 0 ? LOOKUP_DIRECTORY : 0);
  const r = walker.walk(ctx, dirfd, path, look, resolve);
  if (r < 0) return r;
  const at = walker.result();
  const f = new PathFile(at.dentry.inode!, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
  f.attach(at, ctx.cred);
  return f;
}

function openCreate(
  ctx: VfsContext,
  dirfd: number,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): File | number {
  const w = walker;
  let r = w.walk(ctx, dirfd, path, LOOKUP_PARENT, resolve);
  for (;;) {
    if (r < 0) return r;
    if (r > 0) return (flags & O_EXCL) !== 0 ? -EEXIST : openFound(ctx, w.result(), flags, false);
    if (w.lastType !== LAST_NORM) return (flags & O_EXCL) !== 0 ? -EEXIST : -EISDIR;
    if (w.lastSlash) return -EISDIR;
    const d = lookupChild(ctx, w.dentry!, w.lastName);
    if (typeof d === 'number') return d;
    if (d.inode === null) return createAndOpen(ctx, w.result(), d, flags, mode);
    if ((flags & O_EXCL) !== 0) return -EEXIST;
    if ((d.inode.mode & S_IFMT) !== S_IFLNK) {
      w.dentry = d;
      r = w.down();
      return r < 0 ? r : openFound(ctx, w.result(), flags, false);
    }
    if ((flags & O_NOFOLLOW) !== 0) return -ELOOP;
    r = w.followLast(d.inode);
  }
}

function createAndOpen(ctx: VfsContext, dir: Path, d: Dentry, flags: number, mode: number): File | number {
  const parent = dir.dentry.inode!;
  const refused = parent.newNameError();
  if (refused < 0) return refused;
  if (dir.mount.readonly) return -EROFS;
  const r = mayCreate(ctx, parent);
  if (r < 0) return r;
  const made = parent.create(ctx, d.name, S_IFREG | modeInDir(ctx, parent, mode & 0o7777), 0);
  if (failed(made)) return made;
  instantiate(d, made);
  notifyDir(parent, IN_CREATE, d.name, made);
  return openFound(ctx, new Path(dir.mount, d), flags, true);
}

function openTmpfile(
  ctx: VfsContext,
  dirfd: number,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): File | number {
  const acc = flags & O_ACCMODE;
  if ((flags & O_TMPFILE) !== O_TMPFILE || acc === O_RDONLY) return -EINVAL;
  const r = walker.walk(ctx, dirfd, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, resolve);
  if (r < 0) return r;
  const dir = walker.result();
  if (dir.mount.readonly) return -EROFS;
  const parent = dir.dentry.inode!;
  if ((parent.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
  const may = mayCreate(ctx, parent);
  if (may < 0) return may;
  const made = parent.tmpfile(ctx, S_IFREG | modeInDir(ctx, parent, mode & 0o7777));
  if (failed(made)) return made;
  // Linux shows such a file as "/dir/#INO (deleted)".
  const d = new Dentry(dir.dentry.fs, `#${made.ino}`, dir.dentry, made);
  d.deleted = true;
  const f = openFound(ctx, new Path(dir.mount, d), flags & ~TMPFILE_BIT & ~O_EXCL, true);
  // linkat(2) may give it a name, unless O_EXCL forbade that.
  if (!failed(f)) made.linkable = (flags & O_EXCL) === 0;
  return f;
}

/** Denies writing to a program that runs; -ETXTBSY when somebody has it open for writing. */
export function denyWrite(inode: Inode): number {
  if (inode.writers > 0) return -ETXTBSY;
  inode.writers--;
  return 0;
}

/** Ends denyWrite(). */
export function allowWrite(inode: Inode): void {
  inode.writers++;
}
