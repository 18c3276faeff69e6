// HostInode: a file of the host that the sandbox was started with, as fstat(2) inside sees it.
//
// Opening it anew (/dev/stdout, /proc/self/fd/N) makes what it makes outside: for a regular file a description with its own
// offset and its own O_APPEND; for pipes, terminals and devices one that shares their stream. Never with more rights than
// the caller gave: see permission().

import { EACCES, EINVAL, ENXIO, EPERM } from '../../../abi/errno.ts';
import {
  F_DUPFD_CLOEXEC,
  F_GETFL,
  O_ACCMODE,
  O_APPEND,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from '../../../abi/fs/fcntl.ts';
import { MEM_MAJOR } from '../../../abi/fs/major.ts';
import {
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  STAT_ST_ATIME,
  STAT_ST_ATIME_NSEC,
  STAT_ST_BLKSIZE,
  STAT_ST_BLOCKS,
  STAT_ST_CTIME,
  STAT_ST_CTIME_NSEC,
  STAT_ST_DEV,
  STAT_ST_GID,
  STAT_ST_INO,
  STAT_ST_MODE,
  STAT_ST_MTIME,
  STAT_ST_MTIME_NSEC,
  STAT_ST_NLINK,
  STAT_ST_RDEV,
  STAT_ST_SIZE,
  STAT_ST_UID,
} from '../../../abi/fs/stat.ts';
import { SYS_fcntl, SYS_fstat, SYS_ftruncate } from '../../../abi/syscall.ts';
import { getU64, getU64Exact, type U64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import type { HostPoller } from '../../../host/poller.ts';
import { hostCall } from '../../../host/syscall.ts';
import { trees } from '../../../host/trees.ts';
import { bytesToString } from '../../base/bytes.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { AnonFs, AnonInode } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import { devMajor, devMinor } from '../../vfs/filesystem.ts';
import { MAY_READ, MAY_WRITE } from '../../vfs/permission.ts';
import { HostContent } from './host_content.ts';
import { type EndOwner, HOW_DIRECT, HOW_NONBLOCK, HOW_SOCKET, HostEnd } from './host_end.ts';
import { HostFile } from './host_file.ts';

const HOSTFS_MAGIC = 0xc0ffee;
const STAT_SIZE = 144;
/** Minors of /dev/null, /dev/zero and /dev/full. */
const HOLLOW_MINORS: readonly number[] = [3, 5, 7];

const buffer = HostBuffer.alloc(STAT_SIZE);
const view = buffer.view;
const LINK_SIZE = 4096;
const linkBuffer = HostBuffer.alloc(LINK_SIZE);

/** The file system that the files of one file system of the host seem to be on; never mounted. */
export class HostFs extends AnonFs {
  override readonly opensSpecials: boolean = true;

  constructor() {
    super('hostfs', HOSTFS_MAGIC);
  }
}

/** Identity and type of a host descriptor's file. */
export interface HostStat {
  readonly dev: U64;
  readonly ino: U64;
  readonly mode: number;
  readonly rdev: number;
}

/** fstat(2) of a host descriptor; -errno. */
export function hostStat(fd: number): HostStat | number {
  const r = hostCall(SYS_fstat, fd, buffer.addr);
  if (r < 0) return r;
  return {
    dev: getU64Exact(view, STAT_ST_DEV),
    ino: getU64Exact(view, STAT_ST_INO),
    mode: view.getUint32(STAT_ST_MODE, true),
    rdev: getU64(view, STAT_ST_RDEV),
  };
}

/** Opens what a host descriptor refers to anew, non-blocking and close-on-exec; -errno. */
export function reopenNonblocking(fd: number, flags: number): number {
  return trees.reopen(fd, flags);
}

/** /dev/null and its like: opened for more than was given, they give and take nothing; and they never make anybody wait. */
export function isHollow(mode: number, rdev: number): boolean {
  return (
    (mode & S_IFMT) === S_IFCHR && devMajor(rdev) === MEM_MAJOR && HOLLOW_MINORS.includes(devMinor(rdev))
  );
}

/** What an access mode asks for, as MAY_*. */
function rightsOf(access: number): number {
  return access === O_RDONLY ? MAY_READ : access === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
}

/**
 * A socket is a pipe inside, since no socket call works on it: Node.js, for one, asks getsockname(2) what the socket is that
 * it was started with, and throws away what is written to one that does not answer.
 */
function modeInside(mode: number): number {
  return (mode & S_IFMT) === S_IFSOCK ? S_IFIFO | (mode & ~S_IFMT) : mode;
}

/** What all files of the host have in common. */
export interface HostWorld {
  readonly poller: HostPoller;
  /** Where pages of mapped files go; null when nothing is mapped. */
  readonly memfile: MemoryFile | null;
  /** The guest sees the host's whole tree, so that it could read by its name a file that it may only write as output. */
  readonly readsBack: boolean;
  /** Paths of the host mean the same inside. */
  readonly showsPaths: boolean;
  /** No program inside has `file` open any more. */
  fileClosed(file: HostInode): void;
}

export class HostInode extends AnonInode implements EndOwner {
  private readonly world: HostWorld;
  /** Open descriptors of the file: those of the caller and our own. */
  private readonly ends: HostEnd[] = [];
  /** MAY_* that the caller's descriptors gave in all. */
  private granted = 0;
  private readonly socket: boolean;
  private mapped: HostContent | null = null;

  constructor(fs: HostFs, stat: HostStat, world: HostWorld) {
    super(fs, modeInside(stat.mode), null, stat.ino);
    this.world = world;
    this.socket = (stat.mode & S_IFMT) === S_IFSOCK;
  }

  /** A descriptor with refs 0 that the caller of the sandbox gave, or a new description of it. */
  grant(fd: number, how: number, access: number): HostEnd {
    this.granted |= rightsOf(access);
    const end = this.addEnd(fd, how, access, false, true);
    this.refresh();
    return end;
  }

  private addEnd(fd: number, how: number, access: number, append: boolean, shared: boolean): HostEnd {
    const end = new HostEnd(fd, how, access, append, shared, this.world.poller, this);
    this.ends.push(end);
    return end;
  }

  /** EndOwner: the last file that used the descriptor is gone, and so is the descriptor. */
  endClosed(end: HostEnd): void {
    this.ends.splice(this.ends.indexOf(end), 1);
    if (this.ends.length === 0) this.world.fileClosed(this);
  }

  get regular(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }

  /** What is mapped of the file: its pages; null before the first mapping. */
  get content(): HostContent | null {
    return this.mapped;
  }

  /** The file's pages for a mapping, or null when there is nowhere to put them. */
  makeContent(): HostContent | null {
    const { memfile } = this.world;
    if (this.mapped === null && memfile !== null) this.mapped = new HostContent(memfile, this);
    return this.mapped;
  }

  /** Reads the host's attributes; inode and device number stay ours. */
  override refresh(): number {
    const end = this.ends[0];
    // Nobody has it open any more: it stays as it was last seen.
    if (end === undefined) return 0;
    const r = hostCall(SYS_fstat, end.fd, buffer.addr);
    if (r < 0) return r;
    this.mode = modeInside(view.getUint32(STAT_ST_MODE, true));
    this.uid = view.getUint32(STAT_ST_UID, true);
    this.gid = view.getUint32(STAT_ST_GID, true);
    this.nlink = getU64(view, STAT_ST_NLINK);
    this.rdev = getU64(view, STAT_ST_RDEV);
    this.size = getU64(view, STAT_ST_SIZE);
    this.blksize = getU64(view, STAT_ST_BLKSIZE);
    this.blocks = getU64(view, STAT_ST_BLOCKS);
    this.atimeSec = getU64(view, STAT_ST_ATIME);
    this.atimeNsec = getU64(view, STAT_ST_ATIME_NSEC);
    this.mtimeSec = getU64(view, STAT_ST_MTIME);
    this.mtimeNsec = getU64(view, STAT_ST_MTIME_NSEC);
    this.ctimeSec = getU64(view, STAT_ST_CTIME);
    this.ctimeNsec = getU64(view, STAT_ST_CTIME_NSEC);
    return 0;
  }

  private get hollow(): boolean {
    return isHollow(this.mode, this.rdev);
  }

  /** What /proc/PID/fd says of a file that has the descriptor: what it says outside. */
  linkText(end: HostEnd): string {
    const n = trees.linkText(end.fd, linkBuffer);
    const text = n > 0 ? bytesToString(linkBuffer.u8, 0, n) : '';
    const told = text.startsWith('/') ? this.world.showsPaths || this.hollow : text !== '';
    return told ? text : `host:[${this.ino}]`;
  }

  /** MAY_* that a new description may have at most. */
  private get rights(): number {
    if (this.hollow) return MAY_READ | MAY_WRITE;
    // The host's own check of the file's mode comes when it is opened.
    return this.world.readsBack && this.regular ? this.granted | MAY_READ : this.granted;
  }

  /**
   * The caller's descriptors are all that the guest has of the file: one for reading is never opened for writing, although a
   * native program with the same uid could do that, and what the guest was given to write it may read only where it could
   * as well read it by its name. Then the file's mode decides, inside by the guest's credentials and outside by ours.
   */
  override permission(ctx: VfsContext, mask: number): number {
    this.refresh();
    if ((mask & (MAY_READ | MAY_WRITE) & ~this.rights) !== 0) return -EACCES;
    return super.permission(ctx, mask);
  }

  /** Opening /dev/stdin and the like: a new description, as on the host. Sockets cannot be opened. */
  override open(_ctx: VfsContext, flags: number): File | number {
    if (this.socket) return -ENXIO;
    const end = this.endFor(flags & O_ACCMODE, (flags & O_APPEND) !== 0);
    return typeof end === 'number' ? end : new HostFile(this, flags, end);
  }

  /**
   * A descriptor for a new description with that access; -errno. Offsets of regular files are kept by HostFile, so all with the
   * same access and O_APPEND share one of the host's, and guests cannot use up the host's descriptors.
   */
  endFor(mode: number, append: boolean): HostEnd | number {
    // Access mode 3 may do neither: such a file is for ioctl only.
    const access = mode === O_ACCMODE ? O_RDWR : mode;
    const need = rightsOf(access);
    if ((need & ~this.rights) !== 0) return -EACCES;
    const regular = this.regular;
    for (const end of this.ends) {
      if (regular ? !end.shared && end.access === access && end.append === append : this.covers(end, need))
        return end;
    }
    const from = this.ends[0];
    if (from === undefined) return -ENXIO;
    let fd = reopenNonblocking(from.fd, access | (regular && append ? O_APPEND : 0));
    if (fd === -EACCES && regular) fd = this.duplicate(need, append);
    if (fd < 0) return fd;
    const how = from.how === HOW_DIRECT || from.how === HOW_SOCKET ? from.how : HOW_NONBLOCK;
    return this.addEnd(fd, how, access, append, false);
  }

  /** A file that came after the lock-down cannot be opened anew: as offsets are ours, a duplicate of what came does. */
  private duplicate(need: number, append: boolean): number {
    for (const end of this.ends) {
      const appends = (hostCall(SYS_fcntl, end.fd, F_GETFL) & O_APPEND) !== 0;
      if (this.covers(end, need) && appends === append)
        return hostCall(SYS_fcntl, end.fd, F_DUPFD_CLOEXEC, 0);
    }
    return -EACCES;
  }

  private covers(end: HostEnd, need: number): boolean {
    return (rightsOf(end.access) & need) === need;
  }

  /** A descriptor that may read the file, the caller's if need be; null for none. */
  readEnd(): HostEnd | null {
    const own = this.endFor(O_RDONLY, false);
    if (typeof own !== 'number') return own;
    return this.ends.find((end) => this.covers(end, MAY_READ)) ?? null;
  }

  override truncate(_ctx: VfsContext, size: number): number {
    if (!this.regular) return -EINVAL;
    const end = this.ends.find((e) => this.covers(e, MAY_WRITE)) ?? this.endFor(O_WRONLY, false);
    if (typeof end === 'number') return end;
    end.refs++;
    const r = hostCall(SYS_ftruncate, end.fd, size);
    end.unref();
    this.refresh();
    this.mapped?.truncated(this.size);
    return r;
  }

  /** The host's file keeps its owner and mode: who is in here has no say in them. */
  override setattr(): number {
    return -EPERM;
  }
}
