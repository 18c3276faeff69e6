// Directories of the union: names of the upper layer hide those of the lower one, and whiteouts in the upper one hide them
// without showing anything. Every change is one rename or link in the upper layer, made ready in the work directory.

import { EIO, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENOTEMPTY, EXDEV } from '../../../abi/errno.ts';
import { O_RDONLY } from '../../../abi/fs/fcntl.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../../../abi/fs/fs.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { failed } from '../../base/errno.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { direntType } from '../../vfs/dirent.ts';
import { DirFile } from '../../vfs/dirfile.ts';
import type { File } from '../../vfs/file.ts';
import type { DirSink, Inode } from '../../vfs/inode.ts';
import { initOwner } from '../../vfs/permission.ts';
import { clear, type Listed, namesOf, unused } from './layers.ts';
import { hostMode, type Mark, readMark, WHITEOUT, writeMark } from './marks.ts';
import { type Made, OverlayInode, type OverlayWorld } from './overlay_inode.ts';
import { makeLink, OverlaySpecial, OverlaySymlink, SPECIAL_BYTES } from './overlay_special.ts';

/** A name of a listing, beside its text. */
const LISTED_BYTES = 160;

/** What directories need of their file system beside what all inodes do. */
interface DirWorld extends OverlayWorld {
  inodeOf(
    lower: Inode | null,
    upper: Inode | null,
    mark: Mark | null,
    dir: OverlayDir | null,
    name: string,
  ): OverlayInode;
  /** A whiteout under a name of the work directory. */
  makeWhiteout(name: string): Inode | number;
}

/** What a name of an upper directory is. */
interface UpperEntry {
  readonly inode: Inode;
  readonly mark: Mark | typeof WHITEOUT | null;
}

/** The names of a directory as they were when its listing began. */
class OverlayDirFile extends DirFile {
  names: Listed[] | null = null;
  private paid = 0;
  private listPayer: Account | null = null;

  keep(names: Listed[], bytes: number): void {
    this.forgetNames();
    this.names = names;
    this.paid = bytes;
    this.listPayer = kernelMemory.take(bytes);
  }

  private forgetNames(): void {
    this.names = null;
    if (this.listPayer !== null) kernelMemory.give(this.listPayer, this.paid);
    this.listPayer = null;
  }

  override fsync(): number {
    return (this.inode as OverlayDir).fsync();
  }

  protected override release(): void {
    this.forgetNames();
  }
}

export class OverlayDir extends OverlayInode {
  declare readonly fs: DirWorld;

  /** As Linux's overlayfs: nobody counts the directories in a merged one. */
  protected override names(): number {
    return this.upper !== null && this.lower !== null ? 1 : this.real.nlink;
  }

  override open(ctx: VfsContext, flags: number): File | number {
    // What the host denies us of a directory it denies the guest.
    const probe = this.real.open(this.upper === null ? ctx : this.fs.mounter, O_RDONLY);
    if (failed(probe)) return probe;
    probe.unref();
    return new OverlayDirFile(this, flags);
  }

  fsync(): number {
    if (this.upper === null) return 0;
    const file = this.upper.open(this.fs.mounter, O_RDONLY);
    if (failed(file)) return file;
    const r = file.fsync(this.fs.mounter);
    file.unref();
    return r;
  }

  /** What the upper directory has under a name, whiteouts included; null for nothing. */
  private above(name: string): UpperEntry | null | number {
    const { mounter } = this.fs;
    const inode = this.upper === null ? -ENOENT : this.upper.lookup(mounter, name);
    if (failed(inode)) return inode === -ENOENT ? null : inode;
    const mark = readMark(mounter, inode);
    if (typeof mark !== 'number') return { inode, mark };
    unused(inode, true);
    return mark;
  }

  /** The lower directory has that name, shown or not. */
  private below(name: string): boolean {
    const inode = this.lower === null ? -ENOENT : this.lower.lookup(this.fs.mounter, name);
    if (failed(inode)) return inode !== -ENOENT;
    unused(inode, false);
    return true;
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.find(name);
  }

  private find(name: string): OverlayInode | number {
    const top = this.above(name);
    if (typeof top === 'number') return top;
    const whiteout = top?.mark === WHITEOUT;
    if (whiteout) unused(top.inode, true);
    if (whiteout) return -ENOENT;
    const upper = top?.inode ?? null;
    const mark = (top?.mark ?? null) as Mark | null;
    let lower: Inode | null = null;
    const merges = upper === null || ((upper.mode & S_IFMT) === S_IFDIR && mark?.opaque !== true);
    if (this.lower !== null && merges) {
      const found = this.lower.lookup(this.fs.mounter, name);
      if (!failed(found)) lower = found;
      else if (upper === null) return found;
      if (upper !== null && lower !== null && (lower.mode & S_IFMT) !== S_IFDIR) {
        unused(lower, false);
        lower = null;
      }
    }
    return upper === null && lower === null ? -ENOENT : this.fs.inodeOf(lower, upper, mark, this, name);
  }

