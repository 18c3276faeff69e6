// Inodes that live in memory, shared by tmpfs and the writable side of rootfs: directories of entries in order of
// creation, regular files over page caches, symbolic links, special files, and extended attributes.

import {
  EEXIST,
  EFBIG,
  EINVAL,
  ENODATA,
  ENOENT,
  ENOSPC,
  ENOTEMPTY,
  EOPNOTSUPP,
  EPERM,
} from '../../abi/errno.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE } from '../../abi/fs/falloc.ts';
import { F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_WRITE } from '../../abi/fs/fcntl.ts';
import { RENAME_EXCHANGE } from '../../abi/fs/fs.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../abi/fs/stat.ts';
import { XATTR_CREATE, XATTR_NAME_CAPS, XATTR_REPLACE } from '../../abi/fs/xattr.ts';
import { NAME_MAX } from '../../abi/limits.ts';
import type { U64 } from '../../abi/u64.ts';
import { type Account, fileMemory, kernelMemory } from '../base/charge.ts';
import { PAGE_SIZE } from '../base/page.ts';
import type { MemoryFile } from '../memfile/memfile.ts';
import { PageCache, PageQuota } from '../memfile/pagecache.ts';
import { chmodAcl, inheritAcl } from './acl.ts';
import { aclNames, getAcl, isAclName, setAcl } from './acl_attr.ts';
import { applyAttr } from './attr.ts';
import type { VfsContext } from './context.ts';
import { direntType } from './dirent.ts';
import { openDir } from './dirfile.ts';
import type { File } from './file.ts';
import { FileSystem } from './filesystem.ts';
import { type DirSink, Inode, type SetAttr } from './inode.ts';
import { initOwner } from './permission.ts';
import { RegularFile, writableLength } from './regularfile.ts';
import { stampBirth, stampChange, stampModify } from './times.ts';

/** Most bytes that the extended attributes of one inode may hold, names included. */
const XATTR_ROOM = 256 * 1024;
/** From this many bytes on a symbolic link's text takes a block, as in tmpfs. */
const SHORT_SYMLINK_LEN = 128;
/** What a directory entry adds to its directory's size, as tmpfs counts. */
const DIRENT_SIZE = 20;
/** What the kernel keeps of an inode, an entry and an attribute beside their texts. */
const INODE_BYTES = 1024;
export const ENTRY_BYTES = 256;
const XATTR_BYTES = 256;

/**
 * Most inodes that one file system keeps in memory, whatever its options say: they are objects of the kernel's own heap,
 * about a kilobyte each with their name.
 */
export const MAX_INODES: number = 1 << 20;

/** A file system whose new inodes live in memory, with limits. */
export abstract class MemFs extends FileSystem {
  readonly memfile: MemoryFile;
  /** Content pages of all files. */
  readonly quota: PageQuota = new PageQuota();
  maxInodes: number = MAX_INODES;
  usedInodes = 0;

  constructor(name: string, magic: number, memfile: MemoryFile) {
    super(name, magic);
    this.memfile = memfile;
  }

  /** A new inode of any type but directory and link, or -ENOSPC. */
  newNode(ctx: VfsContext, dir: Inode | null, mode: number, rdev: number): Inode | number {
    if (!this.hasRoom(NAME_MAX)) return -ENOSPC;
    const inode = (mode & S_IFMT) === S_IFREG ? new MemFile(this, mode) : new MemSpecial(this, mode, rdev);
    return this.born(ctx, dir, inode);
  }

  newDir(ctx: VfsContext, dir: Inode | null, mode: number): Inode | number {
    if (!this.hasRoom(NAME_MAX)) return -ENOSPC;
    return this.born(ctx, dir, new MemDir(this, S_IFDIR | (mode & 0o7777)));
  }

  newSymlink(ctx: VfsContext, dir: Inode | null, target: string): Inode | number {
    const blocks = target.length >= SHORT_SYMLINK_LEN ? 1 : 0;
    if (!this.hasRoom(NAME_MAX + target.length) || this.quota.room < blocks) return -ENOSPC;
    this.quota.used += blocks;
    const inode = new MemSymlink(this, target);
    inode.pay(target.length);
    return this.born(ctx, dir, inode);
  }

  /** An inode of a lower file system is kept in memory from now on, on the account of who changes it. */
  keep(inode: MemInode): void {
    this.usedInodes++;
    inode.pay(INODE_BYTES);
  }

  /** For one more inode whose texts take `bytes`. */
  hasRoom(bytes: number): boolean {
    return this.usedInodes < this.maxInodes && kernelMemory.fits(INODE_BYTES + ENTRY_BYTES + bytes);
  }

