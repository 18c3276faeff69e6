// MemInode: attributes and extended attributes of an inode in memory, and who pays for them.

import { EEXIST, ENODATA, ENOSPC, EOPNOTSUPP } from '../../../abi/errno.ts';
import { S_IFLNK, S_IFMT } from '../../../abi/fs/stat.ts';
import { XATTR_CREATE, XATTR_NAME_CAPS, XATTR_REPLACE } from '../../../abi/fs/xattr.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import type { PageQuota } from '../../memfile/pagecache.ts';
import { chmodAcl } from '../acl.ts';
import { aclNames, getAcl, isAclName, setAcl } from '../acl_attr.ts';
import { applyAttr } from '../attr.ts';
import type { VfsContext } from '../context.ts';
import type { FileSystem } from '../filesystem.ts';
import { Inode, type SetAttr } from '../inode.ts';
import { stampChange } from '../times.ts';

/** Most bytes that the extended attributes of one inode may hold, names included. */
const XATTR_ROOM = 256 * 1024;
const XATTR_BYTES = 256;
/** What the kernel keeps of an inode and of an entry beside their texts. */
export const INODE_BYTES = 1024;
export const ENTRY_BYTES = 256;

/** What inodes in memory need of their file system; MemOwner is one. */
export interface MemOwner extends FileSystem {
  readonly memfile: MemoryFile;
  readonly quota: PageQuota;
  usedInodes: number;
  newNode(ctx: VfsContext, dir: Inode | null, mode: number, rdev: number): Inode | number;
  newDir(ctx: VfsContext, dir: Inode | null, mode: number): Inode | number;
  newSymlink(ctx: VfsContext, dir: Inode | null, target: string): Inode | number;
  keep(inode: MemInode): void;
  hasRoom(bytes: number): boolean;
}

/** Bytes that somebody pays for. */
interface Paid {
  readonly payer: Account;
  readonly bytes: number;
}

/** Attributes and extended attributes in memory. */
export abstract class MemInode extends Inode {
  declare readonly fs: MemOwner;
  /** Who made it, and what that takes; nobody for what the host has. */
  private payer: Account | null = null;
  private paid = 0;
  /** The same for each of its attributes. */
  private attributePayers: Map<string, Paid> | null = null;

  /** Its maker pays for `bytes` of it. */
  pay(bytes: number): void {
    this.payer = kernelMemory.take(bytes, this.payer ?? kernelMemory.current);
    this.paid += bytes;
  }

  /** Nothing of it is left. */
  payBack(): void {
    if (this.payer !== null) kernelMemory.give(this.payer, this.paid);
    this.paid = 0;
    if (this.attributePayers !== null)
      for (const a of this.attributePayers.values()) kernelMemory.give(a.payer, a.bytes);
    this.attributePayers = null;
  }

  private payAttribute(name: string, bytes: number): void {
    const old = this.attributePayers?.get(name);
    if (old !== undefined) kernelMemory.give(old.payer, old.bytes);
    if (bytes === 0) this.attributePayers?.delete(name);
    else (this.attributePayers ??= new Map()).set(name, { payer: kernelMemory.take(bytes), bytes });
  }

  /** There is memory to change it: 0, or -ENOSPC. What is in memory already needs none. */
  protected roomToChange(): number {
    return 0;
  }

  override setattr(ctx: VfsContext, attr: SetAttr): number {
    const r = this.roomToChange();
    if (r < 0) return r;
    applyAttr(ctx, this, attr);
    if (attr.mode !== undefined && this.acls !== null) chmodAcl(this);
    this.wrote();
    return 0;
  }

  /** What there is now; an inode of the host looks there first. */
  protected attributes(): Map<string, Uint8Array> | null {
    return this.xattrs;
  }

  override killPriv(): void {
    this.attributes()?.delete(XATTR_NAME_CAPS);
    this.mayHaveCaps = false;
  }

  override getxattr(_ctx: VfsContext, name: string): Uint8Array | number {
    if (isAclName(name)) return this.hasAcls ? (getAcl(this, name) ?? -ENODATA) : -EOPNOTSUPP;
    if (!knownXattr(name)) return -EOPNOTSUPP;
    return this.attributes()?.get(name) ?? -ENODATA;
  }

  override setxattr(ctx: VfsContext, name: string, value: Uint8Array, flags: number): number {
    if (isAclName(name)) return this.changeAcl(ctx, name, value);
    if (!knownXattr(name)) return -EOPNOTSUPP;
    const attributes = this.attributes();
    const old = attributes?.get(name);
    if ((flags & XATTR_CREATE) !== 0 && old !== undefined) return -EEXIST;
    if ((flags & XATTR_REPLACE) !== 0 && old === undefined) return -ENODATA;
    let room = XATTR_ROOM - name.length - value.length;
    for (const [n, v] of attributes ?? []) if (n !== name) room -= n.length + v.length;
    const bytes = XATTR_BYTES + name.length + value.length;
    if (room < 0 || !kernelMemory.fits(bytes)) return -ENOSPC;
    const r = this.roomToChange();
    if (r < 0) return r;
    this.payAttribute(name, bytes);
    (this.xattrs ??= new Map()).set(name, value);
    if (name === XATTR_NAME_CAPS) this.mayHaveCaps = true;
    stampChange(ctx, this);
    this.wrote();
    return 0;
  }

  /** Symbolic links have no access control lists. */
  private get hasAcls(): boolean {
    return (this.mode & S_IFMT) !== S_IFLNK;
  }

  private changeAcl(ctx: VfsContext, name: string, value: Uint8Array | null): number {
    if (!this.hasAcls) return -EOPNOTSUPP;
    let r = this.roomToChange();
    if (r < 0) return r;
    r = setAcl(ctx, this, name, value);
    if (r < 0) return r;
    stampChange(ctx, this);
    this.wrote();
    return 0;
  }

  override removexattr(ctx: VfsContext, name: string): number {
    if (isAclName(name)) return this.changeAcl(ctx, name, null);
    if (!knownXattr(name)) return -EOPNOTSUPP;
    const attributes = this.attributes();
    if (attributes?.has(name) !== true) return -ENODATA;
    const r = this.roomToChange();
    if (r < 0) return r;
    attributes.delete(name);
    this.payAttribute(name, 0);
    stampChange(ctx, this);
    this.wrote();
    return 0;
  }

  override listxattr(): Iterable<string> | number {
    const own = this.attributes()?.keys() ?? [];
    return this.acls === null ? own : [...aclNames(this), ...own];
  }

  /** The last name and user are gone. */
  override evict(): void {
    this.fs.usedInodes--;
    this.payBack();
  }

  /** Its name count falls by one. */
  dropLink(ctx: VfsContext): void {
    this.nlink--;
    stampChange(ctx, this);
    this.wrote();
  }
}

/** Namespaces of attributes that are kept as they are. */
function knownXattr(name: string): boolean {
  return name.startsWith('user.') || name.startsWith('trusted.') || name.startsWith('security.');
}
