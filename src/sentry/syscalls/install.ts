// New descriptors: what calls that make a file end with.

import { RLIMIT_NOFILE } from '../../abi/process/resource.ts';
import type { Task } from '../kernel/task/task.ts';
import type { File } from '../vfs/file.ts';

/** Installs a new anonymous file, which it consumes; its descriptor or -EMFILE. */
export function installNew(t: Task, file: File, cloexec: boolean): number {
  file.cred = t.cred;
  const fd = t.fds.install(file, cloexec, t.rlimit(RLIMIT_NOFILE));
  if (fd < 0) file.unref();
  return fd;
}
