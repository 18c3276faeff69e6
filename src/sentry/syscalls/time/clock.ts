// Reading clocks: clock_gettime(2), clock_getres(2), clock_settime(2), gettimeofday(2), time(2), adjtimex(2).

import { EFAULT, EINVAL, EPERM } from '../../../abi/errno.ts';
import {
  SYS_adjtimex,
  SYS_clock_adjtime,
  SYS_clock_getres,
  SYS_clock_gettime,
  SYS_clock_settime,
  SYS_gettimeofday,
  SYS_settimeofday,
  SYS_time,
} from '../../../abi/syscall.ts';
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
} from '../../../abi/time/time.ts';
import {
  SIZEOF_TIMEX,
  STA_UNSYNC,
  TIME_ERROR,
  TIMEX_CONSTANT,
  TIMEX_ESTERROR,
  TIMEX_MAXERROR,
  TIMEX_PRECISION,
  TIMEX_STATUS,
  TIMEX_TICK,
  TIMEX_TIME_TV_SEC,
  TIMEX_TIME_TV_USEC,
  TIMEX_TOLERANCE,
} from '../../../abi/time/timex.ts';
import { getI64, putU64 } from '../../../abi/u64.ts';
import { hostClockSec, lastNsec } from '../../../host/clock.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import { cpuClockNs } from '../../kernel/time/cpu_clock.ts';
import { GUEST_TOP } from '../../platform/platform.ts';
import { RIP } from '../../platform/regs.ts';
import { COARSE_NS } from '../../vdso/params.ts';
import { ADDR, CLOCK_ID, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { writeTimespec, writeTimespecNs } from '../user_time.ts';

/** What adjtimex reports for a clock that nobody disciplines: microseconds, ticks, ppm << 16. */
const MAX_ERROR_US = 16_000_000;
const TICK_US = 10_000;
const TOLERANCE = 32_768_000;

/**
 * A call of the host's own vDSO, which ours asked and which cannot tell the time: it gets the host's, since ours counts it
 * from our boot. Whoever jumps there reads a clock that is there to be read anyway.
 */
function hostVdsoAsks(t: Task): boolean {
  const { vdso } = t.kernel;
  if (vdso === null || !vdso.asksHost || t.ctx.regs.get(RIP) < GUEST_TOP) return false;
  vdso.fellBack();
  return true;
}

/** Implements clock_gettime(2). */
function clock_gettime(t: Task, clock: number, addr: number): number {
  const time = t.kernel.time;
  if (hostVdsoAsks(t) && clock === CLOCK_MONOTONIC)
    return writeTimespec(t, addr, hostClockSec(CLOCK_MONOTONIC), lastNsec());
  t.kernel.vdso?.called();
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI: {
      const sec = time.realtimeSec();
      return writeTimespec(t, addr, sec, time.realtimeNsec);
    }
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
      return writeTimespecNs(t, addr, time.monotonicNs());
    default: {
      const ns = cpuClockNs(t, clock);
      return ns < 0 ? ns : writeTimespecNs(t, addr, ns);
    }
  }
}

function knownClock(t: Task, clock: number): boolean {
  if (clock >= CLOCK_REALTIME && clock <= CLOCK_BOOTTIME_ALARM) return true;
  return clock === CLOCK_TAI || cpuClockNs(t, clock) >= 0;
}

/** Implements clock_getres(2). */
function clock_getres(t: Task, clock: number, addr: number): number {
  if (!knownClock(t, clock)) return -EINVAL;
  if (addr === 0) return 0;
  const coarse = clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE;
  return writeTimespec(t, addr, 0, coarse ? COARSE_NS : 1);
}

/** Implements clock_settime(2): the clocks are the host's, so nobody has CAP_SYS_TIME over them. */
function clock_settime(t: Task, clock: number, addr: number): number {
  if (clock !== CLOCK_REALTIME && clock >= 0) return -EINVAL;
  if (clock < 0) return cpuClockNs(t, clock) < 0 ? -EINVAL : -EPERM;
  if (t.mm.copyInExact(addr, scratch, 0, 16) !== 0) return -EFAULT;
  const nsec = getI64(scratchView, 8);
  if (getI64(scratchView, 0) < 0 || nsec < 0 || nsec >= 1e9) return -EINVAL;
  return -EPERM;
}

