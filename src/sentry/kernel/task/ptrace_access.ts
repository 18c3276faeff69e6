// ptrace(2), "Ptrace access mode checking": who may look into another process.

import { CAP_SYS_PTRACE } from '../../../abi/process/capability.ts';
import type { Task } from './task.ts';

/** PTRACE_MODE_ATTACH_REALCREDS (and READ, which differs only for security modules). */
export function mayPtrace(t: Task, target: Task): boolean {
  if (t.group === target.group) return true;
  const c = t.cred;
  const o = target.cred;
  if (c.capable(CAP_SYS_PTRACE)) return true;
  const same =
    c.uid === o.euid &&
    c.uid === o.suid &&
    c.uid === o.uid &&
    c.gid === o.egid &&
    c.gid === o.sgid &&
    c.gid === o.gid;
  if (!same || target.group.dumpable !== 1) return false;
  return ((o.permitted.lo & ~c.permitted.lo) | (o.permitted.hi & ~c.permitted.hi)) === 0;
}
