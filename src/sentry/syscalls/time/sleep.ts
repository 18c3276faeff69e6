// nanosleep(2), clock_nanosleep(2), restart_syscall(2).

import {
  EFAULT,
  EINTR,
  EINVAL,
  EOPNOTSUPP,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTSYS,
} from '../../../abi/errno.ts';
import { SYS_clock_nanosleep, SYS_nanosleep, SYS_restart_syscall } from '../../../abi/syscall.ts';
import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  CLOCK_REALTIME_COARSE,
  CLOCK_TAI,
  TIMER_ABSTIME,
} from '../../../abi/time/time.ts';
import { BLOCKED, TIMED_OUT } from '../../kernel/block.ts';
import {
  RESTART_CPU_SLEEP,
  RESTART_FUTEX,
  RESTART_NANOSLEEP,
  RESTART_NONE,
  RESTART_POLL,
} from '../../kernel/signal/state.ts';
import type { Task } from '../../kernel/task/task.ts';
import { cpuClockNs, cpuClockTask, isThreadClock } from '../../kernel/time/cpu_clock.ts';
import { restartPoll } from '../events/poll.ts';
import { restartFutex } from '../ipc/futex.ts';
import { CLOCK_ID, FLAGS, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { BAD_TIME, LONGEST_NS, readRealtimeDeadline, readTimespecNs, writeTimespecNs } from '../user_time.ts';

/** A CPU-time clock is looked at no more often than this. */
const CPU_TICK_NS = 1e6;

/** Sleeps until a CLOCK_MONOTONIC time; when a signal cuts it short, writes what is left and prepares the restart. */
function sleepUntil(t: Task, deadlineNs: number, rem: number): number {
  t.deadline(deadlineNs);
  const r = t.park();
  if (r === BLOCKED) return BLOCKED;
  if (r === TIMED_OUT) return 0;
  const at = t.call.deadlineNs;
  const left = at - t.kernel.time.monotonicNs();
  if (left <= 0) return 0;
  if (rem !== 0 && writeTimespecNs(t, rem, left) !== 0) return -EFAULT;
  const s = t.signals;
  s.restartKind = RESTART_NANOSLEEP;
  s.restartDeadlineNs = at;
  s.restartPtr = rem;
  return -ERESTART_RESTARTBLOCK;
}

/** Implements nanosleep(2). */
function nanosleep(t: Task, req: number, rem: number): number {
  return relativeSleep(t, req, rem);
}

function relativeSleep(t: Task, req: number, rem: number): number {
  if (t.call.active) return sleepUntil(t, 0, rem);
  const ns = readTimespecNs(t, req);
  if (ns < 0) return ns === BAD_TIME ? -EINVAL : ns;
  return sleepUntil(t, t.kernel.time.monotonicNs() + ns, rem);
}

/** clock_nanosleep(2) on the CPU time of a process or of another thread. */
function cpuSleep(t: Task, clock: number, flags: number, req: number, rem: number): number {
  const target = cpuClockTask(t, clock);
  // Its own time does not go on while a thread sleeps.
  if (target === null || (target === t && isThreadClock(clock))) return -EINVAL;
  let at = t.call.a;
  if (!t.call.active) {
    at = readTimespecNs(t, req);
    if (at < 0) return at === BAD_TIME ? -EINVAL : at;
    if ((flags & TIMER_ABSTIME) === 0) at += cpuClockNs(t, clock);
  }
  const r = cpuSleepUntil(t, clock, at);
  if (r !== -ERESTARTSYS) return r;
  return (flags & TIMER_ABSTIME) !== 0 ? -ERESTARTNOHAND : restartCpuSleep(t, clock, at, rem);
}

/** Looks at the clock when it could be time, had all threads run meanwhile. 0, BLOCKED or -ERESTARTSYS. */
function cpuSleepUntil(t: Task, clock: number, atNs: number): number {
  const target = cpuClockTask(t, clock);
  const left = target === null ? LONGEST_NS : atNs - cpuClockNs(t, clock);
  if (left <= 0) return 0;
  const threads = target === null || isThreadClock(clock) ? 1 : Math.max(1, target.group.live);
  t.call.timedOut = false;
  t.call.deadlineNs = t.kernel.time.monotonicNs() + Math.max(CPU_TICK_NS, left / threads);
  const r = t.park();
  if (r === BLOCKED) t.call.a = atNs;
  return r;
}

/** A signal cut the sleep short: writes what is left and prepares the restart. */
function restartCpuSleep(t: Task, clock: number, atNs: number, rem: number): number {
  const left = atNs - cpuClockNs(t, clock);
  if (rem !== 0 && writeTimespecNs(t, rem, Math.max(0, left)) !== 0) return -EFAULT;
  const s = t.signals;
  s.restartKind = RESTART_CPU_SLEEP;
  s.restartClock = clock;
  s.restartDeadlineNs = atNs;
  s.restartPtr = rem;
  return -ERESTART_RESTARTBLOCK;
}

/** Implements clock_nanosleep(2). */
function clock_nanosleep(t: Task, clock: number, flags: number, req: number, rem: number): number {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
      break;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
      return -EOPNOTSUPP;
    default:
      return cpuSleep(t, clock, flags, req, rem);
  }
  if ((flags & TIMER_ABSTIME) === 0) return relativeSleep(t, req, rem);
  if (!t.call.active) {
    const wall = clock === CLOCK_REALTIME || clock === CLOCK_TAI;
    const at = wall ? readRealtimeDeadline(t, req) : readTimespecNs(t, req);
    if (at < 0) return at === BAD_TIME ? -EINVAL : at;
    t.deadline(at);
  }
  const r = t.park();
  if (r === BLOCKED) return BLOCKED;
  return r === TIMED_OUT ? 0 : -ERESTARTNOHAND;
}

/** Implements restart_syscall(2): goes on with the call that a stop or an unhandled signal interrupted. */
function restart_syscall(t: Task): number {
  const s = t.signals;
  switch (s.restartKind) {
    case RESTART_NANOSLEEP:
      return sleepUntil(t, s.restartDeadlineNs, s.restartPtr);
    case RESTART_FUTEX:
      return restartFutex(t);
    case RESTART_POLL:
      return restartPoll(t);
    case RESTART_CPU_SLEEP: {
      const r = cpuSleepUntil(t, s.restartClock, s.restartDeadlineNs);
      if (r !== -ERESTARTSYS) return r;
      return restartCpuSleep(t, s.restartClock, s.restartDeadlineNs, s.restartPtr);
    }
    case RESTART_NONE:
      return -EINTR;
    default:
      return -EINTR;
  }
}

const ABSTIME = FLAGS('flags', [['TIMER_ABSTIME', TIMER_ABSTIME]]);
const TIMESPEC = STRUCT('timespec');

export const rows = [
  sys(SYS_nanosleep, [TIMESPEC, STRUCT('timespec', true)], nanosleep),
  sys(SYS_clock_nanosleep, [CLOCK_ID, ABSTIME, TIMESPEC, STRUCT('timespec', true)], clock_nanosleep),
  sys(SYS_restart_syscall, [], restart_syscall),
];