  private born(ctx: VfsContext, dir: Inode | null, inode: MemInode): Inode {
    this.usedInodes++;
    inode.pay(INODE_BYTES);
    if (dir !== null) {
      initOwner(ctx, dir, inode);
      inheritAcl(dir, inode);
    } else {
      inode.uid = ctx.cred.fsuid;
      inode.gid = ctx.cred.fsgid;
    }
    stampBirth(ctx, inode);
    return inode;
  }
}

/** Bytes that somebody pays for. */
interface Paid {
  readonly payer: Account;
  readonly bytes: number;
}

/** Attributes and extended attributes in memory. */
export abstract class MemInode extends Inode {
  declare readonly fs: MemFs;
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

/** One entry of a directory; `cookie` is its place in listings. */
export class MemEntry {
  readonly inode: Inode;
  readonly cookie: number;
  readonly payer: Account;
  constructor(inode: Inode, cookie: number, payer: Account) {
    this.inode = inode;
    this.cookie = cookie;
    this.payer = payer;
  }
}

export class MemDir extends MemInode {
  protected readonly entries: Map<string, MemEntry> = new Map();
  /** Cookie of the next entry; 0 and 1 are "." and "..". */
  protected nextCookie = 2;
  /** The listing that was cut short last: the cookie that it goes on with, that entry, and those behind it. */
  private listing: {
    readonly from: number;
    readonly left: Iterator<[string, MemEntry]>;
    readonly next: IteratorResult<[string, MemEntry]>;
  } | null = null;

  constructor(fs: MemFs, mode: number, ino: U64 = fs.nextIno()) {
    super(fs, ino, mode);
    this.nlink = 2;
    this.size = 2 * DIRENT_SIZE;
  }

  override open(_ctx: VfsContext, flags: number): File | number {
    return openDir(this, flags);
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.entries.get(name)?.inode ?? -ENOENT;
  }

  /** Adds an entry, which is not there yet. */
  protected put(name: string, inode: Inode): void {
    const payer = kernelMemory.take(ENTRY_BYTES + name.length);
    this.entries.set(name, new MemEntry(inode, this.nextCookie++, payer));
  }

  /** Removes an entry. */
  protected take(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    kernelMemory.give(entry.payer, ENTRY_BYTES + name.length);
    this.entries.delete(name);
  }

  override payBack(): void {
    super.payBack();
    for (const [name, entry] of this.entries) kernelMemory.give(entry.payer, ENTRY_BYTES + name.length);
    this.entries.clear();
  }

  /** Every inode below it, directories before what they hold; one with several names comes as often. */
  *inodesBelow(): IterableIterator<Inode> {
    const todo: MemDir[] = [this];
    for (let dir = todo.pop(); dir !== undefined; dir = todo.pop()) {
      for (const { inode } of dir.entries.values()) {
        yield inode;
        if (inode instanceof MemDir) todo.push(inode);
      }
    }
  }

  /** 0, or -ENOTEMPTY. */
  protected checkEmpty(_ctx: VfsContext): number {
    return this.entries.size === 0 ? 0 : -ENOTEMPTY;
  }

  private add(ctx: VfsContext, name: string, inode: Inode | number): Inode | number {
    if (typeof inode === 'number') return inode;
    this.put(name, inode);
    this.size += DIRENT_SIZE;
    if ((inode.mode & S_IFMT) === S_IFDIR) this.nlink++;
    stampModify(ctx, this);
    this.wrote();
    return inode;
  }

  private drop(ctx: VfsContext, name: string, inode: Inode): void {
    this.take(name);
    this.size -= DIRENT_SIZE;
    if ((inode.mode & S_IFMT) === S_IFDIR) this.nlink--;
    stampModify(ctx, this);
    this.wrote();
  }

  override create(ctx: VfsContext, name: string, mode: number, rdev: number): Inode | number {
    if (this.nlink === 0) return -ENOENT;
    return this.add(ctx, name, this.fs.newNode(ctx, this, mode, rdev));
  }

  override tmpfile(ctx: VfsContext, mode: number): Inode | number {
    const inode = this.fs.newNode(ctx, this, mode, 0);
    if (typeof inode !== 'number') inode.nlink = 0;
    return inode;
  }

  override mkdir(ctx: VfsContext, name: string, mode: number): Inode | number {
    if (this.nlink === 0) return -ENOENT;
    return this.add(ctx, name, this.fs.newDir(ctx, this, mode));
  }

