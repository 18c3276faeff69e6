// Scheduling attributes of a thread: sched(7). The host schedules; these are what the guest set and reads back.

import { SCHED_NORMAL } from '../../../abi/process/sched.ts';

/** Linux's default timer slack, ns. */
export const DEFAULT_TIMER_SLACK_NS = 50000;

export class SchedState {
  policy = SCHED_NORMAL;
  /** Real-time priority, 1-99 for SCHED_FIFO and SCHED_RR, else 0. */
  priority = 0;
  nice = 0;
  resetOnFork = false;
  /** IOPRIO_PRIO_VALUE; 0 = none set. */
  ioprio = 0;
  timerSlackNs = DEFAULT_TIMER_SLACK_NS;
  defaultTimerSlackNs = DEFAULT_TIMER_SLACK_NS;
  /** CPUs allowed, bit n = CPU n; null: all. */
  affinity: Uint8Array | null = null;

  /** What a child starts with. */
  inherit(from: SchedState): void {
    this.policy = from.policy;
    this.priority = from.priority;
    this.nice = from.nice;
    this.ioprio = from.ioprio;
    this.timerSlackNs = from.timerSlackNs;
    this.defaultTimerSlackNs = from.timerSlackNs;
    this.affinity = from.affinity;
    if (from.resetOnFork) {
      this.policy = SCHED_NORMAL;
      this.priority = 0;
      if (this.nice < 0) this.nice = 0;
    }
  }
}
