// Identity and end of processes: getpid(2), gettid(2), _exit(2), exit_group(2), set_tid_address(2).

import { ENOSYS } from '../../../abi/errno.ts';
import {
  SYS_exit,
  SYS_exit_group,
  SYS_getpid,
  SYS_getppid,
  SYS_gettid,
  SYS_rseq,
  SYS_set_tid_address,
} from '../../../abi/syscall.ts';
import { exitGroup, exitTask } from '../../kernel/task/exit.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, HEX, INT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

/** Implements getpid(2). */
function getpid(t: Task): number {
  return t.group.tgid;
}

/** Implements gettid(2). */
function gettid(t: Task): number {
  return t.tid;
}

/** Implements getppid(2): 0 for init. */
function getppid(t: Task): number {
  const parent = t.group.parent;
  return parent === null ? 0 : parent.tgid;
}

/** Implements _exit(2) of one thread. */
function exit(t: Task, code: number): number {
  return exitTask(t, (code & 0xff) << 8);
}

/** Implements exit_group(2). */
function exit_group(t: Task, code: number): number {
  return exitGroup(t, (code & 0xff) << 8);
}

/** Implements set_tid_address(2). */
function set_tid_address(t: Task, addr: number): number {
  t.clearChildTid = addr;
  return t.tid;
}

/**
 * Implements rseq(2) as a kernel without it. A registered thread must see its cpu change, and its critical sections
 * abort, whenever the host's scheduler puts another thread on that cpu: neither is visible from outside the host.
 */
function rseq(): number {
  return -ENOSYS;
}

export const rows = [
  sys(SYS_getpid, [], getpid),
  sys(SYS_gettid, [], gettid),
  sys(SYS_getppid, [], getppid),
  sys(SYS_exit, [INT], exit),
  sys(SYS_exit_group, [INT], exit_group),
  sys(SYS_set_tid_address, [ADDR], set_tid_address),
  sys(SYS_rseq, [ADDR, UINT, HEX, HEX], rseq, 'not: ENOSYS, for the host does not tell when it preempts'),
];
