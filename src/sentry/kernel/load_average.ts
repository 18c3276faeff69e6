// The load averages of /proc/loadavg and sysinfo(2): how many threads ran or were ready, sampled every five seconds and
// averaged with weights that fade over 1, 5 and 15 minutes.

import { Timer, type TimerTarget } from '../base/time.ts';
import type { Kernel } from './kernel.ts';
import { TASK_READY, TASK_RUNNING } from './task.ts';

/** LOAD_FREQ of Linux. */
const PERIOD_NS = 5e9;
const FADE: readonly number[] = [60, 300, 900].map((seconds) => Math.exp(-5 / seconds));

export class LoadAverage implements TimerTarget {
  readonly averages: number[] = [0, 0, 0];
  private readonly kernel: Kernel;
  private readonly timer: Timer;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.timer = new Timer(this);
  }

  start(): void {
    const time = this.kernel.time;
    time.arm(this.timer, time.monotonicNs() + PERIOD_NS);
  }

  onTimer(): void {
    let busy = 0;
    for (const t of this.kernel.pids.tasks()) {
      if (t.state === TASK_RUNNING || t.state === TASK_READY) busy++;
    }
    for (let i = 0; i < FADE.length; i++) {
      this.averages[i] = this.averages[i]! * FADE[i]! + busy * (1 - FADE[i]!);
    }
    this.start();
  }
}