  /** Owner and mode of what `ctx` makes here (inode_init_owner). */
  private birthMark(ctx: VfsContext, mode: number, rdev: number): Mark {
    const born = { mode, uid: 0, gid: 0 } as Inode;
    initOwner(ctx, this, born);
    return { mode: born.mode, uid: born.uid, gid: born.gid, rdev, opaque: false, acl: false };
  }

  /** Makes an entry: at its place when the host can say all of it and nothing is in the way, else ready in the work directory first. */
  private make(
    ctx: VfsContext,
    name: string,
    mark: Mark,
    make: (dir: Inode, name: string, real: boolean) => Inode | number,
  ): OverlayInode | number {
    let r = this.alive();
    if (r === 0) r = this.copyUp(ctx);
    if (r < 0) return r;
    const { mounter, work } = this.fs;
    const top = this.above(name);
    if (typeof top === 'number') return top;
    const type = mark.mode & S_IFMT;
    const own = mark.uid === work.uid && mark.gid === work.gid;
    const plain =
      own &&
      (type === S_IFLNK || (mark.mode & 0o7777) === hostMode(mark.mode)) &&
      (type === S_IFREG || type === S_IFDIR || type === S_IFLNK);
    const direct = plain && top === null;
    const dir = direct ? this.upper! : work;
    const at = direct ? name : this.fs.workName();
    const made = make(dir, at, own);
    if (failed(made)) return made;
    // A file that stands for something else is that from the first moment on.
    const stands = (made.mode & S_IFMT) !== type;
    const inode = this.fs.inodeOf(null, made, stands ? mark : null, this, name);
    // A whiteout is there because the lower layer has something to hide.
    r = inode.born(this, top !== null && type === S_IFDIR ? { ...mark, opaque: true } : mark);
    if (r === 0 && !direct) r = this.put(at, made, name, top === null ? null : top.inode);
    if (r < 0) {
      if (type === S_IFDIR) dir.rmdir(mounter, at, made);
      else dir.unlink(mounter, at, made);
      inode.gone = true;
      this.fs.drop(inode, true);
      return r;
    }
    inode.refresh(mounter);
    this.refresh(mounter);
    return inode;
  }

  /** Moves what is ready in the work directory to its place, where nothing or a whiteout is. */
  private put(at: string, made: Inode, name: string, whiteout: Inode | null): number {
    const { mounter, work } = this.fs;
    const upper = this.upper!;
    if (whiteout === null) return work.rename(mounter, at, made, upper, name, null, RENAME_NOREPLACE);
    if ((made.mode & S_IFMT) !== S_IFDIR) return work.rename(mounter, at, made, upper, name, whiteout, 0);
    const r = work.rename(mounter, at, made, upper, name, whiteout, RENAME_EXCHANGE);
    if (r === 0) work.unlink(mounter, at, whiteout);
    return r;
  }

  override create(ctx: VfsContext, name: string, mode: number, rdev: number): Inode | number {
    const { mounter } = this.fs;
    const mark = this.birthMark(ctx, mode, rdev);
    const regular = (mode & S_IFMT) === S_IFREG;
    if (!regular && !kernelMemory.fits(SPECIAL_BYTES)) return -ENOSPC;
    const first = S_IFREG | (regular ? hostMode(mark.mode) : 0o600);
    const made = this.make(ctx, name, mark, (dir, at) => dir.create(mounter, at, first, 0));
    if (made instanceof OverlaySpecial) made.keep();
    return made;
  }

  override tmpfile(ctx: VfsContext, mode: number): Inode | number {
    let r = this.alive();
    if (r === 0) r = this.copyUp(ctx);
    if (r < 0) return r;
    const { mounter } = this.fs;
    const mark = this.birthMark(ctx, mode, 0);
    const made = this.upper!.tmpfile(mounter, S_IFREG | hostMode(mark.mode));
    if (failed(made)) return made;
    const inode = this.fs.inodeOf(null, made, null, null, '');
    r = inode.born(this, mark);
    if (r < 0) {
      inode.gone = true;
      this.fs.drop(inode, true);
      return r;
    }
    return inode;
  }

  override mkdir(ctx: VfsContext, name: string, mode: number): Inode | number {
    const { mounter } = this.fs;
    const mark = this.birthMark(ctx, S_IFDIR | (mode & 0o7777), 0);
    return this.make(ctx, name, mark, (dir, at) => dir.mkdir(mounter, at, hostMode(mark.mode)));
  }

