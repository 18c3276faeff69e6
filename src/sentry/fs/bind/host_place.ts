// Places: where objects of the host are found, and the handles of directories (host/tree_calls.ts) through which they are.
//
// SAFETY: a guest stays below the directory that was bound, whatever it renames and whatever other processes of the host
// move, because the host is only ever asked for one name below a descriptor of a directory that was reached in the same
// way, starting from the one of the bound directory:
//   - a name has no slash and is neither "." nor ".." (goodName); the calls of host/tree_calls.ts follow no link at its end:
//     so no text that a guest or somebody outside chose is resolved as a path;
//   - what was opened is compared with the object that was meant, by device and inode number;
//   - what is done to an object beside its name goes through its own descriptor. Where the host wants a path for that it is
//     /proc/self/fd/N of that descriptor, which the host resolves to the very object.
// A directory that somebody outside moves out of the bound one takes those along who have it open or work in it, as with a
// bind mount of Linux: they reach what is in it, never what is above it, for ".." is answered by the dentries in here.

import { EACCES, ELOOP, ENOTDIR, ENXIO, ESTALE } from '../../../abi/errno.ts';
import { O_DIRECTORY, O_PATH, O_RDONLY } from '../../../abi/fs/fcntl.ts';
import {
  S_IFDIR,
  S_IFMT,
  STAT_ST_DEV,
  STAT_ST_INO,
  STAT_ST_MODE,
  STAT_ST_NLINK,
} from '../../../abi/fs/stat.ts';
import { PATH_MAX } from '../../../abi/limits.ts';
import { getU64, getU64Exact, type U64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { maxHostFiles } from '../../../host/limits.ts';
import { STAT_SIZE } from '../../../host/tree_calls.ts';
import { trees } from '../../../host/trees.ts';

/** Where an object of the host was found last. */
export class Place {
  /** The directory; null for the bound one, and for what has no name. */
  dir: Place | null;
  name: string;
  /** Device and inode number name the object: exact. */
  dev: U64 = 0;
  ino: U64 = 0;
  /** The descriptor that is kept for a directory; -1 for none. */
  fd = -1;
  /** When that was last used, in steps of a clock of uses. */
  used = 0;

  constructor(dir: Place | null, name: string) {
    this.dir = dir;
    this.name = name;
  }
}

/** A third of what the Sentry does not need itself: for all bound directories together. */
const BUDGET = Math.max(12, Math.floor((maxHostFiles - 40) / 3));
/** Directories kept open at once. */
const MAX_DIRS = Math.min(256, Math.floor(BUDGET / 3));
/** Files that may be open on the host at once. */
export const MAX_HOST_FILES: number = BUDGET - MAX_DIRS;
/** Directories that are opened to get to one of them. More can be below one another, and then are reached step by step. */
const MAX_CHAIN = PATH_MAX / 2;

/** struct stat of the last call that filled it. */
export const statBuffer: HostBuffer = HostBuffer.alloc(STAT_SIZE);

/** A name as directories have them. The VFS asks for no other; the host must not see one whoever asks. */
export function goodName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

/** fstat(2) into statBuffer. */
export function statFd(fd: number): number {
  return trees.stat(fd, statBuffer);
}

/** The attributes of `name` in the directory behind `dirfd`, a link's own, into statBuffer. */
export function statAt(dirfd: number, name: string): number {
  return trees.statAt(dirfd, name, statBuffer);
}

/** Is statBuffer about the object of the place? */
export function isPlace(place: Place): boolean {
  const v = statBuffer.view;
  return getU64Exact(v, STAT_ST_INO) === place.ino && getU64Exact(v, STAT_ST_DEV) === place.dev;
}

/** The place is taken by the object that statBuffer is about. */
export function identify(place: Place): void {
  place.dev = getU64Exact(statBuffer.view, STAT_ST_DEV);
  place.ino = getU64Exact(statBuffer.view, STAT_ST_INO);
}

/** What of the host is not there inside (fs/rootfs/hidden.ts, put in by who binds). */
export interface Hidden {
  /** Something is: nobody need ask otherwise. */
  readonly any: boolean;
  /** Is `id`, found as `name` in `dir`, with `nlink` names? */
  hides(dir: ObjectId, name: string, id: ObjectId, nlink: number): boolean;
  /** Is whatever has that name there? */
  named(dir: ObjectId, name: string): boolean;
  /** Does the path of something hidden lead through the directory? */
  leadsThrough(id: ObjectId): boolean;
}

interface ObjectId {
  readonly dev: U64;
  readonly ino: U64;
}

/** Is what statBuffer is about, found as `name` in `dir`, hidden? */
export function isHidden(hidden: Hidden | null, dir: Place, name: string): boolean {
  if (hidden === null || !hidden.any) return false;
  const v = statBuffer.view;
  const id = { dev: getU64Exact(v, STAT_ST_DEV), ino: getU64Exact(v, STAT_ST_INO) };
  // The links of a directory are not its names.
  const isDir = (v.getUint32(STAT_ST_MODE, true) & S_IFMT) === S_IFDIR;
  return hidden.hides(dir, name, id, isDir ? 1 : getU64(v, STAT_ST_NLINK));
}

/**
 * 0 when a guest may make something called `name` in the directory behind `dirfd`; -EACCES where something hidden is or is meant
 * to be, which would be replaced, or told of by its being in the way.
 */
export function mayMake(hidden: Hidden | null, dirfd: number, dir: Place, name: string): number {
  if (hidden === null || !hidden.any) return 0;
  if (hidden.named(dir, name)) return -EACCES;
  return statAt(dirfd, name) === 0 && isHidden(hidden, dir, name) ? -EACCES : 0;
}

function openName(dirfd: number, place: Place, flags: number): number {
  const fd = trees.open(dirfd, place.name, flags, statBuffer);
  if (fd < 0) return fd === -ELOOP || fd === -ENOTDIR || fd === -ENXIO ? -ESTALE : fd;
  if (isPlace(place)) return fd;
  trees.close(fd);
  return -ESTALE;
}

/** The descriptors of directories, of which the least recently used are closed when there are too many. */
export class DirDescriptors {
  private readonly open: Set<Place> = new Set();
  private clock = 0;
  /** Stays open while another one is opened, for calls that take two. */
  private held: Place | null = null;

  /** The descriptor of a directory, good until the next one is asked for; -errno, -ESTALE when it is not where it was. */
  of(dir: Place): number {
    dir.used = ++this.clock;
    if (dir.fd >= 0) return dir.fd;
    const chain: Place[] = [];
    let at = dir;
    while (at.fd < 0) {
      chain.push(at);
      // Too long, or in a circle: directories may have changed places outside since they were looked up.
      if (at.dir === null || chain.length > MAX_CHAIN) return -ESTALE;
      at = at.dir;
    }
    at.used = ++this.clock;
    let fd = at.fd;
    for (let next = chain.pop(); next !== undefined; next = chain.pop()) {
      fd = this.openDir(fd, next);
      if (fd < 0) return fd;
    }
    return fd;
  }

  /** Both descriptors for `use`; -errno when there is none of one. */
  both(a: Place, b: Place, use: (fdA: number, fdB: number) => number): number {
    const fdA = this.of(a);
    if (fdA < 0) return fdA;
    this.held = a;
    const fdB = this.of(b);
    const r = fdB < 0 ? fdB : use(fdA, fdB);
    this.held = null;
    return r;
  }

  private openDir(dirfd: number, dir: Place): number {
    let fd = openName(dirfd, dir, O_RDONLY | O_DIRECTORY);
    // A directory that we may pass through and not list.
    if (fd === -EACCES) fd = openName(dirfd, dir, O_PATH | O_DIRECTORY);
    if (fd < 0) return fd;
    dir.fd = fd;
    dir.used = ++this.clock;
    this.open.add(dir);
    if (this.open.size > MAX_DIRS) this.closeOldest(dir);
    return fd;
  }

  private closeOldest(last: Place): void {
    const dirs = [...this.open].sort((a, b) => a.used - b.used);
    for (let i = 0; i < dirs.length / 2; i++)
      if (dirs[i] !== last && dirs[i] !== this.held) this.release(dirs[i]!);
  }

  /** Nobody needs the directory's descriptor any more. That of a bound directory stays. */
  release(dir: Place): void {
    if (!this.open.delete(dir)) return;
    trees.close(dir.fd);
    dir.fd = -1;
  }
}

/** Of all bound directories. */
export const directories: DirDescriptors = new DirDescriptors();

/** Opens the object of a place; the caller closes it. -ESTALE when something else stands there. */
export function openPlace(place: Place, flags: number): number {
  if (place.dir === null) return -ESTALE;
  const dirfd = directories.of(place.dir);
  return dirfd < 0 ? dirfd : openName(dirfd, place, flags);
}
