// MemDir: a directory in memory, its entries in order of creation.

import { ENOENT, ENOSPC, ENOTEMPTY } from '../../../abi/errno.ts';
import { RENAME_EXCHANGE } from '../../../abi/fs/fs.ts';
import { S_IFDIR, S_IFMT } from '../../../abi/fs/stat.ts';
import type { U64 } from '../../../abi/u64.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { VfsContext } from '../context.ts';
import { direntType } from '../dirent.ts';
import { openDir } from '../dirfile.ts';
import type { File } from '../file.ts';
import type { DirSink, Inode } from '../inode.ts';
import { stampChange, stampModify } from '../times.ts';
import { ENTRY_BYTES, MemInode, type MemOwner } from './mem_inode.ts';

/** What a directory entry adds to its directory's size, as tmpfs counts. */
const DIRENT_SIZE = 20;

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

  constructor(fs: MemOwner, mode: number, ino: U64 = fs.nextIno()) {
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

  /** Names and what they stand for, in order of creation. */
  *ownNames(): IterableIterator<[string, Inode]> {
    for (const [name, { inode }] of this.entries) yield [name, inode];
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
