// OverlayInode: one object of the union: what is seen of a lower object, an upper one, or of two directories at once. Until its
// first change it is the lower one's; then it is copied up. Attributes are the layer's, or its mark's (marks.ts).

import { EIO, ENODATA, ENOENT, EOPNOTSUPP } from '../../../abi/errno.ts';
import { RENAME_NOREPLACE } from '../../../abi/fs/fs.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_ISGID, S_ISUID } from '../../../abi/fs/stat.ts';
import {
  XATTR_NAME_CAPS,
  XATTR_NAME_POSIX_ACL_ACCESS,
  XATTR_NAME_POSIX_ACL_DEFAULT,
} from '../../../abi/fs/xattr.ts';
import { CAP_FSETID } from '../../../abi/process/capability.ts';
import type { U64 } from '../../../abi/u64.ts';
import { failed } from '../../base/errno.ts';
import {
  type Acl,
  Acls,
  aclsOf,
  chmodAcl,
  decodeAcl,
  inheritAcl,
  NOBODY,
  UNREAD_ACLS,
  validAcl,
} from '../../vfs/acl.ts';
import { aclNames, getAcl, isAclName, setAcl } from '../../vfs/acl_attr.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import { Inode, type SetAttr } from '../../vfs/inode.ts';
import { modeWithoutPrivs } from '../../vfs/permission.ts';
import { worksOn } from '../../vfs/shared_work.ts';
import { guestName, hostMode, keptName, knownXattr, type Mark, needsMark, writeMark } from './marks.ts';

/** What inodes need of their file system (overlayfs.ts). */
export interface OverlayWorld extends FileSystem {
  /** Who acts on the layers. */
  readonly mounter: VfsContext;
  /** The upper directory in which things are made before they get their place. */
  readonly work: Inode;
  /** A name in it that nothing has. */
  workName(): string;
  /** The inode stands for an upper object now. */
  copiedUp(inode: OverlayInode, lower: Inode, upper: Inode): void;
  /** The inode is used no more; `gone`: what it stands for neither. */
  drop(inode: OverlayInode, gone: boolean): void;
}

/** A directory of the union, as what is in it sees it. */
export interface OverlayParent extends OverlayInode {
  readonly fs: OverlayWorld;
}

/** A name of an inode. */
interface NamePlace {
  readonly dir: OverlayParent;
  readonly name: string;
}

/** An upper object that is ready in the work directory. */
export interface Made {
  readonly name: string;
  readonly made: Inode;
}

const ALL = Number.POSITIVE_INFINITY;
/** Directories that go up in one call: a path may have two thousand. */
const SLICE_DIRECTORIES = 16;
let directoriesUp = 0;

export abstract class OverlayInode extends Inode {
  declare readonly fs: OverlayWorld;
  lower: Inode | null;
  upper: Inode | null;
  mark: Mark | null;
  /** Names of it that were looked up: the first is where it is copied up. Bounded by its links. */
  readonly places: NamePlace[] = [];
  /** Nothing has its name any more. */
  gone = false;

  constructor(fs: OverlayWorld, ino: U64, lower: Inode | null, upper: Inode | null, mark: Mark | null) {
    super(fs, ino, mark?.mode ?? (upper ?? lower!).mode);
    this.lower = lower;
    this.upper = upper;
    this.mark = mark;
    this.mayHaveCaps = upper !== null || lower!.mayHaveCaps;
    this.absorb();
    const listed = upper === null ? lower!.acls !== null : mark?.acl === true;
    this.acls = listed && (this.mode & S_IFMT) !== S_IFLNK ? UNREAD_ACLS : null;
  }

  /** The object of the layer that it is in. */
  get real(): Inode {
    return this.upper ?? this.lower!;
  }

  /** Takes over what the layer says. */
  absorb(): void {
    const { real, mark } = this;
    this.mode = mark?.mode ?? real.mode;
    this.uid = mark?.uid ?? real.uid;
    this.gid = mark?.gid ?? real.gid;
    this.rdev = mark?.rdev ?? real.rdev;
    this.nlink = this.gone ? 0 : this.names();
    this.size = real.size;
    this.blocks = real.blocks;
    this.blksize = real.blksize;
    this.atimeSec = real.atimeSec;
    this.atimeNsec = real.atimeNsec;
    this.mtimeSec = real.mtimeSec;
    this.mtimeNsec = real.mtimeNsec;
    this.ctimeSec = real.ctimeSec;
    this.ctimeNsec = real.ctimeNsec;
    this.btimeSec = real.btimeSec;
    this.btimeNsec = real.btimeNsec;
  }

