// RegularFile: an open regular file whose content is a page cache (tmpfs, rootfs, memfd).

import { EBUSY, EFBIG, EINVAL, EPERM } from '../../abi/errno.ts';
import {
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  O_APPEND,
} from '../../abi/fs/fcntl.ts';
import { SEEK_DATA, SEEK_HOLE } from '../../abi/fs/fs.ts';
import { MAP_SHARED, PROT_WRITE } from '../../abi/memory/mman.ts';
import { RLIMIT_FSIZE } from '../../abi/process/resource.ts';
import { SIGXFSZ } from '../../abi/signal/signal.ts';
import type { Io } from '../base/io.ts';
import type { Mappable } from '../memfile/mappable.ts';
import type { VfsContext } from './context.ts';
import { File } from './file.ts';
import { removePrivs } from './permission.ts';
import { fileAccessed, stampModify } from './times.ts';

/** Largest file in bytes: offsets stay exact as JS numbers. */
export const MAX_FILE_SIZE: number = 2 ** 52;

const ALL_SEALS =
  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;

/**
 * How many of `len` bytes may be written at `off` (generic_write_checks): -EFBIG, with SIGXFSZ, at RLIMIT_FSIZE.
 */
export function writableLength(ctx: VfsContext, off: number, len: number): number {
  const limit = ctx.rlimit(RLIMIT_FSIZE);
  if (off + len > limit) {
    if (off >= limit) {
      ctx.raise(SIGXFSZ);
      return -EFBIG;
    }
    return limit - off;
  }
  if (off + len > MAX_FILE_SIZE) return off >= MAX_FILE_SIZE ? -EFBIG : MAX_FILE_SIZE - off;
  return len;
}

export class RegularFile extends File {
  override get seekable(): boolean {
    return true;
  }

  override pread(ctx: VfsContext, io: Io, off: number): number {
    const n = this.inode.pages!.read(io, off, io.remaining);
    if (n > 0) fileAccessed(ctx, this);
    return n;
  }

  override write(ctx: VfsContext, io: Io): number {
    if ((this.flags & O_APPEND) !== 0) this.pos = this.inode.size;
    const n = this.pwrite(ctx, io, this.pos);
    if (n > 0) this.pos += n;
    return n;
  }

  override pwrite(ctx: VfsContext, io: Io, at: number): number {
    const inode = this.inode;
    const pages = inode.pages!;
    // pwrite(2), BUGS: with O_APPEND the offset does not count.
    const off = (this.flags & O_APPEND) !== 0 ? inode.size : at;
    if (io.remaining === 0) return 0;
    let len = writableLength(ctx, off, io.remaining);
    if (len < 0) return len;
    if ((inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_GROW)) !== 0) {
      if ((inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
      if (off + len > inode.size) {
        if (off >= inode.size) return -EPERM;
        len = inode.size - off;
      }
    }
    len = inode.prepareWrite(ctx, off, len);
    if (len < 0) return len;
    const n = pages.write(io, off, len);
    inode.size = pages.size;
    if (n > 0) {
      removePrivs(ctx, inode);
      stampModify(ctx, inode);
      inode.wrote();
    }
    return n;
  }

  override lseek(ctx: VfsContext, off: number, whence: number): number {
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) {
      return super.lseek(ctx, off, whence);
    }
    const to = this.inode.pages!.dataHole(off, whence);
    if (to >= 0) this.pos = to;
    return to;
  }

  override mmap(ctx: VfsContext, prot: number, flags: number): Mappable | number {
    const inode = this.inode;
    if (
      (flags & MAP_SHARED) !== 0 &&
      (prot & PROT_WRITE) !== 0 &&
      (inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0
    )
      return -EPERM;
    if ((flags & MAP_SHARED) !== 0 && this.writable) inode.wrote();
    fileAccessed(ctx, this);
    return inode.pages!;
  }

  override fsync(_ctx: VfsContext): number {
    return 0;
  }

  override addSeals(seals: number): number {
    const inode = this.inode;
    if (!inode.sealable) return -EINVAL;
    if (!this.writable) return -EPERM;
    if ((seals & ~ALL_SEALS) !== 0) return -EINVAL;
    if ((inode.seals & F_SEAL_SEAL) !== 0) return -EPERM;
    if (
      (seals & F_SEAL_WRITE) !== 0 &&
      (inode.seals & F_SEAL_WRITE) === 0 &&
      inode.pages!.writableMappings > 0
    )
      return -EBUSY;
    inode.seals |= seals;
    return 0;
  }

  override getSeals(): number {
    return this.inode.sealable ? this.inode.seals : -EINVAL;
  }
}
