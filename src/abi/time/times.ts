/** times(2) and utime(2): <linux/times.h>, <utime.h>. */

import { getI64, putU64 } from '../u64.ts';

/** Layout of struct tms. */
export const SIZEOF_TMS = 32;
export const TMS_TMS_UTIME = 0;
export const TMS_TMS_STIME = 8;
export const TMS_TMS_CUTIME = 16;
export const TMS_TMS_CSTIME = 24;

/** Clock ticks (USER_HZ) of processor time. */
export type Tms = {
  utime: number;
  stime: number;
  cutime: number;
  cstime: number;
};

export function encodeTms(view: DataView, off: number, s: Tms): void {
  putU64(view, off + TMS_TMS_UTIME, s.utime);
  putU64(view, off + TMS_TMS_STIME, s.stime);
  putU64(view, off + TMS_TMS_CUTIME, s.cutime);
  putU64(view, off + TMS_TMS_CSTIME, s.cstime);
}

/** Layout of struct utimbuf. */
export const SIZEOF_UTIMBUF = 16;
export const UTIMBUF_ACTIME = 0;
export const UTIMBUF_MODTIME = 8;

/** utime(2). */
export type Utimbuf = {
  actimeSec: number;
  modtimeSec: number;
};

export function decodeUtimbuf(view: DataView, off: number): Utimbuf {
  return {
    actimeSec: getI64(view, off + UTIMBUF_ACTIME),
    modtimeSec: getI64(view, off + UTIMBUF_MODTIME),
  };
}
