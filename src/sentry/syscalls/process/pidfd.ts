// pidfd_open(2), pidfd_getfd(2).

import { EBADF, EINVAL, EPERM, ESRCH } from '../../../abi/errno.ts';
import { O_NONBLOCK } from '../../../abi/fs/fcntl.ts';
import { PIDFD_NONBLOCK, PIDFD_THREAD } from '../../../abi/process/pidfd.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import { SYS_pidfd_getfd, SYS_pidfd_open } from '../../../abi/syscall.ts';
import { installPidFile, PidFile } from '../../kernel/task/pidfd.ts';
import { mayPtrace } from '../../kernel/task/ptrace_access.ts';
import type { Task } from '../../kernel/task/task.ts';
import { FD, FLAGS, HEX, PID } from '../kinds.ts';
import { sys } from '../row.ts';

/** Implements pidfd_open(2). */
function pidfd_open(t: Task, pid: number, flags: number): number {
  if ((flags & ~(PIDFD_NONBLOCK | PIDFD_THREAD)) !== 0 || pid <= 0) return -EINVAL;
  const target = t.kernel.pids.task(pid);
  if (target === null) return -ESRCH;
  const thread = (flags & PIDFD_THREAD) !== 0;
  if (!thread && target.tid !== target.tgid) return -EINVAL;
  const fileFlags = (flags & PIDFD_NONBLOCK) !== 0 ? O_NONBLOCK : 0;
  return installPidFile(t, target.group, thread ? target : null, fileFlags, t.rlimit(RLIMIT_NOFILE));
}

/** Implements pidfd_getfd(2). */
function pidfd_getfd(t: Task, pidfd: number, fd: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  const file = t.file(pidfd);
  if (!(file instanceof PidFile)) return -EBADF;
  const target = file.thread ?? file.group.anyThread();
  if (target === null || target.dead) return -ESRCH;
  if (!mayPtrace(t, target)) return -EPERM;
  const wanted = target.fds.get(fd);
  if (wanted === null) return -EBADF;
  const r = t.fds.install(wanted.ref(), true, t.rlimit(RLIMIT_NOFILE));
  if (r < 0) wanted.unref();
  return r;
}

const PIDFD_FLAGS = FLAGS('flags', [
  ['PIDFD_NONBLOCK', PIDFD_NONBLOCK],
  ['PIDFD_THREAD', PIDFD_THREAD],
]);

export const rows = [
  sys(SYS_pidfd_open, [PID, PIDFD_FLAGS], pidfd_open),
  sys(SYS_pidfd_getfd, [FD, FD, HEX], pidfd_getfd),
];
