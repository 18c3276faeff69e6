// Scheduling attributes: sched(7), sched_setaffinity(2), getpriority(2), ioprio_set(2), getcpu(2). The host schedules the
// guest's threads; what is set here is checked, kept and shown as Linux would.

import { E2BIG, EACCES, EFAULT, EINVAL, EPERM, ESRCH } from '../../../abi/errno.ts';
import { CAP_SYS_ADMIN, CAP_SYS_NICE } from '../../../abi/process/capability.ts';
import {
  IOPRIO_CLASS_BE,
  IOPRIO_CLASS_IDLE,
  IOPRIO_CLASS_NONE,
  IOPRIO_CLASS_RT,
  IOPRIO_CLASS_SHIFT,
  IOPRIO_NR_LEVELS,
  IOPRIO_PRIO_MASK,
  IOPRIO_WHO_PGRP,
  IOPRIO_WHO_PROCESS,
  IOPRIO_WHO_USER,
} from '../../../abi/process/ioprio.ts';
import {
  PRIO_PGRP,
  PRIO_PROCESS,
  PRIO_USER,
  RLIMIT_NICE,
  RLIMIT_RTPRIO,
} from '../../../abi/process/resource.ts';
import {
  decodeSchedAttr,
  encodeSchedAttr,
  SCHED_ATTR_SIZE_VER0,
  SCHED_BATCH,
  SCHED_DEADLINE,
  SCHED_FIFO,
  SCHED_FLAG_KEEP_PARAMS,
  SCHED_FLAG_KEEP_POLICY,
  SCHED_FLAG_RESET_ON_FORK,
  SCHED_IDLE,
  SCHED_NORMAL,
  SCHED_RESET_ON_FORK,
  SCHED_RR,
  SIZEOF_SCHED_ATTR,
} from '../../../abi/process/sched.ts';
import {
  SYS_getcpu,
  SYS_getpriority,
  SYS_ioprio_get,
  SYS_ioprio_set,
  SYS_sched_get_priority_max,
  SYS_sched_get_priority_min,
  SYS_sched_getaffinity,
  SYS_sched_getattr,
  SYS_sched_getparam,
  SYS_sched_getscheduler,
  SYS_sched_rr_get_interval,
  SYS_sched_setaffinity,
  SYS_sched_setattr,
  SYS_sched_setparam,
  SYS_sched_setscheduler,
  SYS_sched_yield,
  SYS_setpriority,
} from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, HEX, INT, ONE_OF, PID, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { writeTimespecNs } from '../user_time.ts';

const NICE_MIN = -20;
const NICE_MAX = 19;
const RT_MAX = 99;
const RR_INTERVAL_NS = 100_000_000;
const NORMAL_INTERVAL_NS = 4_000_000;
/** Bytes of the kernel's CPU mask: a multiple of 8. */
function maskBytes(t: Task): number {
  return Math.ceil(t.kernel.numCpu / 64) * 8;
}

function find(t: Task, pid: number): Task | null {
  return pid === 0 ? t : t.kernel.pids.task(pid);
}

/** Same effective user, or CAP_SYS_NICE. */
function mayChange(t: Task, target: Task): boolean {
  const c = t.cred;
  return c.euid === target.cred.euid || c.euid === target.cred.uid || c.capable(CAP_SYS_NICE);
}

/** Implements sched_yield(2). Ready guests are served in turn anyway. */
function sched_yield(): number {
  return 0;
}

/** Implements sched_getaffinity(2): the bytes of the mask. */
function sched_getaffinity(t: Task, pid: number, len: number, addr: number): number {
  if (len < 0 || len % 8 !== 0 || len * 8 < t.kernel.numCpu) return -EINVAL;
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  const n = Math.min(len, maskBytes(t));
  const mask = target.sched.affinity;
  scratch.fill(0, 0, n);
  for (let cpu = 0; cpu < t.kernel.numCpu; cpu++) {
    if (mask === null || (mask[cpu >> 3]! & (1 << (cpu & 7))) !== 0) scratch[cpu >> 3]! |= 1 << (cpu & 7);
  }
  return t.mm.copyOutExact(addr, scratch, 0, n) !== 0 ? -EFAULT : n;
}

