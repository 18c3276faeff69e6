// What the kernel asks of the loader. The loader stands above the kernel in the layering, so the kernel knows only this
// interface; the runtime puts an implementation into kernel.loader.

import type { Cred } from '../../base/cred.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { Kernel } from '../kernel.ts';
import type { ArgStrings } from './arg_strings.ts';
import type { Limits } from './rlimits.ts';

/**
 * From loadProgram: the file is a program, but its image cannot be built. On Linux the old program is gone by then, so
 * the process dies of SIGSEGV instead of seeing an error.
 */
export const LOAD_KILLS = -0x1001_0000;

export interface LoadArgs {
  kernel: Kernel;
  /** Who executes: path lookup, permission checks. */
  ctx: VfsContext;
  /** As execveat(2): the directory of a relative path, or AT_FDCWD. */
  dirfd: number;
  /** Byte string; may be empty with AT_EMPTY_PATH (fexecve). */
  path: string;
  /** AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. */
  flags: number;
  /** Their total size was checked against Linux's limits. */
  argv: ArgStrings;
  envp: ArgStrings;
  /** Credentials before exec; credForExec (exec_cred.ts) makes those after. */
  cred: Cred;
  /** Others than the caller's threads share its root and working directory: set-id programs get no rights. */
  sharesFs: boolean;
  limits: Limits;
  personality: number;
}

export interface LoadedProgram {
  mm: MemoryManager;
  entry: number;
  sp: number;
  /** Absolute path of the program, as /proc/PID/exe shows it. */
  exePath: string;
  /** The program's file with a reference of its own, if the loader keeps one; released with the process image. */
  exeFile: File | null;
  interpreterBase: number;
  /** comm: the last component of the path, cut by the kernel to 15 bytes. */
  name: string;
  cred: Cred;
  /** AT_SECURE was set: dumpable and PDEATHSIG are reset. */
  secure: boolean;
  /** What has to be done before it can run; null when nothing is left, as with few arguments. */
  unfinished: UnfinishedProgram | null;
}

export interface UnfinishedProgram {
  /** Does a slice: 0 at the end, a number above when there is more, or -errno: the program cannot run (LOAD_KILLS). */
  step(): number;
}

export interface ProgramLoader {
  /** Builds a new address space with the program in it; -errno as execve(2), or LOAD_KILLS. The caller is unchanged. */
  loadProgram(args: LoadArgs): LoadedProgram | number;
}
