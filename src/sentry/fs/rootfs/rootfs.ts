// HostRootFs: a host directory as the guest's file system. What the host has is read lazily through a HostTree and never
// written; whatever the guest changes lives in memory, over it.
//
// Inodes of host objects are found by (device, inode number), so that hard links share one. A clean inode goes when the
// dentry cache lets go of its last name; from its first change on it stays ("kept").
// The tree is taken to stand still: attributes and names of the host are read once per cached inode.

import { EINVAL, EIO, ENODATA, ENOENT, ENOTEMPTY, ENXIO, EOVERFLOW } from '../../../abi/errno.ts';
import { OVERLAYFS_SUPER_MAGIC } from '../../../abi/magic.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../abi/stat.ts';
import type { U64 } from '../../../abi/u64.ts';
import {
  XATTR_NAME_CAPS,
  XATTR_NAME_POSIX_ACL_ACCESS,
  XATTR_NAME_POSIX_ACL_DEFAULT,
} from '../../../abi/xattr.ts';
import { failed } from '../../base/errno.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import type { DonatedFile } from '../../memfile/mappable.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { PageCache, type PageSource } from '../../memfile/pagecache.ts';
import { type Acl, Acls, decodeAcl, NOBODY, UNREAD_ACLS, validAcl } from '../../vfs/acl.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DirRecords } from '../../vfs/dir_records.ts';
import { DT_UNKNOWN, direntType } from '../../vfs/dirent.ts';
import type { File } from '../../vfs/file.ts';
import type { StatFs } from '../../vfs/filesystem.ts';
import type { DirSink, Inode } from '../../vfs/inode.ts';
import { MemDir, MemFile, MemFs, MemInode } from '../../vfs/memnode.ts';
import { MAX_FILE_SIZE } from '../../vfs/regularfile.ts';
import type { HostEntry, HostNode, HostTree } from './hosttree.ts';
import { LocalHostTree } from './hosttree.ts';

// Inode numbers that the guest sees. One file system shows all devices of the host, so not every number can be the host's:
//   below 2^40                     the host's own, of the root's device
//   2^40 to 2^44                   numbers that we give: to what the guest makes, and to all that has no other place
//   n * 2^44 and above, n <= 200   further device number n, its inodes below 2^44
//   201 * 2^44 and above           the host's own, of the first device that was seen to have such numbers
const FIRST_NEW_INO = 2 ** 40;
const DEVICE_RANGE = 2 ** 44;
const MAX_DEVICES = 200;
const FIRST_BIG_INO = (MAX_DEVICES + 1) * DEVICE_RANGE;
/** Cookies of names that the guest made, behind those of the host. */
const UPPER_COOKIE = 2 ** 32;

export class HostRootFs extends MemFs {
  readonly tree: HostTree;
  private readonly top: HostDir;
  /** Inodes of host objects that are in use or changed, by device and inode number. */
  private readonly inodes: Map<string, Inode> = new Map();
  private readonly devices: Map<U64, number> = new Map();
  /** The device whose inode numbers from FIRST_BIG_INO on stay as they are. */
  private bigDevice: U64 | null = null;
  /** Numbers given to host objects whose own had no place, by device and inode number: for as long as we are there. */
  private readonly moved: Map<string, number> = new Map();
  private lastNew = FIRST_NEW_INO;

  constructor(memfile: MemoryFile, tree: HostTree) {
    super('overlay', OVERLAYFS_SUPER_MAGIC, memfile);
    this.tree = tree;
    this.devices.set(tree.root.dev, 0);
    this.top = new HostDir(this, tree.root);
    this.inodes.set(keyOf(tree.root.dev, tree.root.ino), this.top);
  }

  /** Shows the host directory `hostPath` (byte string, absolute); -errno when it cannot be opened. */
  static create(memfile: MemoryFile, hostPath: string): HostRootFs | number {
    const tree = LocalHostTree.create(hostPath);
    return failed(tree) ? tree : new HostRootFs(memfile, tree);
  }

  override get root(): Inode {
    return this.top;
  }

