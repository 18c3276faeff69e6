// /proc/PID/mem: the memory of another process, read and written through its address space. Checked at open, as Linux
// does; an address space that is gone reads as empty.

import { EFAULT, EINVAL, EIO } from '../../../abi/errno.ts';
import { SEEK_CUR, SEEK_SET } from '../../../abi/fs/fs.ts';
import type { Io } from '../../base/io.ts';
import type { Task } from '../../kernel/task/task.ts';
import { GUEST_TOP } from '../../platform/platform.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { mmOf } from './mm_view.ts';

const CHUNK = 65536;
const chunk = new Uint8Array(CHUNK);

export class MemFile extends File {
  private readonly target: Task;
  /** An exec since the open means another address space: this file then shows nothing. */
  private readonly mm: unknown;

  constructor(inode: Inode, flags: number, target: Task) {
    super(inode, flags);
    this.target = target;
    this.mm = mmOf(target);
  }

  override get seekable(): boolean {
    return true;
  }

  override lseek(_ctx: VfsContext, off: number, whence: number): number {
    if (whence !== SEEK_SET && whence !== SEEK_CUR) return -EINVAL;
    const to = whence === SEEK_SET ? off : this.pos + off;
    // Linux takes addresses with the top bit set too. Nothing is there, and a negative result would mean something else.
    if (to < 0 || to > Number.MAX_SAFE_INTEGER) return -EINVAL;
    this.pos = to;
    return to;
  }

  override pread(_ctx: VfsContext, io: Io, off: number): number {
    return this.transfer(io, off, false);
  }

  override pwrite(_ctx: VfsContext, io: Io, off: number): number {
    return this.transfer(io, off, true);
  }

  private transfer(io: Io, off: number, write: boolean): number {
    const mm = mmOf(this.target);
    if (mm === null || mm !== this.mm) return 0;
    let total = 0;
    while (io.remaining > 0) {
      const addr = off + total;
      const want = Math.min(io.remaining, CHUNK, GUEST_TOP - addr);
      if (addr < 0 || want <= 0) return total > 0 ? total : -EIO;
      if (write) {
        const taken = io.take(chunk, 0, want);
        if (taken <= 0) return total > 0 ? total : -EFAULT;
        const n = mm.copyOut(addr, chunk, 0, taken);
        if (n <= 0) return total > 0 ? total : -EIO;
        total += n;
        if (n < want) break;
      } else {
        const n = mm.copyIn(addr, chunk, 0, want);
        if (n <= 0) return total > 0 ? total : -EIO;
        const moved = io.put(chunk, 0, n);
        if (moved < 0) return total > 0 ? total : moved;
        total += moved;
        if (moved < want) break;
      }
    }
    return total;
  }
}
