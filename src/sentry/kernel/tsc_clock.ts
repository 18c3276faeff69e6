// TscClock: CLOCK_MONOTONIC and CLOCK_REALTIME computed from the time-stamp counter, by the same formula as the VDSO:
//
//   ns = base + (ticks - baseTicks) * mult >> 32
//
// mult is measured against the host's clocks. A recalibration starts the new line where the old one ends, so that time
// never goes back, and picks a slope that meets the host's clock again within a second.

import { CLOCK_MONOTONIC, CLOCK_REALTIME } from '../../abi/time.ts';
import { hostClockSec, lastNsec } from '../../host/clock.ts';
import { tscAbsolute, tscTicks } from '../../host/tsc.ts';
import type { ClockParams } from '../vdso/params.ts';

const NS = 1_000_000_000n;
/** How many times a sample is taken; the tightest one counts. */
const TRIES = 8;
/** An offset from the host below this is slewed, above it the real-time clock steps (it was set). */
const STEP_NS = 10_000_000n;

interface Sample {
  ticks: number;
  monotonicNs: bigint;
  realtimeNs: bigint;
  /** Ticks that the sample took: bounds its error. */
  width: number;
}

function hostNs(clock: number): bigint {
  const sec = hostClockSec(clock);
  return BigInt(sec) * NS + BigInt(lastNsec());
}

function sample(): Sample {
  let best: Sample | null = null;
  for (let i = 0; i < TRIES; i++) {
    const before = tscTicks();
    const monotonicNs = hostNs(CLOCK_MONOTONIC);
    const after = tscTicks();
    const realtimeNs = hostNs(CLOCK_REALTIME);
    const width = after - before;
    if (best === null || width < best.width)
      best = { ticks: before + Math.floor(width / 2), monotonicNs, realtimeNs, width };
  }
  return best!;
}

/** Taken when the module is loaded, so that the first measurement has a span without anybody waiting for it. */
const origin = sample();

export class TscClock {
  private last: Sample;
  /** ns per tick, 32.32. */
  private rate: bigint;
  private readonly bootNs: bigint;
  readonly params: ClockParams;
  /** Bound of the error against the host's clock at the last calibration, in ns. */
  errorNs = 0;
  private baseTicks: number;
  private monotonicAtBase: number;
  private nsPerTick: number;

  /** `bootHostNs`: CLOCK_MONOTONIC of the host that counts as our zero. The first measurement spans `spanMs` or more. */
  constructor(bootHostNs: number, flags: number, spanMs = 2) {
    this.bootNs = BigInt(Math.round(bootHostNs));
    const first = origin;
    const until = first.monotonicNs + BigInt(spanMs) * 1_000_000n;
    let now = sample();
    while (now.monotonicNs < until) now = sample();
    this.rate = ((now.monotonicNs - first.monotonicNs) << 32n) / BigInt(now.ticks - first.ticks);
    this.last = first;
    this.params = { flags, tscBase: 0n, mult: 0n, monotonicNs: 0n, realtimeNs: 0n };
    this.baseTicks = now.ticks;
    this.monotonicAtBase = 0;
    this.nsPerTick = 0;
    this.errorNs = now.width * (Number(this.rate) / 2 ** 32);
    this.setLine(now.ticks, now.monotonicNs - this.bootNs, now.realtimeNs, this.rate);
  }

  /** CLOCK_MONOTONIC since boot in ns, the value that the VDSO gives at this moment. */
  monotonicNs(): number {
    const ticks = tscTicks() - this.baseTicks;
    return this.monotonicAtBase + (ticks > 0 ? Math.floor(ticks * this.nsPerTick) : 0);
  }

  /** Measures against the host again; the caller then publishes `params`. Once a second is plenty. */
  recalibrate(): void {
    const now = sample();
    const span = now.ticks - this.last.ticks;
    if (span <= 0) return;
    // The rate over the whole time since start: its error falls as the span grows.
    this.rate = ((now.monotonicNs - this.last.monotonicNs) << 32n) / BigInt(span);
    const ours = this.lineAt(now.ticks, this.params.monotonicNs);
    const offset = now.monotonicNs - this.bootNs - ours;
    this.errorNs = Math.abs(Number(offset)) + (now.width * Number(this.rate)) / 2 ** 32;
    const oursReal = this.lineAt(now.ticks, this.params.realtimeNs);
    const realOffset = now.realtimeNs - oursReal;
    const stepped = realOffset > STEP_NS || realOffset < -STEP_NS;
    // Meet the host's clock within a second: half a thousandth faster or slower at most, so the slope stays positive.
    const limit = this.rate / 2000n;
    let slew = (this.rate * offset) / NS;
    if (slew > limit) slew = limit;
    if (slew < -limit) slew = -limit;
    this.setLine(
      now.ticks,
      ours,
      stepped ? now.realtimeNs : oursReal + (realOffset - offset),
      this.rate + slew,
    );
  }

  private lineAt(ticks: number, base: bigint): bigint {
    const delta = BigInt(Math.max(0, ticks - this.baseTicks));
    return base + ((delta * this.params.mult) >> 32n);
  }

  private setLine(ticks: number, monotonicNs: bigint, realtimeNs: bigint, mult: bigint): void {
    this.baseTicks = ticks;
    this.monotonicAtBase = Number(monotonicNs);
    this.nsPerTick = Number(mult) / 2 ** 32;
    this.params.tscBase = tscAbsolute(ticks);
    this.params.mult = mult;
    this.params.monotonicNs = monotonicNs;
    this.params.realtimeNs = realtimeNs;
  }
}
