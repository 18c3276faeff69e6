// Opening what execve(2) names: do_open_execat in Linux.

import { EACCES, EIO, ELOOP } from '../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_RDONLY } from '../../abi/fs/fcntl.ts';
import { MS_NOEXEC } from '../../abi/fs/mount.ts';
import { S_IFLNK, S_IFMT, S_IFREG } from '../../abi/fs/stat.ts';
import { failed } from '../base/errno.ts';
import { KernelIo } from '../base/io.ts';
import type { VfsContext } from '../vfs/context.ts';
import { openInode } from '../vfs/devices.ts';
import type { File } from '../vfs/file.ts';
import type { Inode } from '../vfs/inode.ts';
import { LOOKUP_EMPTY, LOOKUP_FOLLOW, lookupPath } from '../vfs/namei.ts';
import { denyWrite } from '../vfs/open.ts';
import { MAY_EXEC } from '../vfs/permission.ts';

/** Bytes of a file that decide what it is (BINPRM_BUF_SIZE). */
export const BINPRM_BUF_SIZE = 256;

/**
 * Opens a program for execution: a File with refs 1 that denies writing to its inode while it lives, or -errno:
 * -EACCES for anything but a regular file, without execute permission or on a noexec mount; -ELOOP; -ETXTBSY.
 */
export function openExec(ctx: VfsContext, dirfd: number, path: string, flags: number): File | number {
  const look =
    ((flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) |
    ((flags & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0);
  const unnamed = path === '' && (flags & AT_EMPTY_PATH) !== 0 ? unnamedInode(ctx, dirfd) : null;
  const at = unnamed === null ? lookupPath(ctx, dirfd, path, look) : null;
  if (typeof at === 'number') return at;
  const inode = unnamed ?? at!.dentry.inode!;
  const type = inode.mode & S_IFMT;
  if (type === S_IFLNK) return -ELOOP;
  if (type !== S_IFREG) return -EACCES;
  const may = inode.permission(ctx, MAY_EXEC);
  if (may < 0) return may;
  if (at !== null && (at.mount.flags & MS_NOEXEC) !== 0) return -EACCES;
  const denied = denyWrite(inode);
  if (denied < 0) return denied;
  const file = openInode(inode, ctx, O_RDONLY);
  if (failed(file)) {
    inode.writers++;
    return file;
  }
  if (at !== null) file.attach(at, ctx.cred);
  file.deniesWrite = true;
  return file;
}

/** The inode of a descriptor that no path leads to, such as a memfd's; else null. */
function unnamedInode(ctx: VfsContext, fd: number): Inode | null {
  const file = ctx.fds.get(fd);
  return file === null || file.path !== null ? null : file.inode;
}

/** Reads up to `len` bytes at `off`; bytes read (short at the end of the file) or -errno. */
export function readAt(ctx: VfsContext, file: File, off: number, to: Uint8Array): number {
  let done = 0;
  while (done < to.length) {
    const n = file.pread(ctx, new KernelIo(to, done), off + done);
    if (n < 0) return n;
    if (n === 0) break;
    done += n;
  }
  return done;
}

/** Reads exactly `len` bytes; -EIO when the file is shorter. */
export function readExact(ctx: VfsContext, file: File, off: number, len: number): Uint8Array | number {
  const bytes = new Uint8Array(len);
  const n = readAt(ctx, file, off, bytes);
  if (n < 0) return n;
  return n < len ? -EIO : bytes;
}
