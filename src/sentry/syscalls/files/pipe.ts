// pipe(2), pipe2(2).

import { EFAULT, EINVAL, ENOPKG } from '../../../abi/errno.ts';
import { O_CLOEXEC, O_DIRECT, O_EXCL, O_NONBLOCK } from '../../../abi/fs/fcntl.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import { SYS_pipe, SYS_pipe2 } from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { makePipe } from '../../fs/pipe/fifo.ts';
import type { Task } from '../../kernel/task/task.ts';
import { FLAGS, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';

/** O_NOTIFICATION_PIPE: watch_queue(7), which a kernel may be built without. */
const O_NOTIFICATION_PIPE = O_EXCL;

/** Implements pipe2(2). -EINVAL, -EMFILE, -EFAULT. */
export function pipe2(t: Task, fdsAddr: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_NOTIFICATION_PIPE)) !== 0) return -EINVAL;
  if ((flags & O_NOTIFICATION_PIPE) !== 0) {
    countUnsupported('pipe2 O_NOTIFICATION_PIPE');
    return -ENOPKG;
  }
  const cloexec = (flags & O_CLOEXEC) !== 0;
  const limit = t.rlimit(RLIMIT_NOFILE);
  const [reader, writer] = makePipe(t, flags);
  const readFd = t.fds.install(reader, cloexec, limit);
  if (readFd < 0) {
    reader.unref();
    writer.unref();
    return readFd;
  }
  const writeFd = t.fds.install(writer, cloexec, limit);
  if (writeFd < 0) {
    t.fds.close(t, readFd);
    writer.unref();
    return writeFd;
  }
  scratchView.setInt32(0, readFd, true);
  scratchView.setInt32(4, writeFd, true);
  if (t.mem.copyOutExact(fdsAddr, scratch, 0, 8) !== 0) {
    t.fds.close(t, readFd);
    t.fds.close(t, writeFd);
    return -EFAULT;
  }
  return 0;
}

/** Implements pipe(2). */
function pipe(t: Task, fdsAddr: number): number {
  return pipe2(t, fdsAddr, 0);
}

const FDS = STRUCT('int[2]', true);
const PIPE_FLAGS = FLAGS('flags', [
  ['O_CLOEXEC', O_CLOEXEC],
  ['O_NONBLOCK', O_NONBLOCK],
  ['O_DIRECT', O_DIRECT],
]);

export const rows = [sys(SYS_pipe, [FDS], pipe), sys(SYS_pipe2, [FDS, PIPE_FLAGS], pipe2)];
