// The parameter page: what the VDSO's code needs to tell the time, one page right behind the VDSO image, read-only to
// the guest and written by the kernel under a sequence lock (odd while it changes).
//
//   0  u32 seq        4  u32 flags
//   8  u64 tscBase   16  u64 mult: ns per tick, 32.32 fixed point
//  24  u64 monotonic ns at tscBase      32  u64 realtime ns at tscBase
//  40  u64 address of the host's clock_gettime
//  48  i64 bootSec   56  i64 bootNsec: CLOCK_MONOTONIC of the host that is our zero

export const PARAM_SEQ = 0;
export const PARAM_FLAGS = 4;
export const PARAM_TSC_BASE = 8;
export const PARAM_MULT = 16;
export const PARAM_MONOTONIC = 24;
export const PARAM_REALTIME = 32;
export const PARAM_HOST_GETTIME = 40;
export const PARAM_BOOT_SEC = 48;
export const PARAM_BOOT_NSEC = 56;

/** The time-stamp counter tells the time. */
export const PARAM_TSC_USABLE = 1;
/** The processor number in TSC_AUX is the guest's own, and no thread has asked for certain processors. */
export const PARAM_CPU_USABLE = 2;
/** The host's own vDSO tells the time. Without this and PARAM_TSC_USABLE every reading is a system call. */
export const PARAM_HOST_USABLE = 4;

/** Resolution of the coarse clocks: a tick of 250 Hz. */
export const COARSE_NS = 4_000_000;

/** The line through the counter. 64-bit values are BigInt: they change about once a second. */
export interface TscLine {
  tscBase: bigint;
  mult: bigint;
  monotonicNs: bigint;
  realtimeNs: bigint;
}

/** The parameter page, seen by its writer. */
export class ParamPage {
  private readonly words: Int32Array;

  /** `words` views the page. */
  constructor(words: Int32Array) {
    this.words = words;
  }

  /** From here on readers wait for publish(), and readings that are under way begin again. */
  lock(): void {
    Atomics.store(this.words, PARAM_SEQ / 4, Atomics.load(this.words, PARAM_SEQ / 4) | 1);
  }

  publish(): void {
    const seq = Atomics.load(this.words, PARAM_SEQ / 4) | 1;
    Atomics.store(this.words, PARAM_SEQ / 4, (seq + 1) | 0);
  }

  setFlags(flags: number): void {
    this.words[PARAM_FLAGS / 4] = flags;
  }

  setLine(line: TscLine): void {
    this.put64(PARAM_TSC_BASE, line.tscBase);
    this.put64(PARAM_MULT, line.mult);
    this.put64(PARAM_MONOTONIC, line.monotonicNs);
    this.put64(PARAM_REALTIME, line.realtimeNs);
  }

  setHost(gettimeAddr: number, bootSec: number, bootNsec: number): void {
    this.put64(PARAM_HOST_GETTIME, BigInt(gettimeAddr));
    this.put64(PARAM_BOOT_SEC, BigInt(bootSec));
    this.put64(PARAM_BOOT_NSEC, BigInt(bootNsec));
  }

  private put64(offset: number, v: bigint): void {
    this.words[offset / 4] = Number(BigInt.asIntN(32, v));
    this.words[offset / 4 + 1] = Number(BigInt.asIntN(32, v >> 32n));
  }
}
