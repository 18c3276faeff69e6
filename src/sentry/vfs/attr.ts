// Changing attributes: chmod(2), chown(2), utimensat(2) reduced to one SetAttr.

import type { VfsContext } from './context.ts';
import type { Inode, SetAttr } from './inode.ts';
import { stampChange } from './times.ts';

/** Stores `attr` into the inode's fields and moves ctime: the setattr() of file systems that live in memory. */
export function applyAttr(ctx: VfsContext, inode: Inode, attr: SetAttr): void {
  if (attr.mode !== undefined) inode.mode = (inode.mode & ~0o7777) | (attr.mode & 0o7777);
  if (attr.uid !== undefined) inode.uid = attr.uid;
  if (attr.gid !== undefined) inode.gid = attr.gid;
  if (attr.atimeSec !== undefined) {
    inode.atimeSec = attr.atimeSec;
    inode.atimeNsec = attr.atimeNsec ?? 0;
  }
  if (attr.mtimeSec !== undefined) {
    inode.mtimeSec = attr.mtimeSec;
    inode.mtimeNsec = attr.mtimeNsec ?? 0;
  }
  stampChange(ctx, inode);
}