  override symlink(ctx: VfsContext, name: string, target: string): Inode | number {
    const { mounter } = this.fs;
    const mark = this.birthMark(ctx, S_IFLNK | 0o777, 0);
    return this.make(ctx, name, mark, (dir, at, real) => makeLink(mounter, dir, at, target, real));
  }

  override link(ctx: VfsContext, name: string, target: Inode): number {
    const from = target as OverlayInode;
    let r = this.alive();
    if (r === 0) r = from.copyUp(ctx);
    // It is to have two names: as a file that stands for it, it can change its owner under both.
    if (r === 0 && from instanceof OverlaySymlink) r = from.becomeFile();
    if (r === 0) r = this.copyUp(ctx);
    if (r < 0) return r;
    const { mounter, work } = this.fs;
    const top = this.above(name);
    if (typeof top === 'number') return top;
    const upper = from.upper!;
    upper.linkable = from.linkable;
    if (top === null) r = this.upper!.link(mounter, name, upper);
    else {
      const at = this.fs.workName();
      r = work.link(mounter, at, upper);
      if (r === 0) r = this.put(at, upper, name, top.inode);
    }
    if (r < 0) return r;
    from.linkable = false;
    from.gone = false;
    from.at(this, name);
    from.refresh(mounter);
    this.refresh(mounter);
    return 0;
  }

  /** A whiteout takes the place of what is at `name` in the upper directory, or of nothing. */
  private cover(name: string, victim: Inode | null): number {
    const { mounter, work } = this.fs;
    const at = this.fs.workName();
    const whiteout = this.fs.makeWhiteout(at);
    if (failed(whiteout)) return whiteout;
    const isDir = victim !== null && (victim.mode & S_IFMT) === S_IFDIR;
    const flags = isDir ? RENAME_EXCHANGE : victim === null ? RENAME_NOREPLACE : 0;
    const r = work.rename(mounter, at, whiteout, this.upper!, name, victim, flags);
    if (r < 0) {
      work.unlink(mounter, at, whiteout);
      return r;
    }
    // Whatever of it is left here by a crash is cleared at the next start.
    if (isDir && clear(mounter, victim) === 0) work.rmdir(mounter, at, victim);
    return 0;
  }

  private remove(ctx: VfsContext, name: string, victim: OverlayInode): number {
    const { mounter } = this.fs;
    const { upper } = victim;
    let r = victim.hold();
    if (r < 0) return r;
    if (this.below(name)) {
      r = this.copyUp(ctx);
      if (r === 0) r = this.cover(name, upper);
    } else if (upper === null || this.upper === null) r = -EIO;
    else if (victim instanceof OverlayDir) {
      r = clear(mounter, upper);
      if (r === 0) r = this.upper.rmdir(mounter, name, upper);
    } else r = this.upper.unlink(mounter, name, upper);
    if (r < 0) {
      victim.unhold();
      return r;
    }
    victim.unlinked(this, name);
    this.refresh(mounter);
    return 0;
  }

  override unlink(ctx: VfsContext, name: string, victim: Inode): number {
    return this.remove(ctx, name, victim as OverlayInode);
  }

  override rmdir(ctx: VfsContext, name: string, victim: Inode): number {
    const r = (victim as OverlayDir).checkEmpty();
    return r < 0 ? r : this.remove(ctx, name, victim as OverlayInode);
  }

  /** 0, or -ENOTEMPTY. */
  checkEmpty(): number {
    const names = this.list();
    return failed(names) ? names : names.length === 0 ? 0 : -ENOTEMPTY;
  }

  override rename(
    ctx: VfsContext,
    name: string,
    victim: Inode,
    newDir: Inode,
    newName: string,
    replaced: Inode | null,
    flags: number,
  ): number {
    const to = newDir as OverlayDir;
    const moved = victim as OverlayInode;
    const other = replaced as OverlayInode | null;
    const exchange = (flags & RENAME_EXCHANGE) !== 0;
    // As Linux's without redirect_dir: what lies below in the lower layer cannot follow, and mv(1) copies.
    if (moved instanceof OverlayDir && moved.lower !== null) return -EXDEV;
    if (exchange && other instanceof OverlayDir && other.lower !== null) return -EXDEV;
    let r = to.alive();
    if (r === 0 && !exchange && other instanceof OverlayDir) r = other.checkEmpty();
    if (r === 0) r = moved.copyUp(ctx);
    if (r === 0 && exchange) r = other!.copyUp(ctx);
    if (r === 0) r = to.copyUp(ctx);
    if (r === 0 && !exchange && other !== null) r = other.hold();
    if (r < 0) return r;
    r = exchange
      ? this.exchange(name, moved, to, newName, other!)
      : this.move(name, moved, to, newName, other);
    if (r < 0) {
      other?.unhold();
      return r;
    }
    const { mounter } = this.fs;
    moved.lost(this, name);
    moved.at(to, newName);
    if (exchange) {
      other!.lost(to, newName);
      other!.at(this, name);
      other!.refresh(mounter);
    } else if (other !== null) other.unlinked(to, newName);
    moved.refresh(mounter);
    this.refresh(mounter);
    if (to !== this) to.refresh(mounter);
    return 0;
  }

