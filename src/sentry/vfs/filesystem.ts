// FileSystem: one instance of a file system (struct super_block). Mounts show it, or a part of it, at a place.

import { makedev } from '../../abi/fs/kdev.ts';
import type { Inode } from './inode.ts';

export { major as devMajor, makedev, minor as devMinor } from '../../abi/fs/kdev.ts';

/** What statfs(2) tells, in units of `bsize` bytes where it counts blocks. */
export class StatFs {
  type = 0;
  bsize = 4096;
  blocks = 0;
  bfree = 0;
  bavail = 0;
  files = 0;
  ffree = 0;
  namelen = 255;
}

let lastMinor = 0;

/** A device number of major 0 for a file system without a block device (get_anon_bdev). */
export function anonymousDev(): number {
  return makedev(0, ++lastMinor);
}

export abstract class FileSystem {
  /** The type name of /proc/mounts and mount(2): "tmpfs". */
  readonly name: string;
  /** f_type of statfs(2). */
  readonly magic: number;
  readonly dev: number = anonymousDev();
  /** Special files of it are opened by their inode's open() (pipes and devices of the host), not by our drivers. */
  readonly opensSpecials: boolean = false;
  /** Mounts of it that are in a namespace or in use. */
  mounts = 0;
  private lastIno = 0;

  constructor(name: string, magic: number) {
    this.name = name;
    this.magic = magic;
  }

  abstract get root(): Inode;

  /** A fresh inode number. */
  nextIno(): number {
    return ++this.lastIno;
  }

  /** Fills `out`; type and defaults are set already. */
  statfs(_out: StatFs): void {}

  /** Options for /proc/mounts beyond the mount's flags, with a leading comma each: ",size=1024k". */
  options(): string {
    return '';
  }

  /** Takes new options at remount; -EINVAL for what it does not know. */
  remount(_options: string): number {
    return 0;
  }

  /** sync(2) and syncfs(2). */
  sync(): number {
    return 0;
  }

  /** The last mount is gone, and with it the last open file: frees the content. */
  release(): void {}
}
