// TreeCalls: what the kernel asks of directory trees of the host. By default this process makes the calls itself (local_trees.ts);
// with a gofer another one does (src/gofer), and this one has no directory open. Who asks need not know.
//
// An object is named by a handle: a directory or a mere reference (O_PATH) by a number that only these calls understand, a regular file
// that is open by a descriptor of this process, on which all calls that move data work. A name is one component: no slash, neither "."
// nor "..", and '' where it says so for the object of the handle itself. No link is ever followed. Results below 0 are -errno.

import type { HostBuffer } from './buffer.ts';

/** What is asked about a thread: files of /proc/PID/task/TID. */
export type ThreadFile = 'schedstat' | 'stat' | 'syscall';
export const THREAD_FILES: readonly ThreadFile[] = ['schedstat', 'stat', 'syscall'];

/** struct stat of x86-64. */
export const STAT_SIZE = 144;
/** struct timespec[2]. */
export const TIMES_SIZE = 32;

export interface TreeCalls {
  /** The directory at an absolute path, a byte string; below it nothing is changed unless it `writes`, and if `only` is not '', nothing but that name is reached. */
  attach(path: string, writes: boolean, only: string): number;
  /** Nothing below an attached directory is changed from now on. */
  protect(dir: number): void;
  /**
   * Opens `name`, and stores its attributes to `stat`: O_PATH, O_DIRECTORY, both, or a regular file with O_RDONLY, O_WRONLY or O_RDWR.
   * It does not wait, whatever stands there.
   */
  open(dir: number, name: string, flags: number, stat: HostBuffer): number;
  /** Makes a regular file and opens it O_RDWR, with exactly that mode; without a name for ''. */
  create(dir: number, name: string, mode: number): number;
  /** Opens the file of a descriptor anew, with that access and O_APPEND; non-blocking. */
  reopen(fd: number, flags: number): number;
  close(h: number): void;
  stat(h: number, out: HostBuffer): number;
  statAt(dir: number, name: string, out: HostBuffer): number;
  statfs(h: number, out: HostBuffer): number;
  /** struct linux_dirent64s, from the first on when `first`; how many bytes. -EACCES of a directory that we may only pass through. */
  list(dir: number, first: boolean, out: HostBuffer): number;
  /** The text of a symbolic link; '' for one that the handle refers to. */
  readlink(dir: number, name: string, out: HostBuffer): number;
  mkdir(dir: number, name: string, mode: number): number;
  /** A FIFO or a socket: `mode` has the type. */
  mknod(dir: number, name: string, mode: number): number;
  symlink(target: string, dir: number, name: string): number;
  link(from: number, name: string, dir: number, newName: string): number;
  /** Gives the file of a descriptor one more name. */
  linkOpen(fd: number, dir: number, name: string): number;
  /** `flags`: 0 or AT_REMOVEDIR. */
  unlink(dir: number, name: string, flags: number): number;
  rename(from: number, name: string, to: number, newName: string, flags: number): number;
  chown(h: number, uid: number, gid: number): number;
  /** Not of a symbolic link, as callers see to. */
  chmod(h: number, mode: number): number;
  /** `times`: as utimensat(2) takes them. */
  utimens(h: number, times: HostBuffer): number;
  /** The attribute of `name` in a directory, or of the object itself for ''. */
  getxattr(h: number, name: string, attribute: string, out: HostBuffer): number;
  setxattr(h: number, attribute: string, value: HostBuffer, size: number, flags: number): number;
  removexattr(h: number, attribute: string): number;
  listxattr(h: number, out: HostBuffer): number;
  fsync(dir: number): number;
  syncfs(h: number): number;
  /** What /proc says that a descriptor of this process refers to. */
  linkText(fd: number, out: HostBuffer): number;
  /** A descriptor for reading. */
  threadFile(pid: number, tid: number, file: ThreadFile): number;
}
