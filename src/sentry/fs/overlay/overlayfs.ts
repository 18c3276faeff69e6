// OverlayFs: the union of a lower tree, which is never written, and an upper one, which gets all changes: what Linux's overlayfs
// does (Documentation/filesystems/overlayfs), with whiteouts and marks that an unprivileged user can make.

import { EXDEV } from '../../../abi/errno.ts';
import { OVERLAYFS_SUPER_MAGIC } from '../../../abi/fs/magic.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import type { U64 } from '../../../abi/u64.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { FileSystem, type StatFs } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import { clear, hold, letGo, unused } from './layers.ts';
import { type Mark, readMark, WHITEOUT, writeMark } from './marks.ts';
import { Mounter } from './mounter.ts';
import { makeWhiteout, OverlayDir } from './overlay_dir.ts';
import { OverlayFileInode } from './overlay_file.ts';
import type { OverlayInode } from './overlay_inode.ts';
import { OverlaySpecial, OverlaySymlink } from './overlay_special.ts';

/** Inode numbers of upper objects, which must not be ones of the lower tree: the host's own, from here on. */
const FIRST_UPPER_INO = 2 ** 52;
/** Those of the host that are no larger fit; the others are given new ones, behind. */
const UPPER_RANGE = 2 ** 44;
/** What is remembered of a number that is not the upper object's. */
const KEPT_INO_BYTES = 224;

export class OverlayFs extends FileSystem {
  readonly mounter: VfsContext;
  readonly work: Inode;
  private readonly upperFs: FileSystem;
  private readonly top: OverlayDir;
  /** By the object of the layer that each is in. Lower files with several names are not here: each name is copied up alone. */
  private readonly inodes: Map<Inode, OverlayInode> = new Map();
  /** Numbers of what was copied up in this run, by the upper object: they stay what they were. */
  private readonly numbers: Map<string, { readonly ino: U64; readonly payer: Account }> = new Map();
  /** These numbers: what was replaced is gone, and the host gives its number to something else. */
  private readonly taken: Set<U64> = new Set();
  private lastWork = 0;
  private lastGiven = FIRST_UPPER_INO + UPPER_RANGE;

  private constructor(mounter: VfsContext, lower: Inode, upper: Inode, mark: Mark | null, work: Inode) {
    super('overlay', OVERLAYFS_SUPER_MAGIC);
    this.mounter = mounter;
    this.work = work;
    this.upperFs = upper.fs;
    hold(work);
    hold(upper);
    hold(lower);
    this.top = new OverlayDir(this, lower.ino, lower, upper, mark);
    this.inodes.set(upper, this.top);
  }

  /**
   * The union of the directories `lower` and `upper`; `work` is an empty one of the upper's file system, and what an earlier run
   * left in it goes. -errno; -EOPNOTSUPP when the upper file system keeps no extended attributes of users.
   */
  static create(ctx: VfsContext, lower: Inode, upper: Inode, work: Inode): OverlayFs | number {
    if (upper.fs !== work.fs) return -EXDEV;
    const mounter = new Mounter(ctx);
    let r = clear(mounter, work);
    if (r < 0) return r;
    let mark = readMark(mounter, upper);
    if (typeof mark === 'number') return mark;
    if (mark === null || mark === WHITEOUT) {
      const { mode, uid, gid } = lower;
      mark = { mode, uid, gid, rdev: 0, opaque: false, acl: false };
      r = writeMark(mounter, upper, mark);
      if (r < 0) return r;
    }
    return new OverlayFs(mounter, lower, upper, mark, work);
  }

  override get root(): OverlayDir {
    return this.top;
  }

  workName(): string {
    return `#${(++this.lastWork).toString(36)}`;
  }

  makeWhiteout(name: string): Inode | number {
    return makeWhiteout(this.mounter, this.work, name);
  }