  /** st_nlink while it has a name. */
  protected names(): number {
    return this.real.nlink;
  }

  override refresh(ctx: VfsContext): number {
    const r = this.real.refresh(this.upper === null ? ctx : this.fs.mounter);
    this.absorb();
    return r;
  }

  /** It was found at dir/name. */
  at(dir: OverlayParent, name: string): void {
    for (const p of this.places) if (p.dir === dir && p.name === name) return;
    this.places.push({ dir, name });
  }

  /** It has that name no more. */
  lost(dir: OverlayParent, name: string): void {
    const i = this.places.findIndex((p) => p.dir === dir && p.name === name);
    if (i >= 0) this.places.splice(i, 1);
  }

  /** A name of it was removed. */
  unlinked(dir: OverlayParent, name: string): void {
    this.lost(dir, name);
    const { mounter } = this.fs;
    const { upper } = this;
    if (upper === null || (this.mode & S_IFMT) === S_IFDIR) this.gone = true;
    else {
      // The layer may have known it by that name alone.
      for (const p of this.places) if (p.dir.upper?.lookup(mounter, p.name) === upper) break;
      upper.refresh(mounter);
      this.gone = upper.nlink === 0;
    }
    this.absorb();
  }

  /** Makes the upper object in the work directory, with at most `size` bytes of content; WORKS_ON, -errno. */
  protected abstract copy(ctx: VfsContext, size: number): Made | number;

  /**
   * Sees to it that it is in the upper layer (ovl_copy_up): 0, -errno, or WORKS_ON when that takes more than one call may do. It
   * gets its place by one rename when all of it is there, so that nobody, and no later run, sees a part.
   */
  copyUp(ctx: VfsContext, size = ALL): number {
    const { lower, fs } = this;
    if (this.upper !== null || lower === null) return 0;
    const above = this.gone ? null : (this.places[0]?.dir ?? null);
    if (above === null && !this.gone) return -EIO;
    if (above !== null && above.upper === null) {
      const r = above.copyUp(ctx);
      if (r < 0) return r;
      if (++directoriesUp % SLICE_DIRECTORIES === 0) return worksOn(null);
    }
    const done = this.copy(ctx, size);
    if (typeof done === 'number') return done;
    const { name, made } = done;
    // While it was copied it may have got another name, or lost its last.
    const place = this.gone ? undefined : this.places[0];
    let r = place !== undefined && place.dir.upper === null ? place.dir.copyUp(ctx) : 0;
    if (r === 0) r = this.copyAttributes(lower, made);
    if (r === 0) r = place === undefined ? this.copyNameless(name, made) : this.moveIn(place, name, made);
    if (r < 0) {
      this.mark = null;
      if ((made.mode & S_IFMT) === S_IFDIR) fs.work.rmdir(fs.mounter, name, made);
      else fs.work.unlink(fs.mounter, name, made);
      return r;
    }
    this.upper = made;
    fs.copiedUp(this, lower, made);
    this.absorb();
    return 0;
  }

  /** A name of it goes, maybe the last: whoever has it open goes on. 0, -errno. */
  hold(): number {
    return 0;
  }

  /** The name did not go, or is one again. */
  unhold(): void {}

  /** What was removed while somebody has it open needs no place. */
  protected copyNameless(name: string, made: Inode): number {
    return this.fs.work.unlink(this.fs.mounter, name, made);
  }

  private moveIn(place: NamePlace, name: string, made: Inode): number {
    const { mounter, work } = this.fs;
    const dir = place.dir.upper!;
    // The directory has not changed for anybody.
    const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = dir;
    const r = work.rename(mounter, name, made, dir, place.name, null, RENAME_NOREPLACE);
    if (r < 0) return r;
    dir.setattr(mounter, { atimeSec, atimeNsec, mtimeSec, mtimeNsec });
    return 0;
  }