  override symlink(ctx: VfsContext, name: string, target: string): Inode | number {
    if (this.nlink === 0) return -ENOENT;
    return this.add(ctx, name, this.fs.newSymlink(ctx, this, target));
  }

  override link(ctx: VfsContext, name: string, target: Inode): number {
    if (this.nlink === 0) return -ENOENT;
    if (!kernelMemory.fits(ENTRY_BYTES + name.length)) return -ENOSPC;
    target.nlink++;
    target.linkable = false;
    stampChange(ctx, target);
    target.wrote();
    this.add(ctx, name, target);
    return 0;
  }

  override unlink(ctx: VfsContext, name: string, victim: Inode): number {
    this.drop(ctx, name, victim);
    (victim as MemInode).dropLink(ctx);
    return 0;
  }

  override rmdir(ctx: VfsContext, name: string, victim: Inode): number {
    const r = (victim as MemDir).checkEmpty(ctx);
    if (r < 0) return r;
    this.drop(ctx, name, victim);
    victim.nlink = 0;
    stampChange(ctx, victim);
    victim.wrote();
    return 0;
  }

  override rename(
    ctx: VfsContext,
    name: string,
    victim: Inode,
    newDir: Inode,
    newName: string,
    replaced: Inode | null,
    flags: number,
  ): number {
    const to = newDir as MemDir;
    if (to.nlink === 0) return -ENOENT;
    if (replaced !== null && (flags & RENAME_EXCHANGE) !== 0) {
      this.drop(ctx, name, victim);
      to.drop(ctx, newName, replaced);
      this.add(ctx, name, replaced);
      to.add(ctx, newName, victim);
      stampChange(ctx, replaced);
      replaced.wrote();
    } else {
      if (replaced !== null) {
        const r =
          (replaced.mode & S_IFMT) === S_IFDIR
            ? to.rmdir(ctx, newName, replaced)
            : to.unlink(ctx, newName, replaced);
        if (r < 0) return r;
      }
      this.drop(ctx, name, victim);
      to.add(ctx, newName, victim);
    }
    stampChange(ctx, victim);
    victim.wrote();
    return 0;
  }

  override readdir(_ctx: VfsContext, from: number, sink: DirSink): number {
    // A listing in parts goes on where its last part ended: to look for the place again would make it quadratic.
    const resumed = this.listing !== null && this.listing.from === from ? this.listing : null;
    const left = resumed?.left ?? this.entries.entries();
    this.listing = null;
    for (let at = resumed?.next ?? left.next(); at.done !== true; at = left.next()) {
      const [name, e] = at.value;
      if (e.cookie < from || this.entries.get(name) !== e) continue;
      if (sink.emit(name, e.inode.ino, direntType(e.inode.mode), e.cookie + 1)) continue;
      this.listing = { from: e.cookie, left, next: at };
      return 0;
    }
    return 0;
  }
}

/** Pages that one slice of fallocate(2) makes present: see kernel/task/block.ts. */
const RESERVE_STEP = 512;

export class MemFile extends MemInode {
  /** Pages of this file that somebody pays for. */
  private accounted = 0;
  private filePayer: Account | null = null;

  constructor(fs: MemFs, mode: number, ino: U64 = fs.nextIno()) {
    super(fs, ino, mode);
  }

  /** The content, made when first needed. */
  protected content(): PageCache {
    return (this.pages ??= new PageCache(this.fs.memfile, 0, null, this.fs.quota));
  }

  override open(_ctx: VfsContext, flags: number): File | number {
    this.content();
    return new RegularFile(this, flags);
  }

  override refresh(_ctx: VfsContext): number {
    this.account();
    return 0;
  }

  /** Brings the block count up to date with what reads, writes and faults did. */
  protected account(): void {
    const pages = this.pages === null ? 0 : this.pages.pages;
    this.count(pages - this.accounted);
    this.blocks = pages * (PAGE_SIZE / 512);
  }

  override prepareWrite(_ctx: VfsContext, off: number, len: number): number {
    this.account();
    const first = Math.floor(off / PAGE_SIZE);
    const end = Math.ceil((off + len) / PAGE_SIZE);
    // Only pages that are not there yet need room. They count from now on, so that a file written once does too.
    let need = 0;
    let at = first;
    for (; at < end; at++) {
      if (this.pages !== null && this.pages.peek(at) >= 0) continue;
      if (!this.hasRoom(need + 1)) break;
      need++;
    }
    this.count(need);
    if (at === end) return len;
    return at === first ? -ENOSPC : at * PAGE_SIZE - off;
  }

