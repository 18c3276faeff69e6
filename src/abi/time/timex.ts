/** adjtimex(2) modes and status: <linux/timex.h>. */

import { zeroFill } from '../bytes.ts';
import { getI64, putU64 } from '../u64.ts';

export const NTP_API = 4;

export const ADJ_OFFSET = 0x1;
export const ADJ_FREQUENCY = 0x2;
export const ADJ_MAXERROR = 0x4;
export const ADJ_ESTERROR = 0x8;
export const ADJ_STATUS = 0x10;
export const ADJ_TIMECONST = 0x20;
export const ADJ_TAI = 0x80;
export const ADJ_SETOFFSET = 0x100;
export const ADJ_MICRO = 0x1000;
export const ADJ_NANO = 0x2000;
export const ADJ_TICK = 0x4000;
export const ADJ_OFFSET_SINGLESHOT = 0x8001;
export const ADJ_OFFSET_SS_READ = 0xa001;

export const MOD_OFFSET = 0x1;
export const MOD_FREQUENCY = 0x2;
export const MOD_MAXERROR = 0x4;
export const MOD_ESTERROR = 0x8;
export const MOD_STATUS = 0x10;
export const MOD_TIMECONST = 0x20;
export const MOD_TAI = 0x80;
export const MOD_MICRO = 0x1000;
export const MOD_NANO = 0x2000;

export const STA_PLL = 0x1;
export const STA_PPSFREQ = 0x2;
export const STA_PPSTIME = 0x4;
export const STA_FLL = 0x8;
export const STA_INS = 0x10;
export const STA_DEL = 0x20;
export const STA_UNSYNC = 0x40;
export const STA_FREQHOLD = 0x80;
export const STA_PPSSIGNAL = 0x100;
export const STA_PPSJITTER = 0x200;
export const STA_PPSWANDER = 0x400;
export const STA_PPSERROR = 0x800;
export const STA_CLOCKERR = 0x1000;
export const STA_NANO = 0x2000;
export const STA_MODE = 0x4000;
export const STA_CLK = 0x8000;
export const STA_RONLY = 0xff00;

export const TIME_OK = 0;
export const TIME_INS = 1;
export const TIME_DEL = 2;
export const TIME_OOP = 3;
export const TIME_WAIT = 4;
export const TIME_ERROR = 5;
export const TIME_BAD = 5;

/** Layout of struct timex. */
export const SIZEOF_TIMEX = 208;
export const TIMEX_MODES = 0;
export const TIMEX_OFFSET = 8;
export const TIMEX_FREQ = 16;
export const TIMEX_MAXERROR = 24;
export const TIMEX_ESTERROR = 32;
export const TIMEX_STATUS = 40;
export const TIMEX_CONSTANT = 48;
export const TIMEX_PRECISION = 56;
export const TIMEX_TOLERANCE = 64;
export const TIMEX_TIME_TV_SEC = 72; // time.tv_sec
export const TIMEX_TIME_TV_USEC = 80; // time.tv_usec
export const TIMEX_TICK = 88;
export const TIMEX_PPSFREQ = 96;
export const TIMEX_JITTER = 104;
export const TIMEX_SHIFT = 112;
export const TIMEX_STABIL = 120;
export const TIMEX_JITCNT = 128;
export const TIMEX_CALCNT = 136;
export const TIMEX_ERRCNT = 144;
export const TIMEX_STBCNT = 152;
export const TIMEX_TAI = 160;

/** adjtimex(2). */
export type Timex = {
  modes: number;
  offset: number;
  freq: number;
  maxerror: number;
  esterror: number;
  status: number;
  constant: number;
  precision: number;
  tolerance: number;
  timeSec: number;
  timeUsec: number;
  tick: number;
  ppsfreq: number;
  jitter: number;
  shift: number;
  stabil: number;
  jitcnt: number;
  calcnt: number;
  errcnt: number;
  stbcnt: number;
  tai: number;
};

export function encodeTimex(view: DataView, off: number, s: Timex): void {
  view.setUint32(off + TIMEX_MODES, s.modes, true);
  view.setUint32(off + 4, 0, true); // padding
  putU64(view, off + TIMEX_OFFSET, s.offset);
  putU64(view, off + TIMEX_FREQ, s.freq);
  putU64(view, off + TIMEX_MAXERROR, s.maxerror);
  putU64(view, off + TIMEX_ESTERROR, s.esterror);
  view.setInt32(off + TIMEX_STATUS, s.status, true);
  view.setUint32(off + 44, 0, true); // padding
  putU64(view, off + TIMEX_CONSTANT, s.constant);
  putU64(view, off + TIMEX_PRECISION, s.precision);
  putU64(view, off + TIMEX_TOLERANCE, s.tolerance);
  putU64(view, off + TIMEX_TIME_TV_SEC, s.timeSec);
  putU64(view, off + TIMEX_TIME_TV_USEC, s.timeUsec);
  putU64(view, off + TIMEX_TICK, s.tick);
  putU64(view, off + TIMEX_PPSFREQ, s.ppsfreq);
  putU64(view, off + TIMEX_JITTER, s.jitter);
  view.setInt32(off + TIMEX_SHIFT, s.shift, true);
  view.setUint32(off + 116, 0, true); // padding
  putU64(view, off + TIMEX_STABIL, s.stabil);
  putU64(view, off + TIMEX_JITCNT, s.jitcnt);
  putU64(view, off + TIMEX_CALCNT, s.calcnt);
  putU64(view, off + TIMEX_ERRCNT, s.errcnt);
  putU64(view, off + TIMEX_STBCNT, s.stbcnt);
  view.setInt32(off + TIMEX_TAI, s.tai, true);
  zeroFill(view, off + 164, 44); // padding
}

export function decodeTimex(view: DataView, off: number): Timex {
  return {
    modes: view.getUint32(off + TIMEX_MODES, true),
    offset: getI64(view, off + TIMEX_OFFSET),
    freq: getI64(view, off + TIMEX_FREQ),
    maxerror: getI64(view, off + TIMEX_MAXERROR),
    esterror: getI64(view, off + TIMEX_ESTERROR),
    status: view.getInt32(off + TIMEX_STATUS, true),
    constant: getI64(view, off + TIMEX_CONSTANT),
    precision: getI64(view, off + TIMEX_PRECISION),
    tolerance: getI64(view, off + TIMEX_TOLERANCE),
    timeSec: getI64(view, off + TIMEX_TIME_TV_SEC),
    timeUsec: getI64(view, off + TIMEX_TIME_TV_USEC),
    tick: getI64(view, off + TIMEX_TICK),
    ppsfreq: getI64(view, off + TIMEX_PPSFREQ),
    jitter: getI64(view, off + TIMEX_JITTER),
    shift: view.getInt32(off + TIMEX_SHIFT, true),
    stabil: getI64(view, off + TIMEX_STABIL),
    jitcnt: getI64(view, off + TIMEX_JITCNT),
    calcnt: getI64(view, off + TIMEX_CALCNT),
    errcnt: getI64(view, off + TIMEX_ERRCNT),
    stbcnt: getI64(view, off + TIMEX_STBCNT),
    tai: view.getInt32(off + TIMEX_TAI, true),
  };
}
