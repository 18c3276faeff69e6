// The time-stamp counter: read here in one short crossing of the FFI.

import { openSync, readSync } from 'node:fs';
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

const SOURCE = '/sys/devices/system/clocksource/clocksource0/current_clocksource';
const text = Buffer.alloc(64);
let sourceFd = -1;

/**
 * Name of the clock source that the host tells time by at this moment; '' when it does not say. 'tsc' means that the
 * counter is constant, the same on all cpus, and never stops.
 */
export function clockSource(): string {
  try {
    if (sourceFd < 0) sourceFd = openSync(SOURCE, 'r');
    return text.toString('latin1', 0, readSync(sourceFd, text, 0, text.length, 0)).trim();
  } catch {
    return '';
  }
}
