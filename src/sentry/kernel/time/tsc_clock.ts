// TscClock: CLOCK_MONOTONIC and CLOCK_REALTIME computed from the time-stamp counter, by the same formula as the VDSO:
//
//   ns = base + (ticks - baseTicks) * mult >> 32
//
// mult is measured against the host's clocks. A recalibration starts the new line where the old one ends, so that time
// never goes back, and picks a slope that meets the host's clock again within a second. After a rest, in which nobody
// has read the line, it starts at the host's time instead.

import { CLOCK_MONOTONIC, CLOCK_REALTIME } from '../../../abi/time/time.ts';
import { hostClockSec, lastNsec } from '../../../host/clock.ts';
import { tscAbsolute, tscTicks } from '../../../host/tsc.ts';
import type { TscLine } from '../../vdso/params.ts';

const NS = 1_000_000_000n;
/** How many times a sample is taken; the tightest one counts. */
const TRIES = 8;
/** An offset from the host below this is slewed, above it the real-time clock steps (it was set). */
const STEP_NS = 10_000_000n;

interface Sample {
  ticks: number;
  monotonicNs: bigint;
  realtimeNs: bigint;
  /** Ticks that the sample took: bounds its error. On a crowded host somebody else may have run in the midst of it. */
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
    const width = tscTicks() - before;
    if (best === null || width < best.width)
      best = { ticks: before + Math.floor((after - before) / 2), monotonicNs, realtimeNs, width };
  }
  return best!;
}

/** Taken when the module is loaded, so that the first measurement has a span without anybody waiting for it. */
const origin = sample();

/** A rate that changes by more than this part of it was no rate: the counter was set, or a machine moved. */
const RATE_JUMP = 1000n;
/** Over this time a rate is measured well. */
const TRUSTED_NS = 40_000_000n;
/** What two samples may have taken, as a part of the time between them, for a rate to be told from them. */
const WIDTH_PART = 2000;
/** The same of the first rate, which has to be told soon, and how often it is put off for that. */
const FIRST_WIDTH_PART = 500;
const FIRST_TRIES = 20;
/** A first sample that took so much longer than the next one is replaced. */
const FIRST_WIDER = 20;

/** The samples took too long for a rate to be told from them. */
function vague(a: Sample, b: Sample, part: number): boolean {
  return (a.width + b.width) * part > b.ticks - a.ticks;
}

export class TscClock {
  private last: Sample;
  /** ns per tick, 32.32. */
  private rate: bigint;
  /** The rate was measured over some time. */
  private trusted = false;
  /** CLOCK_MONOTONIC of the host that counts as our zero; it moves when the counter has run ahead, in a suspended host. */
  bootNs: bigint;
  readonly line: TscLine = { tscBase: 0n, mult: 0n, monotonicNs: 0n, realtimeNs: 0n };
  /** Bound of the error against the host's clock at the last calibration, in ns. */
  errorNs = 0;
  /** What the line said when rest() was called. */
  private restNs = 0n;
  private baseTicks = 0;
  private monotonicAtBase = 0;
  private nsPerTick = 0;

  /** The first measurement spans `spanMs` or more. */
  constructor(bootNs: bigint, spanMs = 2) {
    this.bootNs = bootNs;
    let now = sample();
    const first = origin.width > FIRST_WIDER * now.width ? now : origin;
    const until = first.monotonicNs + BigInt(spanMs) * 1_000_000n;
    for (let left = FIRST_TRIES; left > 0; ) {
      if (now.monotonicNs >= until) {
        if (!vague(first, now, FIRST_WIDTH_PART)) break;
        left--;
      }
      now = sample();
    }
    this.rate = ((now.monotonicNs - first.monotonicNs) << 32n) / BigInt(now.ticks - first.ticks);
    this.last = first;
    this.errorNs = now.width * (Number(this.rate) / 2 ** 32);
    this.setLine(now.ticks, now.monotonicNs - bootNs, now.realtimeNs, this.rate);
  }

