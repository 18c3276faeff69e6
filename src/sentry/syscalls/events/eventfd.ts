// eventfd(2), eventfd2(2).

import { EINVAL } from '../../../abi/errno.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE } from '../../../abi/events/eventfd.ts';
import { SYS_eventfd, SYS_eventfd2 } from '../../../abi/syscall.ts';
import { EventFile } from '../../fs/eventfd/eventfd.ts';
import type { Task } from '../../kernel/task/task.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import { installNew } from '../install.ts';
import { FLAGS, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

/** Implements eventfd2(2). -EINVAL, -EMFILE. */
function eventfd2(t: Task, initial: number, flags: number): number {
  if ((flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) !== 0) return -EINVAL;
  const inode = new AnonInode(anonInodeFs, 0o600, t);
  const file = new EventFile(inode, flags & EFD_NONBLOCK, initial, (flags & EFD_SEMAPHORE) !== 0);
  return installNew(t, file, (flags & EFD_CLOEXEC) !== 0);
}

/** Implements eventfd(2). */
function eventfd(t: Task, initial: number): number {
  return eventfd2(t, initial, 0);
}

const EFD_FLAGS = FLAGS('flags', [
  ['EFD_CLOEXEC', EFD_CLOEXEC],
  ['EFD_NONBLOCK', EFD_NONBLOCK],
  ['EFD_SEMAPHORE', EFD_SEMAPHORE],
]);

export const rows = [sys(SYS_eventfd, [UINT], eventfd), sys(SYS_eventfd2, [UINT, EFD_FLAGS], eventfd2)];