  private copyAttributes(lower: Inode, made: Inode): number {
    const { mounter } = this.fs;
    const { mode, uid, gid, rdev } = this;
    const names = (mode & S_IFMT) === S_IFLNK ? [] : lower.listxattr(mounter);
    if (typeof names !== 'number')
      for (const name of names) {
        const value = isAclName(name) ? 0 : lower.getxattr(mounter, name);
        if (typeof value === 'number') continue;
        const r = made.setxattr(mounter, keptName(name), value, 0);
        if (r < 0) return r;
      }
    const acls = (mode & S_IFMT) === S_IFLNK ? null : aclsOf(this);
    if (acls !== null) {
      const r = this.writeAcls(made);
      if (r < 0) return r;
    }
    const mark = { mode, uid, gid, rdev, opaque: false, acl: acls !== null };
    const r = this.dress(made, mark);
    if (r < 0) return r;
    const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = lower;
    return made.setattr(mounter, { atimeSec, atimeNsec, mtimeSec, mtimeNsec });
  }

  /** Gives an upper object of this inode what `mark` says: its mode on the host and, where that is not all, the mark. */
  protected dress(upper: Inode, mark: Mark): number {
    const { mounter } = this.fs;
    const link = (upper.mode & S_IFMT) === S_IFLNK;
    if (this.mark !== null || needsMark(upper, mark)) {
      if (link) return -EOPNOTSUPP;
      const r = writeMark(mounter, upper, mark);
      if (r < 0) return r;
      this.mark = mark;
    }
    const mode = hostMode(mark.mode);
    if (link || (upper.mode & 0o7777) === mode) return 0;
    return upper.setattr(mounter, { mode });
  }

  /** Mode, owner and what else marks tell, from now on. */
  protected remark(change: Partial<Mark>): number {
    const { mode, uid, gid, rdev } = this;
    const acl = this.mark?.acl ?? false;
    const opaque = this.mark?.opaque ?? false;
    const r = this.dress(this.upper!, { mode, uid, gid, rdev, opaque, acl, ...change });
    this.absorb();
    return r;
  }

  /** What was just made in `dir` gets its owner, mode and lists. */
  born(dir: Inode, mark: Mark): number {
    this.mode = mark.mode;
    this.uid = mark.uid;
    this.gid = mark.gid;
    if ((mark.mode & S_IFMT) !== S_IFLNK) inheritAcl(dir, this);
    const acl = this.acls !== null;
    if (acl) {
      const r = this.writeAcls(this.upper!);
      if (r < 0) return r;
    }
    return this.dress(this.upper!, { ...mark, mode: this.mode, acl });
  }

  /** A directory shows nothing of a lower one from now on. */
  makeOpaque(): number {
    return this.mark?.opaque === true ? 0 : this.remark({ opaque: true });
  }

  override setattr(ctx: VfsContext, attr: SetAttr): number {
    let r = this.copyUp(ctx);
    if (r < 0) return r;
    const { mounter } = this.fs;
    if (attr.mode !== undefined || attr.uid !== undefined || attr.gid !== undefined) {
      const mode = attr.mode === undefined ? this.mode : (this.mode & S_IFMT) | (attr.mode & 0o7777);
      r = this.remark({ mode, uid: attr.uid ?? this.uid, gid: attr.gid ?? this.gid });
      if (r === 0 && attr.mode !== undefined && this.acls !== null) {
        chmodAcl(this);
        r = this.writeAcls(this.upper!);
      }
    }
    if (r === 0 && (attr.atimeSec !== undefined || attr.mtimeSec !== undefined)) {
      const { mode: _m, uid: _u, gid: _g, ...times } = attr;
      r = this.upper!.setattr(mounter, times);
    }
    this.refresh(mounter);
    return r;
  }

  /** Content changed: set-user-ID, set-group-ID and capabilities go, as the caller's rights are (file_remove_privs). */
  dropPrivs(ctx: VfsContext): void {
    if (this.mayHaveCaps) this.killPriv();
    if ((this.mode & (S_ISUID | S_ISGID)) === 0 || ctx.cred.capable(CAP_FSETID)) return;
    const mode = modeWithoutPrivs(this.mode);
    if (mode !== this.mode) this.remark({ mode });
  }

  override killPriv(): void {
    this.mayHaveCaps = false;
    this.upper?.removexattr(this.fs.mounter, keptName(XATTR_NAME_CAPS));
  }

