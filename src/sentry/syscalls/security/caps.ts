// capget(2), capset(2).

import { EFAULT, EINVAL, EPERM, ESRCH } from '../../../abi/errno.ts';
import {
  CAP_SETPCAP,
  decodeUserCapData,
  encodeUserCapData,
  SIZEOF_USER_CAP_DATA,
  SIZEOF_USER_CAP_HEADER,
} from '../../../abi/process/capability.ts';
import { SYS_capget, SYS_capset } from '../../../abi/syscall.ts';
import { CapSet, fullCapSet } from '../../base/cred.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { capSubset, commitCred } from '../../kernel/task/cred.ts';
import type { Task } from '../../kernel/task/task.ts';
import { STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';

const VERSION_1 = 0x19980330;
const VERSION_2 = 0x20071026;
const VERSION_3 = 0x20080522;
const ALL = fullCapSet();

/** The header: how many 32-bit halves follow, with the pid in headerPid; -EINVAL (and our version put there), -EFAULT. */
let headerPid = 0;
function readHeader(t: Task, addr: number): number {
  if (t.mm.copyInExact(addr, scratch, 0, SIZEOF_USER_CAP_HEADER) !== 0) return -EFAULT;
  headerPid = scratchView.getInt32(4, true);
  switch (scratchView.getUint32(0, true)) {
    case VERSION_1:
      return 1;
    case VERSION_2:
    case VERSION_3:
      return 2;
    default:
      scratchView.setUint32(0, VERSION_3, true);
      return t.mm.copyOutExact(addr, scratch, 0, 4) !== 0 ? -EFAULT : -EINVAL;
  }
}

/** Implements capget(2). */
function capget(t: Task, header: number, data: number): number {
  const halves = readHeader(t, header);
  // Without data, the call asks for the version.
  if (halves < 0) return data === 0 && halves === -EINVAL ? 0 : halves;
  if (data === 0) return 0;
  if (headerPid < 0) return -EINVAL;
  const target = headerPid === 0 ? t : t.kernel.pids.task(headerPid);
  if (target === null) return -ESRCH;
  const c = target.cred;
  encodeUserCapData(scratchView, 0, {
    effective: c.effective.lo,
    permitted: c.permitted.lo,
    inheritable: c.inheritable.lo,
  });
  encodeUserCapData(scratchView, SIZEOF_USER_CAP_DATA, {
    effective: c.effective.hi,
    permitted: c.permitted.hi,
    inheritable: c.inheritable.hi,
  });
  return t.mm.copyOutExact(data, scratch, 0, halves * SIZEOF_USER_CAP_DATA) !== 0 ? -EFAULT : 0;
}

/** Implements capset(2). */
function capset(t: Task, header: number, data: number): number {
  const halves = readHeader(t, header);
  if (halves < 0) return halves;
  if (headerPid !== 0 && headerPid !== t.tid) return -EPERM;
  scratch.fill(0, 0, 2 * SIZEOF_USER_CAP_DATA);
  if (t.mm.copyInExact(data, scratch, 0, halves * SIZEOF_USER_CAP_DATA) !== 0) return -EFAULT;
  const lo = decodeUserCapData(scratchView, 0);
  const hi = decodeUserCapData(scratchView, SIZEOF_USER_CAP_DATA);
  const effective = new CapSet(lo.effective & ALL.lo, hi.effective & ALL.hi);
  const permitted = new CapSet(lo.permitted & ALL.lo, hi.permitted & ALL.hi);
  const inheritable = new CapSet(lo.inheritable & ALL.lo, hi.inheritable & ALL.hi);
  const old = t.cred;
  const oldBoth = new CapSet(old.inheritable.lo | old.permitted.lo, old.inheritable.hi | old.permitted.hi);
  const oldBset = new CapSet(old.inheritable.lo | old.bounding.lo, old.inheritable.hi | old.bounding.hi);
  if (!capSubset(inheritable, oldBoth) && !old.capable(CAP_SETPCAP)) return -EPERM;
  if (!capSubset(inheritable, oldBset)) return -EPERM;
  if (!capSubset(permitted, old.permitted)) return -EPERM;
  if (!capSubset(effective, permitted)) return -EPERM;
  const c = old.clone();
  c.effective = effective;
  c.permitted = permitted;
  c.inheritable = inheritable;
  c.ambient = new CapSet(
    c.ambient.lo & permitted.lo & inheritable.lo,
    c.ambient.hi & permitted.hi & inheritable.hi,
  );
  commitCred(t, c);
  return 0;
}

const HEADER = STRUCT('cap_user_header');

export const rows = [
  sys(SYS_capget, [HEADER, STRUCT('cap_user_data', true)], capget),
  sys(SYS_capset, [HEADER, STRUCT('cap_user_data')], capset),
];
