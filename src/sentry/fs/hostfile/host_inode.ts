// HostInode: a file of the host that the sandbox was started with, as fstat(2) inside sees it.

import { EINVAL, EPERM } from '../../../abi/errno.ts';
import { S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../../abi/stat.ts';
import { SYS_fstat, SYS_ftruncate } from '../../../abi/syscall.ts';
import { getU64Exact } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import { AnonFs, AnonInode } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { HostEnd } from './host_end.ts';
import { HostFile } from './host_file.ts';

const HOSTFS_MAGIC = 0xc0ffee;

/** Offsets of struct stat (x86-64). */
const ST_DEV = 0;
const ST_INO = 8;
const ST_NLINK = 16;
const ST_MODE = 24;
const ST_RDEV = 40;
const ST_SIZE = 48;
const ST_BLKSIZE = 56;
const ST_BLOCKS = 64;
const ST_ATIME = 72;
const ST_MTIME = 88;
const ST_CTIME = 104;
const STAT_SIZE = 144;

const statBuffer = HostBuffer.alloc(STAT_SIZE);

function u64(off: number): number {
  return statBuffer.view.getUint32(off + 4, true) * 0x1_0000_0000 + statBuffer.view.getUint32(off, true);
}

/** The file system that host files seem to be on; never mounted. */
class HostFs extends AnonFs {
  override readonly opensSpecials: boolean = true;
}

export const hostFs: HostFs = new HostFs('hostfs', HOSTFS_MAGIC);

/** Identity and mode of a host descriptor's file: equal keys for the same file. */
export interface HostStat {
  readonly key: string;
  readonly mode: number;
}

/** fstat(2) of a host descriptor; -errno. */
export function hostStat(fd: number): HostStat | number {
  const r = hostCall(SYS_fstat, fd, statBuffer.addr);
  if (r < 0) return r;
  const v = statBuffer.view;
  return { key: `${getU64Exact(v, ST_DEV)}:${getU64Exact(v, ST_INO)}`, mode: v.getUint32(ST_MODE, true) };
}

/**
 * A socket is a pipe inside, since no socket call works on it: Node.js, for one, asks getsockname(2) what the socket is that
 * it was started with, and throws away what is written to one that does not answer.
 */
function modeInside(mode: number): number {
  return (mode & S_IFMT) === S_IFSOCK ? S_IFIFO | (mode & ~S_IFMT) : mode;
}

export class HostInode extends AnonInode {
  readonly end: HostEnd;

  constructor(mode: number, end: HostEnd) {
    super(hostFs, modeInside(mode));
    this.end = end;
  }

  /** Reads the host's attributes; owner and device stay ours. */
  override refresh(): number {
    const r = hostCall(SYS_fstat, this.end.fd, statBuffer.addr);
    if (r < 0) return r;
    const v = statBuffer.view;
    this.mode = modeInside(v.getUint32(ST_MODE, true));
    this.nlink = u64(ST_NLINK);
    this.rdev = u64(ST_RDEV);
    this.size = u64(ST_SIZE);
    this.blksize = u64(ST_BLKSIZE);
    this.blocks = u64(ST_BLOCKS);
    this.atimeSec = u64(ST_ATIME);
    this.atimeNsec = u64(ST_ATIME + 8);
    this.mtimeSec = u64(ST_MTIME);
    this.mtimeNsec = u64(ST_MTIME + 8);
    this.ctimeSec = u64(ST_CTIME);
    this.ctimeNsec = u64(ST_CTIME + 8);
    return 0;
  }

  /** Opening /dev/stdin and the like: another description with a position of its own. */
  override open(_ctx: VfsContext, flags: number): File | number {
    return new HostFile(this, flags, this.end, true);
  }

  override truncate(_ctx: VfsContext, size: number): number {
    if ((this.mode & S_IFMT) !== S_IFREG) return -EINVAL;
    const r = hostCall(SYS_ftruncate, this.end.fd, size);
    this.refresh();
    return r;
  }

  /** The host's file keeps its owner and mode: who is in here has no say in them. */
  override setattr(): number {
    return -EPERM;
  }
}
