// What a process of a container is: credentials and limits, from config.json or from exec's process.json.

import { RLIMIT_NOFILE } from '../../abi/process/resource.ts';
import { CapSet, Cred } from '../../sentry/base/cred.ts';
import { type Limits, NR_OPEN_MAX } from '../../sentry/kernel/task/rlimits.ts';
import type { SpecProcess } from './spec.ts';

function set([lo, hi]: readonly [number, number]): CapSet {
  return new CapSet(lo, hi);
}

/** credentials(7) and capabilities(7) of a process before it executes its program. */
export function credOf(p: SpecProcess): Cred {
  const c = new Cred();
  c.uid = c.euid = c.suid = c.fsuid = p.uid;
  c.gid = c.egid = c.sgid = c.fsgid = p.gid;
  c.groups = [...p.groups];
  c.bounding = set(p.caps.bounding);
  c.effective = set(p.caps.effective);
  c.permitted = set(p.caps.permitted);
  c.inheritable = set(p.caps.inheritable);
  // prctl(2), PR_CAP_AMBIENT_RAISE: only what is both permitted and inheritable.
  const { lo, hi } = set(p.caps.ambient);
  c.ambient = new CapSet(lo & c.permitted.lo & c.inheritable.lo, hi & c.permitted.hi & c.inheritable.hi);
  c.noNewPrivs = p.noNewPrivileges;
  return c;
}

/** `base` with what the process asks for: getrlimit(2). */
export function limitsOf(base: Limits, p: SpecProcess): Limits {
  const limits = base.clone();
  const most = (resource: number) => (resource === RLIMIT_NOFILE ? NR_OPEN_MAX : Number.POSITIVE_INFINITY);
  for (const { resource, soft, hard } of p.rlimits)
    limits.set(
      resource,
      Math.min(soft ?? Number.POSITIVE_INFINITY, most(resource)),
      Math.min(hard ?? Number.POSITIVE_INFINITY, most(resource)),
    );
  return limits;
}
