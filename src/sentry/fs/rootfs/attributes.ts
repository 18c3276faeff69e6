// What inodes of host objects take from the host at first: attributes, access control lists.

import { ENODATA } from '../../../abi/errno.ts';
import { S_IFDIR, S_IFMT } from '../../../abi/fs/stat.ts';
import { XATTR_NAME_POSIX_ACL_ACCESS, XATTR_NAME_POSIX_ACL_DEFAULT } from '../../../abi/fs/xattr.ts';
import { failed } from '../../base/errno.ts';
import { type Acl, Acls, decodeAcl, NOBODY, validAcl } from '../../vfs/acl.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { HostNode, HostTree } from './hosttree.ts';

/** Takes over what the host says of an object. */
export function copyAttributes(i: Inode, n: HostNode): void {
  i.nlink = n.nlink;
  i.uid = n.uid;
  i.gid = n.gid;
  i.rdev = n.rdev;
  i.size = n.size;
  i.blocks = n.blocks;
  i.atimeSec = n.atimeSec;
  i.atimeNsec = n.atimeNsec;
  i.mtimeSec = i.btimeSec = n.mtimeSec;
  i.mtimeNsec = i.btimeNsec = n.mtimeNsec;
  i.ctimeSec = n.ctimeSec;
  i.ctimeNsec = n.ctimeNsec;
}

/** The access control lists of a host object. Where the host's answer is no list, nobody gets rights by it. */
export function readAcls(tree: HostTree, node: HostNode): Acls | null {
  const access = readAcl(tree, node, XATTR_NAME_POSIX_ACL_ACCESS);
  const isDir = (node.mode & S_IFMT) === S_IFDIR;
  const inherited = isDir ? readAcl(tree, node, XATTR_NAME_POSIX_ACL_DEFAULT) : null;
  return access === null && inherited === null ? null : new Acls(access, inherited);
}

function readAcl(tree: HostTree, node: HostNode, name: string): Acl | null {
  const value = tree.getxattr(node, name);
  if (value === -ENODATA) return null;
  const acl = failed(value) ? value : decodeAcl(value);
  if (acl === null) return null;
  return failed(acl) || !validAcl(acl) ? NOBODY : acl;
}

/** May a clean inode go, now that no name of it is cached and nobody has it open? */
export function idle(i: Inode): boolean {
  return i.watches === null && (i.locks === null || i.locks.empty) && i.writers === 0;
}
