// membarrier(2).

import { EINVAL, EPERM } from '../../../abi/errno.ts';
import {
  MEMBARRIER_CMD_GET_REGISTRATIONS,
  MEMBARRIER_CMD_GLOBAL,
  MEMBARRIER_CMD_GLOBAL_EXPEDITED,
  MEMBARRIER_CMD_PRIVATE_EXPEDITED,
  MEMBARRIER_CMD_QUERY,
  MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
} from '../../../abi/process/membarrier.ts';
import { SYS_membarrier } from '../../../abi/syscall.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { Task } from '../../kernel/task/task.ts';
import { INT, ONE_OF, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

const SUPPORTED =
  MEMBARRIER_CMD_GLOBAL |
  MEMBARRIER_CMD_GLOBAL_EXPEDITED |
  MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |
  MEMBARRIER_CMD_PRIVATE_EXPEDITED |
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
  MEMBARRIER_CMD_GET_REGISTRATIONS;

/**
 * Every running guest thread passes a barrier before this returns. They belong to other host processes, so it has to be
 * the host's barrier over all of them; with one live thread in the sandbox there is nobody to order with.
 */
function barrier(t: Task): void {
  if (t.kernel.liveTasks > 1) hostCall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0);
}

/** Implements membarrier(2). */
function membarrier(t: Task, cmd: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  const g = t.group;
  switch (cmd) {
    case MEMBARRIER_CMD_QUERY:
      return SUPPORTED;
    case MEMBARRIER_CMD_GLOBAL:
    case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
      barrier(t);
      return 0;
    case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
      g.membarrier |= cmd;
      return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
      if ((g.membarrier & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) === 0) return -EPERM;
      if (g.live > 1) barrier(t);
      return 0;
    case MEMBARRIER_CMD_GET_REGISTRATIONS:
      return g.membarrier;
    default:
      return -EINVAL;
  }
}

const CMD = ONE_OF('cmd', [
  ['MEMBARRIER_CMD_QUERY', MEMBARRIER_CMD_QUERY],
  ['MEMBARRIER_CMD_GLOBAL', MEMBARRIER_CMD_GLOBAL],
  ['MEMBARRIER_CMD_GLOBAL_EXPEDITED', MEMBARRIER_CMD_GLOBAL_EXPEDITED],
  ['MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED', MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED],
  ['MEMBARRIER_CMD_PRIVATE_EXPEDITED', MEMBARRIER_CMD_PRIVATE_EXPEDITED],
  ['MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED', MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED],
]);

export const rows = [sys(SYS_membarrier, [CMD, UINT, INT], membarrier, 'no SYNC_CORE and RSEQ commands')];
