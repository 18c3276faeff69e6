// The time-stamp counter: read here in one short crossing of the FFI.

import { readFileSync } from 'node:fs';
import { HostBuffer } from './buffer.ts';
import { installCode, routine } from './ffi.ts';
import { TSC_CODE } from './tsc.image.ts';

const at = installCode(TSC_CODE);
const ticks = routine(at('ticks'), 'int64_t vedette_ticks(int64_t base)');

const base = HostBuffer.alloc(8);
const first = BigInt(ticks(base.addr));
base.view.setBigUint64(0, first, true);

/** Ticks since this module was loaded: exact as a number for 30 days. */
export function tscTicks(): number {
  return ticks(base.addr);
}

/** The absolute counter value of a tick count. */
export function tscAbsolute(sinceLoad: number): bigint {
  return BigInt.asUintN(64, first + BigInt(sinceLoad));
}

/** True when the host itself tells time by the counter, which means it is constant, synchronised and never stops. */
export function tscUsable(): boolean {
  try {
    const current = readFileSync(
      '/sys/devices/system/clocksource/clocksource0/current_clocksource',
      'utf8',
    ).trim();
    return current === 'tsc';
  } catch {
    return false;
  }
}
