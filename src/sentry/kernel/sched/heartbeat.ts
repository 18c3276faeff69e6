// Heartbeat: what the kernel does from time to time, as long as guest code runs: it keeps the clocks true, samples the
// load, and notes the date for who needs no exact one. When a beat finds that nobody runs, it is the last one: a sandbox
// that sleeps has no timer of ours. The next thread on its way to user mode, or whoever reads the clock in the kernel,
// rouses it first.

import { Timer, type TimerTarget } from '../../base/time.ts';
import type { Kernel } from '../kernel.ts';
import { TASK_RUNNING } from '../states.ts';

const PERIOD_NS = 1e9;

export class Heartbeat implements TimerTarget {
  private readonly kernel: Kernel;
  private readonly timer: Timer;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.timer = new Timer(this);
    kernel.time.onRouse = () => this.rouse();
  }

  start(): void {
    this.kernel.load.start();
    this.rouse();
  }

  onTimer(_timer: Timer, nowNs: number): void {
    const { vdso, time, load } = this.kernel;
    const due = vdso === null ? Number.POSITIVE_INFINITY : vdso.beat(nowNs);
    load.beat(nowNs);
    time.realtimeSec();
    if (this.anyRuns()) time.arm(this.timer, Math.min(due, nowNs + PERIOD_NS));
    else {
      vdso?.rest();
      time.resting = true;
    }
  }

  private rouse(): void {
    const { vdso, time, load } = this.kernel;
    if (time.resting) {
      time.resting = false;
      vdso?.resume();
    }
    const now = time.monotonicNs();
    load.rested(now);
    time.realtimeSec();
    const due = vdso === null ? Number.POSITIVE_INFINITY : vdso.beat(now);
    time.arm(this.timer, Math.min(due, now + PERIOD_NS));
  }

  /** Those that are ready rouse us on their way. */
  private anyRuns(): boolean {
    for (const t of this.kernel.pids.tasks()) if (t.state === TASK_RUNNING) return true;
    return false;
  }
}
