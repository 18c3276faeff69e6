// pidfd_open(2): a process (or with PIDFD_THREAD a thread) as a file. It is readable once the process is dead.

import { POLLHUP, POLLIN, POLLRDNORM } from '../../../abi/events/poll.ts';
import { O_CLOEXEC, O_NONBLOCK, O_RDWR } from '../../../abi/fs/fcntl.ts';
import type { WaitQueue } from '../../base/wait.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './threadgroup.ts';

export class PidFile extends File {
  readonly group: ThreadGroup;
  /** Set for PIDFD_THREAD. */
  readonly thread: Task | null;

  constructor(ctx: VfsContext, group: ThreadGroup, thread: Task | null, flags: number) {
    super(new AnonInode(anonInodeFs, 0o600, ctx), O_RDWR | (flags & O_NONBLOCK));
    this.group = group;
    this.thread = thread;
  }

  override poll(): number {
    if (this.group.reaped) return POLLIN | POLLRDNORM | POLLHUP;
    const dead = this.thread === null ? this.group.dead : this.thread.dead;
    return dead ? POLLIN | POLLRDNORM : 0;
  }

  override queue(): WaitQueue {
    return this.group.exitWait;
  }

  override fdinfo(): string {
    const dead = this.thread === null ? this.group.reaped : this.thread.dead;
    const pid = dead ? -1 : this.thread === null ? this.group.tgid : this.thread.tid;
    return `Pid:\t${pid}\nNSpid:\t${pid}\n`;
  }

  override describe(): string {
    return 'anon_inode:[pidfd]';
  }
}

/** Opens a pidfd (always close-on-exec) and installs it; the descriptor or -EMFILE. */
export function installPidFile(
  t: Task,
  group: ThreadGroup,
  thread: Task | null,
  flags: number,
  limit: number,
): number {
  const file = new PidFile(t, group, thread, flags & ~O_CLOEXEC);
  const fd = t.fds.install(file, true, limit);
  if (fd < 0) file.unref();
  return fd;
}
