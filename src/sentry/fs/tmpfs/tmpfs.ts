// tmpfs(5): a file system in the memory file.

import { EINVAL } from '../../../abi/errno.ts';
import { F_SEAL_SEAL } from '../../../abi/fs/fcntl.ts';
import { TMPFS_MAGIC } from '../../../abi/fs/magic.ts';
import { S_IFDIR } from '../../../abi/fs/stat.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { StatFs } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import { MemDir } from '../../vfs/mem/mem_dir.ts';
import { MemFile } from '../../vfs/mem/mem_file.ts';
import { MAX_INODES, MemFs } from '../../vfs/mem/mem_fs.ts';
import type { MemInode } from '../../vfs/mem/mem_inode.ts';
import { stampBirth } from '../../vfs/times.ts';

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** "64m" in bytes; null when it is no size. A percentage is of `whole`. */
function parseSize(text: string, whole: number): number | null {
  const m = /^([0-9]{1,15})([kmgt%]?)$/i.exec(text);
  if (m === null) return null;
  const unit = m[2]!.toLowerCase();
  return unit === '%' ? Math.floor((whole * Number(m[1])) / 100) : Number(m[1]) * UNITS[unit]!;
}

export class TmpfsFs extends MemFs {
  private readonly top: MemDir;
  /** What was asked for, for /proc/mounts. */
  private sizeBytes = 0;
  private inodeLimit = 0;

  constructor(memfile: MemoryFile, ctx: VfsContext, mode = 0o1777) {
    super('tmpfs', TMPFS_MAGIC, memfile);
    this.top = new MemDir(this, S_IFDIR | mode);
    this.usedInodes = 1;
    stampBirth(ctx, this.top);
  }

  /** A tmpfs with mount(2) options (size, nr_blocks, nr_inodes, mode, uid, gid), or -EINVAL. */
  static mount(memfile: MemoryFile, ctx: VfsContext, options: string): TmpfsFs | number {
    const fs = new TmpfsFs(memfile, ctx);
    const r = fs.apply(options, true);
    return r < 0 ? r : fs;
  }

  override get root(): Inode {
    return this.top;
  }

  private apply(options: string, fresh: boolean): number {
    for (const o of options.split(',')) {
      if (o === '') continue;
      const eq = o.indexOf('=');
      const key = eq < 0 ? o : o.slice(0, eq);
      const value = eq < 0 ? '' : o.slice(eq + 1);
      const size = parseSize(value, this.memfile.limitPages * PAGE_SIZE);
      const octal = /^[0-7]{1,4}$/.test(value);
      const decimal = /^[0-9]{1,9}$/.test(value);
      if (key === 'size' && size !== null) {
        if (!this.limitBytes(size)) return -EINVAL;
      } else if (key === 'nr_blocks' && size !== null) {
        if (!this.limitBytes(size * PAGE_SIZE)) return -EINVAL;
      } else if (key === 'nr_inodes' && size !== null) {
        if (size !== 0 && size < this.usedInodes) return -EINVAL;
        this.inodeLimit = size;
        this.maxInodes = size === 0 ? MAX_INODES : Math.min(size, MAX_INODES);
      } else if (key === 'mode' && octal) {
        if (fresh) this.top.mode = S_IFDIR | Number.parseInt(value, 8);
      } else if (key === 'uid' && decimal) {
        if (fresh) this.top.uid = Number(value);
      } else if (key === 'gid' && decimal) {
        if (fresh) this.top.gid = Number(value);
      } else return -EINVAL;
    }
    return 0;
  }

  /** False when more is in use already. */
  private limitBytes(size: number): boolean {
    if (size !== 0 && Math.ceil(size / PAGE_SIZE) < this.quota.used) return false;
    this.sizeBytes = size;
    this.quota.max = size === 0 ? Number.POSITIVE_INFINITY : Math.ceil(size / PAGE_SIZE);
    return true;
  }

  override release(): void {
    // Entries last while the tree is walked.
    for (const inode of [...this.top.inodesBelow()]) {
      if (inode.pages !== null) inode.evict();
      (inode as MemInode).payBack();
    }
    this.top.payBack();
  }

  override remount(options: string): number {
    return this.apply(options, false);
  }

  override options(): string {
    let s = '';
    if (this.sizeBytes > 0) s += `,size=${Math.ceil(this.sizeBytes / 1024)}k`;
    if (this.inodeLimit > 0) s += `,nr_inodes=${this.inodeLimit}`;
    const mode = this.top.mode & 0o7777;
    if (mode !== 0o1777) s += `,mode=${mode.toString(8)}`;
    if (this.top.uid !== 0) s += `,uid=${this.top.uid}`;
    if (this.top.gid !== 0) s += `,gid=${this.top.gid}`;
    return s;
  }

  override newNode(ctx: VfsContext, dir: Inode | null, mode: number, rdev: number): Inode | number {
    const inode = super.newNode(ctx, dir, mode, rdev);
    if (inode instanceof MemFile) {
      inode.sealable = true;
      inode.seals = F_SEAL_SEAL;
    }
    return inode;
  }

  override statfs(out: StatFs): void {
    const { max, room } = this.quota;
    const limited = max !== Number.POSITIVE_INFINITY;
    const free = this.memfile.limitPages - this.memfile.usedPages;
    out.blocks = limited ? max : this.memfile.limitPages;
    out.bfree = limited ? Math.max(0, Math.min(room, free)) : free;
    out.bavail = out.bfree;
    out.files = this.maxInodes;
    out.ffree = Math.max(0, this.maxInodes - this.usedInodes);
  }
}
