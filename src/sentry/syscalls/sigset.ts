// Signal sets that calls such as ppoll(2) install while they wait.

import { EFAULT, EINVAL } from '../../abi/errno.ts';
import { scratch, scratchView } from '../base/scratch.ts';
import type { Task } from '../kernel/task/task.ts';

/** sizeof(sigset_t) of the kernel. */
export const SIGSET_SIZE = 8;

/**
 * Installs the signal mask at `addr` for the rest of this call; nothing when addr is 0. The way back to user mode
 * restores the old one. 0, -EINVAL for a wrong size, -EFAULT.
 */
export function waitWithMask(t: Task, addr: number, size: number): number {
  if (addr === 0) return 0;
  if (size !== SIGSET_SIZE) return -EINVAL;
  // A parked call installed its mask at its first run, and user mode may have changed the memory since.
  if (t.call.active) return 0;
  if (t.mem.copyInExact(addr, scratch, 0, SIGSET_SIZE) !== 0) return -EFAULT;
  t.signals.setTemporaryMask(scratchView.getUint32(0, true), scratchView.getUint32(4, true));
  return 0;
}
