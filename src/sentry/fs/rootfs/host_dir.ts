// HostDir: a directory of the host. Names of the host are looked up when they are asked for; those that the guest made lie
// over them, and those that it removed are remembered.

import { ENOENT, ENOSPC, ENOTEMPTY } from '../../../abi/errno.ts';
import { RENAME_EXCHANGE } from '../../../abi/fs/fs.ts';
import type { U64 } from '../../../abi/u64.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { failed } from '../../base/errno.ts';
import { type Acls, UNREAD_ACLS } from '../../vfs/acl.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DirRecords } from '../../vfs/dir_records.ts';
import { DT_UNKNOWN, direntType } from '../../vfs/dirent.ts';
import type { DirSink, Inode } from '../../vfs/inode.ts';
import { MemDir } from '../../vfs/mem/mem_dir.ts';
import type { MemFs } from '../../vfs/mem/mem_fs.ts';
import { ENTRY_BYTES, type MemInode } from '../../vfs/mem/mem_inode.ts';
import { copyAttributes, idle, readAcls } from './attributes.ts';
import type { HostEntry, HostNode, HostTree } from './hosttree.ts';

/** Cookies of names that the guest made, behind those of the host. */
const UPPER_COOKIE = 2 ** 32;
/** A name of a listing that is kept, beside its text, which is kept twice. */
const LISTED_BYTES = 160;

/** What directories need of their file system (rootfs.ts). */
export interface HostDirFs extends MemFs {
  readonly tree: HostTree;
  /** Directories whose listings are kept. */
  readonly listings: Set<HostDir>;
  /** The number that an object has inside. */
  inoOf(dev: U64, ino: U64): U64;
  inodeOf(node: HostNode): Inode;
  /** Has a listing of `bytes` counted; 0 or -errno. */
  payListing(dir: HostDir, bytes: number): number;
  /** An inode that is kept in memory from now on, on the account of who changes it. */
  keepChanged(inode: MemInode, node: HostNode): void;
  /** An object that nobody uses any more: its inode may go. */
  drop(inode: Inode, node: HostNode): void;
}

export class HostDir extends MemDir {
  readonly node: HostNode;
  private kept = false;
  /** Names of the host directory that the guest removed, renamed or replaced, and who pays for that. */
  private readonly gone: Map<string, Account> = new Map();
  /** The host's names, read at the first listing. */
  private names: HostEntry[] | null = null;
  /** The same in getdents64's format, made at the second. */
  private records: DirRecords | null = null;
  /** What both take. */
  listed: { readonly payer: Account; readonly bytes: number } | null = null;

  constructor(fs: HostDirFs, node: HostNode) {
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
    const fs = this.fs as HostDirFs;
    const node = fs.tree.lookup(this.node, name);
    return failed(node) ? node : fs.inodeOf(node);
  }

  /** The guest removed, renamed or replaced the host's `name`. */
  lost(name: string): boolean {
    return this.gone.has(name);
  }

  /** Names of the host that are gone and have no other object in their place. */
  *removed(): IterableIterator<string> {
    for (const name of this.gone.keys()) if (!this.entries.has(name)) yield name;
  }

  protected override take(name: string): void {
    if (this.entries.has(name)) super.take(name);
    else this.gone.set(name, kernelMemory.take(ENTRY_BYTES + name.length));
  }

  override payBack(): void {
    super.payBack();
    for (const [name, payer] of this.gone) kernelMemory.give(payer, ENTRY_BYTES + name.length);
    this.gone.clear();
  }

  /** There is memory to remember that `name` is gone: 0, or -ENOSPC. */
  private roomToRemove(name: string): number {
    if (this.entries.has(name)) return 0;
    return (this.fs as HostDirFs).hasRoom(ENTRY_BYTES + name.length) ? 0 : -ENOSPC;
  }

  override unlink(ctx: VfsContext, name: string, victim: Inode): number {
    const r = this.roomToRemove(name);
    return r < 0 ? r : super.unlink(ctx, name, victim);
  }

  override rmdir(ctx: VfsContext, name: string, victim: Inode): number {
    const r = this.roomToRemove(name);
    return r < 0 ? r : super.rmdir(ctx, name, victim);
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
    let r = this.roomToRemove(name);
    if (r === 0 && (flags & RENAME_EXCHANGE) !== 0 && newDir instanceof HostDir)
      r = newDir.roomToRemove(newName);
    return r < 0 ? r : super.rename(ctx, name, victim, newDir, newName, replaced, flags);
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
      const names = (this.fs as HostDirFs).tree.readdir(this.node);
      if (failed(names)) return names;
      let bytes = 0;
      for (const e of names) bytes += LISTED_BYTES + 2 * e.name.length;
      const r = (this.fs as HostDirFs).payListing(this, bytes);
      if (r < 0) return r;
      this.names = names;
    }
    return this.names;
  }

  override readdir(ctx: VfsContext, from: number, sink: DirSink): number {
    if (from < UPPER_COOKIE) {
      const again = this.names !== null;
      const names = this.hostNames();
      if (failed(names)) return names;
      const fs = this.fs as HostDirFs;
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
    const fs = this.fs as HostDirFs;
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
    return readAcls((this.fs as HostDirFs).tree, this.node);
  }

  protected override roomToChange(): number {
    return this.kept || this.fs.hasRoom(0) ? 0 : -ENOSPC;
  }

  override wrote(): void {
    if (this.kept) return;
    this.kept = true;
    (this.fs as HostDirFs).keepChanged(this, this.node);
  }

  override forget(): void {
    if (this.kept || !idle(this)) return;
    this.forgetListing();
    (this.fs as HostDirFs).drop(this, this.node);
  }

  /** The listing is read again when it is asked for: the host's tree stands still. */
  forgetListing(): void {
    this.names = null;
    this.records = null;
    if (this.listed === null) return;
    kernelMemory.give(this.listed.payer, this.listed.bytes);
    this.listed = null;
    (this.fs as HostDirFs).listings.delete(this);
  }

  override evict(): void {
    this.forgetListing();
    super.evict();
    (this.fs as HostDirFs).drop(this, this.node);
  }
}