/** Implements sched_setaffinity(2). CPUs that do not exist are dropped from the mask. */
function sched_setaffinity(t: Task, pid: number, len: number, addr: number): number {
  const bytes = maskBytes(t);
  scratch.fill(0, 0, bytes);
  const n = Math.min(Math.max(0, len), bytes);
  if (n > 0 && t.mm.copyInExact(addr, scratch, 0, n) !== 0) return -EFAULT;
  const mask = new Uint8Array(bytes);
  let any = false;
  for (let cpu = 0; cpu < t.kernel.numCpu; cpu++) {
    if ((scratch[cpu >> 3]! & (1 << (cpu & 7))) === 0) continue;
    mask[cpu >> 3]! |= 1 << (cpu & 7);
    any = true;
  }
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  if (!mayChange(t, target)) return -EPERM;
  if (!any) return -EINVAL;
  target.sched.affinity = mask;
  t.kernel.vdso?.cpusChosen();
  return 0;
}

/** The first CPU that the thread may run on: where it "is". */
export function currentCpu(t: Task): number {
  const mask = t.sched.affinity;
  if (mask === null) return 0;
  for (let cpu = 0; cpu < t.kernel.numCpu; cpu++) {
    if ((mask[cpu >> 3]! & (1 << (cpu & 7))) !== 0) return cpu;
  }
  return 0;
}

/** Implements getcpu(2). */
function getcpu(t: Task, cpu: number, node: number): number {
  if (cpu !== 0) {
    scratchView.setUint32(0, currentCpu(t), true);
    if (t.mm.copyOutExact(cpu, scratch, 0, 4) !== 0) return -EFAULT;
  }
  if (node !== 0 && t.mm.zeroOut(node, 4) !== 4) return -EFAULT;
  return 0;
}

function isRealtime(policy: number): boolean {
  return policy === SCHED_FIFO || policy === SCHED_RR;
}

/** Changes policy and priority after Linux's checks (__sched_setscheduler). */
function setPolicy(t: Task, target: Task, policy: number, priority: number, reset: boolean): number {
  switch (policy) {
    case SCHED_NORMAL:
    case SCHED_BATCH:
    case SCHED_IDLE:
      if (priority !== 0) return -EINVAL;
      break;
    case SCHED_FIFO:
    case SCHED_RR:
      if (priority < 1 || priority > RT_MAX) return -EINVAL;
      break;
    case SCHED_DEADLINE:
      countUnsupported('SCHED_DEADLINE');
      return t.cred.capable(CAP_SYS_NICE) ? -EINVAL : -EPERM;
    default:
      return -EINVAL;
  }
  const s = target.sched;
  if (!t.cred.capable(CAP_SYS_NICE)) {
    if (isRealtime(policy)) {
      const limit = target.rlimit(RLIMIT_RTPRIO);
      if (policy !== s.policy && limit === 0) return -EPERM;
      if (priority > s.priority && priority > limit) return -EPERM;
    }
    if (s.policy === SCHED_IDLE && policy !== SCHED_IDLE && !mayNice(target, s.nice)) return -EPERM;
    if (!mayChange(t, target)) return -EPERM;
    if (s.resetOnFork && !reset) return -EPERM;
  }
  s.policy = policy;
  s.priority = priority;
  s.resetOnFork = reset;
  return 0;
}

/** RLIMIT_NICE allows nice values down to 20 - limit. */
function mayNice(target: Task, nice: number): boolean {
  return 20 - nice <= target.rlimit(RLIMIT_NICE);
}

function readPriority(t: Task, addr: number): number | null {
  if (t.mm.copyInExact(addr, scratch, 0, 4) !== 0) return null;
  return scratchView.getInt32(0, true);
}

