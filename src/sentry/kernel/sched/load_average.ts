// The load averages of /proc/loadavg and sysinfo(2): how many threads ran or were ready, sampled every five seconds and
// averaged with weights that fade over 1, 5 and 15 minutes.

import type { Kernel } from '../kernel.ts';
import { TASK_READY, TASK_RUNNING } from '../states.ts';

/** LOAD_FREQ of Linux. */
const PERIOD_NS = 5e9;
const FADE: readonly number[] = [60, 300, 900].map((seconds) => Math.exp(-5 / seconds));

export class LoadAverage {
  readonly averages: number[] = [0, 0, 0];
  private readonly kernel: Kernel;
  /** When the next sample is due. */
  private nextNs = Number.POSITIVE_INFINITY;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  start(): void {
    this.nextNs = this.kernel.time.monotonicNs() + PERIOD_NS;
  }

  /** From time to time while guest code runs. */
  beat(nowNs: number): void {
    if (nowNs < this.nextNs) return;
    let busy = 0;
    for (const t of this.kernel.pids.tasks()) {
      if (t.state === TASK_RUNNING || t.state === TASK_READY) busy++;
    }
    this.sample(busy, 1);
    this.rested(nowNs);
  }

  /** Nobody ran until now: the samples that are missing found nobody. */
  rested(nowNs: number): void {
    if (nowNs >= this.nextNs) this.sample(0, Math.floor((nowNs - this.nextNs) / PERIOD_NS) + 1);
  }

  /** As many samples as `times`, all of `busy` threads. */
  private sample(busy: number, times: number): void {
    this.nextNs += times * PERIOD_NS;
    for (let i = 0; i < FADE.length; i++) {
      const keep = FADE[i]! ** times;
      this.averages[i] = this.averages[i]! * keep + busy * (1 - keep);
    }
  }
}
