// Small whole-file helpers for the runtime's own needs inside the guest's tree.

import { EEXIST, EFBIG, EINVAL, EISDIR, ENOENT, ENOTDIR, EROFS } from '../abi/errno.ts';
import { AT_FDCWD, O_CREAT, O_NOFOLLOW, O_RDONLY, O_TRUNC, O_WRONLY } from '../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../abi/fs/stat.ts';
import { stringToBytes } from '../sentry/base/bytes.ts';
import { failed } from '../sentry/base/errno.ts';
import { KernelIo } from '../sentry/base/io.ts';
import { BindFs } from '../sentry/fs/bind/bindfs.ts';
import type { DevMaker } from '../sentry/fs/dev/dev.ts';
import { HostRootFs } from '../sentry/fs/rootfs/rootfs.ts';
import type { VfsContext } from '../sentry/vfs/context.ts';
import { instantiate, lookupChild } from '../sentry/vfs/dentry.ts';
import { removeFile } from '../sentry/vfs/dirops.ts';
import { WORKS_ON } from '../sentry/vfs/file.ts';
import type { Inode } from '../sentry/vfs/inode.ts';
import { LOOKUP_FOLLOW, lookup, lookupPath } from '../sentry/vfs/namei.ts';
import { openAt, openFound } from '../sentry/vfs/open.ts';
import { Path } from '../sentry/vfs/path.ts';
import { STATUS_USAGE, StartError } from './options.ts';

const READ_MAX = 1 << 20;

/**
 * Text of a regular file of at most `most` bytes (more is cut off), or -errno; -EINVAL for what is none. Nothing else is opened: a FIFO
 * or a device may be there. `look` says whether a link at the end is followed.
 */
export function readText(
  ctx: VfsContext,
  path: string,
  look = LOOKUP_FOLLOW,
  most = READ_MAX,
): string | number {
  const at = lookupPath(ctx, AT_FDCWD, path, look);
  if (failed(at)) return at;
  if ((at.dentry.inode!.mode & S_IFMT) !== S_IFREG) return -EINVAL;
  const file = openFound(ctx, at, O_RDONLY, false);
  if (failed(file)) return file;
  const bytes = new Uint8Array(Math.min(file.inode.size, most));
  let done = 0;
  while (done < bytes.length) {
    const n = file.pread(ctx, new KernelIo(bytes, done), done);
    if (n <= 0) break;
    done += n;
  }
  file.unref();
  return Buffer.from(bytes.buffer, 0, done).toString('latin1');
}

/**
 * The place `path` names, made with its missing parents as directories of `mode` when it does not exist. -ENOTDIR where something else
 * is in the way, -EEXIST where a symbolic link leads nowhere.
 */
