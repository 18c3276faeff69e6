// DirFile: an open directory of any file system. "." and ".." come from here, the rest from the inode.

import { EISDIR, ENOENT } from '../../abi/errno.ts';
import type { U64 } from '../../abi/u64.ts';
import type { VfsContext } from './context.ts';
import type { DirRecords } from './dir_records.ts';
import { DT_DIR } from './dirent.ts';
import { File } from './file.ts';
import type { DirSink, Inode } from './inode.ts';

export class DirFile extends File implements DirSink {
  private out: DirSink | null = null;

  override get seekable(): boolean {
    return true;
  }

  override read(): number {
    return -EISDIR;
  }

  override pread(): number {
    return -EISDIR;
  }

  override fsync(_ctx: VfsContext): number {
    return 0;
  }

  /** Implements getdents64(2) on a directory: emits entries from this.pos on. 0 or -errno. */
  override readdir(ctx: VfsContext, sink: DirSink): number {
    if (this.inode.nlink === 0) return -ENOENT;
    this.out = sink;
    let r = 0;
    if (this.pos === 0 && !this.emit('.', this.inode.ino, DT_DIR, 1)) r = 1;
    if (r === 0 && this.pos === 1 && !this.emit('..', this.parentIno(), DT_DIR, 2)) r = 1;
    if (r === 0) r = this.inode.readdir(ctx, this.pos, this);
    this.out = null;
    return Math.min(r, 0);
  }

  emit(name: string, ino: U64, type: number, next: number): boolean {
    if (!this.out!.emit(name, ino, type, next)) return false;
    this.pos = next;
    return true;
  }

  emitRecords(records: DirRecords, index: number): number {
    const n = this.out!.emitRecords(records, index);
    if (n > 0) this.pos = records.next(index + n - 1);
    return n;
  }

  private parentIno(): U64 {
    if (this.path === null) return this.inode.ino;
    let { mount, dentry } = this.path;
    while (dentry === mount.root && mount.parent !== null) {
      dentry = mount.mountpoint!;
      mount = mount.parent;
    }
    return (dentry.parent ?? dentry).inode!.ino;
  }
}

/** Opens a directory inode (the open() of every directory). */
export function openDir(inode: Inode, flags: number): DirFile {
  return new DirFile(inode, flags);
}
