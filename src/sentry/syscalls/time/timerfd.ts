// timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).

import { EBADF, EFAULT, EINVAL, EPERM } from '../../../abi/errno.ts';
import { CAP_WAKE_ALARM } from '../../../abi/process/capability.ts';
import { SYS_timerfd_create, SYS_timerfd_gettime, SYS_timerfd_settime } from '../../../abi/syscall.ts';
import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  decodeItimerspec,
  encodeItimerspec,
  type Itimerspec,
  SIZEOF_ITIMERSPEC,
} from '../../../abi/time/time.ts';
import {
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
} from '../../../abi/time/timerfd.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { TimerFile } from '../../fs/timerfd/timerfd.ts';
import type { Task } from '../../kernel/task/task.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import { fdget } from '../fdget.ts';
import { installNew } from '../install.ts';
import { FD, FLAGS, ONE_OF, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';

const NS_PER_SEC = 1e9;

/** Implements timerfd_create(2). -EINVAL, -EPERM for alarm clocks without CAP_WAKE_ALARM, -EMFILE. */
function timerfd_create(t: Task, clock: number, flags: number): number {
  if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) !== 0) return -EINVAL;
  switch (clock) {
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
      if (!t.cred.capable(CAP_WAKE_ALARM)) return -EPERM;
      break;
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
      break;
    default:
      return -EINVAL;
  }
  const file = new TimerFile(new AnonInode(anonInodeFs, 0o600, t), flags & TFD_NONBLOCK, clock, t.time);
  return installNew(t, file, (flags & TFD_CLOEXEC) !== 0);
}

/** The timer of a descriptor, or -EBADF, -EINVAL. */
function timerOf(t: Task, fd: number): TimerFile | number {
  const file = fdget(t, fd);
  if (file === null) return -EBADF;
  return file instanceof TimerFile ? file : -EINVAL;
}

function copyOutSpec(t: Task, file: TimerFile, addr: number): number {
  const old: Itimerspec = { intervalSec: 0, intervalNsec: 0, valueSec: 0, valueNsec: 0 };
  file.getTime(old);
  encodeItimerspec(scratchView, 0, old);
  return t.mem.copyOutExact(addr, scratch, 0, SIZEOF_ITIMERSPEC);
}

/** Implements timerfd_settime(2). -EFAULT, -EINVAL, -EBADF. */
function timerfd_settime(t: Task, fd: number, flags: number, newAddr: number, oldAddr: number): number {
  if (t.mem.copyInExact(newAddr, scratch, 0, SIZEOF_ITIMERSPEC) !== 0) return -EFAULT;
  const spec = decodeItimerspec(scratchView, 0);
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL;
  if (!valid(spec.valueSec, spec.valueNsec) || !valid(spec.intervalSec, spec.intervalNsec)) return -EINVAL;
  const file = timerOf(t, fd);
  if (typeof file === 'number') return file;
  const old: Itimerspec = { intervalSec: 0, intervalNsec: 0, valueSec: 0, valueNsec: 0 };
  file.getTime(old);
  file.setTime(flags, spec);
  if (oldAddr === 0) return 0;
  encodeItimerspec(scratchView, 0, old);
  return t.mem.copyOutExact(oldAddr, scratch, 0, SIZEOF_ITIMERSPEC);
}

function valid(sec: number, nsec: number): boolean {
  return sec >= 0 && nsec >= 0 && nsec < NS_PER_SEC;
}

/** Implements timerfd_gettime(2). */
function timerfd_gettime(t: Task, fd: number, addr: number): number {
  const file = timerOf(t, fd);
  return typeof file === 'number' ? file : copyOutSpec(t, file, addr);
}

const CLOCK = ONE_OF('clock', [
  ['CLOCK_REALTIME', CLOCK_REALTIME],
  ['CLOCK_MONOTONIC', CLOCK_MONOTONIC],
  ['CLOCK_BOOTTIME', CLOCK_BOOTTIME],
]);
const CREATE_FLAGS = FLAGS('flags', [
  ['TFD_CLOEXEC', TFD_CLOEXEC],
  ['TFD_NONBLOCK', TFD_NONBLOCK],
]);
const SET_FLAGS = FLAGS('flags', [
  ['TFD_TIMER_ABSTIME', TFD_TIMER_ABSTIME],
  ['TFD_TIMER_CANCEL_ON_SET', TFD_TIMER_CANCEL_ON_SET],
]);
const SPEC = STRUCT('struct itimerspec');
const SPEC_OUT = STRUCT('struct itimerspec', true);

export const rows = [
  sys(
    SYS_timerfd_create,
    [CLOCK, CREATE_FLAGS],
    timerfd_create,
    'nothing sets CLOCK_REALTIME, so TFD_TIMER_CANCEL_ON_SET never fires',
  ),
  sys(SYS_timerfd_settime, [FD, SET_FLAGS, SPEC, SPEC_OUT], timerfd_settime),
  sys(SYS_timerfd_gettime, [FD, SPEC_OUT], timerfd_gettime),
];