/** Implements sched_setscheduler(2). */
function sched_setscheduler(t: Task, pid: number, policy: number, param: number): number {
  if (policy < 0 || param === 0 || pid < 0) return -EINVAL;
  const priority = readPriority(t, param);
  if (priority === null) return -EFAULT;
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  const reset = (policy & SCHED_RESET_ON_FORK) !== 0;
  return setPolicy(t, target, policy & ~SCHED_RESET_ON_FORK, priority, reset);
}

/** Implements sched_setparam(2). */
function sched_setparam(t: Task, pid: number, param: number): number {
  if (param === 0 || pid < 0) return -EINVAL;
  const priority = readPriority(t, param);
  if (priority === null) return -EFAULT;
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  return setPolicy(t, target, target.sched.policy, priority, target.sched.resetOnFork);
}

/** Implements sched_getscheduler(2). */
function sched_getscheduler(t: Task, pid: number): number {
  if (pid < 0) return -EINVAL;
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  return target.sched.policy | (target.sched.resetOnFork ? SCHED_RESET_ON_FORK : 0);
}

/** Implements sched_getparam(2). */
function sched_getparam(t: Task, pid: number, param: number): number {
  if (param === 0 || pid < 0) return -EINVAL;
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  scratchView.setInt32(0, target.sched.priority, true);
  return t.mm.copyOutExact(param, scratch, 0, 4) !== 0 ? -EFAULT : 0;
}

function priorityBound(policy: number, realtime: number): number {
  if (isRealtime(policy)) return realtime;
  const known =
    policy === SCHED_NORMAL || policy === SCHED_BATCH || policy === SCHED_IDLE || policy === SCHED_DEADLINE;
  return known ? 0 : -EINVAL;
}

/** Implements sched_get_priority_max(2). */
function sched_get_priority_max(_t: Task, policy: number): number {
  return priorityBound(policy, RT_MAX);
}

/** Implements sched_get_priority_min(2). */
function sched_get_priority_min(_t: Task, policy: number): number {
  return priorityBound(policy, 1);
}

/** Implements sched_rr_get_interval(2). */
function sched_rr_get_interval(t: Task, pid: number, addr: number): number {
  if (pid < 0) return -EINVAL;
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  const policy = target.sched.policy;
  const ns = policy === SCHED_RR ? RR_INTERVAL_NS : policy === SCHED_FIFO ? 0 : NORMAL_INTERVAL_NS;
  return writeTimespecNs(t, addr, ns);
}

/** Implements sched_setattr(2). */
function sched_setattr(t: Task, pid: number, addr: number, flags: number): number {
  if (addr === 0 || pid < 0 || flags !== 0) return -EINVAL;
  if (t.mm.copyInExact(addr, scratch, 0, 4) !== 0) return -EFAULT;
  const size = scratchView.getUint32(0, true) || SCHED_ATTR_SIZE_VER0;
  if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) return -E2BIG;
  scratch.fill(0, 0, SIZEOF_SCHED_ATTR);
  if (t.mm.copyInExact(addr, scratch, 0, size) !== 0) return -EFAULT;
  for (let i = SIZEOF_SCHED_ATTR; i < size; i++) if (scratch[i] !== 0) return -E2BIG;
  const a = decodeSchedAttr(scratchView, 0);
  const known = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_POLICY | SCHED_FLAG_KEEP_PARAMS;
  if ((a.flags & ~known) !== 0 || a.flags > 0xffff) return -EINVAL;
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  const s = target.sched;
  const keep = (a.flags & SCHED_FLAG_KEEP_POLICY) !== 0;
  const policy = keep ? s.policy : a.policy;
  const priority = (a.flags & SCHED_FLAG_KEEP_PARAMS) !== 0 ? s.priority : a.priority;
  const nice = Math.max(NICE_MIN, Math.min(NICE_MAX, a.nice));
  const ordinary = policy === SCHED_NORMAL || policy === SCHED_BATCH;
  if (ordinary && nice < s.nice && !t.cred.capable(CAP_SYS_NICE) && !mayNice(target, nice)) return -EPERM;
  const r = setPolicy(t, target, policy, priority, (a.flags & SCHED_FLAG_RESET_ON_FORK) !== 0);
  if (r === 0 && ordinary && (a.flags & SCHED_FLAG_KEEP_PARAMS) === 0) s.nice = nice;
  return r;
}

