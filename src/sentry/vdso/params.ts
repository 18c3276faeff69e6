// The parameter page: what the VDSO's code needs to tell the time, one page right behind the VDSO image, read-only to
// the guest and written by the kernel under a sequence lock (odd while it changes).
//
//   0  u32 seq        4  u32 flags
//   8  u64 tscBase   16  u64 mult: ns per tick, 32.32 fixed point
//  24  u64 monotonic ns at tscBase      32  u64 realtime ns at tscBase

export const PARAM_SEQ = 0;
export const PARAM_FLAGS = 4;
export const PARAM_TSC_BASE = 8;
export const PARAM_MULT = 16;
export const PARAM_MONOTONIC = 24;
export const PARAM_REALTIME = 32;

/** The time-stamp counter tells the time; without it every function makes the system call. */
export const PARAM_TSC_USABLE = 1;
/** The processor number in TSC_AUX is the guest's own, and no thread has asked for certain processors. */
export const PARAM_CPU_USABLE = 2;

/** Resolution of the coarse clocks: a tick of 250 Hz. */
export const COARSE_NS = 4_000_000;

/** Clock parameters. 64-bit values are BigInt: they change about once a second. */
export interface ClockParams {
  flags: number;
  tscBase: bigint;
  mult: bigint;
  monotonicNs: bigint;
  realtimeNs: bigint;
}

/** Writes the page under its sequence lock. `words` views the page. */
export function writeParams(words: Int32Array, p: ClockParams): void {
  const seq = Atomics.load(words, PARAM_SEQ / 4) | 1;
  Atomics.store(words, PARAM_SEQ / 4, seq);
  words[PARAM_FLAGS / 4] = p.flags;
  put64(words, PARAM_TSC_BASE, p.tscBase);
  put64(words, PARAM_MULT, p.mult);
  put64(words, PARAM_MONOTONIC, p.monotonicNs);
  put64(words, PARAM_REALTIME, p.realtimeNs);
  Atomics.store(words, PARAM_SEQ / 4, (seq + 1) | 0);
}

function put64(words: Int32Array, offset: number, v: bigint): void {
  words[offset / 4] = Number(BigInt.asIntN(32, v));
  words[offset / 4 + 1] = Number(BigInt.asIntN(32, v >> 32n));
}