  override readAcls(): Acls | null {
    const { upper, fs } = this;
    if (upper === null) return aclsOf(this.lower!);
    const read = (name: string): Acl | null => {
      const value = upper.getxattr(fs.mounter, keptName(name));
      if (value === -ENODATA) return null;
      const acl = failed(value) ? value : decodeAcl(value);
      return acl === null ? null : failed(acl) || !validAcl(acl) ? NOBODY : acl;
    };
    const access = read(XATTR_NAME_POSIX_ACL_ACCESS);
    const inherited = read(XATTR_NAME_POSIX_ACL_DEFAULT);
    return access === null && inherited === null ? null : new Acls(access, inherited);
  }

  /** Keeps the lists with an upper object. */
  protected writeAcls(upper: Inode): number {
    const { mounter } = this.fs;
    for (const name of [XATTR_NAME_POSIX_ACL_ACCESS, XATTR_NAME_POSIX_ACL_DEFAULT]) {
      const value = getAcl(this, name);
      const r =
        value === null
          ? upper.removexattr(mounter, keptName(name))
          : upper.setxattr(mounter, keptName(name), value, 0);
      if (r < 0 && r !== -ENODATA) return r;
    }
    return 0;
  }

  /** Its lists were changed in here: the upper object learns it. */
  keepAcls(): number {
    const { mode } = this;
    const r = this.writeAcls(this.upper!);
    return r < 0 ? r : this.remark({ mode, acl: aclNames(this).length > 0 });
  }

  override getxattr(ctx: VfsContext, name: string): Uint8Array | number {
    const link = (this.mode & S_IFMT) === S_IFLNK;
    if (isAclName(name)) return link ? -EOPNOTSUPP : (getAcl(this, name) ?? -ENODATA);
    if (!knownXattr(name)) return -EOPNOTSUPP;
    if (this.upper === null) return this.lower!.getxattr(ctx, name);
    return this.upper.getxattr(this.fs.mounter, keptName(name));
  }

  override setxattr(ctx: VfsContext, name: string, value: Uint8Array, flags: number): number {
    if (isAclName(name)) return this.changeAcl(ctx, name, value);
    if (!knownXattr(name)) return -EOPNOTSUPP;
    let r = this.copyUp(ctx);
    if (r < 0) return r;
    r = this.upper!.setxattr(this.fs.mounter, keptName(name), value, flags);
    if (r === 0 && name === XATTR_NAME_CAPS) this.mayHaveCaps = true;
    this.refresh(ctx);
    return r;
  }

  override removexattr(ctx: VfsContext, name: string): number {
    if (isAclName(name)) return this.changeAcl(ctx, name, null);
    if (!knownXattr(name)) return -EOPNOTSUPP;
    if (this.upper === null && failed(this.lower!.getxattr(ctx, name))) return -ENODATA;
    let r = this.copyUp(ctx);
    if (r < 0) return r;
    r = this.upper!.removexattr(this.fs.mounter, keptName(name));
    this.refresh(ctx);
    return r;
  }

  private changeAcl(ctx: VfsContext, name: string, value: Uint8Array | null): number {
    if ((this.mode & S_IFMT) === S_IFLNK) return -EOPNOTSUPP;
    let r = this.copyUp(ctx);
    if (r < 0) return r;
    r = setAcl(ctx, this, name, value);
    return r < 0 ? r : this.keepAcls();
  }

  override listxattr(ctx: VfsContext): Iterable<string> | number {
    if (this.upper === null) return this.lower!.listxattr(ctx);
    const all = this.upper.listxattr(this.fs.mounter);
    if (typeof all === 'number') return all;
    const names = (this.mode & S_IFMT) === S_IFLNK ? [] : aclNames(this);
    for (const kept of all) {
      const name = guestName(kept);
      if (name !== null && !isAclName(name)) names.push(name);
    }
    return names;
  }

  /** Nothing of it would be lost that the layers do not have. */
  protected get idle(): boolean {
    return this.watches === null && (this.locks === null || this.locks.empty) && this.writers === 0;
  }

  override forget(): void {
    if (this.idle) this.fs.drop(this, false);
  }

  override evict(): void {
    this.fs.drop(this, true);
  }

  /** -ENOENT for a directory that was removed. */
  protected alive(): number {
    return this.gone ? -ENOENT : 0;
  }
}
