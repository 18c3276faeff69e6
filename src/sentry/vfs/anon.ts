// Inodes without a place in any tree: pipes, sockets, eventfds, epoll instances, memfds.

import { ENXIO } from '../../abi/errno.ts';
import { ANON_INODE_FS_MAGIC } from '../../abi/fs/magic.ts';
import type { U64 } from '../../abi/u64.ts';
import { applyAttr } from './attr.ts';
import type { VfsContext } from './context.ts';
import type { File } from './file.ts';
import { FileSystem } from './filesystem.ts';
import { Inode, type SetAttr } from './inode.ts';
import { stampBirth } from './times.ts';

/** A file system that is never mounted and only numbers inodes: pipefs, sockfs, anon_inodefs. */
export class AnonFs extends FileSystem {
  override get root(): Inode {
    throw new Error(`${this.name} has no root`);
  }
}

/** The file system of eventfds, epoll instances and the like. */
export const anonInodeFs: AnonFs = new AnonFs('anon_inodefs', ANON_INODE_FS_MAGIC);

/** An inode for one anonymous object. `mode` with its type: S_IFIFO for pipes, S_IFSOCK for sockets, 0 else. */
export class AnonInode extends Inode {
  constructor(fs: FileSystem, mode: number, ctx: VfsContext | null = null, ino: U64 = fs.nextIno()) {
    super(fs, ino, mode);
    if (ctx !== null) {
      this.uid = ctx.cred.fsuid;
      this.gid = ctx.cred.fsgid;
      stampBirth(ctx, this);
    }
  }

  /** Only /proc/PID/fd leads here; pipes are opened by the FIFO opener, nothing else can be. */
  override open(_ctx: VfsContext, _flags: number): File | number {
    return -ENXIO;
  }

  /** fchmod and fchown of a pipe or socket work on the inode. */
  override setattr(ctx: VfsContext, attr: SetAttr): number {
    applyAttr(ctx, this, attr);
    return 0;
  }
}
