// Changing attributes: chmod(2), chown(2), utimensat(2), truncate(2), reduced to what an inode's setattr takes.

import { EACCES, EINVAL, EISDIR, EOPNOTSUPP, EPERM, EROFS, ETXTBSY } from '../../abi/errno.ts';
import { IN_ATTRIB, IN_MODIFY } from '../../abi/fs/inotify.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_IXGRP } from '../../abi/fs/stat.ts';
import { CAP_CHOWN, CAP_FSETID } from '../../abi/process/capability.ts';
import type { VfsContext } from './context.ts';
import type { Inode, SetAttr } from './inode.ts';
import type { Path } from './path.ts';
import { MAY_WRITE, modeWithoutPrivs, ownerOrCapable, removePrivs } from './permission.ts';
import { stampChange } from './times.ts';
import { UTIME_NOW, UTIME_OMIT } from './utime.ts';
import { notifyDentry } from './watches.ts';

/** Stores `attr` into the inode's fields and moves ctime: the setattr() of file systems that live in memory. */
export function applyAttr(ctx: VfsContext, inode: Inode, attr: SetAttr): void {
  if (attr.mode !== undefined) inode.mode = (inode.mode & ~0o7777) | (attr.mode & 0o7777);
  if (attr.uid !== undefined) inode.uid = attr.uid;
  if (attr.gid !== undefined) inode.gid = attr.gid;
  if (attr.atimeSec !== undefined) {
    inode.atimeSec = attr.atimeSec;
    inode.atimeNsec = attr.atimeNsec ?? 0;
  }
  if (attr.mtimeSec !== undefined) {
    inode.mtimeSec = attr.mtimeSec;
    inode.mtimeNsec = attr.mtimeNsec ?? 0;
  }
  stampChange(ctx, inode);
}

/** setattr, then the watches. `at` is null for files without a place. */
function change(ctx: VfsContext, inode: Inode, at: Path | null, attr: SetAttr): number {
  const r = inode.setattr(ctx, attr);
  if (r === 0 && at !== null) notifyDentry(at.dentry, IN_ATTRIB);
  return r;
}

/** Implements chmod(2) on an inode at a place. */
export function changeMode(ctx: VfsContext, inode: Inode, at: Path | null, mode: number): number {
  if (at?.mount.readonly) return -EROFS;
  if ((inode.mode & S_IFMT) === S_IFLNK) return -EOPNOTSUPP;
  if (!ownerOrCapable(ctx.cred, inode)) return -EPERM;
  let m = mode & 0o7777;
  // chmod(2): set-group-ID is dropped silently for files of a group that the caller is not in.
  if (!ctx.cred.inGroup(inode.gid) && !ctx.cred.capable(CAP_FSETID)) m &= ~S_ISGID;
  return change(ctx, inode, at, { mode: m });
}

/** Implements chown(2); -1 keeps an id. */
export function changeOwner(
  ctx: VfsContext,
  inode: Inode,
  at: Path | null,
  uid: number,
  gid: number,
): number {
  if (at?.mount.readonly) return -EROFS;
  const cred = ctx.cred;
  const attr: SetAttr = {};
  if (!cred.capable(CAP_CHOWN)) {
    if (uid !== -1 && (cred.fsuid !== inode.uid || uid !== inode.uid)) return -EPERM;
    if (gid !== -1 && (cred.fsuid !== inode.uid || (gid !== inode.gid && !cred.inGroup(gid)))) return -EPERM;
  }
  if (uid !== -1) attr.uid = uid;
  if (gid !== -1) attr.gid = gid;
  // A new owner must not inherit the old one's set-id bits, whoever asks.
  if ((inode.mode & S_IFMT) !== S_IFDIR && (inode.mode & (S_ISUID | S_ISGID)) !== 0) {
    let m = modeWithoutPrivs(inode.mode);
    if (
      (inode.mode & (S_ISGID | S_IXGRP)) === S_ISGID &&
      !cred.inGroup(inode.gid) &&
      !cred.capable(CAP_FSETID)
    )
      m &= ~S_ISGID;
    attr.mode = m & 0o7777;
  }
  const r = change(ctx, inode, at, attr);
  // The same goes for file capabilities.
  if (r === 0 && inode.mayHaveCaps && (inode.mode & S_IFMT) !== S_IFDIR) inode.killPriv();
  return r;
}

/**
 * Implements utimensat(2) on an inode. `now`: both times are now, which write permission allows; nanoseconds may be
 * UTIME_NOW and UTIME_OMIT.
 */
export function changeTimes(
  ctx: VfsContext,
  inode: Inode,
  at: Path | null,
  now: boolean,
  atimeSec: number,
  atimeNsec: number,
  mtimeSec: number,
  mtimeNsec: number,
): number {
  const aOmit = !now && atimeNsec === UTIME_OMIT;
  const mOmit = !now && mtimeNsec === UTIME_OMIT;
  if (aOmit && mOmit) return 0;
  if (at?.mount.readonly) return -EROFS;
  const aNow = now || atimeNsec === UTIME_NOW;
  const mNow = now || mtimeNsec === UTIME_NOW;
  if (!ownerOrCapable(ctx.cred, inode)) {
    if (!(aNow && mNow)) return -EPERM;
    if (inode.permission(ctx, MAY_WRITE) < 0) return -EACCES;
  }
  const attr: SetAttr = { now: aNow && mNow };
  const sec = ctx.time.realtimeSec();
  const nsec = ctx.time.realtimeNsec;
  if (!aOmit) {
    attr.atimeSec = aNow ? sec : atimeSec;
    attr.atimeNsec = aNow ? nsec : atimeNsec;
  }
  if (!mOmit) {
    attr.mtimeSec = mNow ? sec : mtimeSec;
    attr.mtimeNsec = mNow ? nsec : mtimeNsec;
  }
  return change(ctx, inode, at, attr);
}

/** Implements truncate(2) at a place. */
export function truncateAt(ctx: VfsContext, at: Path, size: number): number {
  const inode = at.dentry.inode!;
  const type = inode.mode & S_IFMT;
  if (type === S_IFDIR) return -EISDIR;
  if (type !== S_IFREG) return -EINVAL;
  if (at.mount.readonly) return -EROFS;
  const r = inode.permission(ctx, MAY_WRITE);
  if (r < 0) return r;
  if (inode.writers < 0) return -ETXTBSY;
  return truncateInode(ctx, inode, at, size);
}

/** Sets the size, whoever may write it having been checked. */
export function truncateInode(ctx: VfsContext, inode: Inode, at: Path | null, size: number): number {
  const r = inode.truncate(ctx, size);
  if (r < 0) return r;
  removePrivs(ctx, inode);
  if (at !== null) notifyDentry(at.dentry, IN_MODIFY);
  return 0;
}
