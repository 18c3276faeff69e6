// Permission checks by credentials: path_resolution(7), capabilities(7).

import { EACCES, EPERM } from '../../abi/errno.ts';
import { S_IFDIR, S_IFMT, S_ISGID, S_ISUID, S_ISVTX, S_IXGRP } from '../../abi/fs/stat.ts';
import {
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
} from '../../abi/process/capability.ts';
import type { Cred } from '../base/cred.ts';
import { accessAcl, aclAllows } from './acl.ts';
import type { VfsContext } from './context.ts';
import type { Inode } from './inode.ts';

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

/**
 * The owner, group, other bits against the caller's fsuid and groups, or the access control list, then the capabilities.
 * 0 or -EACCES.
 */
export function genericPermission(cred: Cred, inode: Inode, mask: number): number {
  const mode = inode.mode;
  let bits = mode;
  if (inode.uid === cred.fsuid) bits = mode >> 6;
  else if (inode.acls !== null) bits = listedBits(cred, inode, mask);
  else if ((mode & 0o070) >> 3 !== (mode & 0o007) && cred.inGroup(inode.gid)) bits = mode >> 3;
  return (mask & ~bits & 7) === 0 ? 0 : byCapability(cred, mode, mask);
}

/** The bits for somebody but the owner: all or none where a list decides. As on Linux none does without group bits. */
function listedBits(cred: Cred, inode: Inode, mask: number): number {
  const acl = (inode.mode & 0o070) === 0 ? null : accessAcl(inode);
  if (acl !== null) return aclAllows(acl, cred, inode.gid, mask) ? 7 : 0;
  return cred.inGroup(inode.gid) ? inode.mode >> 3 : inode.mode;
}

/** Rights of those to whom the mode gives none. */
function byCapability(cred: Cred, mode: number, mask: number): number {
  if ((mode & S_IFMT) === S_IFDIR) {
    if ((mask & MAY_WRITE) === 0 && cred.capable(CAP_DAC_READ_SEARCH)) return 0;
    return cred.capable(CAP_DAC_OVERRIDE) ? 0 : -EACCES;
  }
  if (mask === MAY_READ && cred.capable(CAP_DAC_READ_SEARCH)) return 0;
  // Even root executes only what somebody may execute.
  if (((mask & MAY_EXEC) === 0 || (mode & 0o111) !== 0) && cred.capable(CAP_DAC_OVERRIDE)) return 0;
  return -EACCES;
}

/** Owner of the inode, or CAP_FOWNER (inode_owner_or_capable). */
export function ownerOrCapable(cred: Cred, inode: Inode): boolean {
  return cred.fsuid === inode.uid || cred.capable(CAP_FOWNER);
}

/** May the caller add an entry to `dir`? */
export function mayCreate(ctx: VfsContext, dir: Inode): number {
  return dir.permission(ctx, MAY_WRITE | MAY_EXEC);
}

/** May the caller remove or replace `victim`'s entry in `dir`? Sticky directories protect others' files. */
export function mayDelete(ctx: VfsContext, dir: Inode, victim: Inode): number {
  const r = dir.permission(ctx, MAY_WRITE | MAY_EXEC);
  if (r < 0) return r;
  const cred = ctx.cred;
  if (
    (dir.mode & S_ISVTX) !== 0 &&
    victim.uid !== cred.fsuid &&
    dir.uid !== cred.fsuid &&
    !cred.capable(CAP_FOWNER)
  )
    return -EPERM;
  return 0;
}

/**
 * Owner, group and mode of a new inode in `dir` (inode_init_owner): a set-group-id directory hands down its group, and
 * to directories its bit.
 */
export function initOwner(ctx: VfsContext, dir: Inode, inode: Inode): void {
  const cred = ctx.cred;
  inode.uid = cred.fsuid;
  if ((dir.mode & S_ISGID) === 0) {
    inode.gid = cred.fsgid;
    return;
  }
  inode.gid = dir.gid;
  if ((inode.mode & S_IFMT) === S_IFDIR) inode.mode |= S_ISGID;
  else if (
    (inode.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP) &&
    !cred.inGroup(inode.gid) &&
    !cred.capable(CAP_FSETID)
  )
    inode.mode &= ~S_ISGID;
}

/** The mode without what a write by an unprivileged caller takes away (file_remove_privs): suid, and sgid with x. */
export function modeWithoutPrivs(mode: number): number {
  let m = mode & ~S_ISUID;
  if ((mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP)) m &= ~S_ISGID;
  return m;
}

/** A write happened: drops file capabilities, and suid and sgid unless the caller has CAP_FSETID (file_remove_privs). */
export function removePrivs(ctx: VfsContext, inode: Inode): void {
  if (inode.mayHaveCaps) inode.killPriv();
  if ((inode.mode & (S_ISUID | S_ISGID)) === 0 || (inode.mode & S_IFMT) === S_IFDIR) return;
  if (ctx.cred.capable(CAP_FSETID)) return;
  inode.mode = modeWithoutPrivs(inode.mode);
}