/** Implements gettimeofday(2). The time zone is always UTC's. */
function gettimeofday(t: Task, tv: number, tz: number): number {
  t.kernel.vdso?.called();
  if (tv !== 0) {
    const time = t.kernel.time;
    putU64(scratchView, 0, time.realtimeSec());
    putU64(scratchView, 8, Math.floor(time.realtimeNsec / 1000));
    if (t.mm.copyOutExact(tv, scratch, 0, 16) !== 0) return -EFAULT;
  }
  if (tz !== 0 && t.mm.zeroOut(tz, 8) !== 8) return -EFAULT;
  return 0;
}

/** Implements settimeofday(2): as clock_settime. */
function settimeofday(t: Task, tv: number, tz: number): number {
  if (tv !== 0) {
    if (t.mm.copyInExact(tv, scratch, 0, 16) !== 0) return -EFAULT;
    const usec = getI64(scratchView, 8);
    if (usec < 0 || usec > 1e6) return -EINVAL;
  }
  if (tz !== 0 && t.mm.copyInExact(tz, scratch, 0, 8) !== 0) return -EFAULT;
  return -EPERM;
}

/** Implements time(2). */
function time(t: Task, addr: number): number {
  t.kernel.vdso?.called();
  const sec = t.kernel.time.realtimeSec();
  if (addr === 0) return sec;
  putU64(scratchView, 0, sec);
  return t.mm.copyOutExact(addr, scratch, 0, 8) !== 0 ? -EFAULT : sec;
}

/** Implements adjtimex(2) for readers; changing the clock is not permitted. */
function adjtimex(t: Task, addr: number): number {
  if (t.mm.copyInExact(addr, scratch, 0, SIZEOF_TIMEX) !== 0) return -EFAULT;
  // ADJ_OFFSET_SS_READ only reads.
  const modes = scratchView.getUint32(0, true);
  if (modes !== 0 && modes !== 0xa001) return -EPERM;
  scratch.fill(0, 8, SIZEOF_TIMEX);
  const clock = t.kernel.time;
  putU64(scratchView, TIMEX_MAXERROR, MAX_ERROR_US);
  putU64(scratchView, TIMEX_ESTERROR, MAX_ERROR_US);
  scratchView.setInt32(TIMEX_STATUS, STA_UNSYNC, true);
  putU64(scratchView, TIMEX_CONSTANT, 2);
  putU64(scratchView, TIMEX_PRECISION, 1);
  putU64(scratchView, TIMEX_TOLERANCE, TOLERANCE);
  putU64(scratchView, TIMEX_TIME_TV_SEC, clock.realtimeSec());
  putU64(scratchView, TIMEX_TIME_TV_USEC, Math.floor(clock.realtimeNsec / 1000));
  putU64(scratchView, TIMEX_TICK, TICK_US);
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_TIMEX) !== 0 ? -EFAULT : TIME_ERROR;
}

/** Implements clock_adjtime(2). */
function clock_adjtime(t: Task, clock: number, addr: number): number {
  return clock === CLOCK_REALTIME ? adjtimex(t, addr) : -EINVAL;
}

const TIMESPEC_OUT = STRUCT('timespec', true);

export const rows = [
  sys(SYS_clock_gettime, [CLOCK_ID, TIMESPEC_OUT], clock_gettime),
  sys(SYS_clock_getres, [CLOCK_ID, TIMESPEC_OUT], clock_getres),
  sys(
    SYS_clock_settime,
    [CLOCK_ID, STRUCT('timespec')],
    clock_settime,
    'not: EPERM, as without the privilege',
  ),
  sys(SYS_gettimeofday, [STRUCT('timeval', true), ADDR], gettimeofday),
  sys(SYS_settimeofday, [STRUCT('timeval'), ADDR], settimeofday, 'not: EPERM, as without the privilege'),
  sys(SYS_time, [ADDR], time),
  sys(SYS_adjtimex, [STRUCT('timex')], adjtimex, 'read only'),
  sys(SYS_clock_adjtime, [CLOCK_ID, STRUCT('timex')], clock_adjtime, 'read only'),
];
