// prctl(2).

import { EFAULT, EINVAL, ENOMEM, EPERM } from '../../../abi/errno.ts';
import { CAP_LAST_CAP, CAP_SETPCAP, CAP_SYS_RESOURCE } from '../../../abi/process/capability.ts';
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_IS_SET,
  PR_CAP_AMBIENT_LOWER,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_GET_CHILD_SUBREAPER,
  PR_GET_DUMPABLE,
  PR_GET_KEEPCAPS,
  PR_GET_MDWE,
  PR_GET_NAME,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_PDEATHSIG,
  PR_GET_SECCOMP,
  PR_GET_SECUREBITS,
  PR_GET_THP_DISABLE,
  PR_GET_TID_ADDRESS,
  PR_GET_TIMERSLACK,
  PR_GET_TIMING,
  PR_GET_TSC,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_KEEPCAPS,
  PR_SET_MM,
  PR_SET_NAME,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  PR_SET_SECCOMP,
  PR_SET_SECUREBITS,
  PR_SET_THP_DISABLE,
  PR_SET_TIMERSLACK,
  PR_SET_TIMING,
  PR_SET_TSC,
  PR_SET_VMA,
  PR_SET_VMA_ANON_NAME,
  PR_TIMING_STATISTICAL,
  PR_TSC_ENABLE,
} from '../../../abi/process/prctl.ts';
import {
  SECBIT_KEEP_CAPS,
  SECBIT_KEEP_CAPS_LOCKED,
  SECBIT_NO_CAP_AMBIENT_RAISE,
  SECURE_ALL_BITS,
  SECURE_ALL_LOCKS,
} from '../../../abi/process/securebits.ts';
import { SYS_prctl } from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { CapSet } from '../../base/cred.ts';
import { countUnsupported } from '../../base/log.ts';
import { pageOffset, pageUp } from '../../base/page.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { commitCred, setCap } from '../../kernel/task/cred.ts';
import { mayChangeMappings } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { setAnonName } from '../../mm/anon_name.ts';
import { GUEST_TOP } from '../../platform/platform.ts';
import { ADDR, PRCTL_OP } from '../kinds.ts';
import { sys } from '../row.ts';
import { prctlSeccomp, seccompMode } from '../security/seccomp.ts';

const NAME_SIZE = 16;
/** ANON_VMA_NAME_MAX_LEN, the NUL included. */
const ANON_VMA_NAME_MAX = 80;
/** PR_GET_AUXV, as <linux/prctl.h> of 6.4 has it. */
const PR_GET_AUXV = 0x41555856;

function putInt(t: Task, addr: number, value: number): number {
  scratchView.setInt32(0, value, true);
  return t.mm.copyOutExact(addr, scratch, 0, 4) !== 0 ? -EFAULT : 0;
}

/** PR_SET_NAME: up to the first NUL, 15 bytes at most. */
function setName(t: Task, addr: number): number {
  const got = t.mm.copyIn(addr, scratch, 0, NAME_SIZE - 1);
  if (got < 0) return -EFAULT;
  let name = '';
  let ended = got === NAME_SIZE - 1;
  for (let i = 0; i < got; i++) {
    if (scratch[i] === 0) {
      ended = true;
      break;
    }
    name += String.fromCharCode(scratch[i]!);
  }
  if (!ended) return -EFAULT;
  t.name = name;
  return 0;
}

function getName(t: Task, addr: number): number {
  scratch.fill(0, 0, NAME_SIZE);
  for (let i = 0; i < t.name.length; i++) scratch[i] = t.name.charCodeAt(i);
  return t.mm.copyOutExact(addr, scratch, 0, NAME_SIZE) !== 0 ? -EFAULT : 0;
}

function setKeepCaps(t: Task, on: number): number {
  if (on !== 0 && on !== 1) return -EINVAL;
  if ((t.cred.securebits & SECBIT_KEEP_CAPS_LOCKED) !== 0) return -EPERM;
  const c = t.cred.clone();
  c.securebits = on === 1 ? c.securebits | SECBIT_KEEP_CAPS : c.securebits & ~SECBIT_KEEP_CAPS;
  commitCred(t, c);
  return 0;
}

