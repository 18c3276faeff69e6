/** sysinfo(2): <linux/sysinfo.h>. */

import { getI64, getU64, putU64 } from '../u64.ts';

export const SI_LOAD_SHIFT = 16;

/** Layout of struct sysinfo. */
export const SIZEOF_SYSINFO = 112;
export const SYSINFO_UPTIME = 0;
export const SYSINFO_LOADS_0 = 8; // loads[0]
export const SYSINFO_LOADS_1 = 16; // loads[1]
export const SYSINFO_LOADS_2 = 24; // loads[2]
export const SYSINFO_TOTALRAM = 32;
export const SYSINFO_FREERAM = 40;
export const SYSINFO_SHAREDRAM = 48;
export const SYSINFO_BUFFERRAM = 56;
export const SYSINFO_TOTALSWAP = 64;
export const SYSINFO_FREESWAP = 72;
export const SYSINFO_PROCS = 80;
export const SYSINFO_TOTALHIGH = 88;
export const SYSINFO_FREEHIGH = 96;
export const SYSINFO_MEM_UNIT = 104;

/** Memory in units of memUnit bytes, load averages scaled by 1 << SI_LOAD_SHIFT. */
export type Sysinfo = {
  uptimeSec: number;
  load1: number;
  load5: number;
  load15: number;
  totalram: number;
  freeram: number;
  sharedram: number;
  bufferram: number;
  totalswap: number;
  freeswap: number;
  procs: number;
  totalhigh: number;
  freehigh: number;
  memUnit: number;
};

export function encodeSysinfo(view: DataView, off: number, s: Sysinfo): void {
  putU64(view, off + SYSINFO_UPTIME, s.uptimeSec);
  putU64(view, off + SYSINFO_LOADS_0, s.load1);
  putU64(view, off + SYSINFO_LOADS_1, s.load5);
  putU64(view, off + SYSINFO_LOADS_2, s.load15);
  putU64(view, off + SYSINFO_TOTALRAM, s.totalram);
  putU64(view, off + SYSINFO_FREERAM, s.freeram);
  putU64(view, off + SYSINFO_SHAREDRAM, s.sharedram);
  putU64(view, off + SYSINFO_BUFFERRAM, s.bufferram);
  putU64(view, off + SYSINFO_TOTALSWAP, s.totalswap);
  putU64(view, off + SYSINFO_FREESWAP, s.freeswap);
  view.setUint16(off + SYSINFO_PROCS, s.procs, true);
  view.setUint16(off + 82, 0, true); // padding
  view.setUint32(off + 84, 0, true); // padding
  putU64(view, off + SYSINFO_TOTALHIGH, s.totalhigh);
  putU64(view, off + SYSINFO_FREEHIGH, s.freehigh);
  view.setUint32(off + SYSINFO_MEM_UNIT, s.memUnit, true);
  view.setUint32(off + 108, 0, true); // padding
}

export function decodeSysinfo(view: DataView, off: number): Sysinfo {
  return {
    uptimeSec: getI64(view, off + SYSINFO_UPTIME),
    load1: getU64(view, off + SYSINFO_LOADS_0),
    load5: getU64(view, off + SYSINFO_LOADS_1),
    load15: getU64(view, off + SYSINFO_LOADS_2),
    totalram: getU64(view, off + SYSINFO_TOTALRAM),
    freeram: getU64(view, off + SYSINFO_FREERAM),
    sharedram: getU64(view, off + SYSINFO_SHAREDRAM),
    bufferram: getU64(view, off + SYSINFO_BUFFERRAM),
    totalswap: getU64(view, off + SYSINFO_TOTALSWAP),
    freeswap: getU64(view, off + SYSINFO_FREESWAP),
    procs: view.getUint16(off + SYSINFO_PROCS, true),
    totalhigh: getU64(view, off + SYSINFO_TOTALHIGH),
    freehigh: getU64(view, off + SYSINFO_FREEHIGH),
    memUnit: view.getUint32(off + SYSINFO_MEM_UNIT, true),
  };
}
