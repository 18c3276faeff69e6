// Timers: setitimer(2), getitimer(2), alarm(2), timer_create(2) and its family.

import { EAGAIN, EFAULT, EINVAL, EOPNOTSUPP } from '../../../abi/errno.ts';
import { RLIMIT_SIGPENDING } from '../../../abi/process/resource.ts';
import {
  decodeSigevent,
  SIGALRM,
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  SIGEV_THREAD_ID,
  SIZEOF_SIGEVENT,
} from '../../../abi/signal/signal.ts';
import {
  SYS_alarm,
  SYS_getitimer,
  SYS_setitimer,
  SYS_timer_create,
  SYS_timer_delete,
  SYS_timer_getoverrun,
  SYS_timer_gettime,
  SYS_timer_settime,
} from '../../../abi/syscall.ts';
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  CLOCK_TAI,
  decodeItimerspec,
  decodeItimerval,
  ITIMER_PROF,
  ITIMER_REAL,
  ITIMER_VIRTUAL,
  SIZEOF_ITIMERSPEC,
  SIZEOF_ITIMERVAL,
  TIMER_ABSTIME,
} from '../../../abi/time/time.ts';
import { putU64 } from '../../../abi/u64.ts';
import { kernelMemory } from '../../base/charge.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import { cpuClockTask, isThreadClock } from '../../kernel/time/cpu_clock.ts';
import { PosixTimer, TIMER_BYTES } from '../../kernel/time/posix_timer.ts';
import { ADDR, CLOCK_ID, FLAGS, INT, ONE_OF, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';
import { BAD_TIME, LONGEST_NS, realtimeToMonotonic, toNs } from '../user_time.ts';

const MAX_TIMER_ID = 0x7fffffff;

/** Writes {interval, value} as struct itimerval; 0 or -EFAULT. */
function writeItimerval(t: Task, addr: number, intervalNs: number, valueNs: number): number {
  for (const [off, ns] of [
    [0, intervalNs],
    [16, valueNs],
  ] as const) {
    const us = Math.floor(ns / 1000);
    const sec = Math.floor(us / 1e6);
    putU64(scratchView, off, sec);
    putU64(scratchView, off + 8, us - sec * 1e6);
  }
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_ITIMERVAL) !== 0 ? -EFAULT : 0;
}

/** Implements getitimer(2). */
function getitimer(t: Task, which: number, addr: number): number {
  if (which < ITIMER_REAL || which > ITIMER_PROF) return -EINVAL;
  const timers = t.group.itimers;
  return writeItimerval(t, addr, timers.interval(which), timers.remaining(which));
}

/** Implements setitimer(2). A null new value disarms, as Linux still allows. */
function setitimer(t: Task, which: number, addr: number, old: number): number {
  let value = 0;
  let interval = 0;
  if (addr !== 0) {
    if (t.mm.copyInExact(addr, scratch, 0, SIZEOF_ITIMERVAL) !== 0) return -EFAULT;
    const v = decodeItimerval(scratchView, 0);
    value = toNs(v.valueSec, v.valueUsec * 1000);
    interval = toNs(v.intervalSec, v.intervalUsec * 1000);
    if (value < 0 || interval < 0) return -EINVAL;
  }
  if (which < ITIMER_REAL || which > ITIMER_PROF) return -EINVAL;
  const timers = t.group.itimers;
  const oldInterval = timers.interval(which);
  const oldValue = timers.remaining(which);
  timers.set(which, value, interval);
  return old === 0 ? 0 : writeItimerval(t, old, oldInterval, oldValue);
}

/** Implements alarm(2): shares ITIMER_REAL. */
function alarm(t: Task, seconds: number): number {
  const timers = t.group.itimers;
  const left = timers.remaining(ITIMER_REAL);
  timers.set(ITIMER_REAL, Math.min((seconds >>> 0) * 1e9, LONGEST_NS), 0);
  // Rounded to the nearest second, but never to 0 while armed.
  return left === 0 ? 0 : Math.max(1, Math.round(left / 1e9));
}

