// MemSymlink and MemSpecial: symbolic links, and device nodes, FIFOs and sockets, in memory.

import { EINVAL } from '../../../abi/errno.ts';
import { S_IFLNK } from '../../../abi/fs/stat.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import type { File } from '../file.ts';
import { MemInode, type MemOwner } from './mem_inode.ts';

/** From this many bytes on a symbolic link's text takes a block, as in tmpfs. */
export const SHORT_SYMLINK_LEN = 128;

export class MemSymlink extends MemInode {
  private readonly target: string;

  constructor(fs: MemOwner, target: string) {
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
  constructor(fs: MemOwner, mode: number, rdev: number) {
    super(fs, fs.nextIno(), mode);
    this.rdev = rdev;
  }

  override open(): File | number {
    return -EINVAL;
  }
}
