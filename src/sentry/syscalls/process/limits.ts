// Resource limits: prlimit64(2), getrlimit(2), setrlimit(2).

import { EFAULT, EINVAL, EPERM, ESRCH } from '../../../abi/errno.ts';
import { CAP_SYS_RESOURCE } from '../../../abi/process/capability.ts';
import {
  decodeRlimit,
  encodeRlimit,
  RLIM_INFINITY,
  RLIM_NLIMITS,
  RLIMIT_CPU,
  RLIMIT_NOFILE,
  SIZEOF_RLIMIT,
} from '../../../abi/process/resource.ts';
import { SYS_getrlimit, SYS_prlimit64, SYS_setrlimit } from '../../../abi/syscall.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { type Limits, NR_OPEN_MAX } from '../../kernel/task/rlimits.ts';
import type { Task } from '../../kernel/task/task.ts';
import { PID, RESOURCE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';

function toAbi(limit: number): number {
  return limit === Number.POSITIVE_INFINITY ? RLIM_INFINITY : limit;
}

function fromAbi(limit: number): number {
  return limit >= RLIM_INFINITY ? Number.POSITIVE_INFINITY : limit;
}

/** Sets a limit from guest memory. */
function change(t: Task, limits: Limits, resource: number, soft: number, hard: number): number {
  if (soft > hard) return -EINVAL;
  if (resource === RLIMIT_NOFILE && hard > NR_OPEN_MAX) return -EPERM;
  if (hard > limits.hard(resource) && !t.cred.capable(CAP_SYS_RESOURCE)) return -EPERM;
  limits.set(resource, soft, hard);
  return 0;
}

/** Implements prlimit64(2). */
function prlimit64(t: Task, pid: number, resource: number, neu: number, old: number): number {
  if (resource < 0 || resource >= RLIM_NLIMITS) return -EINVAL;
  let soft = 0;
  let hard = 0;
  if (neu !== 0) {
    if (t.mm.copyInExact(neu, scratch, 0, SIZEOF_RLIMIT) !== 0) return -EFAULT;
    const r = decodeRlimit(scratchView, 0);
    soft = fromAbi(r.cur);
    hard = fromAbi(r.max);
  }
  const target = pid === 0 ? t : t.kernel.pids.task(pid);
  if (target === null) return -ESRCH;
  if (target !== t) {
    const c = t.cred;
    const o = target.cred;
    const same =
      c.uid === o.euid &&
      c.uid === o.suid &&
      c.uid === o.uid &&
      c.gid === o.egid &&
      c.gid === o.sgid &&
      c.gid === o.gid;
    if (!same && !c.capable(CAP_SYS_RESOURCE)) return -EPERM;
  }
  const limits = target.group.limits;
  const oldSoft = limits.soft(resource);
  const oldHard = limits.hard(resource);
  if (neu !== 0) {
    const err = change(t, limits, resource, soft, hard);
    if (err !== 0) return err;
    if (resource === RLIMIT_CPU) target.group.cpuLimit.update();
  }
  if (old === 0) return 0;
  encodeRlimit(scratchView, 0, { cur: toAbi(oldSoft), max: toAbi(oldHard) });
  return t.mm.copyOutExact(old, scratch, 0, SIZEOF_RLIMIT) !== 0 ? -EFAULT : 0;
}

/** Implements getrlimit(2). */
function getrlimit(t: Task, resource: number, addr: number): number {
  if (addr === 0) return resource < 0 || resource >= RLIM_NLIMITS ? -EINVAL : -EFAULT;
  return prlimit64(t, 0, resource, 0, addr);
}

/** Implements setrlimit(2). */
function setrlimit(t: Task, resource: number, addr: number): number {
  if (addr === 0) return -EFAULT;
  return prlimit64(t, 0, resource, addr, 0);
}

const RLIMIT = STRUCT('rlimit');
const RLIMIT_OUT = STRUCT('rlimit', true);

export const rows = [
  sys(SYS_prlimit64, [PID, RESOURCE, RLIMIT, RLIMIT_OUT], prlimit64),
  sys(SYS_getrlimit, [RESOURCE, RLIMIT_OUT], getrlimit),
  sys(SYS_setrlimit, [RESOURCE, RLIMIT], setrlimit),
];
