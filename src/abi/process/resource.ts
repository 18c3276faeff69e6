/** Resource limits and usage: <linux/time.h>, <linux/resource.h>. */

import { getI64, getU64, putU64 } from '../u64.ts';

export const RUSAGE_SELF = 0;
export const RUSAGE_CHILDREN = -1;
export const RUSAGE_BOTH = -2;
export const RUSAGE_THREAD = 1;

export const RLIM64_INFINITY = 0x1_0000_0000_0000_0000;

export const PRIO_MIN = -20;
export const PRIO_MAX = 20;
export const PRIO_PROCESS = 0;
export const PRIO_PGRP = 1;
export const PRIO_USER = 2;

export const _STK_LIM = 8388608;
export const MLOCK_LIMIT = 8388608;

export const RLIMIT_CPU = 0;
export const RLIMIT_FSIZE = 1;
export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_CORE = 4;
export const RLIMIT_RSS = 5;
export const RLIMIT_NPROC = 6;
export const RLIMIT_NOFILE = 7;
export const RLIMIT_MEMLOCK = 8;
export const RLIMIT_AS = 9;
export const RLIMIT_LOCKS = 10;
export const RLIMIT_SIGPENDING = 11;
export const RLIMIT_MSGQUEUE = 12;
export const RLIMIT_NICE = 13;
export const RLIMIT_RTPRIO = 14;
export const RLIMIT_RTTIME = 15;

export const RLIM_NLIMITS = 16;
export const RLIM_INFINITY = 0x1_0000_0000_0000_0000;

/** Layout of struct rusage. */
export const SIZEOF_RUSAGE = 144;
export const RUSAGE_RU_UTIME_TV_SEC = 0; // ru_utime.tv_sec
export const RUSAGE_RU_UTIME_TV_USEC = 8; // ru_utime.tv_usec
export const RUSAGE_RU_STIME_TV_SEC = 16; // ru_stime.tv_sec
export const RUSAGE_RU_STIME_TV_USEC = 24; // ru_stime.tv_usec
export const RUSAGE_RU_MAXRSS = 32;
export const RUSAGE_RU_IXRSS = 40;
export const RUSAGE_RU_IDRSS = 48;
export const RUSAGE_RU_ISRSS = 56;
export const RUSAGE_RU_MINFLT = 64;
export const RUSAGE_RU_MAJFLT = 72;
export const RUSAGE_RU_NSWAP = 80;
export const RUSAGE_RU_INBLOCK = 88;
export const RUSAGE_RU_OUBLOCK = 96;
export const RUSAGE_RU_MSGSND = 104;
export const RUSAGE_RU_MSGRCV = 112;
export const RUSAGE_RU_NSIGNALS = 120;
export const RUSAGE_RU_NVCSW = 128;
export const RUSAGE_RU_NIVCSW = 136;

/** getrusage(2). */
export type Rusage = {
  utimeSec: number;
  utimeUsec: number;
  stimeSec: number;
  stimeUsec: number;
  maxrss: number;
  ixrss: number;
  idrss: number;
  isrss: number;
  minflt: number;
  majflt: number;
  nswap: number;
  inblock: number;
  oublock: number;
  msgsnd: number;
  msgrcv: number;
  nsignals: number;
  nvcsw: number;
  nivcsw: number;
};

export function encodeRusage(view: DataView, off: number, s: Rusage): void {
  putU64(view, off + RUSAGE_RU_UTIME_TV_SEC, s.utimeSec);
  putU64(view, off + RUSAGE_RU_UTIME_TV_USEC, s.utimeUsec);
  putU64(view, off + RUSAGE_RU_STIME_TV_SEC, s.stimeSec);
  putU64(view, off + RUSAGE_RU_STIME_TV_USEC, s.stimeUsec);
  putU64(view, off + RUSAGE_RU_MAXRSS, s.maxrss);
  putU64(view, off + RUSAGE_RU_IXRSS, s.ixrss);
  putU64(view, off + RUSAGE_RU_IDRSS, s.idrss);
  putU64(view, off + RUSAGE_RU_ISRSS, s.isrss);
  putU64(view, off + RUSAGE_RU_MINFLT, s.minflt);
  putU64(view, off + RUSAGE_RU_MAJFLT, s.majflt);
  putU64(view, off + RUSAGE_RU_NSWAP, s.nswap);
  putU64(view, off + RUSAGE_RU_INBLOCK, s.inblock);
  putU64(view, off + RUSAGE_RU_OUBLOCK, s.oublock);
  putU64(view, off + RUSAGE_RU_MSGSND, s.msgsnd);
  putU64(view, off + RUSAGE_RU_MSGRCV, s.msgrcv);
  putU64(view, off + RUSAGE_RU_NSIGNALS, s.nsignals);
  putU64(view, off + RUSAGE_RU_NVCSW, s.nvcsw);
  putU64(view, off + RUSAGE_RU_NIVCSW, s.nivcsw);
}

export function decodeRusage(view: DataView, off: number): Rusage {
  return {
    utimeSec: getI64(view, off + RUSAGE_RU_UTIME_TV_SEC),
    utimeUsec: getI64(view, off + RUSAGE_RU_UTIME_TV_USEC),
    stimeSec: getI64(view, off + RUSAGE_RU_STIME_TV_SEC),
    stimeUsec: getI64(view, off + RUSAGE_RU_STIME_TV_USEC),
    maxrss: getI64(view, off + RUSAGE_RU_MAXRSS),
    ixrss: getI64(view, off + RUSAGE_RU_IXRSS),
    idrss: getI64(view, off + RUSAGE_RU_IDRSS),
    isrss: getI64(view, off + RUSAGE_RU_ISRSS),
    minflt: getI64(view, off + RUSAGE_RU_MINFLT),
    majflt: getI64(view, off + RUSAGE_RU_MAJFLT),
    nswap: getI64(view, off + RUSAGE_RU_NSWAP),
    inblock: getI64(view, off + RUSAGE_RU_INBLOCK),
    oublock: getI64(view, off + RUSAGE_RU_OUBLOCK),
    msgsnd: getI64(view, off + RUSAGE_RU_MSGSND),
    msgrcv: getI64(view, off + RUSAGE_RU_MSGRCV),
    nsignals: getI64(view, off + RUSAGE_RU_NSIGNALS),
    nvcsw: getI64(view, off + RUSAGE_RU_NVCSW),
    nivcsw: getI64(view, off + RUSAGE_RU_NIVCSW),
  };
}

/** Layout of struct rlimit. */
export const SIZEOF_RLIMIT = 16;
export const RLIMIT_RLIM_CUR = 0;
export const RLIMIT_RLIM_MAX = 8;

/** prlimit64(2); RLIM_INFINITY survives the round trip. */
export type Rlimit = {
  cur: number;
  max: number;
};

export function encodeRlimit(view: DataView, off: number, s: Rlimit): void {
  putU64(view, off + RLIMIT_RLIM_CUR, s.cur);
  putU64(view, off + RLIMIT_RLIM_MAX, s.max);
}

export function decodeRlimit(view: DataView, off: number): Rlimit {
  return {
    cur: getU64(view, off + RLIMIT_RLIM_CUR),
    max: getU64(view, off + RLIMIT_RLIM_MAX),
  };
}
