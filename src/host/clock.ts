// The host's clocks, read through libc's clock_gettime (its VDSO, where the host has a usable one).

import { CLOCK_MONOTONIC } from '../abi/time/time.ts';
import { HostBuffer } from './buffer.ts';
import { libcFunction } from './ffi.ts';

const TWO32 = 0x1_0000_0000;
const gettime = libcFunction('int clock_gettime(int clock, int64_t ts)');
const ts = HostBuffer.alloc(16);
const words = new Uint32Array(ts.buffer, 0, 4);

/** Reads a host clock; the nanoseconds part is then in lastNsec(). */
export function hostClockSec(clock: number): number {
  gettime(clock, ts.addr);
  return words[1]! * TWO32 + words[0]!;
}

/** Nanoseconds of the clock read last. */
export function lastNsec(): number {
  return words[2]!;
}

/** A host clock in ns. */
export function hostClockNs(clock: number): number {
  return hostClockSec(clock) * 1e9 + words[2]!;
}

/** CLOCK_MONOTONIC of the host in ns. */
export function monotonicNs(): number {
  return hostClockNs(CLOCK_MONOTONIC);
}
