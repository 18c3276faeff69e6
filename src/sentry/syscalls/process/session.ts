// Sessions and process groups: setsid(2), getsid(2), setpgid(2), getpgid(2), getpgrp(2).

import { EACCES, EINVAL, EPERM, ESRCH } from '../../../abi/errno.ts';
import { SYS_getpgid, SYS_getpgrp, SYS_getsid, SYS_setpgid, SYS_setsid } from '../../../abi/syscall.ts';
import type { ProcessGroup } from '../../kernel/task/session.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { ThreadGroup } from '../../kernel/task/threadgroup.ts';
import { PID } from '../kinds.ts';
import { sys } from '../row.ts';

function groupOf(t: Task, pid: number): ThreadGroup | null {
  if (pid === 0) return t.group;
  // A thread's id names its process here, as in Linux (find_task_by_vpid).
  return t.kernel.pids.task(pid)?.group ?? null;
}

/** Implements setsid(2). */
function setsid(t: Task): number {
  const g = t.group;
  const pids = t.kernel.pids;
  if (g.session.leader === g || pids.pgrp(g.tgid) !== null) return -EPERM;
  pids.newSession(g);
  t.kernel.users.regroup(g);
  g.tty = null;
  return g.tgid;
}

/** Implements getsid(2). */
function getsid(t: Task, pid: number): number {
  const g = groupOf(t, pid);
  return g === null ? -ESRCH : g.session.sid;
}

/** Implements getpgid(2). */
function getpgid(t: Task, pid: number): number {
  const g = groupOf(t, pid);
  return g === null ? -ESRCH : g.pgrp.id;
}

/** Implements getpgrp(2). */
function getpgrp(t: Task): number {
  return t.group.pgrp.id;
}

function join(t: Task, g: ThreadGroup, pgrp: ProcessGroup): number {
  t.kernel.pids.join(g, pgrp);
  t.kernel.users.regroup(g);
  return 0;
}

/** Implements setpgid(2). */
function setpgid(t: Task, pidArg: number, pgidArg: number): number {
  if (pgidArg < 0) return -EINVAL;
  const pids = t.kernel.pids;
  const pid = pidArg === 0 ? t.tgid : pidArg;
  const pgid = pgidArg === 0 ? pid : pgidArg;
  const task = pids.task(pid);
  if (task === null) return -ESRCH;
  const g = task.group;
  if (g.tgid !== pid) return -EINVAL;
  if (g.parent === t.group) {
    if (g.session !== t.group.session) return -EPERM;
    if (g.execed) return -EACCES;
  } else if (g !== t.group) return -ESRCH;
  if (g.session.leader === g) return -EPERM;
  if (pgid !== pid) {
    const pgrp = pids.pgrp(pgid);
    if (pgrp === null || pgrp.session !== t.group.session) return -EPERM;
    return join(t, g, pgrp);
  }
  const own = pids.pgrp(pgid);
  if (own === null) return join(t, g, pids.newPgrp(pgid, g.session));
  if (own.session !== t.group.session) return -EPERM;
  return join(t, g, own);
}

export const rows = [
  sys(SYS_setsid, [], setsid),
  sys(SYS_getsid, [PID], getsid),
  sys(SYS_getpgid, [PID], getpgid),
  sys(SYS_getpgrp, [], getpgrp),
  sys(SYS_setpgid, [PID, PID], setpgid),
];
