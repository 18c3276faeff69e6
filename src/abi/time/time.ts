/** Clocks and timers: <linux/time.h>. */

import { getI64, putU64 } from '../u64.ts';

export const ITIMER_REAL = 0;
export const ITIMER_VIRTUAL = 1;
export const ITIMER_PROF = 2;

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_PROCESS_CPUTIME_ID = 2;
export const CLOCK_THREAD_CPUTIME_ID = 3;
export const CLOCK_MONOTONIC_RAW = 4;
export const CLOCK_REALTIME_COARSE = 5;
export const CLOCK_MONOTONIC_COARSE = 6;
export const CLOCK_BOOTTIME = 7;
export const CLOCK_REALTIME_ALARM = 8;
export const CLOCK_BOOTTIME_ALARM = 9;
export const CLOCK_SGI_CYCLE = 10;
export const CLOCK_TAI = 11;

export const MAX_CLOCKS = 16;
export const CLOCKS_MASK = 1;
export const CLOCKS_MONO = 1;
export const TIMER_ABSTIME = 0x1;

export const CLOCK_AUX = 16;

/** Layout of struct timespec. */
export const SIZEOF_TIMESPEC = 16;
export const TIMESPEC_TV_SEC = 0;
export const TIMESPEC_TV_NSEC = 8;

/** Seconds and nanoseconds. */
export type Timespec = {
  sec: number;
  nsec: number;
};

export function encodeTimespec(view: DataView, off: number, s: Timespec): void {
  putU64(view, off + TIMESPEC_TV_SEC, s.sec);
  putU64(view, off + TIMESPEC_TV_NSEC, s.nsec);
}

export function decodeTimespec(view: DataView, off: number): Timespec {
  return {
    sec: getI64(view, off + TIMESPEC_TV_SEC),
    nsec: getI64(view, off + TIMESPEC_TV_NSEC),
  };
}

/** Layout of struct timeval. */
export const SIZEOF_TIMEVAL = 16;
export const TIMEVAL_TV_SEC = 0;
export const TIMEVAL_TV_USEC = 8;

/** Seconds and microseconds. */
export type Timeval = {
  sec: number;
  usec: number;
};

export function encodeTimeval(view: DataView, off: number, s: Timeval): void {
  putU64(view, off + TIMEVAL_TV_SEC, s.sec);
  putU64(view, off + TIMEVAL_TV_USEC, s.usec);
}

export function decodeTimeval(view: DataView, off: number): Timeval {
  return {
    sec: getI64(view, off + TIMEVAL_TV_SEC),
    usec: getI64(view, off + TIMEVAL_TV_USEC),
  };
}

/** Layout of struct itimerval. */
export const SIZEOF_ITIMERVAL = 32;
export const ITIMERVAL_IT_INTERVAL_TV_SEC = 0; // it_interval.tv_sec
export const ITIMERVAL_IT_INTERVAL_TV_USEC = 8; // it_interval.tv_usec
export const ITIMERVAL_IT_VALUE_TV_SEC = 16; // it_value.tv_sec
export const ITIMERVAL_IT_VALUE_TV_USEC = 24; // it_value.tv_usec

/** setitimer(2). */
export type Itimerval = {
  intervalSec: number;
  intervalUsec: number;
  valueSec: number;
  valueUsec: number;
};

export function encodeItimerval(view: DataView, off: number, s: Itimerval): void {
  putU64(view, off + ITIMERVAL_IT_INTERVAL_TV_SEC, s.intervalSec);
  putU64(view, off + ITIMERVAL_IT_INTERVAL_TV_USEC, s.intervalUsec);
  putU64(view, off + ITIMERVAL_IT_VALUE_TV_SEC, s.valueSec);
  putU64(view, off + ITIMERVAL_IT_VALUE_TV_USEC, s.valueUsec);
}

export function decodeItimerval(view: DataView, off: number): Itimerval {
  return {
    intervalSec: getI64(view, off + ITIMERVAL_IT_INTERVAL_TV_SEC),
    intervalUsec: getI64(view, off + ITIMERVAL_IT_INTERVAL_TV_USEC),
    valueSec: getI64(view, off + ITIMERVAL_IT_VALUE_TV_SEC),
    valueUsec: getI64(view, off + ITIMERVAL_IT_VALUE_TV_USEC),
  };
}

/** Layout of struct itimerspec. */
export const SIZEOF_ITIMERSPEC = 32;
export const ITIMERSPEC_IT_INTERVAL_TV_SEC = 0; // it_interval.tv_sec
export const ITIMERSPEC_IT_INTERVAL_TV_NSEC = 8; // it_interval.tv_nsec
export const ITIMERSPEC_IT_VALUE_TV_SEC = 16; // it_value.tv_sec
export const ITIMERSPEC_IT_VALUE_TV_NSEC = 24; // it_value.tv_nsec

/** timer_settime(2) and timerfd_settime(2). */
export type Itimerspec = {
  intervalSec: number;
  intervalNsec: number;
  valueSec: number;
  valueNsec: number;
};

export function encodeItimerspec(view: DataView, off: number, s: Itimerspec): void {
  putU64(view, off + ITIMERSPEC_IT_INTERVAL_TV_SEC, s.intervalSec);
  putU64(view, off + ITIMERSPEC_IT_INTERVAL_TV_NSEC, s.intervalNsec);
  putU64(view, off + ITIMERSPEC_IT_VALUE_TV_SEC, s.valueSec);
  putU64(view, off + ITIMERSPEC_IT_VALUE_TV_NSEC, s.valueNsec);
}

export function decodeItimerspec(view: DataView, off: number): Itimerspec {
  return {
    intervalSec: getI64(view, off + ITIMERSPEC_IT_INTERVAL_TV_SEC),
    intervalNsec: getI64(view, off + ITIMERSPEC_IT_INTERVAL_TV_NSEC),
    valueSec: getI64(view, off + ITIMERSPEC_IT_VALUE_TV_SEC),
    valueNsec: getI64(view, off + ITIMERSPEC_IT_VALUE_TV_NSEC),
  };
}

/** Layout of struct timezone. */
export const SIZEOF_TIMEZONE = 8;
export const TIMEZONE_TZ_MINUTESWEST = 0;
export const TIMEZONE_TZ_DSTTIME = 4;

/** gettimeofday(2). */
export type Timezone = {
  minuteswest: number;
  dsttime: number;
};

export function encodeTimezone(view: DataView, off: number, s: Timezone): void {
  view.setInt32(off + TIMEZONE_TZ_MINUTESWEST, s.minuteswest, true);
  view.setInt32(off + TIMEZONE_TZ_DSTTIME, s.dsttime, true);
}

export function decodeTimezone(view: DataView, off: number): Timezone {
  return {
    minuteswest: view.getInt32(off + TIMEZONE_TZ_MINUTESWEST, true),
    dsttime: view.getInt32(off + TIMEZONE_TZ_DSTTIME, true),
  };
}
