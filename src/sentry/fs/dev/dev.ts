// The content of /dev and the drivers of its memory devices. /dev itself is a tmpfs that the runtime mounts; fs/tty
// registers the terminals' drivers.

import { MEM_MAJOR, MISC_MAJOR, TTYAUX_MAJOR } from '../../../abi/fs/major.ts';
import { S_IFCHR } from '../../../abi/fs/stat.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { registerCharDevice } from '../../vfs/devices.ts';
import { makedev } from '../../vfs/filesystem.ts';
import { FullFile, NullFile, ZeroFile } from './memory_devices.ts';
import { RandomFile } from './random.ts';

const MINOR_NULL = 3;
const MINOR_ZERO = 5;
const MINOR_FULL = 7;
const MINOR_RANDOM = 8;
const MINOR_URANDOM = 9;
const MINOR_TUN = 200;
const TTY_GID = 5;

/** Serves /dev/null, zero, full, random and urandom wherever such a node is. */
export function registerMemoryDevices(memfile: MemoryFile): void {
  registerCharDevice(MEM_MAJOR, MINOR_NULL, (inode, _ctx, flags) => new NullFile(inode, flags));
  registerCharDevice(MEM_MAJOR, MINOR_ZERO, (inode, _ctx, flags) => new ZeroFile(inode, flags, memfile));
  registerCharDevice(MEM_MAJOR, MINOR_FULL, (inode, _ctx, flags) => new FullFile(inode, flags));
  registerCharDevice(MEM_MAJOR, MINOR_RANDOM, (inode, _ctx, flags) => new RandomFile(inode, flags));
  registerCharDevice(MEM_MAJOR, MINOR_URANDOM, (inode, _ctx, flags) => new RandomFile(inode, flags));
}

/** How populateDev makes entries; names are relative to /dev. Modes are final (no umask). Each returns 0 or -errno. */
export interface DevMaker {
  mkdir(name: string, mode: number): number;
  /** `mode` with its S_IFMT type; `rdev` as makedev() gives it. */
  mknod(name: string, mode: number, rdev: number, gid: number): number;
  symlink(name: string, target: string): number;
}

const NODES: readonly (readonly [string, number, number, number, number])[] = [
  ['null', 0o666, MEM_MAJOR, MINOR_NULL, 0],
  ['zero', 0o666, MEM_MAJOR, MINOR_ZERO, 0],
  ['full', 0o666, MEM_MAJOR, MINOR_FULL, 0],
  ['random', 0o666, MEM_MAJOR, MINOR_RANDOM, 0],
  ['urandom', 0o666, MEM_MAJOR, MINOR_URANDOM, 0],
  ['tty', 0o666, TTYAUX_MAJOR, 0, TTY_GID],
  ['ptmx', 0o666, TTYAUX_MAJOR, 2, TTY_GID],
];

const LINKS: readonly (readonly [string, string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
];

/** Directories: devpts is mounted on pts, a tmpfs on shm. */
const DIRS: readonly (readonly [string, number])[] = [
  ['pts', 0o755],
  ['shm', 0o1777],
  ['mqueue', 0o1777],
  ['net', 0o755],
];

/** Fills an empty /dev/net: socket/tun serves what is there. */
export function populateDevNet(make: DevMaker): number {
  return make.mknod('tun', S_IFCHR | 0o666, makedev(MISC_MAJOR, MINOR_TUN), 0);
}

/** Fills an empty /dev. `console`: the sandbox has a terminal that /dev/console names. 0 or the first error. */
export function populateDev(make: DevMaker, console: boolean): number {
  for (const [name, mode] of DIRS) {
    const r = make.mkdir(name, mode);
    if (r < 0) return r;
  }
  for (const [name, mode, major, minor, gid] of NODES) {
    const r = make.mknod(name, S_IFCHR | mode, makedev(major, minor), gid);
    if (r < 0) return r;
  }
  if (console) {
    const r = make.mknod('console', S_IFCHR | 0o620, makedev(TTYAUX_MAJOR, 1), TTY_GID);
    if (r < 0) return r;
  }
  for (const [name, target] of LINKS) {
    const r = make.symlink(name, target);
    if (r < 0) return r;
  }
  return 0;
}
