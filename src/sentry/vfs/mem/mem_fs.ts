// MemFs: a file system whose new inodes live in memory, with limits: tmpfs, and the writable side of rootfs.

import { ENOSPC } from '../../../abi/errno.ts';
import { S_IFDIR, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import { NAME_MAX } from '../../../abi/limits.ts';
import { kernelMemory } from '../../base/charge.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { PageQuota } from '../../memfile/pagecache.ts';
import { inheritAcl } from '../acl.ts';
import type { VfsContext } from '../context.ts';
import { FileSystem } from '../filesystem.ts';
import type { Inode } from '../inode.ts';
import { initOwner } from '../permission.ts';
import { stampBirth } from '../times.ts';
import { MemDir } from './mem_dir.ts';
import { MemFile } from './mem_file.ts';
import { ENTRY_BYTES, INODE_BYTES, type MemInode } from './mem_inode.ts';
import { MemSpecial, MemSymlink, SHORT_SYMLINK_LEN } from './mem_special.ts';

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
