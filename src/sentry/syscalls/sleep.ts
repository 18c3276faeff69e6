// nanosleep(2), clock_nanosleep(2), restart_syscall(2).

import { EFAULT, EINTR, EINVAL, EOPNOTSUPP, ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from '../../abi/errno.ts';
import { SYS_clock_nanosleep, SYS_nanosleep, SYS_restart_syscall } from '../../abi/syscall.ts';
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
  CLOCK_THREAD_CPUTIME_ID,
  TIMER_ABSTIME,
} from '../../abi/time.ts';
import { countUnsupported } from '../base/log.ts';
import { BLOCKED, TIMED_OUT } from '../kernel/block.ts';
import { RESTART_FUTEX, RESTART_NANOSLEEP, RESTART_NONE, RESTART_POLL } from '../kernel/signal_state.ts';
import type { Task } from '../kernel/task.ts';
import { restartFutex } from './futex.ts';
import { CLOCK_ID, FLAGS, STRUCT } from './kinds.ts';
import { restartPoll } from './poll.ts';
import { sys } from './row.ts';
import { BAD_TIME, readRealtimeDeadline, readTimespecNs, writeTimespecNs } from './user_time.ts';

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

/** Implements clock_nanosleep(2). CPU-time clocks cannot be slept on. */
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
    case CLOCK_THREAD_CPUTIME_ID:
      return -EINVAL;
    default:
      if (clock > CLOCK_TAI) return -EINVAL;
      countUnsupported('clock_nanosleep on a CPU-time clock');
      return -EOPNOTSUPP;
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
  sys(
    SYS_clock_nanosleep,
    [CLOCK_ID, ABSTIME, TIMESPEC, STRUCT('timespec', true)],
    clock_nanosleep,
    'not on CPU-time clocks',
  ),
  sys(SYS_restart_syscall, [], restart_syscall),
];
