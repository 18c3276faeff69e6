// Time stamps of inodes, and when a read moves the access time (relatime).

import { O_NOATIME } from '../../abi/fs/fcntl.ts';
import { MS_NOATIME, MS_NODIRATIME, MS_RDONLY, MS_STRICTATIME } from '../../abi/fs/mount.ts';
import { S_IFDIR, S_IFMT } from '../../abi/fs/stat.ts';
import type { VfsContext } from './context.ts';
import type { File } from './file.ts';
import type { Inode } from './inode.ts';

const DAY_SEC = 86400;

/** All four times are now. */
export function stampBirth(ctx: VfsContext, i: Inode): void {
  const sec = ctx.time.realtimeSec();
  const nsec = ctx.time.realtimeNsec;
  i.btimeSec = i.atimeSec = i.mtimeSec = i.ctimeSec = sec;
  i.btimeNsec = i.atimeNsec = i.mtimeNsec = i.ctimeNsec = nsec;
}

/** Content changed: mtime and ctime are now. */
export function stampModify(ctx: VfsContext, i: Inode): void {
  i.mtimeSec = i.ctimeSec = ctx.time.realtimeSec();
  i.mtimeNsec = i.ctimeNsec = ctx.time.realtimeNsec;
}

/** Metadata changed: ctime is now. */
export function stampChange(ctx: VfsContext, i: Inode): void {
  i.ctimeSec = ctx.time.realtimeSec();
  i.ctimeNsec = ctx.time.realtimeNsec;
}

/** The inode was read: atime becomes now when relatime says so (not newer than mtime or ctime, or a day old). */
export function touchAtime(ctx: VfsContext, i: Inode, mountFlags: number): void {
  if ((mountFlags & (MS_NOATIME | MS_RDONLY)) !== 0) return;
  if ((mountFlags & MS_NODIRATIME) !== 0 && (i.mode & S_IFMT) === S_IFDIR) return;
  const relative = (mountFlags & MS_STRICTATIME) === 0;
  const afterM = i.atimeSec > i.mtimeSec || (i.atimeSec === i.mtimeSec && i.atimeNsec > i.mtimeNsec);
  const afterC = i.atimeSec > i.ctimeSec || (i.atimeSec === i.ctimeSec && i.atimeNsec > i.ctimeNsec);
  // The common case of a file that is read again and again asks no clock.
  if (relative && afterM && afterC && i.atimeSec + DAY_SEC > ctx.time.recentRealtimeSec()) return;
  i.atimeSec = ctx.time.realtimeSec();
  i.atimeNsec = ctx.time.realtimeNsec;
}

/** An open file was read. */
export function fileAccessed(ctx: VfsContext, f: File): void {
  if ((f.flags & O_NOATIME) !== 0 || f.path === null) return;
  touchAtime(ctx, f.inode, f.path.mount.flags);
}