/** Implements sched_getattr(2). */
function sched_getattr(t: Task, pid: number, addr: number, size: number, flags: number): number {
  if (addr === 0 || pid < 0 || flags !== 0) return -EINVAL;
  if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) return -EINVAL;
  const target = find(t, pid);
  if (target === null) return -ESRCH;
  const s = target.sched;
  const n = Math.min(size, SIZEOF_SCHED_ATTR);
  encodeSchedAttr(scratchView, 0, {
    size: n,
    policy: s.policy,
    flags: s.resetOnFork ? SCHED_FLAG_RESET_ON_FORK : 0,
    nice: isRealtime(s.policy) ? 0 : s.nice,
    priority: s.priority,
    runtimeNs: 0,
    deadlineNs: 0,
    periodNs: 0,
    utilMin: 0,
    utilMax: 1024,
  });
  return t.mm.copyOutExact(addr, scratch, 0, n) !== 0 ? -EFAULT : 0;
}

/** The threads that a PRIO_* or IOPRIO_WHO_* scope names; null for an unknown scope. */
function scope(t: Task, which: number, who: number, names: readonly [number, number, number]): Task[] | null {
  const pids = t.kernel.pids;
  switch (which) {
    case names[0]: {
      const target = find(t, who);
      return target === null ? [] : [target];
    }
    case names[1]: {
      const pgrp = who === 0 ? t.group.pgrp : pids.pgrp(who);
      return pgrp === null ? [] : [...pgrp.members].flatMap((g) => [...g.threads]);
    }
    case names[2]: {
      const uid = who === 0 ? t.cred.uid : who >>> 0;
      return pids.tasks().filter((o) => o.cred.uid === uid);
    }
    default:
      return null;
  }
}

const PRIO_SCOPES = [PRIO_PROCESS, PRIO_PGRP, PRIO_USER] as const;
const IOPRIO_SCOPES = [IOPRIO_WHO_PROCESS, IOPRIO_WHO_PGRP, IOPRIO_WHO_USER] as const;

/** Implements getpriority(2): 20 - nice, of the favoured thread. */
function getpriority(t: Task, which: number, who: number): number {
  const targets = scope(t, which, who, PRIO_SCOPES);
  if (targets === null) return -EINVAL;
  if (targets.length === 0) return -ESRCH;
  return Math.max(...targets.map((o) => 20 - o.sched.nice));
}

/** Implements setpriority(2). */
function setpriority(t: Task, which: number, who: number, value: number): number {
  const targets = scope(t, which, who, PRIO_SCOPES);
  if (targets === null) return -EINVAL;
  const nice = Math.max(NICE_MIN, Math.min(NICE_MAX, value));
  let result = -ESRCH;
  for (const o of targets) {
    const c = t.cred;
    if (o.cred.uid !== c.euid && o.cred.euid !== c.euid && !c.capable(CAP_SYS_NICE)) result = -EPERM;
    else if (nice < o.sched.nice && !c.capable(CAP_SYS_NICE) && !mayNice(o, nice)) result = -EACCES;
    else {
      o.sched.nice = nice;
      if (result === -ESRCH) result = 0;
    }
  }
  return result;
}

/** Implements ioprio_get(2): the highest priority of the scope. */
function ioprio_get(t: Task, which: number, who: number): number {
  const targets = scope(t, which, who, IOPRIO_SCOPES);
  if (targets === null) return -EINVAL;
  if (targets.length === 0) return -ESRCH;
  let best = -1;
  for (const o of targets) {
    const p = o.sched.ioprio === 0 ? defaultIoprio(o) : o.sched.ioprio;
    if (best < 0 || p < best) best = p;
  }
  return best;
}