  override nextIno(): number {
    return ++this.lastNew;
  }

  /** The inode number that the guest sees for a host one. */
  inoOf(dev: U64, ino: U64): U64 {
    let range = this.devices.get(dev);
    if (range === undefined) {
      range = this.devices.size;
      this.devices.set(dev, range);
    }
    if (ino >= FIRST_BIG_INO) {
      this.bigDevice ??= dev;
      if (this.bigDevice === dev) return ino;
    } else if (range === 0) {
      if (ino < FIRST_NEW_INO) return ino;
    } else if (range <= MAX_DEVICES && ino < DEVICE_RANGE) return Number(ino) + range * DEVICE_RANGE;
    const key = keyOf(dev, ino);
    let given = this.moved.get(key);
    if (given === undefined) {
      given = this.nextIno();
      this.moved.set(key, given);
    }
    return given;
  }

  /** The inode of a host object. */
  inodeOf(node: HostNode): Inode {
    const key = keyOf(node.dev, node.ino);
    const known = this.inodes.get(key);
    if (known !== undefined) return known;
    const inode = this.makeInode(node);
    this.inodes.set(key, inode);
    return inode;
  }

  private makeInode(node: HostNode): Inode {
    switch (node.mode & S_IFMT) {
      case S_IFDIR:
        return new HostDir(this, node);
      case S_IFREG:
        return new HostFile(this, node);
      case S_IFLNK:
        return new HostSymlink(this, node);
      default:
        return new HostSpecial(this, node);
    }
  }

  /** A clean inode is used no more. */
  drop(node: HostNode): void {
    this.inodes.delete(keyOf(node.dev, node.ino));
    this.tree.release(node);
  }

  override statfs(out: StatFs): void {
    const free = this.memfile.limitPages - this.memfile.usedPages;
    out.blocks = this.memfile.limitPages;
    out.bfree = free;
    out.bavail = free;
    out.files = this.memfile.limitPages;
    out.ffree = this.memfile.limitPages;
  }
}

function keyOf(dev: U64, ino: U64): string {
  return `${dev}:${ino}`;
}

