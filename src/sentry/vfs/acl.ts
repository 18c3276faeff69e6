// POSIX access control lists: acl(5). A list is kept as the extended attribute has it, without its header, and never
// changed once made: two words for each entry,
//
//   | tag (16 bits) | permissions << 16 |   | user or group id, -1 for none |
//
// sorted by tag: owner, users, owning group, groups, mask, others. What the list says of owner, mask (or owning group)
// and others, the mode bits of the inode say too.

import { EINVAL, EOPNOTSUPP } from '../../abi/errno.ts';
import { S_IFDIR, S_IFLNK, S_IFMT } from '../../abi/fs/stat.ts';
import {
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_UNDEFINED_ID,
  ACL_USER,
  ACL_USER_OBJ,
  POSIX_ACL_XATTR_VERSION,
} from '../../abi/fs/xattr.ts';
import type { Cred } from '../base/cred.ts';
import type { VfsContext } from './context.ts';
import type { Inode } from './inode.ts';

export type Acl = Uint32Array;

/** The lists of an inode. */
export class Acls {
  readonly access: Acl | null;
  /** What new entries of a directory begin with. */
  readonly default: Acl | null;

  constructor(access: Acl | null, defaultAcl: Acl | null) {
    this.access = access;
    this.default = defaultAcl;
  }
}

/** Stands for the lists of an inode until somebody has asked for them (Inode.readAcls). */
export const UNREAD_ACLS: Acls = new Acls(null, null);

/** A list that nobody is in: when the host does not tell, nobody but the owner has rights. */
export const NOBODY: Acl = new Uint32Array(0);

const HEADER = 4;
const ENTRY = 8;
const RWX = 7;
const UNDEFINED = ACL_UNDEFINED_ID >>> 0;

/** Both lists, read from the host if need be; null when there is none. */
export function aclsOf(inode: Inode): Acls | null {
  if (inode.acls === UNREAD_ACLS) inode.acls = inode.readAcls();
  return inode.acls;
}

/** The list that decides about access, or null. */
export function accessAcl(inode: Inode): Acl | null {
  return aclsOf(inode)?.access ?? null;
}

export function defaultAcl(dir: Inode): Acl | null {
  return aclsOf(dir)?.default ?? null;
}

/** The permission bits of a new entry in `dir` before its default list: that takes the umask's place. */
export function modeInDir(ctx: VfsContext, dir: Inode, mode: number): number {
  return dir.acls !== null && defaultAcl(dir) !== null ? mode : mode & ~ctx.fs.umask;
}

/** May `cred`, not the owner's, do `want` (posix_acl_permission)? */
export function aclAllows(acl: Acl, cred: Cred, gid: number, want: number): boolean {
  let found = false;
  for (let i = 0; i < acl.length; i += 2) {
    const tag = acl[i]! & 0xffff;
    const perm = acl[i]! >>> 16;
    if (tag === ACL_USER) {
      if (acl[i + 1] === cred.fsuid) return (perm & maskOf(acl) & want) === want;
    } else if (tag === ACL_GROUP_OBJ || tag === ACL_GROUP) {
      if (!cred.inGroup(tag === ACL_GROUP ? acl[i + 1]! : gid)) continue;
      found = true;
      if ((perm & want) === want) return (perm & maskOf(acl) & want) === want;
    } else if (tag === ACL_OTHER) return !found && (perm & want) === want;
  }
  return false;
}

/** What users and groups of the list can have at most. */
function maskOf(acl: Acl): number {
  const mask = acl[acl.length - 4]!;
  return (mask & 0xffff) === ACL_MASK ? mask >>> 16 : RWX;
}

/** The list of an attribute's value (posix_acl_from_xattr): null when it has no entries; -EINVAL, -EOPNOTSUPP. */
export function decodeAcl(value: Uint8Array): Acl | null | number {
  if (value.length < HEADER) return -EINVAL;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  if (view.getUint32(0, true) !== POSIX_ACL_XATTR_VERSION) return -EOPNOTSUPP;
  if ((value.length - HEADER) % ENTRY !== 0) return -EINVAL;
  if (value.length === HEADER) return null;
  const acl = new Uint32Array((value.length - HEADER) / 4);
  for (let i = 0; i < acl.length; i += 2) {
    acl[i] = view.getUint32(HEADER + i * 4, true);
    const tag = acl[i]! & 0xffff;
    const named = tag === ACL_USER || tag === ACL_GROUP;
    acl[i + 1] = named ? view.getUint32(HEADER + i * 4 + 4, true) : UNDEFINED;
    if (named && acl[i + 1] === UNDEFINED) return -EINVAL;
    if (!named && tag !== ACL_USER_OBJ && tag !== ACL_GROUP_OBJ && tag !== ACL_MASK && tag !== ACL_OTHER)
      return -EINVAL;
  }
  return acl;
}

