// The three ways in which the functions of the VDSO tell the time, and which of them this host allows.

import { clockSource } from '../../../host/tsc.ts';
import type { Platform } from '../../platform/platform.ts';

/** From the time-stamp counter, by a line that the kernel draws through the host's clock. */
export const WAY_TSC = 'tsc';
/** By the code of the host's own vDSO, which every stub process has. */
export const WAY_VDSO = 'vdso';
/** By a system call for each reading. */
export const WAY_CALL = 'call';
export type ClockWay = typeof WAY_TSC | typeof WAY_VDSO | typeof WAY_CALL;

export type HostCode = Pick<Platform, 'hostGettime'>;

export interface ClockChoice {
  readonly way: ClockWay;
  /** Tells where the host's clock_gettime is, when it is needed; null when it is not to be called. */
  readonly host: HostCode | null;
  /** Why, in a few words. */
  readonly reason: string;
}

/** The way `wanted`, or with 'auto' the best one. A string says why it cannot be. */
export function chooseClock(wanted: string, platform: HostCode): ClockChoice | string {
  const source = clockSource();
  const named = source === '' ? 'the host names no clock source' : `clock source ${source}`;
  if (wanted === WAY_CALL) return { way: WAY_CALL, host: null, reason: 'as asked for' };
  if (wanted !== WAY_VDSO && source === 'tsc') return { way: WAY_TSC, host: platform, reason: named };
  if (wanted === WAY_TSC) return `needs the clock source tsc; ${named}`;
  if (platform.hostGettime() !== 0) return { way: WAY_VDSO, host: platform, reason: named };
  if (wanted === WAY_VDSO) return "the host's vDSO is not there, or cannot be kept";
  return { way: WAY_CALL, host: null, reason: `${named}, and no vDSO of the host's` };
}