/** Takes over what the host says of an object. */
function copyAttributes(i: Inode, n: HostNode): void {
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
function readAcls(fs: HostRootFs, node: HostNode): Acls | null {
  const access = readAcl(fs, node, XATTR_NAME_POSIX_ACL_ACCESS);
  const isDir = (node.mode & S_IFMT) === S_IFDIR;
  const inherited = isDir ? readAcl(fs, node, XATTR_NAME_POSIX_ACL_DEFAULT) : null;
  return access === null && inherited === null ? null : new Acls(access, inherited);
}

function readAcl(fs: HostRootFs, node: HostNode, name: string): Acl | null {
  const value = fs.tree.getxattr(node, name);
  if (value === -ENODATA) return null;
  const acl = failed(value) ? value : decodeAcl(value);
  if (acl === null) return null;
  return failed(acl) || !validAcl(acl) ? NOBODY : acl;
}

/** May a clean inode go, now that no name of it is cached and nobody has it open? */
function idle(i: Inode): boolean {
  return i.watches === null && (i.locks === null || i.locks.empty) && i.writers === 0;
}

class HostFile extends MemFile implements PageSource, DonatedFile {
  readonly node: HostNode;
  private kept = false;
  /** The host was asked for the file's capabilities. */
  private askedCaps = false;
  /** May the host's file be mapped? Asked once. */
  private mappable: boolean | null = null;

  constructor(fs: HostRootFs, node: HostNode) {
    super(fs, node.mode, fs.inoOf(node.dev, node.ino));
    this.node = node;
    copyAttributes(this, node);
    this.acls = UNREAD_ACLS;
    this.mayHaveCaps = true;
  }

  private get tree(): HostTree {
    return (this.fs as HostRootFs).tree;
  }

  protected override content(): PageCache {
    return (this.pages ??= new PageCache(this.fs.memfile, this.size, this, this.fs.quota));
  }

  /** Of the host's attributes the capabilities count: what a program may do is part of it, as its mode is. */
  protected override attributes(): Map<string, Uint8Array> | null {
    if (!this.askedCaps) {
      this.askedCaps = true;
      const caps = this.tree.getxattr(this.node, XATTR_NAME_CAPS);
      if (failed(caps)) this.mayHaveCaps = false;
      else (this.xattrs ??= new Map()).set(XATTR_NAME_CAPS, caps);
    }
    return this.xattrs;
  }

  override open(ctx: VfsContext, flags: number): File | number {
    // Offsets in it would be rounded.
    if (this.size > MAX_FILE_SIZE) return -EOVERFLOW;
    // What the host denies the Sentry it denies the guest, unless the guest has replaced all of it.
    if (!this.kept) {
      const r = this.tree.checkRead(this.node);
      if (r < 0) return r;
    }
    return super.open(ctx, flags);
  }

  override refresh(ctx: VfsContext): number {
    return this.kept ? super.refresh(ctx) : 0;
  }

  override readAcls(): Acls | null {
    return readAcls(this.fs as HostRootFs, this.node);
  }

  override wrote(): void {
    this.kept = true;
  }

  /** PageSource: one page. */
  fill(index: number, frame: number): number {
    return this.fillRun(index, frame, 1);
  }

  /** PageSource: reads consecutive pages straight into their frames. */
  fillRun(index: number, frame: number, pages: number): number {
    const memfile = this.fs.memfile;
    const off = index * PAGE_SIZE;
    // Bytes that the host file got since it was looked at are not part of it here.
    const want = Math.min(pages * PAGE_SIZE, this.node.size - off);
    let done = 0;
    while (done < want) {
      const n = this.tree.pread(this.node, memfile.hostAddr(frame) + done, want - done, off + done);
      if (n < 0) return -EIO;
      if (n === 0) break;
      done += n;
    }
    return 0;
  }

  /** PageSource: this file's own descriptor, as DonatedFile. */
  donate(): DonatedFile | null {
    this.mappable ??= this.tree.canMap(this.node);
    return this.mappable ? this : null;
  }

  hostFd(): number {
    return this.tree.descriptor(this.node);
  }

  override forget(): void {
    if (this.kept || !idle(this)) return;
    if (this.pages !== null) {
      this.pages.drop();
      this.pages = null;
      this.account();
    }
    (this.fs as HostRootFs).drop(this.node);
  }

  override evict(): void {
    super.evict();
    (this.fs as HostRootFs).drop(this.node);
  }
}

class HostSymlink extends MemInode {
  readonly node: HostNode;
  private kept = false;
  private text: string | null = null;

  constructor(fs: HostRootFs, node: HostNode) {
    super(fs, fs.inoOf(node.dev, node.ino), node.mode);
    this.node = node;
    copyAttributes(this, node);
  }

  override open(): File | number {
    return -EINVAL;
  }

  override readlink(): string | number {
    if (this.text === null) {
      const text = (this.fs as HostRootFs).tree.readlink(this.node);
      if (typeof text === 'number') return text;
      this.text = text;
    }
    return this.text;
  }

  override wrote(): void {
    this.kept = true;
  }

  override forget(): void {
    if (!this.kept && idle(this)) (this.fs as HostRootFs).drop(this.node);
  }

  override evict(): void {
    super.evict();
    (this.fs as HostRootFs).drop(this.node);
  }
}

/** A device, socket or FIFO of the host: shown, never opened. */
class HostSpecial extends MemInode {
  readonly node: HostNode;
  private kept = false;

  constructor(fs: HostRootFs, node: HostNode) {
    super(fs, fs.inoOf(node.dev, node.ino), node.mode);
    this.node = node;
    copyAttributes(this, node);
    this.acls = UNREAD_ACLS;
  }

  /** True: opening must not reach the guest's own drivers (vfs/devices.ts). */
  override get inert(): boolean {
    return true;
  }

  override open(): File | number {
    return -ENXIO;
  }

  override readAcls(): Acls | null {
    return readAcls(this.fs as HostRootFs, this.node);
  }

  override wrote(): void {
    this.kept = true;
  }

  override forget(): void {
    if (!this.kept && idle(this)) (this.fs as HostRootFs).drop(this.node);
  }

  override evict(): void {
    super.evict();
    (this.fs as HostRootFs).drop(this.node);
  }
}

class HostDir extends MemDir {
  readonly node: HostNode;
  private kept = false;
  /** Names of the host directory that the guest removed, renamed or replaced. */
  private readonly gone: Set<string> = new Set();
  /** The host's names, read at the first listing. */
  private names: HostEntry[] | null = null;
  /** The same in getdents64's format, made at the second. */
  private records: DirRecords | null = null;

  constructor(fs: HostRootFs, node: HostNode) {
    super(fs, node.mode, fs.inoOf(node.dev, node.ino));
    this.node = node;
    copyAttributes(this, node);
    this.acls = UNREAD_ACLS;
    if (this.nlink < 2) this.nlink = 2;
    this.nextCookie = UPPER_COOKIE;
  }

  override lookup(ctx: VfsContext, name: string): Inode | number {
    const own = super.lookup(ctx, name);
    if (own !== -ENOENT || this.gone.has(name)) return own;
    const fs = this.fs as HostRootFs;
    const node = fs.tree.lookup(this.node, name);
    return failed(node) ? node : fs.inodeOf(node);
  }

  protected override take(name: string): void {
    if (this.entries.has(name)) super.take(name);
    else this.gone.add(name);
  }

  protected override checkEmpty(_ctx: VfsContext): number {
    if (this.entries.size > 0) return -ENOTEMPTY;
    const names = this.hostNames();
    if (failed(names)) return names;
    for (const e of names) if (!this.gone.has(e.name)) return -ENOTEMPTY;
    return 0;
  }

  private hostNames(): HostEntry[] | number {
    if (this.names === null) {
      const names = (this.fs as HostRootFs).tree.readdir(this.node);
      if (failed(names)) return names;
      this.names = names;
    }
    return this.names;
  }

  override readdir(ctx: VfsContext, from: number, sink: DirSink): number {
    if (from < UPPER_COOKIE) {
      const again = this.names !== null;
      const names = this.hostNames();
      if (failed(names)) return names;
      const fs = this.fs as HostRootFs;
      if (again && this.gone.size === 0 && this.entries.size === 0) {
        this.records ??= this.recordsOf(ctx, names);
        if (sink.emitRecords(this.records, Math.min(Math.max(0, from - 2), names.length)) >= 0) return 0;
      }
      for (let i = Math.max(0, from - 2); i < names.length; i++) {
        const e = names[i]!;
        if (this.gone.has(e.name) || this.entries.has(e.name)) continue;
        if (!sink.emit(e.name, fs.inoOf(this.node.dev, e.ino), this.typeOf(ctx, e), i + 3)) return 0;
      }
    }
    return super.readdir(ctx, from, sink);
  }

  private recordsOf(ctx: VfsContext, names: readonly HostEntry[]): DirRecords {
    const fs = this.fs as HostRootFs;
    let bytes = 0;
    for (const e of names) bytes += e.name.length;
    const records = new DirRecords(names.length, bytes);
    for (const [i, e] of names.entries())
      records.add(e.name, fs.inoOf(this.node.dev, e.ino), this.typeOf(ctx, e), i + 3);
    return records;
  }

  private typeOf(ctx: VfsContext, entry: HostEntry): number {
    if (entry.type !== DT_UNKNOWN) return entry.type;
    const inode = this.lookup(ctx, entry.name);
    return failed(inode) ? DT_UNKNOWN : direntType(inode.mode);
  }

  override readAcls(): Acls | null {
    return readAcls(this.fs as HostRootFs, this.node);
  }

  override wrote(): void {
    this.kept = true;
  }

  override forget(): void {
    if (this.kept || !idle(this)) return;
    this.names = null;
    this.records = null;
    (this.fs as HostRootFs).drop(this.node);
  }

  override evict(): void {
    super.evict();
    (this.fs as HostRootFs).drop(this.node);
  }
}