  private numberOf(lower: Inode | null, upper: Inode | null): U64 {
    if (upper === null || (lower !== null && (lower.mode & S_IFMT) === S_IFDIR)) return lower!.ino;
    const kept = this.numbers.get(keyOf(upper));
    if (kept !== undefined) return kept.ino;
    const { ino } = upper;
    const own = FIRST_UPPER_INO + Number(ino);
    if (upper.dev === this.upperFs.dev && ino < UPPER_RANGE && !this.taken.has(own)) return own;
    const given = ++this.lastGiven;
    this.keepNumber(upper, given);
    return given;
  }

  private keepNumber(upper: Inode, ino: U64): void {
    this.forgetNumber(upper);
    this.taken.add(ino);
    this.numbers.set(keyOf(upper), { ino, payer: kernelMemory.take(KEPT_INO_BYTES) });
  }

  private forgetNumber(upper: Inode): void {
    const kept = this.numbers.get(keyOf(upper));
    if (kept === undefined) return;
    kernelMemory.give(kept.payer, KEPT_INO_BYTES);
    this.taken.delete(kept.ino);
    this.numbers.delete(keyOf(upper));
  }

  /** The inode of what was found at dir/name. */
  inodeOf(
    lower: Inode | null,
    upper: Inode | null,
    mark: Mark | null,
    dir: OverlayDir | null,
    name: string,
  ): OverlayInode {
    const key = upper ?? lower!;
    const mode = mark?.mode ?? key.mode;
    const known = this.inodes.get(key);
    if (known !== undefined && (known.mode & S_IFMT) === (mode & S_IFMT)) {
      if (dir !== null) known.at(dir, name);
      if (lower !== null && lower !== known.lower) unused(lower, false);
      return known;
    }
    const inode = this.makeInode(this.numberOf(lower, upper), lower, upper, mark);
    if (dir === null) inode.gone = true;
    else inode.at(dir, name);
    inode.absorb();
    if (upper !== null) hold(upper);
    if (lower !== null) hold(lower);
    if (upper !== null || isDir(key) || key.nlink < 2) this.inodes.set(key, inode);
    return inode;
  }

  private makeInode(ino: U64, lower: Inode | null, upper: Inode | null, mark: Mark | null): OverlayInode {
    switch ((mark?.mode ?? (upper ?? lower!).mode) & S_IFMT) {
      case S_IFDIR:
        return new OverlayDir(this, ino, lower, upper, mark);
      case S_IFREG:
        return new OverlayFileInode(this, ino, lower, upper, mark);
      case S_IFLNK:
        return new OverlaySymlink(this, ino, lower, upper, mark);
      default:
        return new OverlaySpecial(this, ino, lower, upper, mark);
    }
  }

  copiedUp(inode: OverlayInode, from: Inode, upper: Inode): void {
    const wasUpper = from !== inode.lower;
    if (this.inodes.get(from) === inode) this.inodes.delete(from);
    hold(upper);
    this.inodes.set(upper, inode);
    if (isDir(inode)) return;
    inode.lower = null;
    if (wasUpper) this.forgetNumber(from);
    // Names of one lower file are different upper ones.
    if (!wasUpper && from.nlink > 1) (inode as { ino: U64 }).ino = this.numberOf(null, upper);
    else this.keepNumber(upper, inode.ino);
    letGo(from, wasUpper);
  }

  drop(inode: OverlayInode, gone: boolean): void {
    if (inode === this.top) return;
    const { lower, upper } = inode;
    const key = upper ?? lower;
    if (key !== null && this.inodes.get(key) === inode) this.inodes.delete(key);
    if (upper !== null) {
      if (gone) this.forgetNumber(upper);
      letGo(upper, true);
    }
    if (lower !== null) letGo(lower, false);
    inode.upper = null;
    inode.lower = null;
  }

  override statfs(out: StatFs): void {
    this.upperFs.statfs(out);
  }

  override sync(): number {
    return this.upperFs.sync();
  }
}

function isDir(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFDIR;
}

function keyOf(upper: Inode): string {
  return `${upper.dev}:${upper.ino}`;
}