/** PR_SET_SECUREBITS: locks stay locked, locked bits stay as they are. */
function setSecurebits(t: Task, bits: number): number {
  const old = t.cred.securebits;
  const locked = (old & SECURE_ALL_LOCKS) >> 1;
  if ((locked & (old ^ bits)) !== 0) return -EPERM;
  if ((old & SECURE_ALL_LOCKS & ~bits) !== 0) return -EPERM;
  if (bits < 0 || bits > (SECURE_ALL_LOCKS | SECURE_ALL_BITS)) return -EPERM;
  if (!t.cred.capable(CAP_SETPCAP)) return -EPERM;
  const c = t.cred.clone();
  c.securebits = bits;
  commitCred(t, c);
  return 0;
}

function dropBounding(t: Task, cap: number): number {
  if (!t.cred.capable(CAP_SETPCAP)) return -EPERM;
  if (cap < 0 || cap > CAP_LAST_CAP) return -EINVAL;
  const c = t.cred.clone();
  setCap(c.bounding, cap, false);
  commitCred(t, c);
  return 0;
}

function ambient(t: Task, op: number, cap: number, a4: number, a5: number): number {
  if (op === PR_CAP_AMBIENT_CLEAR_ALL) {
    if (cap !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
    const c = t.cred.clone();
    c.ambient = new CapSet();
    commitCred(t, c);
    return 0;
  }
  if (a4 !== 0 || a5 !== 0 || cap < 0 || cap > CAP_LAST_CAP) return -EINVAL;
  if (op === PR_CAP_AMBIENT_IS_SET) return t.cred.ambient.has(cap) ? 1 : 0;
  if (op !== PR_CAP_AMBIENT_RAISE && op !== PR_CAP_AMBIENT_LOWER) return -EINVAL;
  const raise = op === PR_CAP_AMBIENT_RAISE;
  const old = t.cred;
  if (
    raise &&
    (!old.permitted.has(cap) ||
      !old.inheritable.has(cap) ||
      (old.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) !== 0)
  ) {
    return -EPERM;
  }
  const c = old.clone();
  setCap(c.ambient, cap, raise);
  commitCred(t, c);
  return 0;
}

/** PR_GET_AUXV: the auxiliary vector's size; as much of it as fits is copied. */
function getAuxv(t: Task, addr: number, len: number): number {
  const auxv = t.mm.auxv;
  const n = Math.min(auxv.length, Math.max(0, len));
  if (n > 0 && t.mm.copyOutExact(addr, auxv, 0, n) !== 0) return -EFAULT;
  return auxv.length;
}

/** PR_SET_VMA_ANON_NAME: printable, without what would break a line of /proc/PID/maps. */
function setVmaName(t: Task, addr: number, len: number, at: number): number {
  let name: string | null = null;
  if (at !== 0) {
    const text = t.mm.copyInString(at, ANON_VMA_NAME_MAX);
    if (typeof text === 'number') return text === -EFAULT ? -EFAULT : -EINVAL;
    if (!/^[ -~]*$/.test(text) || /[[\]\\`$]/.test(text)) return -EINVAL;
    name = text;
  }
  if (!(addr >= 0) || pageOffset(addr) !== 0 || !(len >= 0)) return -EINVAL;
  if (len === 0) return 0;
  const wait = mayChangeMappings(t);
  if (wait !== 0) return wait;
  const end = addr + pageUp(len);
  return end > GUEST_TOP ? -ENOMEM : setAnonName(t.mm, addr, end, name);
}

/** Implements prctl(2). */
function prctl(t: Task, op: number, a2: number, a3: number, a4: number, a5: number): number {
  const g = t.group;
  switch (op) {
    case PR_SET_NAME:
      return setName(t, a2);
    case PR_GET_NAME:
      return getName(t, a2);
    case PR_SET_PDEATHSIG:
      if (a2 < 0 || a2 > 64) return -EINVAL;
      t.pdeathSignal = a2;
      return 0;
    case PR_GET_PDEATHSIG:
      return putInt(t, a2, t.pdeathSignal);
    case PR_GET_DUMPABLE:
      return g.dumpable;
    case PR_SET_DUMPABLE:
      if (a2 !== 0 && a2 !== 1) return -EINVAL;
      g.dumpable = a2;
      return 0;
    case PR_GET_KEEPCAPS:
      return (t.cred.securebits & SECBIT_KEEP_CAPS) !== 0 ? 1 : 0;
    case PR_SET_KEEPCAPS:
      return setKeepCaps(t, a2);
    case PR_GET_SECUREBITS:
      return t.cred.securebits;
    case PR_SET_SECUREBITS:
      return setSecurebits(t, a2);
    case PR_SET_NO_NEW_PRIVS: {
      if (a2 !== 1 || a3 !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
      const c = t.cred.clone();
      c.noNewPrivs = true;
      t.cred = c;
      return 0;
    }
    case PR_GET_NO_NEW_PRIVS:
      if (a2 !== 0 || a3 !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
      return t.cred.noNewPrivs ? 1 : 0;
    case PR_SET_SECCOMP:
      return prctlSeccomp(t, a2, a3);
    case PR_GET_SECCOMP:
      return seccompMode(t);
    case PR_CAPBSET_READ:
      if (a2 < 0 || a2 > CAP_LAST_CAP) return -EINVAL;
      return t.cred.bounding.has(a2) ? 1 : 0;
    case PR_CAPBSET_DROP:
      return dropBounding(t, a2);
    case PR_CAP_AMBIENT:
      return ambient(t, a2, a3, a4, a5);
    case PR_SET_CHILD_SUBREAPER:
      g.childSubreaper = a2 !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return putInt(t, a2, g.childSubreaper ? 1 : 0);
    case PR_SET_TIMERSLACK:
      t.sched.timerSlackNs = a2 > 0 ? a2 : t.sched.defaultTimerSlackNs;
      return 0;
    case PR_GET_TIMERSLACK:
      return t.sched.timerSlackNs;
    case PR_GET_TIMING:
      return PR_TIMING_STATISTICAL;
    case PR_SET_TIMING:
      return a2 === PR_TIMING_STATISTICAL ? 0 : -EINVAL;
    case PR_GET_TSC:
      return putInt(t, a2, PR_TSC_ENABLE);
    case PR_SET_TSC:
      if (a2 === PR_TSC_ENABLE) return 0;
      break;
    case PR_SET_THP_DISABLE:
      if (a3 !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
      g.noThp = a2 !== 0;
      return 0;
    case PR_GET_THP_DISABLE:
      if (a2 !== 0 || a3 !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
      return g.noThp ? 1 : 0;
    case PR_GET_TID_ADDRESS:
      putU64(scratchView, 0, t.clearChildTid);
      return t.mm.copyOutExact(a2, scratch, 0, 8) !== 0 ? -EFAULT : 0;
    case PR_GET_MDWE:
      return a2 !== 0 || a3 !== 0 || a4 !== 0 || a5 !== 0 ? -EINVAL : 0;
    case PR_GET_AUXV:
      return a4 !== 0 || a5 !== 0 ? -EINVAL : getAuxv(t, a2, a3);
    case PR_SET_VMA:
      return a2 === PR_SET_VMA_ANON_NAME ? setVmaName(t, a3, a4, a5) : -EINVAL;
    case PR_SET_MM:
      if (!t.cred.capable(CAP_SYS_RESOURCE)) return -EPERM;
      break;
    default:
      break;
  }
  countUnsupported(`prctl ${op}`);
  return -EINVAL;
}

export const rows = [
  sys(
    SYS_prctl,
    [PRCTL_OP, ADDR, ADDR, ADDR, ADDR],
    prctl,
    'no PR_SET_MM, PR_SET_TSC(SIGSEGV), speculation or tagged-address control',
  ),
];
