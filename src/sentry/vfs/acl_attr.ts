// Access control lists as extended attributes: system.posix_acl_access and system.posix_acl_default.

import { EACCES, EINVAL, EPERM } from '../../abi/errno.ts';
import { S_IFDIR, S_IFMT, S_ISGID } from '../../abi/fs/stat.ts';
import { XATTR_NAME_POSIX_ACL_ACCESS, XATTR_NAME_POSIX_ACL_DEFAULT } from '../../abi/fs/xattr.ts';
import { CAP_FSETID } from '../../abi/process/capability.ts';
import {
  Acls,
  accessAcl,
  aclsOf,
  decodeAcl,
  defaultAcl,
  encodeAcl,
  minimal,
  permissionsOf,
  validAcl,
} from './acl.ts';
import type { VfsContext } from './context.ts';
import type { Inode } from './inode.ts';
import { ownerOrCapable } from './permission.ts';

export function isAclName(name: string): boolean {
  return name === XATTR_NAME_POSIX_ACL_ACCESS || name === XATTR_NAME_POSIX_ACL_DEFAULT;
}

/** getxattr(2) of a list: null when there is none. */
export function getAcl(inode: Inode, name: string): Uint8Array | null {
  const acl = name === XATTR_NAME_POSIX_ACL_ACCESS ? accessAcl(inode) : defaultAcl(inode);
  return acl === null ? null : encodeAcl(acl);
}

/** setxattr(2), or with null removexattr(2), of a list (set_posix_acl). Moves no times. */
export function setAcl(ctx: VfsContext, inode: Inode, name: string, value: Uint8Array | null): number {
  const given = value === null || value.length === 0 ? null : decodeAcl(value);
  if (typeof given === 'number') return given;
  let acl = given;
  const isDefault = name === XATTR_NAME_POSIX_ACL_DEFAULT;
  if (isDefault && (inode.mode & S_IFMT) !== S_IFDIR) return acl === null ? 0 : -EACCES;
  if (!ownerOrCapable(ctx.cred, inode)) return -EPERM;
  if (acl !== null && !validAcl(acl)) return -EINVAL;
  const old = aclsOf(inode);
  if (isDefault) {
    inode.acls = new Acls(old?.access ?? null, acl);
    return 0;
  }
  if (acl !== null) {
    inode.mode = (inode.mode & ~0o777) | permissionsOf(acl);
    if (minimal(acl)) acl = null;
  }
  // posix_acl_update_mode(), as chmod(2) does for files of a group that the caller is not in.
  if (!ctx.cred.inGroup(inode.gid) && !ctx.cred.capable(CAP_FSETID)) inode.mode &= ~S_ISGID;
  inode.acls = new Acls(acl, old?.default ?? null);
  return 0;
}

/** Names of the lists that there are, as listxattr(2) begins with them. */
export function aclNames(inode: Inode): string[] {
  const names: string[] = [];
  if (inode.acls === null) return names;
  if (accessAcl(inode) !== null) names.push(XATTR_NAME_POSIX_ACL_ACCESS);
  if (defaultAcl(inode) !== null) names.push(XATTR_NAME_POSIX_ACL_DEFAULT);
  return names;
}
