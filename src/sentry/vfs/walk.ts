// Walker: resolves a path to a mount and dentry (path_resolution(7), openat2(2)). One walker serves all calls: the kernel
// is one thread and a walk never nests; results are read from its fields before the next walk.

import { EBADF, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from '../../abi/errno.ts';
import {
  AT_FDCWD,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../../abi/fs/fcntl.ts';
import { MS_NOSYMFOLLOW } from '../../abi/fs/mount.ts';
import { S_IFDIR, S_IFLNK, S_IFMT } from '../../abi/fs/stat.ts';
import { MAXSYMLINKS, NAME_MAX } from '../../abi/limits.ts';
import type { VfsContext } from './context.ts';
import { type Dentry, lookupChild } from './dentry.ts';
import type { Inode } from './inode.ts';
import type { Mount } from './mount.ts';
import { Path } from './path.ts';
import { MAY_EXEC } from './permission.ts';
import { touchAtime } from './times.ts';

/** Follow a symbolic link at the end. */
export const LOOKUP_FOLLOW = 1;
/** The end must be a directory. */
export const LOOKUP_DIRECTORY = 2;
/** Stop before the last component and leave it in lastName. */
export const LOOKUP_PARENT = 4;
/** An empty path means the descriptor itself. */
export const LOOKUP_EMPTY = 8;

/** What the last component is, after LOOKUP_PARENT. */
export const LAST_NORM = 0;
export const LAST_DOT = 1;
export const LAST_DOTDOT = 2;
/** The path was only slashes. */
export const LAST_ROOT = 3;

const SLASH = 47;
const DOT = 46;
/** follow() went through a magic link: the walk stands at its target. */
const JUMPED = 1;

export class Walker {
  private ctx: VfsContext | null = null;
  /** Where the walk stands. After LOOKUP_PARENT: the directory of the last component. */
  mount: Mount | null = null;
  dentry: Dentry | null = null;
  private rootMount: Mount | null = null;
  private rootDentry: Dentry | null = null;
  lastName = '';
  lastType = LAST_NORM;
  /** The last component was followed by a slash. */
  lastSlash = false;
  private flags = 0;
  private resolve = 0;
  private links = 0;
  private path = '';
  private pos = 0;
  /** Paths whose symbolic link is being walked, with the place where each goes on. Never an empty rest. */
  private readonly pathStack: string[] = new Array(MAXSYMLINKS + 1).fill('');
  private readonly posStack: Int32Array = new Int32Array(MAXSYMLINKS + 1);
  private depth = 0;

  /** Resolves `path` from `dirfd` (AT_FDCWD: the working directory). 0 or -errno. */
  walk(ctx: VfsContext, dirfd: number, path: string, flags: number, resolve = 0): number {
    const r = this.begin(ctx, dirfd, path, flags, resolve);
    return r < 0 ? r : this.run();
  }

  /** Where the walk stands, as an object of its own. */
  result(): Path {
    return new Path(this.mount!, this.dentry!);
  }

  private reset(ctx: VfsContext, path: string, flags: number, resolve: number): void {
    this.ctx = ctx;
    this.path = path;
    this.pos = 0;
    this.flags = flags;
    this.resolve = resolve;
    this.links = 0;
    this.depth = 0;
    this.lastSlash = false;
    this.lastName = '';
    const root = ctx.fs.root;
    this.rootMount = root.mount;
    this.rootDentry = root.dentry;
  }

  private begin(ctx: VfsContext, dirfd: number, path: string, flags: number, resolve: number): number {
    this.reset(ctx, path, flags, resolve);
    const empty = path.length === 0;
    if (empty && (flags & LOOKUP_EMPTY) === 0) return -ENOENT;
    const confined = (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0;
    const absolute = path.charCodeAt(0) === SLASH;
    if (absolute && !confined) {
      this.toRoot();
      return 0;
    }
    if (absolute && (resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
    if (dirfd === AT_FDCWD) {
      const cwd = ctx.fs.cwd;
      this.mount = cwd.mount;
      this.dentry = cwd.dentry;
    } else {
      const f = ctx.fds.get(dirfd);
      if (f === null) return -EBADF;
      const p = f.path;
      if (p === null) return -ENOTDIR;
      if (!empty && (f.inode.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
      this.mount = p.mount;
      this.dentry = p.dentry;
    }
    if (confined) {
      this.rootMount = this.mount;
      this.rootDentry = this.dentry;
    }
    return 0;
  }

  private toRoot(): void {
    this.mount = this.rootMount;
    this.dentry = this.rootDentry;
  }

  /** Walks on until the end, or until the last component with LOOKUP_PARENT. */
  private run(): number {
    const ctx = this.ctx!;
    for (;;) {
      const path = this.path;
      let pos = this.pos;
      while (path.charCodeAt(pos) === SLASH) pos++;
      if (pos >= path.length) {
        if (this.depth === 0) {
          this.lastType = LAST_ROOT;
          return this.finish();
        }
        this.depth--;
        this.path = this.pathStack[this.depth]!;
        this.pos = this.posStack[this.depth]!;
        continue;
      }
      const dir = this.dentry!.inode!;
      if ((dir.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
      const may = dir.permission(ctx, MAY_EXEC);
      if (may < 0) return may;
      let end = path.indexOf('/', pos);
      if (end < 0) end = path.length;
      if (end - pos > NAME_MAX) return -ENAMETOOLONG;
      let next = end;
      while (path.charCodeAt(next) === SLASH) next++;
      this.pos = next;
      const last = next >= path.length && this.depth === 0;
      let type = LAST_NORM;
      if (path.charCodeAt(pos) === DOT) {
        if (end - pos === 1) type = LAST_DOT;
        else if (end - pos === 2 && path.charCodeAt(pos + 1) === DOT) type = LAST_DOTDOT;
      }
      if (last) {
        if (next > end) this.flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
        if ((this.flags & LOOKUP_PARENT) !== 0) {
          this.lastType = type;
          this.lastName = path.substring(pos, end);
          this.lastSlash = next > end;
          return 0;
        }
      }
      if (type !== LAST_NORM) {
        if (type === LAST_DOTDOT) {
          const r = this.up();
          if (r < 0) return r;
        }
        if (last) return this.finish();
        continue;
      }
      const child = lookupChild(ctx, this.dentry!, path.substring(pos, end));
      if (typeof child === 'number') return child;
      const inode = child.inode;
      if (inode === null) return -ENOENT;
      if ((inode.mode & S_IFMT) === S_IFLNK && (!last || (this.flags & LOOKUP_FOLLOW) !== 0)) {
        const rest = next < path.length;
        const r = this.follow(inode);
        if (r < 0) return r;
        if (r === JUMPED) {
          if (last) return this.finish();
        } else if (rest) {
          this.pathStack[this.depth] = path;
          this.posStack[this.depth] = next;
          this.depth++;
        }
        continue;
      }
      this.dentry = child;
      if (child.mounted > 0) {
        const r = this.down();
        if (r < 0) return r;
      }
      if (last) return this.finish();
    }
  }

  private finish(): number {
    if ((this.flags & LOOKUP_DIRECTORY) !== 0 && (this.dentry!.inode!.mode & S_IFMT) !== S_IFDIR)
      return -ENOTDIR;
    return 0;
  }

  /**
   * Follows a symbolic link found in the current directory. Its text becomes the path to walk (JUMPED for a magic link,
   * whose target the walk then stands at). The caller has saved the rest of the path.
   */
  private follow(link: Inode): number {
    if (this.links++ >= MAXSYMLINKS) return -ELOOP;
    if ((this.resolve & RESOLVE_NO_SYMLINKS) !== 0 || (this.mount!.flags & MS_NOSYMFOLLOW) !== 0)
      return -ELOOP;
    touchAtime(this.ctx!, link, this.mount!.flags);
    const to = link.followLink(this.ctx!);
    if (typeof to === 'number') return to;
    if (typeof to === 'string') {
      if (to.length === 0) return -ENOENT;
      if (to.charCodeAt(0) === SLASH) {
        if ((this.resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
        if ((this.resolve & RESOLVE_NO_XDEV) !== 0 && this.rootMount !== this.mount) return -EXDEV;
        this.toRoot();
      }
      this.path = to;
      this.pos = 0;
      return 0;
    }
    if ((this.resolve & RESOLVE_NO_MAGICLINKS) !== 0) return -ELOOP;
    if ((this.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0) return -EXDEV;
    if ((this.resolve & RESOLVE_NO_XDEV) !== 0 && to.mount !== this.mount) return -EXDEV;
    this.mount = to.mount;
    this.dentry = to.dentry;
    return JUMPED;
  }

  /**
   * After LOOKUP_PARENT, with the last component found to be a symbolic link: goes on to its target's last component.
   * 0 with lastName anew, 1 when a magic link led straight to its target, -errno.
   */
  followLast(link: Inode): number {
    const r = this.follow(link);
    return r !== 0 ? r : this.run();
  }

  /** After LOOKUP_PARENT, with a last component that is no name: goes to where it leads. */
  finishDots(): number {
    return this.lastType === LAST_DOTDOT ? this.up() : 0;
  }

  /** ".." of the current place, never above the caller's root. */
  private up(): number {
    for (;;) {
      if (this.dentry === this.rootDentry && this.mount === this.rootMount) {
        if ((this.resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
        break;
      }
      const mount = this.mount!;
      if (this.dentry !== mount.root) {
        const parent = this.dentry!.parent;
        if (parent !== null) this.dentry = parent;
        break;
      }
      if (mount.parent === null) break;
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      this.dentry = mount.mountpoint;
      this.mount = mount.parent;
    }
    return this.dentry!.mounted > 0 ? this.down() : 0;
  }

  /** Enters what is mounted at the current dentry. */
  down(): number {
    for (let d = this.dentry!; d.mounted > 0; d = this.dentry!) {
      const m = this.mount!.childAt(d);
      if (m === undefined) return 0;
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      this.mount = m;
      this.dentry = m.root;
    }
    return 0;
  }
}

/** The kernel's walker. */
export const walker: Walker = new Walker();