/** Implements timer_create(2). */
function timer_create(t: Task, clock: number, sevp: number, idp: number): number {
  const g = t.group;
  const cpu = cpuClockTask(t, clock);
  const wall =
    clock === CLOCK_REALTIME || clock === CLOCK_MONOTONIC || clock === CLOCK_BOOTTIME || clock === CLOCK_TAI;
  if (!wall && cpu === null) return clock > CLOCK_TAI || clock < 0 ? -EINVAL : -EOPNOTSUPP;
  let notify = SIGEV_SIGNAL;
  let signo = SIGALRM;
  let valueLo = g.nextTimerId;
  let valueHi = 0;
  let target: Task | null = null;
  if (sevp !== 0) {
    if (t.mm.copyInExact(sevp, scratch, 0, SIZEOF_SIGEVENT) !== 0) return -EFAULT;
    const e = decodeSigevent(scratchView, 0);
    notify = e.notify;
    signo = e.signo;
    valueLo = e.valueLo;
    valueHi = e.valueHi;
    if (notify === SIGEV_THREAD_ID) {
      target = t.kernel.pids.task(e.notifyThreadId);
      if (target === null || target.group !== g) return -EINVAL;
    } else if (notify !== SIGEV_SIGNAL && notify !== SIGEV_NONE && notify !== SIGEV_THREAD) return -EINVAL;
    if (notify !== SIGEV_NONE && (signo < 1 || signo > 64)) return -EINVAL;
  }
  // Each timer stands for one signal that can always be queued.
  if (g.posixTimers.size >= t.rlimit(RLIMIT_SIGPENDING) || !kernelMemory.fits(TIMER_BYTES)) return -EAGAIN;
  while (g.posixTimers.has(g.nextTimerId)) g.nextTimerId = (g.nextTimerId + 1) % MAX_TIMER_ID;
  const id = g.nextTimerId;
  if (sevp === 0) valueLo = id;
  scratchView.setInt32(0, id, true);
  if (t.mm.copyOutExact(idp, scratch, 0, 4) !== 0) return -EFAULT;
  g.nextTimerId = (id + 1) % MAX_TIMER_ID;
  const cpuOf = cpu !== null && isThreadClock(clock) ? cpu : null;
  const cpuGroup = cpu === null ? null : cpu.group;
  g.posixTimers.set(
    id,
    new PosixTimer(id, g, clock, notify, signo, valueLo, valueHi, target, cpuOf, cpuGroup),
  );
  return 0;
}

function writeItimerspec(t: Task, addr: number, intervalNs: number, valueNs: number): number {
  const intervalSec = Math.floor(intervalNs / 1e9);
  const valueSec = Math.floor(valueNs / 1e9);
  putU64(scratchView, 0, intervalSec);
  putU64(scratchView, 8, Math.floor(intervalNs - intervalSec * 1e9));
  putU64(scratchView, 16, valueSec);
  putU64(scratchView, 24, Math.floor(valueNs - valueSec * 1e9));
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_ITIMERSPEC) !== 0 ? -EFAULT : 0;
}

/** Implements timer_settime(2). */
function timer_settime(t: Task, id: number, flags: number, addr: number, old: number): number {
  if (addr === 0) return -EINVAL;
  if (t.mm.copyInExact(addr, scratch, 0, SIZEOF_ITIMERSPEC) !== 0) return -EFAULT;
  const v = decodeItimerspec(scratchView, 0);
  const value = toNs(v.valueSec, v.valueNsec);
  const interval = toNs(v.intervalSec, v.intervalNsec);
  if (value === BAD_TIME || interval === BAD_TIME) return -EINVAL;
  const timer = t.group.posixTimers.get(id);
  if (timer === undefined) return -EINVAL;
  const oldInterval = timer.interval();
  const oldValue = timer.remaining();
  if (value === 0) timer.set(0, interval);
  else if ((flags & TIMER_ABSTIME) === 0) timer.set(timer.fromNow(value), interval);
  else if (timer.clock === CLOCK_REALTIME || timer.clock === CLOCK_TAI) {
    timer.set(Math.max(1, realtimeToMonotonic(t, v.valueSec, v.valueNsec)), interval);
  } else timer.set(value, interval);
  return old === 0 ? 0 : writeItimerspec(t, old, oldInterval, oldValue);
}

/** Implements timer_gettime(2). */
function timer_gettime(t: Task, id: number, addr: number): number {
  const timer = t.group.posixTimers.get(id);
  if (timer === undefined) return -EINVAL;
  return writeItimerspec(t, addr, timer.interval(), timer.remaining());
}

/** Implements timer_getoverrun(2). */
function timer_getoverrun(t: Task, id: number): number {
  const timer = t.group.posixTimers.get(id);
  return timer === undefined ? -EINVAL : timer.overrun;
}

/** Implements timer_delete(2). */
function timer_delete(t: Task, id: number): number {
  const timer = t.group.posixTimers.get(id);
  if (timer === undefined) return -EINVAL;
  timer.dispose();
  t.group.posixTimers.delete(id);
  return 0;
}

const WHICH = ONE_OF('which', [
  ['ITIMER_REAL', ITIMER_REAL],
  ['ITIMER_VIRTUAL', ITIMER_VIRTUAL],
  ['ITIMER_PROF', ITIMER_PROF],
]);
const ABSTIME = FLAGS('flags', [['TIMER_ABSTIME', TIMER_ABSTIME]]);

export const rows = [
  sys(SYS_getitimer, [WHICH, STRUCT('itimerval', true)], getitimer),
  sys(SYS_setitimer, [WHICH, STRUCT('itimerval'), STRUCT('itimerval', true)], setitimer),
  sys(SYS_alarm, [UINT], alarm),
  sys(SYS_timer_create, [CLOCK_ID, STRUCT('sigevent'), ADDR], timer_create),
  sys(SYS_timer_settime, [INT, ABSTIME, STRUCT('itimerspec'), STRUCT('itimerspec', true)], timer_settime),
  sys(SYS_timer_gettime, [INT, STRUCT('itimerspec', true)], timer_gettime),
  sys(SYS_timer_getoverrun, [INT], timer_getoverrun),
  sys(SYS_timer_delete, [INT], timer_delete),
];
