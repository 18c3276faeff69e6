// HostRootFs: a host directory as the guest's file system. What the host has is read lazily through a HostTree and never
// written; whatever the guest changes lives in memory, over it.
//
// Inodes of host objects are found by (device, inode number), so that hard links share one. A clean inode goes when the
// dentry cache lets go of its last name; from its first change on it stays ("kept").
// The tree is taken to stand still: attributes and names of the host are read once per cached inode.

import { EINVAL, EIO, ENOMEM, ENOSPC, ENXIO, EOVERFLOW } from '../../../abi/errno.ts';
import { OVERLAYFS_SUPER_MAGIC } from '../../../abi/fs/magic.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import { XATTR_NAME_CAPS } from '../../../abi/fs/xattr.ts';
import type { U64 } from '../../../abi/u64.ts';
import { kernelMemory } from '../../base/charge.ts';
import { failed } from '../../base/errno.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import type { DonatedFile } from '../../memfile/mappable.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { PageCache, type PageSource } from '../../memfile/pagecache.ts';
import { type Acls, UNREAD_ACLS } from '../../vfs/acl.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { StatFs } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import { MemFile } from '../../vfs/mem/mem_file.ts';
import { MemFs } from '../../vfs/mem/mem_fs.ts';
import { ENTRY_BYTES, MemInode } from '../../vfs/mem/mem_inode.ts';
import { MAX_FILE_SIZE } from '../../vfs/regularfile.ts';
import { copyAttributes, idle, readAcls } from './attributes.ts';
import { type HiddenFiles, NOTHING_HIDDEN } from './hidden.ts';
import { HostDir } from './host_dir.ts';
import type { HostNode, HostTree } from './hosttree.ts';
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
  /** Directories that keep a listing, the oldest first. */
  readonly listings: Set<HostDir> = new Set();
  /** What the guest has changed of the host's objects, and their places in the host's tree. */
  readonly changed: Map<Inode, HostNode> = new Map();

  constructor(memfile: MemoryFile, tree: HostTree) {
    super('overlay', OVERLAYFS_SUPER_MAGIC, memfile);
    this.tree = tree;
    this.devices.set(tree.root.dev, 0);
    this.top = new HostDir(this, tree.root);
    this.inodes.set(keyOf(tree.root.dev, tree.root.ino), this.top);
  }

  /** Shows the host directory `hostPath` (byte string, absolute), or of it `only` that name; -errno when it cannot be opened. */
  static create(
    memfile: MemoryFile,
    hostPath: string,
    hidden: HiddenFiles = NOTHING_HIDDEN,
    only = '',
  ): HostRootFs | number {
    const tree = LocalHostTree.create(hostPath, hidden, only);
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
      kernelMemory.take(ENTRY_BYTES);
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

  /** Counts a listing of `bytes` that `dir` keeps from now on; older ones of the same user may have to go. -ENOMEM. */
  payListing(dir: HostDir, bytes: number): number {
    const { current } = kernelMemory;
    for (const old of this.listings) {
      if (kernelMemory.fits(bytes)) break;
      if (old.listed?.payer === current) old.forgetListing();
    }
    if (!kernelMemory.fits(bytes)) return -ENOMEM;
    dir.listed = { payer: kernelMemory.take(bytes), bytes };
    this.listings.add(dir);
    return 0;
  }

  /** A host object's inode that is in use, or changed; null when there is none. */
  known(node: HostNode): Inode | null {
    return this.inodes.get(keyOf(node.dev, node.ino)) ?? null;
  }

  /** The inode of `node` is kept in memory from now on. */
  keepChanged(inode: MemInode, node: HostNode): void {
    this.keep(inode);
    this.changed.set(inode, node);
  }

  /** An inode that is used no more. */
  drop(inode: Inode, node: HostNode): void {
    this.inodes.delete(keyOf(node.dev, node.ino));
    this.changed.delete(inode);
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
    return readAcls((this.fs as HostRootFs).tree, this.node);
  }

  protected override roomToChange(): number {
    return this.kept || this.fs.hasRoom(0) ? 0 : -ENOSPC;
  }

  override wrote(): void {
    if (this.kept) return;
    this.kept = true;
    (this.fs as HostRootFs).keepChanged(this, this.node);
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
    (this.fs as HostRootFs).drop(this, this.node);
  }

  override evict(): void {
    super.evict();
    (this.fs as HostRootFs).drop(this, this.node);
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

  protected override roomToChange(): number {
    return this.kept || this.fs.hasRoom(0) ? 0 : -ENOSPC;
  }

  override wrote(): void {
    if (this.kept) return;
    this.kept = true;
    (this.fs as HostRootFs).keepChanged(this, this.node);
  }

  override forget(): void {
    if (!this.kept && idle(this)) (this.fs as HostRootFs).drop(this, this.node);
  }

  override evict(): void {
    super.evict();
    (this.fs as HostRootFs).drop(this, this.node);
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
    return readAcls((this.fs as HostRootFs).tree, this.node);
  }

  protected override roomToChange(): number {
    return this.kept || this.fs.hasRoom(0) ? 0 : -ENOSPC;
  }

  override wrote(): void {
    if (this.kept) return;
    this.kept = true;
    (this.fs as HostRootFs).keepChanged(this, this.node);
  }

  override forget(): void {
    if (!this.kept && idle(this)) (this.fs as HostRootFs).drop(this, this.node);
  }

  override evict(): void {
    super.evict();
    (this.fs as HostRootFs).drop(this, this.node);
  }
}
