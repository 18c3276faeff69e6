// RLIMIT_CPU: getrlimit(2). SIGXCPU at the soft limit and every second beyond it, SIGKILL at the hard one. CPU time is
// looked at when it could be over, had all threads run without a pause.

import { RLIMIT_CPU } from '../../../abi/process/resource.ts';
import { SIGKILL, SIGXCPU } from '../../../abi/signal/signal.ts';
import { Timer, type TimerTarget } from '../../base/time.ts';
import { kernelInfo } from '../signal/siginfo.ts';
import type { ThreadGroup } from '../task/threadgroup.ts';

const NS = 1e9;
/** The limit is looked at no more often than this. */
const TICK_NS = 10e6;

export class CpuLimit implements TimerTarget {
  private readonly group: ThreadGroup;
  private readonly timer: Timer;

  constructor(group: ThreadGroup) {
    this.group = group;
    this.timer = new Timer(this);
  }

  /** Call when the limit was set, or inherited by a new process. */
  update(): void {
    const g = this.group;
    const time = g.kernel.time;
    const soft = g.limits.soft(RLIMIT_CPU);
    if (g.dead || soft === Number.POSITIVE_INFINITY) {
      time.cancel(this.timer);
      return;
    }
    const left = (soft * NS - g.cpuNs()) / Math.max(1, g.live);
    time.arm(this.timer, time.monotonicNs() + Math.max(TICK_NS, left));
  }

  onTimer(): void {
    const g = this.group;
    if (g.dead || g.exiting) return;
    const used = g.cpuNs();
    const soft = g.limits.soft(RLIMIT_CPU);
    const hard = g.limits.hard(RLIMIT_CPU);
    if (used >= hard * NS) {
      g.kernel.signals.sendToGroup(g, kernelInfo(SIGKILL));
      return;
    }
    if (used >= soft * NS) {
      // As Linux does, the limit itself moves on by a second.
      g.limits.set(RLIMIT_CPU, Math.floor(used / NS) + 1, hard);
      g.kernel.signals.sendToGroup(g, kernelInfo(SIGXCPU));
    }
    this.update();
  }

  stop(): void {
    this.group.kernel.time.cancel(this.timer);
  }
}
