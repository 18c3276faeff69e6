// Interval timers: setitimer(2), alarm(2). ITIMER_REAL runs on the timer queue. The two CPU-time timers are armed at the
// earliest time at which they could be over (all threads running at once) and look again then.

import { SIGALRM, SIGPROF, SIGVTALRM } from '../../../abi/signal/signal.ts';
import { ITIMER_REAL, ITIMER_VIRTUAL } from '../../../abi/time/time.ts';
import { Timer, type TimerTarget } from '../../base/time.ts';
import { kernelInfo } from '../signal/siginfo.ts';
import type { ThreadGroup } from '../task/threadgroup.ts';

const SIGNALS = [SIGALRM, SIGVTALRM, SIGPROF] as const;
/** Real-time periods below this lose expirations, as they would on a busy machine. */
const SHORTEST_NS = 50_000;
/** CPU-time timers are looked at no more often than this. */
const CPU_TICK_NS = 1e6;

export class IntervalTimers implements TimerTarget {
  private readonly group: ThreadGroup;
  private readonly timers: Timer[];
  /** Per timer: when it fires (on its own clock, 0 = off) and its period, ns. */
  private readonly at: number[] = [0, 0, 0];
  private readonly period: number[] = [0, 0, 0];

  constructor(group: ThreadGroup) {
    this.group = group;
    this.timers = [new Timer(this, 0), new Timer(this, 1), new Timer(this, 2)];
  }

  private clock(which: number): number {
    return which === ITIMER_REAL ? this.group.kernel.time.monotonicNs() : this.group.cpuNs();
  }

  /** Nanoseconds to the next expiration, 0 when off. A timer that is on never reads 0. */
  remaining(which: number): number {
    const at = this.at[which]!;
    return at === 0 ? 0 : Math.max(1000, at - this.clock(which));
  }

  interval(which: number): number {
    return this.period[which]!;
  }

  /** Starts (or with valueNs 0 stops) a timer. */
  set(which: number, valueNs: number, intervalNs: number): void {
    const timer = this.timers[which]!;
    const time = this.group.kernel.time;
    time.cancel(timer);
    this.period[which] = intervalNs;
    if (valueNs === 0) {
      this.at[which] = 0;
      return;
    }
    this.at[which] = this.clock(which) + valueNs;
    this.arm(which);
  }

  private arm(which: number): void {
    const time = this.group.kernel.time;
    if (which === ITIMER_REAL) {
      // A period of microseconds must not keep the kernel from everything else.
      const soonest = this.period[which]! === 0 ? 0 : time.monotonicNs() + SHORTEST_NS;
      time.arm(this.timers[which]!, Math.max(this.at[which]!, soonest));
      return;
    }
    const left = (this.at[which]! - this.clock(which)) / Math.max(1, this.group.live);
    time.arm(this.timers[which]!, time.monotonicNs() + Math.max(CPU_TICK_NS, left));
  }

  onTimer(timer: Timer, _nowNs: number): void {
    const which = timer.cookie;
    const group = this.group;
    if (group.dead || this.at[which] === 0) return;
    const now = this.clock(which);
    if (now < this.at[which]!) {
      this.arm(which);
      return;
    }
    const period = this.period[which]!;
    if (period === 0) this.at[which] = 0;
    else {
      const missed = Math.floor((now - this.at[which]!) / period);
      this.at[which] = this.at[which]! + (missed + 1) * period;
      this.arm(which);
    }
    group.kernel.signals.sendToGroup(group, kernelInfo(SIGNALS[which]!));
  }

  /** exit; exec keeps interval timers running, so only exit calls it. */
  stop(): void {
    for (let i = ITIMER_REAL; i <= ITIMER_VIRTUAL + 1; i++) this.set(i, 0, 0);
  }
}
