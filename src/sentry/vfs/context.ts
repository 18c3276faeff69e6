// Who makes a file-system call: what VFS code may know of the calling task. kernel/Task implements it.

import type { Cred } from '../base/cred.ts';
import type { TimeSource } from '../base/time.ts';
import type { UserMemory } from '../base/usermem.ts';
import type { FdTable } from './fdtable.ts';
import type { FsContext } from './fscontext.ts';

export interface VfsContext {
  readonly cred: Cred;
  /** Root, working directory, umask (CLONE_FS shares it). */
  readonly fs: FsContext;
  readonly fds: FdTable;
  /** The caller's memory, for ioctl and other calls that carry pointers. */
  readonly mem: UserMemory;
  readonly time: TimeSource;
  /** Thread id and thread-group id in the caller's pid namespace. */
  readonly tid: number;
  readonly tgid: number;
  /** Soft limit of a resource (RLIMIT_*), Infinity when unlimited. */
  rlimit(resource: number): number;
  /** Sends a signal to the caller's own thread (SIGPIPE, SIGXFSZ). */
  raise(sig: number): void;
}
