// Openers of special files: whoever serves a device number or FIFOs registers here, so that an inode of any file system
// (tmpfs after mknod, the dev mount) opens the same driver.

import { ENXIO } from '../../abi/errno.ts';
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK } from '../../abi/fs/stat.ts';
import type { VfsContext } from './context.ts';
import type { File } from './file.ts';
import { devMajor, devMinor } from './filesystem.ts';
import type { Inode } from './inode.ts';

/** Opens a special inode: a File with refs 1, or -errno. */
export type SpecialOpener = (inode: Inode, ctx: VfsContext, flags: number) => File | number;

const charDevices = new Map<number, SpecialOpener>();
let fifoOpener: SpecialOpener | null = null;

/** Any minor of the major. */
export const ANY_MINOR = -1;

/** Serves a character device; `minor` may be ANY_MINOR. The last registration counts. */
export function registerCharDevice(major: number, minor: number, open: SpecialOpener): void {
  charDevices.set(major * 0x100000 + minor, open);
}

/** Serves FIFOs of every file system. */
export function registerFifoOpener(open: SpecialOpener): void {
  fifoOpener = open;
}

/** Opens an inode of any type: special files by their drivers, others by their file system. */
export function openInode(inode: Inode, ctx: VfsContext, flags: number): File | number {
  if (inode.fs.opensSpecials) return inode.open(ctx, flags);
  if (inode.inert) return -ENXIO;
  switch (inode.mode & S_IFMT) {
    case S_IFCHR: {
      const major = devMajor(inode.rdev);
      const open =
        charDevices.get(major * 0x100000 + devMinor(inode.rdev)) ??
        charDevices.get(major * 0x100000 + ANY_MINOR);
      return open === undefined ? -ENXIO : open(inode, ctx, flags);
    }
    case S_IFIFO:
      return fifoOpener === null ? -ENXIO : fifoOpener(inode, ctx, flags);
    case S_IFBLK:
    case S_IFSOCK:
      return -ENXIO;
    default:
      return inode.open(ctx, flags);
  }
}
