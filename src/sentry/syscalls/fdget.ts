// fdget: descriptor to file for system calls that use the file (fdget in Linux, which refuses O_PATH).

import { O_PATH } from '../../abi/fs/fcntl.ts';
import type { Task } from '../kernel/task/task.ts';
import type { File } from '../vfs/file.ts';

/** The file of a descriptor; null when it is not open or was opened with O_PATH: EBADF. */
export function fdget(t: Task, fd: number): File | null {
  const f = t.file(fd);
  return f === null || (f.flags & O_PATH) !== 0 ? null : f;
}
