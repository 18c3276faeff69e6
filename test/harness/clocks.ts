// The ways in which programs may read clocks, and what this host lacks for each.
import { accessSync } from 'node:fs';
import { clockSource } from '../../src/host/tsc.ts';
import { hostGettimeOffset } from '../../src/sentry/platform/stub/host_vdso.ts';

export const clockWays = ['tsc', 'vdso', 'call'] as const;
export type ClockWay = (typeof clockWays)[number];
export const platformNames = ['systrap', 'ptrace'] as const;

/** Why a way cannot be tested here; false when it can. */
export function clockWayLack(way: ClockWay): string | false {
  if (way === 'tsc' && clockSource() !== 'tsc') return `clock source ${clockSource()}, not tsc`;
  if (way === 'vdso' && hostGettimeOffset() === 0) return 'the host has no vDSO';
  return false;
}

/** The file by which root changes the host's clock source. */
export const clockSourceFile = '/sys/devices/system/clocksource/clocksource0/current_clocksource';

export function mayWrite(path: string): boolean {
  try {
    accessSync(path, 2);
    return true;
  } catch {
    return false;
  }
}
