// Small whole-file helpers for the runtime's own needs inside the guest's tree.

import { EEXIST, EISDIR, ENOENT, ENOTDIR } from '../abi/errno.ts';
import { AT_FDCWD, O_RDONLY } from '../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFMT, S_IFREG } from '../abi/fs/stat.ts';
import { failed } from '../sentry/base/errno.ts';
import { KernelIo } from '../sentry/base/io.ts';
import type { DevMaker } from '../sentry/fs/dev/dev.ts';
import type { VfsContext } from '../sentry/vfs/context.ts';
import { instantiate, lookupChild } from '../sentry/vfs/dentry.ts';
import type { Inode } from '../sentry/vfs/inode.ts';
import { lookup } from '../sentry/vfs/namei.ts';
import { openAt } from '../sentry/vfs/open.ts';
import { Path } from '../sentry/vfs/path.ts';

const READ_MAX = 1 << 20;

/** Text of a file of at most 1 MiB (more is cut off), or -errno. */
export function readText(ctx: VfsContext, path: string): string | number {
  const file = openAt(ctx, AT_FDCWD, path, O_RDONLY, 0);
  if (failed(file)) return file;
  const bytes = new Uint8Array(READ_MAX);
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
  const made = maker(dir.dentry.inode!);
  if (failed(made)) return made;
  instantiate(d, made);
  return new Path(dir.mount, d);
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
