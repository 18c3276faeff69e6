// memfd_create(2): files of a tmpfs that is mounted nowhere, with seals.

import { F_SEAL_EXEC, F_SEAL_SEAL } from '../../../abi/fs/fcntl.ts';
import { TMPFS_MAGIC } from '../../../abi/fs/magic.ts';
import { S_IFREG } from '../../../abi/fs/stat.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import { MemFile } from '../../vfs/mem/mem_file.ts';
import { MemFs } from '../../vfs/mem/mem_fs.ts';
import { RegularFile } from '../../vfs/regularfile.ts';
import { stampBirth } from '../../vfs/times.ts';

/** The file system behind all memfds of a sandbox (shm_mnt in Linux). */
export class MemfdFs extends MemFs {
  constructor(memfile: MemoryFile) {
    super('tmpfs', TMPFS_MAGIC, memfile);
  }

  override get root(): never {
    throw new Error('memfds have no tree');
  }
}

export class MemfdInode extends MemFile {
  /** What the creator called it: only /proc shows it. A byte string. */
  readonly label: string;

  constructor(fs: MemFs, mode: number, label: string) {
    super(fs, mode);
    this.label = label;
    this.nlink = 0;
    this.content();
  }

  /** Through /proc/PID/fd: a description of its own on the same memory. */
  override open(_ctx: VfsContext, flags: number): File | number {
    return new MemfdFile(this, flags);
  }
}

export class MemfdFile extends RegularFile {
  override describe(): string {
    return `/memfd:${(this.inode as MemfdInode).label} (deleted)`;
  }
}

/** A new, empty memfd opened with `flags`. Without `sealing` it can have no seals; without `exec` it cannot be run. */
export function newMemfd(
  fs: MemFs,
  ctx: VfsContext,
  label: string,
  flags: number,
  sealing: boolean,
  exec: boolean,
): MemfdFile {
  const inode = new MemfdInode(fs, S_IFREG | (exec ? 0o777 : 0o666), label);
  fs.usedInodes++;
  inode.uid = ctx.cred.fsuid;
  inode.gid = ctx.cred.fsgid;
  stampBirth(ctx, inode);
  // Seals can always be asked for; without MFD_ALLOW_SEALING the answer is F_SEAL_SEAL.
  inode.sealable = true;
  inode.seals = sealing ? 0 : F_SEAL_SEAL;
  if (!exec) inode.seals = (inode.seals & ~F_SEAL_SEAL) | F_SEAL_EXEC;
  return new MemfdFile(inode, flags);
}
