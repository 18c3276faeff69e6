// The three ways in which the functions of the VDSO tell the time, and which of them this host allows.

import { clockSource } from '../../host/tsc.ts';
import type { Platform } from '../platform/platform.ts';

/** From the time-stamp counter, by a line that the kernel draws through the host's clock. */
export const WAY_TSC = 'tsc';
/** By the code of the host's own vDSO, which every stub process has. */
export const WAY_VDSO = 'vdso';
/** By a system call for each reading. */
export const WAY_CALL = 'call';
export type ClockWay = typeof WAY_TSC | typeof WAY_VDSO | typeof WAY_CALL;

export interface ClockChoice {
  readonly way: ClockWay;
  /** Address of the host's clock_gettime in every address space; 0 when it is not to be called. */
  readonly hostGettime: number;
  /** Why, in a few words. */
  readonly reason: string;
}

/** The way `wanted`, or with 'auto' the best one. A string says why it cannot be. */
export function chooseClock(wanted: string, platform: Pick<Platform, 'hostGettime'>): ClockChoice | string {
  const source = clockSource();
  const named = source === '' ? 'the host names no clock source' : `clock source ${source}`;
  if (wanted === WAY_CALL) return { way: WAY_CALL, hostGettime: 0, reason: 'as asked for' };
  const hostGettime = platform.hostGettime();
  if (wanted !== WAY_VDSO && source === 'tsc') return { way: WAY_TSC, hostGettime, reason: named };
  if (wanted === WAY_TSC) return `needs the clock source tsc; ${named}`;
  if (hostGettime !== 0) return { way: WAY_VDSO, hostGettime, reason: named };
  if (wanted === WAY_VDSO) return "the host's vDSO is not there, or cannot be kept";
  return { way: WAY_CALL, hostGettime: 0, reason: `${named}, and no vDSO of the host's` };
}
