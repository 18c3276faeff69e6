// BindInode: what inodes of a bound directory have in common: attributes and extended attributes, which are the host's.
// What is kept of them here is what the host said last; stat(2) and every look-up ask again.

import { ENODATA, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM } from '../../../abi/errno.ts';
import { O_PATH } from '../../../abi/fs/fcntl.ts';
import {
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_ISGID,
  S_ISUID,
  STAT_ST_ATIME,
  STAT_ST_ATIME_NSEC,
  STAT_ST_BLKSIZE,
  STAT_ST_BLOCKS,
  STAT_ST_CTIME,
  STAT_ST_CTIME_NSEC,
  STAT_ST_DEV,
  STAT_ST_GID,
  STAT_ST_MODE,
  STAT_ST_MTIME,
  STAT_ST_MTIME_NSEC,
  STAT_ST_NLINK,
  STAT_ST_RDEV,
  STAT_ST_SIZE,
  STAT_ST_UID,
} from '../../../abi/fs/stat.ts';
import { XATTR_NAME_POSIX_ACL_ACCESS, XATTR_NAME_POSIX_ACL_DEFAULT } from '../../../abi/fs/xattr.ts';
import { XATTR_SIZE_MAX } from '../../../abi/limits.ts';
import { CAP_FSETID } from '../../../abi/process/capability.ts';
import { SYS_geteuid } from '../../../abi/syscall.ts';
import { getI64, getU64, getU64Exact, putU64, type U64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import { TIMES_SIZE } from '../../../host/tree_calls.ts';
import { trees } from '../../../host/trees.ts';
import { bytesToString } from '../../base/bytes.ts';
import { failed } from '../../base/errno.ts';
import { type Acl, Acls, decodeAcl, NOBODY, UNREAD_ACLS, validAcl } from '../../vfs/acl.ts';
import { isAclName } from '../../vfs/acl_attr.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import { Inode, type SetAttr } from '../../vfs/inode.ts';
import { modeWithoutPrivs, ownerOrCapable } from '../../vfs/permission.ts';
import { UTIME_NOW, UTIME_OMIT } from '../../vfs/utime.ts';
import {
  directories,
  type Hidden,
  identify,
  isHidden,
  isPlace,
  openPlace,
  type Place,
  statAt,
  statBuffer,
  statFd,
} from './host_place.ts';

/** Sizes that a double cannot hold as off_t are cut to this; such files are not opened. */
const MAX_SIZE = 2 ** 63 - 1024;

/** The user that the host takes us for: who owns what is made. */
export const hostUser: number = hostCall(SYS_geteuid);

/** struct timespec[2]. */
const times = HostBuffer.alloc(TIMES_SIZE);
/** The value of an extended attribute, or the names of all. */
const xattr = HostBuffer.alloc(XATTR_SIZE_MAX);

/** What inodes need of their file system (bindfs.ts). */
export interface BindWorld extends FileSystem {
  /** What is not there inside; null for nothing. */
  readonly hidden: Hidden | null;
  /** The number that stat(2) inside shows for a device of the host. */
  devOf(dev: U64): number;
  /** An inode that nobody uses goes. */
  drop(inode: BindInode): void;
  /** The inode stands for another object of the host from now on, with the place's numbers; false when there is one already. */
  rekey(inode: BindInode, dev: U64, ino: U64): boolean;
}

export abstract class BindInode extends Inode {
  declare readonly fs: BindWorld;
  readonly place: Place;
  private shownDev: number;

  constructor(fs: BindWorld, place: Place) {
    super(fs, place.ino, statBuffer.view.getUint32(STAT_ST_MODE, true));
    this.place = place;
    this.shownDev = fs.devOf(place.dev);
    this.absorb();
  }

  override get dev(): number {
    return this.shownDev;
  }

  /** Takes over what statBuffer says. */
  absorb(): void {
    const v = statBuffer.view;
    this.mode = v.getUint32(STAT_ST_MODE, true);
    this.uid = v.getUint32(STAT_ST_UID, true);
    this.gid = v.getUint32(STAT_ST_GID, true);
    this.nlink = getU64(v, STAT_ST_NLINK);
    this.rdev = getU64(v, STAT_ST_RDEV);
    this.size = Math.min(getI64(v, STAT_ST_SIZE), MAX_SIZE);
    this.blocks = getU64(v, STAT_ST_BLOCKS);
    this.blksize = getU64(v, STAT_ST_BLKSIZE);
    this.atimeSec = getI64(v, STAT_ST_ATIME);
    this.atimeNsec = getU64(v, STAT_ST_ATIME_NSEC);
    this.mtimeSec = getI64(v, STAT_ST_MTIME);
    this.mtimeNsec = getU64(v, STAT_ST_MTIME_NSEC);
    const ctimeSec = getI64(v, STAT_ST_CTIME);
    const ctimeNsec = getU64(v, STAT_ST_CTIME_NSEC);
    if (ctimeSec === this.ctimeSec && ctimeNsec === this.ctimeNsec) return;
    this.ctimeSec = ctimeSec;
    this.ctimeNsec = ctimeNsec;
    // With the attributes the access control lists may have changed.
    if ((this.mode & S_IFMT) !== S_IFLNK) this.acls = UNREAD_ACLS;
  }

  /** A descriptor of the object that is open anyway; -1 for none. */
  protected ownFd(): number {
    return -1;
  }

  /** May it become another object of the host, because nothing of the one it was is held? */
  protected get replaceable(): boolean {
    return this.users === 0 && this.watches === null && (this.locks === null || this.locks.empty);
  }

  /** Asks the host. An object that is not where it was, and not open, stays as it was last seen. */
  override refresh(_ctx?: VfsContext): number {
    const fd = this.ownFd();
    if (fd >= 0) {
      const r = statFd(fd);
      if (r === 0) this.absorb();
      return r;
    }
    const { dir, name } = this.place;
    if (dir === null) return 0;
    const dirfd = directories.of(dir);
    if (dirfd < 0) return 0;
    const r = statAt(dirfd, name);
    if (r < 0) return r === -ENOENT || r === -ENOTDIR ? 0 : r;
    if (isPlace(this.place) || this.replace()) this.absorb();
    return 0;
  }

  /** Something else of the same kind has the name now, as when an editor writes a file anew: becomes that. */
  protected replace(): boolean {
    const v = statBuffer.view;
    if (!this.replaceable || (v.getUint32(STAT_ST_MODE, true) & S_IFMT) !== (this.mode & S_IFMT))
      return false;
    if (isHidden(this.fs.hidden, this.place.dir!, this.place.name)) return false;
    const old = new Identity(this.place);
    identify(this.place);
    if (!this.fs.rekey(this, old.dev, old.ino)) {
      this.place.dev = old.dev;
      this.place.ino = old.ino;
      return false;
    }
    (this as { ino: U64 }).ino = this.place.ino;
    this.shownDev = this.fs.devOf(this.place.dev);
    return true;
  }

  /** Calls `use` with a descriptor of the object, which may be O_PATH; its result, or -errno. */
  protected withFd(use: (fd: number) => number): number {
    const own = this.ownFd();
    if (own >= 0) return use(own);
    const fd = openPlace(this.place, O_PATH);
    if (fd < 0) return fd;
    const r = use(fd);
    trees.close(fd);
    return r;
  }

  /**
   * The bits that make others run a program with its owner's rights. Nobody inside puts them on a file of the host, unless it
   * is the very user whom the host takes us for, and not root: who may do more on the host than its caller would get out so.
   */
  protected addsPrivs(ctx: VfsContext, mode: number, before: number): boolean {
    if ((this.mode & S_IFMT) === S_IFDIR) return false;
    return grantsPrivs(ctx, mode & ~before);
  }

  override setattr(ctx: VfsContext, attr: SetAttr): number {
    if (attr.mode !== undefined && this.addsPrivs(ctx, attr.mode, this.mode)) return -EPERM;
    const r = this.withFd((fd) => this.change(fd, attr));
    // Also when it failed: some of it may be done.
    this.refresh(ctx);
    return r;
  }

  private change(fd: number, attr: SetAttr): number {
    let r = 0;
    if (attr.uid !== undefined || attr.gid !== undefined)
      r = trees.chown(fd, attr.uid ?? 0xffff_ffff, attr.gid ?? 0xffff_ffff);
    if (r === 0 && attr.mode !== undefined) r = trees.chmod(fd, attr.mode & 0o7777);
    if (r === 0 && (attr.atimeSec !== undefined || attr.mtimeSec !== undefined)) r = changeTimes(fd, attr);
    return r;
  }

  /** Content changed by a caller who may not keep them: takes set-user-ID and set-group-ID away, as the host does for others than root. */
  protected dropPrivs(ctx: VfsContext): void {
    if ((this.mode & (S_ISUID | S_ISGID)) === 0 || ctx.cred.capable(CAP_FSETID)) return;
    const mode = modeWithoutPrivs(this.mode);
    if (mode !== this.mode) this.withFd((fd) => trees.chmod(fd, mode & 0o7777));
  }

  override readAcls(): Acls | null {
    const access = this.readAcl(XATTR_NAME_POSIX_ACL_ACCESS);
    const isDir = (this.mode & S_IFMT) === S_IFDIR;
    const inherited = isDir ? this.readAcl(XATTR_NAME_POSIX_ACL_DEFAULT) : null;
    return access === null && inherited === null ? null : new Acls(access, inherited);
  }

  /** A list of the host's. Where its answer is no list, nobody gets rights by it. */
  private readAcl(name: string): Acl | null {
    const value = this.hostAttribute(name);
    if (value === -ENODATA || value === -EOPNOTSUPP) return null;
    const acl = failed(value) ? value : decodeAcl(value);
    if (acl === null) return null;
    return failed(acl) || !validAcl(acl) ? NOBODY : acl;
  }

  private hostAttribute(name: string): Uint8Array | number {
    const n = this.withFd((fd) => trees.getxattr(fd, '', name, xattr));
    return n < 0 ? n : xattr.u8.slice(0, n);
  }

  /** Of the host's attributes guests have those of users, and the access control lists. */
  override getxattr(_ctx: VfsContext, name: string): Uint8Array | number {
    if ((this.mode & S_IFMT) === S_IFLNK) return isAclName(name) ? -EOPNOTSUPP : -ENODATA;
    if (isAclName(name) || isUserName(name)) return this.hostAttribute(name);
    return name.startsWith('system.') ? -EOPNOTSUPP : -ENODATA;
  }

  /** 0, or why the caller may not change the attribute. */
  private mayChange(ctx: VfsContext, name: string): number {
    if ((this.mode & S_IFMT) === S_IFLNK) return -EOPNOTSUPP;
    if (isAclName(name)) return ownerOrCapable(ctx.cred, this) ? 0 : -EPERM;
    return isUserName(name) ? 0 : -EOPNOTSUPP;
  }

  override setxattr(ctx: VfsContext, name: string, value: Uint8Array, flags: number): number {
    const may = this.mayChange(ctx, name);
    if (may < 0) return may;
    xattr.u8.set(value);
    const r = this.withFd((fd) => trees.setxattr(fd, name, xattr, value.length, flags));
    this.refresh(ctx);
    return r;
  }

  override removexattr(ctx: VfsContext, name: string): number {
    const may = this.mayChange(ctx, name);
    if (may < 0) return may;
    const r = this.withFd((fd) => trees.removexattr(fd, name));
    this.refresh(ctx);
    return r;
  }

  override listxattr(_ctx: VfsContext): Iterable<string> | number {
    if ((this.mode & S_IFMT) === S_IFLNK) return [];
    const n = this.withFd((fd) => trees.listxattr(fd, xattr));
    if (n < 0) return n;
    const all = bytesToString(xattr.u8, 0, n).split('\0');
    return all.filter((name) => isAclName(name) || isUserName(name));
  }

  /** No name of it is cached and nobody has it open: it goes when nothing else holds it, and comes back by its name. */
  override forget(): void {
    if (this.replaceable && this.writers === 0) this.fs.drop(this);
  }

  override evict(): void {
    this.fs.drop(this);
  }

  /** What it holds of the host's is closed. */
  close(): void {}
}

class Identity {
  readonly dev: U64;
  readonly ino: U64;
  constructor(place: Place) {
    this.dev = place.dev;
    this.ino = place.ino;
  }
}

/** Does the mode make others run a file with its owner's rights, and may the caller not give them? */
export function grantsPrivs(ctx: VfsContext, mode: number): boolean {
  if ((mode & (S_ISUID | S_ISGID)) === 0) return false;
  return hostUser === 0 || ctx.cred.fsuid !== hostUser;
}

function isUserName(name: string): boolean {
  return name.startsWith('user.');
}

function changeTimes(fd: number, attr: SetAttr): number {
  putTime(0, attr.atimeSec, attr.atimeNsec, attr.now === true);
  putTime(16, attr.mtimeSec, attr.mtimeNsec, attr.now === true);
  return trees.utimens(fd, times);
}

function putTime(at: number, sec: number | undefined, nsec: number | undefined, now: boolean): void {
  putU64(times.view, at, sec ?? 0);
  putU64(times.view, at + 8, sec === undefined ? UTIME_OMIT : now ? UTIME_NOW : (nsec ?? 0));
}

/** The number of the host's device in statBuffer. */
export function statDev(): U64 {
  return getU64Exact(statBuffer.view, STAT_ST_DEV);
}
