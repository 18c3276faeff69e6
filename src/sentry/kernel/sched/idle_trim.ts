// IdleTrim: gives memory back to the host once, when the sandbox has become quiet after work. V8 collects when objects
// are made, not when nobody makes any: what the start and a burst of work left behind would stay for as long as a
// sandbox sleeps.

import { releaseMemory } from '../../../host/heap.ts';
import { log } from '../../base/log.ts';
import { Timer, type TimerTarget } from '../../base/time.ts';
import type { Kernel } from '../kernel.ts';

/** Quiet is a time like this with hardly an event. */
const QUIET_NS = 500_000_000;
const HARDLY = 16;
/** It takes some milliseconds, so not more often than this. */
const PAUSE_NS = 30_000_000_000;

export class IdleTrim implements TimerTarget {
  private readonly kernel: Kernel;
  private readonly timer: Timer;
  /** Events at the last look. */
  private seen = 0;
  /** Not again before this. */
  private nextNs = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.timer = new Timer(this);
  }

  /** The kernel has worked, for some hundred events: from now on look for a quiet time. */
  worked(): void {
    if (this.timer.armed) return;
    const now = this.kernel.time.monotonicNs();
    if (now >= this.nextNs) this.watch(now);
  }

  private watch(nowNs: number): void {
    this.seen = this.kernel.events;
    this.kernel.time.arm(this.timer, nowNs + QUIET_NS);
  }

  onTimer(_timer: Timer, nowNs: number): void {
    if (this.kernel.events - this.seen > HARDLY) {
      this.watch(nowNs);
      return;
    }
    this.kernel.platform.trim();
    releaseMemory();
    const doneNs = this.kernel.time.monotonicNs();
    this.nextNs = doneNs + PAUSE_NS;
    log(`quiet: gave memory back in ${((doneNs - nowNs) / 1e6).toFixed(1)} ms`);
  }
}