  private exchange(
    name: string,
    moved: OverlayInode,
    to: OverlayDir,
    newName: string,
    other: OverlayInode,
  ): number {
    const a = moved instanceof OverlayDir && to.below(newName) ? moved.makeOpaque() : 0;
    const b = other instanceof OverlayDir && this.below(name) ? other.makeOpaque() : 0;
    if (a < 0 || b < 0) return Math.min(a, b);
    const { mounter } = this.fs;
    return this.upper!.rename(mounter, name, moved.upper!, to.upper!, newName, other.upper, RENAME_EXCHANGE);
  }

  private move(
    name: string,
    moved: OverlayInode,
    to: OverlayDir,
    newName: string,
    other: OverlayInode | null,
  ): number {
    const { mounter, work } = this.fs;
    const isDir = moved instanceof OverlayDir;
    let r = isDir && to.below(newName) ? moved.makeOpaque() : 0;
    if (r < 0) return r;
    const top = to.above(newName);
    if (typeof top === 'number') return top;
    const there = top?.inode ?? null;
    const source = moved.upper!;
    if (there === null)
      r = this.upper!.rename(mounter, name, source, to.upper!, newName, null, RENAME_NOREPLACE);
    else if (isDir && (top!.mark === WHITEOUT || other instanceof OverlayDir)) {
      // What is in the way goes to the source's place, and from there: an empty directory may hold whiteouts.
      r = this.upper!.rename(mounter, name, source, to.upper!, newName, there, RENAME_EXCHANGE);
      if (r === 0) r = this.discard(name, there);
    } else r = this.upper!.rename(mounter, name, source, to.upper!, newName, there, 0);
    if (r < 0 || !this.below(name)) return r;
    // Between the two steps the lower file shows at the old name: twice there rather than nowhere.
    const at = this.fs.workName();
    const whiteout = this.fs.makeWhiteout(at);
    if (failed(whiteout)) return whiteout;
    return work.rename(mounter, at, whiteout, this.upper!, name, null, RENAME_NOREPLACE);
  }

  private discard(name: string, what: Inode): number {
    const { mounter } = this.fs;
    if ((what.mode & S_IFMT) !== S_IFDIR) return this.upper!.unlink(mounter, name, what);
    const r = clear(mounter, what);
    return r < 0 ? r : this.upper!.rmdir(mounter, name, what);
  }

  protected override copy(): Made | number {
    const name = this.fs.workName();
    const made = this.fs.work.mkdir(this.fs.mounter, name, hostMode(this.mode));
    return failed(made) ? made : { name, made };
  }

  /** All names that are seen. */
  list(): Listed[] | number {
    const { mounter } = this.fs;
    const out: Listed[] = [];
    const upper = this.upper === null ? [] : namesOf(mounter, this.upper);
    if (failed(upper)) return upper;
    const hidden = new Set<string>();
    for (const { name } of upper) {
      hidden.add(name);
      const inode = this.find(name);
      if (failed(inode)) {
        if (inode !== -ENOENT) return inode;
        continue;
      }
      out.push({ name, ino: inode.ino, type: direntType(inode.mode) });
      if (inode.aliases === 0 && inode.users === 0) inode.forget();
    }
    const lower = this.lower === null ? [] : namesOf(mounter, this.lower);
    if (failed(lower)) return lower;
    for (const e of lower) if (!hidden.has(e.name)) out.push(e);
    return out;
  }

  override readdir(_ctx: VfsContext, from: number, sink: DirSink): number {
    if (!(sink instanceof OverlayDirFile)) return -ENOTDIR;
    if (from === 2 || sink.names === null) {
      const names = this.list();
      if (failed(names)) return names;
      let bytes = 0;
      for (const { name } of names) bytes += LISTED_BYTES + name.length;
      if (!kernelMemory.fits(bytes)) return -ENOMEM;
      sink.keep(names, bytes);
    }
    const names = sink.names!;
    for (let i = Math.max(0, from - 2); i < names.length; i++) {
      const e = names[i]!;
      if (!sink.emit(e.name, e.ino, e.type, i + 3)) return 0;
    }
    return 0;
  }
}

/** Puts a whiteout under a name of `work`. */
export function makeWhiteout(ctx: VfsContext, work: Inode, name: string): Inode | number {
  const made = work.create(ctx, name, S_IFREG | 0o600, 0);
  if (failed(made)) return made;
  const r = writeMark(ctx, made, WHITEOUT);
  if (r === 0) return made;
  work.unlink(ctx, name, made);
  return r;
}