export function makeDirs(ctx: VfsContext, path: string, mode: number): Path | number {
  let at: Path = ctx.fs.root;
  let above = '';
  for (const name of path.split('/')) {
    if (name === '') continue;
    above += `/${name}`;
    // By the path and not by the name: links and `..` mean what they mean to programs.
    const found = lookup(ctx, above);
    const next = found === -ENOENT ? makeDir(ctx, at, name, mode) : found;
    if (failed(next)) return next;
    if ((next.dentry.inode!.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
    at = next;
  }
  return at;
}

/** The place of a file, made empty, with its missing parents, when it does not exist. -EISDIR for a directory, and as makeDirs(). */
export function makeFile(ctx: VfsContext, path: string): Path | number {
  const slash = path.lastIndexOf('/');
  const dir = makeDirs(ctx, path.slice(0, slash), 0o755);
  if (failed(dir)) return dir;
  const found = lookup(ctx, path);
  const file = found === -ENOENT ? makeEmpty(ctx, dir, path.slice(slash + 1)) : found;
  return !failed(file) && (file.dentry.inode!.mode & S_IFMT) === S_IFDIR ? -EISDIR : file;
}

function makeDir(ctx: VfsContext, dir: Path, name: string, mode: number): Path | number {
  return make(ctx, dir, name, (parent) => parent.mkdir(ctx, name, S_IFDIR | mode));
}

function makeEmpty(ctx: VfsContext, dir: Path, name: string): Path | number {
  return make(ctx, dir, name, (parent) => parent.create(ctx, name, S_IFREG | 0o644, 0));
}

function make(
  ctx: VfsContext,
  dir: Path,
  name: string,
  maker: (parent: Inode) => Inode | number,
): Path | number {
  const d = lookupChild(ctx, dir.dentry, name);
  if (typeof d === 'number') return d;
  if (d.inode !== null) return -EEXIST;
  // A link that an earlier run left may lead into what is bound for reading alone.
  if (dir.mount.readonly) return -EROFS;
  const made = maker(dir.dentry.inode!);
  if (failed(made)) return made;
  instantiate(d, made);
  return new Path(dir.mount, d);
}

/** Where the command's own files are. */
const OWN_DIRECTORY = '/etc';
/** Lists of names that are to lead nowhere make a hosts(5) of some MiB. */
const OWN_MAX = 32 << 20;

/**
 * Gives a file in /etc the text that the command has for it, or what `text` makes of the one that is there (null leaves it as it
 * is); `flag` is who wants that. Programs of an earlier run may have left anything there: no link is followed, no other name
 * of the file changes, and nothing goes to the host through --bind. 0, -errno where it cannot be; throws StartError where
 * something is in the way.
 */
export function writeOwn(
  ctx: VfsContext,
  flag: string,
  name: string,
  text: (before: string | null) => string | null,
): number {
  const path = `${OWN_DIRECTORY}/${name}`;
  const dir = lookupPath(ctx, AT_FDCWD, OWN_DIRECTORY, 0);
  if (failed(dir)) return dir;
  if ((dir.dentry.inode!.mode & S_IFMT) !== S_IFDIR) throw inTheWay(flag, OWN_DIRECTORY, dir);
  const at = lookupPath(ctx, AT_FDCWD, path, 0);
  if (failed(at) && at !== -ENOENT) return at;
  const inode = failed(at) ? null : at.dentry.inode!;
  const type = (inode?.mode ?? S_IFREG) & S_IFMT;
  if (type !== S_IFREG && type !== S_IFLNK) throw inTheWay(flag, path, at as Path);
  // A link of the machine's own tree may be followed for what it says: nobody inside has made it.
  const own = inode === null || inode.fs instanceof HostRootFs;
  if (type === S_IFREG && inode !== null && inode.size > OWN_MAX) return -EFBIG;
  const before = inode === null ? null : readText(ctx, path, own ? LOOKUP_FOLLOW : 0, OWN_MAX);
  const after = text(typeof before === 'string' ? before : null);
  if (after === null) return 0;
  if ((inode ?? dir.dentry.inode!).fs instanceof BindFs) return -EROFS;
  if (inode !== null && (type === S_IFLNK || inode.nlink > 1)) {
    const r = removeFile(ctx, AT_FDCWD, path);
    if (r < 0) return r;
  }
  const file = openAt(ctx, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644);
  if (failed(file)) return file;
  const io = new KernelIo(stringToBytes(after));
  let n = WORKS_ON;
  while (n === WORKS_ON) n = file.write(ctx, io);
  file.unref();
  return Math.min(n, 0);
}

const KINDS: ReadonlyMap<number, string> = new Map([
  [S_IFDIR, 'a directory'],
  [S_IFIFO, 'a FIFO'],
  [S_IFLNK, 'a symbolic link'],
  [S_IFSOCK, 'a socket'],
  [S_IFREG, 'a file'],
]);

/** What a place is, in words. */
export function kindOf(at: Path): string {
  return KINDS.get(at.dentry.inode!.mode & S_IFMT) ?? 'a device';
}

function inTheWay(flag: string, path: string, at: Path): StartError {
  const what = `${flag}: inside, ${path} is ${kindOf(at)}`;
  return new StartError(`${what}; fix: a run without ${flag} in which it is removed`, STATUS_USAGE);
}

/** Makes the entries of a fresh directory, with modes that no umask touches. */
export class InodeMaker implements DevMaker {
  private readonly ctx: VfsContext;
  private readonly dir: Inode;

  constructor(ctx: VfsContext, dir: Inode) {
    this.ctx = ctx;
    this.dir = dir;
  }

  mkdir(name: string, mode: number): number {
    return this.finish(this.dir.mkdir(this.ctx, name, S_IFDIR | mode), mode, 0);
  }

  mknod(name: string, mode: number, rdev: number, gid: number): number {
    return this.finish(this.dir.create(this.ctx, name, mode, rdev), mode, gid);
  }

  symlink(name: string, target: string): number {
    const r = this.dir.symlink(this.ctx, name, target);
    return failed(r) ? r : 0;
  }

  private finish(made: Inode | number, mode: number, gid: number): number {
    return failed(made) ? made : made.setattr(this.ctx, { mode: mode & 0o7777, gid });
  }
}
