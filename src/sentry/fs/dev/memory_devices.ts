// /dev/null, /dev/zero, /dev/full: null(4), full(4).

import { ENOSPC } from '../../../abi/errno.ts';
import type { Io } from '../../base/io.ts';
import type { Mappable } from '../../memfile/mappable.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { PageCache } from '../../memfile/pagecache.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';

/** A mapping of /dev/zero may be as long as the address space. */
const ZERO_BYTES = 2 ** 47;

/** What the three have in common: a position that stays 0. */
abstract class MemoryDeviceFile extends File {
  override get seekable(): boolean {
    return true;
  }

  override lseek(): number {
    this.pos = 0;
    return 0;
  }

  override read(ctx: VfsContext, io: Io): number {
    return this.pread(ctx, io, 0);
  }

  override write(ctx: VfsContext, io: Io): number {
    return this.pwrite(ctx, io, 0);
  }
}

export class NullFile extends MemoryDeviceFile {
  override pread(): number {
    return 0;
  }

  /** Takes everything without looking at it, bad pointers too, as Linux does. */
  override pwrite(_ctx: VfsContext, io: Io): number {
    return io.remaining;
  }
}

export class ZeroFile extends MemoryDeviceFile {
  private readonly memfile: MemoryFile;

  constructor(inode: Inode, flags: number, memfile: MemoryFile) {
    super(inode, flags);
    this.memfile = memfile;
  }

  override pread(_ctx: VfsContext, io: Io): number {
    return io.putZeros(io.remaining);
  }

  override pwrite(_ctx: VfsContext, io: Io): number {
    return io.remaining;
  }

  /** Every mapping has zero pages of its own; MAP_SHARED ones are shared over fork. */
  override mmap(): Mappable {
    const pages = new PageCache(this.memfile, ZERO_BYTES);
    pages.dropWhenUnmapped = true;
    return pages;
  }
}

export class FullFile extends MemoryDeviceFile {
  override pread(_ctx: VfsContext, io: Io): number {
    return io.putZeros(io.remaining);
  }

  override pwrite(): number {
    return -ENOSPC;
  }
}