  /** CLOCK_MONOTONIC since boot in ns, the value that the VDSO gives at this moment. */
  monotonicNs(): number {
    const ticks = tscTicks() - this.baseTicks;
    return this.monotonicAtBase + (ticks > 0 ? Math.floor(ticks * this.nsPerTick) : 0);
  }

  /** As monotonicNs(), exact at any uptime. */
  exactNs(): bigint {
    return this.lineAt(tscTicks(), this.line.monotonicNs);
  }

  /**
   * Measures against the host again. Once a second is plenty. `lock` is called before the line changes: whoever reads the
   * old one must not do so any more; the caller then publishes the new one.
   */
  recalibrate(lock: () => void): void {
    const now = sample();
    this.measureRate(now);
    let offset = now.monotonicNs - this.bootNs - this.lineAt(now.ticks, this.line.monotonicNs);
    if (offset < -STEP_NS) {
      this.bootNs += offset;
      offset = 0n;
    }
    this.errorNs = Math.abs(Number(offset)) + (now.width * Number(this.rate)) / 2 ** 32;
    const realOffset = now.realtimeNs - this.lineAt(now.ticks, this.line.realtimeNs);
    const realStepped = realOffset > STEP_NS || realOffset < -STEP_NS;
    // Far behind, the line steps: only back it must not go.
    const step = offset > STEP_NS ? offset : 0n;
    const left = offset - step;
    // Meet the host's clock within a second: half a thousandth faster or slower at most, so the slope stays positive.
    const limit = this.rate / 2000n;
    let slew = (this.rate * left) / NS;
    if (slew > limit) slew = limit;
    if (slew < -limit) slew = -limit;
    lock();
    const ticks = tscTicks();
    const monotonicNs = this.lineAt(ticks, this.line.monotonicNs) + step;
    const realtimeNs =
      this.lineAt(ticks, this.line.realtimeNs) + (realStepped ? realOffset : realOffset - left);
    this.setLine(ticks, monotonicNs, realtimeNs, this.rate + slew);
  }

  /** Nobody reads the line from now until resume(). */
  rest(): void {
    this.restNs = this.exactNs();
  }

  /** Since nobody has read it meanwhile, the line begins anew at the host's time. */
  resume(): void {
    const now = sample();
    this.measureRate(now);
    let ns = now.monotonicNs - this.bootNs;
    if (ns < this.restNs) {
      this.bootNs -= this.restNs - ns;
      ns = this.restNs;
    }
    this.setLine(now.ticks, ns, now.realtimeNs, this.rate);
  }

  /** The rate over the whole time since start: its error falls as the span grows. */
  private measureRate(now: Sample): void {
    const ticks = now.ticks - this.last.ticks;
    // Nothing is learnt then, and the next look has a longer time to go by.
    if (ticks > 0 && vague(this.last, now, WIDTH_PART)) return;
    const ns = now.monotonicNs - this.last.monotonicNs;
    const rate = ticks > 0 ? (ns << 32n) / BigInt(ticks) : 0n;
    const change = rate - this.rate;
    const jumped = change > this.rate / RATE_JUMP || -change > this.rate / RATE_JUMP;
    if (rate <= 0n || (this.trusted && jumped)) {
      // Measured from here on, and believed next time.
      this.last = now;
      this.trusted = false;
      return;
    }
    this.rate = rate;
    this.trusted = ns >= TRUSTED_NS;
  }

  private lineAt(ticks: number, base: bigint): bigint {
    const delta = BigInt(Math.max(0, ticks - this.baseTicks));
    return base + ((delta * this.line.mult) >> 32n);
  }

  private setLine(ticks: number, monotonicNs: bigint, realtimeNs: bigint, mult: bigint): void {
    this.baseTicks = ticks;
    this.monotonicAtBase = Number(monotonicNs);
    this.nsPerTick = Number(mult) / 2 ** 32;
    this.line.tscBase = tscAbsolute(ticks);
    this.line.mult = mult;
    this.line.monotonicNs = monotonicNs;
    this.line.realtimeNs = realtimeNs;
  }
}