  private hasRoom(pages: number): boolean {
    const payer = this.filePayer ?? fileMemory.current;
    return pages <= this.fs.quota.room && fileMemory.fits(pages * PAGE_SIZE, payer);
  }

  /** Counts `pages` more, or fewer. Who wrote to it first pays for all. */
  private count(pages: number): void {
    if (pages === 0) return;
    this.accounted += pages;
    this.filePayer = fileMemory.take(pages * PAGE_SIZE, this.filePayer ?? fileMemory.current);
  }

  override truncate(ctx: VfsContext, size: number): number {
    const pages = this.content();
    if (size > this.size) {
      if ((this.seals & F_SEAL_GROW) !== 0) return -EPERM;
      if (
        writableLength(ctx, size, 0) < 0 ||
        writableLength(ctx, this.size, size - this.size) !== size - this.size
      )
        return -EFBIG;
    } else if (size < this.size && (this.seals & F_SEAL_SHRINK) !== 0) return -EPERM;
    pages.truncate(size);
    this.size = size;
    this.account();
    stampModify(ctx, this);
    this.wrote();
    return 0;
  }

  override fallocate(ctx: VfsContext, mode: number, off: number, len: number, done: number): number {
    const keep = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0)
      return -EOPNOTSUPP;
    const pages = this.content();
    const punch = (mode & FALLOC_FL_PUNCH_HOLE) !== 0;
    const zero = (mode & FALLOC_FL_ZERO_RANGE) !== 0;
    if (punch && (!keep || zero)) return -EOPNOTSUPP;
    if (punch || zero) {
      if ((this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
    }
    const end = off + len;
    if (!punch && !keep && end > this.size) {
      if ((this.seals & F_SEAL_GROW) !== 0) return -EPERM;
      if (writableLength(ctx, this.size, end - this.size) !== end - this.size) return -EFBIG;
    }
    let r = 0;
    if ((punch || zero) && done === 0) r = pages.punchHole(off, len);
    if (r === 0) r = punch ? len : this.reserve(pages, off, len, keep, done);
    this.account();
    if (r < 0) return r;
    this.size = pages.size;
    stampModify(ctx, this);
    this.wrote();
    return r;
  }

  /** Makes pages of a range present, of which `done` bytes are: how many bytes are then, or -ENOSPC. */
  private reserve(pages: PageCache, off: number, len: number, keep: boolean, done: number): number {
    const first = Math.floor(off / PAGE_SIZE);
    const to = keep ? Math.min(off + len, Math.max(pages.size, off)) : off + len;
    const last = Math.ceil(to / PAGE_SIZE);
    if (done === 0) {
      // All of it or nothing.
      this.account();
      const need = Math.max(0, last - first - pages.presentIn(first, last));
      const free = this.fs.memfile.limitPages - this.fs.memfile.usedPages;
      if (need > free || !this.hasRoom(need)) return -ENOSPC;
    }
    const from = Math.floor((off + done) / PAGE_SIZE);
    // What comes from a file of the host has to be read.
    const upTo = Math.min(last, from + (pages.source === null ? RESERVE_STEP : RESERVE_STEP / 8));
    const whole = upTo === last;
    const end = whole ? off + len : upTo * PAGE_SIZE;
    if (!keep && end > pages.size) pages.truncate(end);
    if (upTo > from && pages.ensure(from, upTo - from) < 0) return -ENOSPC;
    return whole ? len : end - off;
  }

  override evict(): void {
    if (this.pages !== null) {
      this.pages.drop();
      this.account();
      this.pages = null;
    }
    super.evict();
  }
}

export class MemSymlink extends MemInode {
  private readonly target: string;

  constructor(fs: MemFs, target: string) {
    super(fs, fs.nextIno(), S_IFLNK | 0o777);
    this.target = target;
    this.size = target.length;
    if (target.length >= SHORT_SYMLINK_LEN) this.blocks = PAGE_SIZE / 512;
  }

  override open(): File | number {
    return -EINVAL;
  }

  override readlink(): string | number {
    return this.target;
  }

  override evict(): void {
    if (this.blocks > 0) this.fs.quota.used--;
    super.evict();
  }
}

/** A FIFO, socket or device node: opening goes through vfs/devices.ts. */
export class MemSpecial extends MemInode {
  constructor(fs: MemFs, mode: number, rdev: number) {
    super(fs, fs.nextIno(), mode);
    this.rdev = rdev;
  }

  override open(): File | number {
    return -EINVAL;
  }
}