/** What a thread without an I/O priority of its own counts as: by its nice value. */
function defaultIoprio(o: Task): number {
  const level = Math.floor((o.sched.nice + 20) / 5);
  const cls = isRealtime(o.sched.policy)
    ? IOPRIO_CLASS_RT
    : o.sched.policy === SCHED_IDLE
      ? IOPRIO_CLASS_IDLE
      : IOPRIO_CLASS_BE;
  return (cls << IOPRIO_CLASS_SHIFT) | level;
}

/** Implements ioprio_set(2). */
function ioprio_set(t: Task, which: number, who: number, value: number): number {
  const cls = value >> IOPRIO_CLASS_SHIFT;
  const level = value & IOPRIO_PRIO_MASK;
  switch (cls) {
    case IOPRIO_CLASS_RT:
      if (!t.cred.capable(CAP_SYS_NICE) && !t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
      if (level >= IOPRIO_NR_LEVELS) return -EINVAL;
      break;
    case IOPRIO_CLASS_BE:
      if (level >= IOPRIO_NR_LEVELS) return -EINVAL;
      break;
    case IOPRIO_CLASS_IDLE:
      break;
    case IOPRIO_CLASS_NONE:
      if (level !== 0) return -EINVAL;
      break;
    default:
      return -EINVAL;
  }
  const targets = scope(t, which, who, IOPRIO_SCOPES);
  if (targets === null) return -EINVAL;
  if (targets.length === 0) return -ESRCH;
  for (const o of targets) {
    if (o.cred.uid !== t.cred.euid && o.cred.uid !== t.cred.uid && !t.cred.capable(CAP_SYS_NICE))
      return -EPERM;
    o.sched.ioprio = value;
  }
  return 0;
}

const POLICY = ONE_OF('policy', [
  ['SCHED_OTHER', SCHED_NORMAL],
  ['SCHED_FIFO', SCHED_FIFO],
  ['SCHED_RR', SCHED_RR],
  ['SCHED_BATCH', SCHED_BATCH],
  ['SCHED_IDLE', SCHED_IDLE],
  ['SCHED_DEADLINE', SCHED_DEADLINE],
]);
const PRIO = ONE_OF('which', [
  ['PRIO_PROCESS', PRIO_PROCESS],
  ['PRIO_PGRP', PRIO_PGRP],
  ['PRIO_USER', PRIO_USER],
]);
const KEPT = 'kept and shown; the host schedules';
const PARAM = STRUCT('sched_param');

export const rows = [
  sys(SYS_sched_yield, [], sched_yield),
  sys(SYS_sched_getaffinity, [PID, SIZE, ADDR], sched_getaffinity),
  sys(SYS_sched_setaffinity, [PID, SIZE, ADDR], sched_setaffinity, KEPT),
  sys(SYS_getcpu, [ADDR, ADDR], getcpu, 'the first CPU of the affinity mask'),
  sys(SYS_sched_setscheduler, [PID, POLICY, PARAM], sched_setscheduler, `${KEPT}; no SCHED_DEADLINE`),
  sys(SYS_sched_setparam, [PID, PARAM], sched_setparam, KEPT),
  sys(SYS_sched_getscheduler, [PID], sched_getscheduler),
  sys(SYS_sched_getparam, [PID, STRUCT('sched_param', true)], sched_getparam),
  sys(SYS_sched_get_priority_max, [POLICY], sched_get_priority_max),
  sys(SYS_sched_get_priority_min, [POLICY], sched_get_priority_min),
  sys(SYS_sched_rr_get_interval, [PID, STRUCT('timespec', true)], sched_rr_get_interval),
  sys(SYS_sched_setattr, [PID, STRUCT('sched_attr'), HEX], sched_setattr, `${KEPT}; no SCHED_DEADLINE`),
  sys(SYS_sched_getattr, [PID, STRUCT('sched_attr', true), HEX, HEX], sched_getattr),
  sys(SYS_getpriority, [PRIO, PID], getpriority),
  sys(SYS_setpriority, [PRIO, PID, INT], setpriority, KEPT),
  sys(SYS_ioprio_get, [INT, PID], ioprio_get),
  sys(SYS_ioprio_set, [INT, PID, INT], ioprio_set, KEPT),
];