/** The attribute's value of a list. */
export function encodeAcl(acl: Acl): Uint8Array {
  const value = new Uint8Array(HEADER + acl.length * 4);
  const view = new DataView(value.buffer);
  view.setUint32(0, POSIX_ACL_XATTR_VERSION, true);
  for (let i = 0; i < acl.length; i++) view.setUint32(HEADER + i * 4, acl[i]!, true);
  return value;
}

/** Order, number and permissions of the entries are right (posix_acl_valid). */
export function validAcl(acl: Acl): boolean {
  let last = 0;
  let seen = 0;
  for (let i = 0; i < acl.length; i += 2) {
    const tag = acl[i]! & 0xffff;
    if (acl[i]! >>> 16 > RWX || tag < last) return false;
    if ((seen & tag) !== 0 && tag !== ACL_USER && tag !== ACL_GROUP) return false;
    last = tag;
    seen |= tag;
  }
  const named = (seen & (ACL_USER | ACL_GROUP)) !== 0;
  const needed = ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER | (named ? ACL_MASK : 0);
  return (seen & needed) === needed;
}

/** The list says no more than mode bits do. */
export function minimal(acl: Acl): boolean {
  for (let i = 0; i < acl.length; i += 2)
    if ((acl[i]! & (ACL_USER | ACL_GROUP | ACL_MASK)) !== 0) return false;
  return true;
}

/** The nine bits of a mode that the list gives. */
export function permissionsOf(acl: Acl): number {
  let mode = 0;
  for (let i = 0; i < acl.length; i += 2) {
    const perm = acl[i]! >>> 16;
    const tag = acl[i]! & 0xffff;
    if (tag === ACL_USER_OBJ) mode |= perm << 6;
    else if (tag === ACL_GROUP_OBJ) mode |= perm << 3;
    else if (tag === ACL_MASK) mode = (mode & ~0o070) | (perm << 3);
    else if (tag === ACL_OTHER) mode |= perm;
  }
  return mode;
}

/** A copy whose entries for owner, mask (else owning group) and others are `mode`'s, or, with `and`, within it. */
function withMode(acl: Acl, mode: number, and: boolean): Acl {
  const out = acl.slice();
  const masked = (acl[acl.length - 4]! & 0xffff) === ACL_MASK;
  for (let i = 0; i < out.length; i += 2) {
    const tag = out[i]! & 0xffff;
    let bits: number;
    if (tag === ACL_USER_OBJ) bits = mode >> 6;
    else if (tag === (masked ? ACL_MASK : ACL_GROUP_OBJ)) bits = mode >> 3;
    else if (tag === ACL_OTHER) bits = mode;
    else continue;
    out[i] = tag | (((and ? bits & (out[i]! >>> 16) : bits) & RWX) << 16);
  }
  return out;
}

/** chmod(2) was carried out: the list follows the mode (posix_acl_chmod). */
export function chmodAcl(inode: Inode): void {
  const acls = aclsOf(inode);
  if (acls === null || acls.access === null || acls.access.length === 0) return;
  inode.acls = new Acls(withMode(acls.access, inode.mode, false), acls.default);
}

/** A new entry of `dir` gets its lists, and mode, from the directory's default one (posix_acl_create). */
export function inheritAcl(dir: Inode, inode: Inode): void {
  if (dir.acls === null || (inode.mode & S_IFMT) === S_IFLNK) return;
  const from = defaultAcl(dir);
  if (from === null || from.length === 0) return;
  const own = withMode(from, inode.mode, true);
  inode.mode = (inode.mode & ~0o777) | permissionsOf(own);
  const handedOn = (inode.mode & S_IFMT) === S_IFDIR ? from : null;
  const access = minimal(own) ? null : own;
  if (access !== null || handedOn !== null) inode.acls = new Acls(access, handedOn);
}
