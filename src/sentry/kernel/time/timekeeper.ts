// Timekeeper: the kernel's clocks and its timer queue. CLOCK_MONOTONIC counts from the boot of this kernel (so that
// nanoseconds stay exact as JS numbers); CLOCK_REALTIME is the host's.

import { CLOCK_MONOTONIC, CLOCK_REALTIME } from '../../../abi/time/time.ts';
import { hostClockSec, lastNsec } from '../../../host/clock.ts';
import type { Timer, TimeSource } from '../../base/time.ts';
import { TimerHeap } from './timer_heap.ts';
import type { TscClock } from './tsc_clock.ts';

const NS = 1e9;

export class Timekeeper implements TimeSource {
  private tsc: TscClock | null = null;
  private readonly timers: TimerHeap = new TimerHeap();
  /** CLOCK_MONOTONIC of the host that counts as our zero. */
  bootSec: number;
  bootNsec: number;
  /** The same in ns, rounded: for deadlines. */
  private bootHostNs = 0;
  /** What the host was last asked to wake us for, in our monotonic ns. */
  private programmedNs = Number.POSITIVE_INFINITY;
  realtimeNsec = 0;
  /** Seconds of the last reading: the heartbeat makes one a second, as long as guests run. */
  private recentSec = 0;
  /** Set by the runtime: the host is to call expire() at this time (CLOCK_MONOTONIC of the host, absolute ns). */
  onNextDeadline: (hostNs: number) => void = () => {};
  /** Nobody runs guest code, and the heartbeat has stopped: onRouse() comes before anybody reads a clock again. */
  resting = false;
  onRouse: () => void = () => {};

  constructor() {
    // A minute of head start, as firmware and init take: no clock reads 0, which several interfaces take for "unset",
    // and a program may subtract a few seconds.
    this.bootSec = hostClockSec(CLOCK_MONOTONIC) - 60;
    this.bootNsec = lastNsec();
    this.bootHostNs = this.bootSec * NS + this.bootNsec;
    this.realtimeSec();
  }

  /** Our zero as one number, exact. */
  get bootNs(): bigint {
    return BigInt(this.bootSec) * BigInt(NS) + BigInt(this.bootNsec);
  }

  /** Moves our zero: the clock jumps ahead, or goes on from where another way of reading it ended. */
  set bootNs(ns: bigint) {
    const nsec = ((ns % BigInt(NS)) + BigInt(NS)) % BigInt(NS);
    this.bootSec = Number((ns - nsec) / BigInt(NS));
    this.bootNsec = Number(nsec);
    this.bootHostNs = Number(ns);
    if (this.programmedNs !== Number.POSITIVE_INFINITY)
      this.onNextDeadline(this.programmedNs + this.bootHostNs);
  }

  /**
   * From here on monotonic time is the VDSO's, to the tick: what a guest reads with and without a call agrees. With null
   * it is the host's own clock again, from bootNs on.
   */
  useTsc(clock: TscClock | null): void {
    this.tsc = clock;
  }

  monotonicNs(): number {
    if (this.tsc !== null) {
      if (this.resting) this.onRouse();
      return this.tsc.monotonicNs();
    }
    // The parts apart: whole ns of a host that is up for long would be rounded, and a little might go back.
    const sec = hostClockSec(CLOCK_MONOTONIC) - this.bootSec;
    return sec * NS + (lastNsec() - this.bootNsec);
  }

  /** NetClock. */
  realtimeMs(): number {
    return Math.floor(this.realtimeSec() * 1000 + this.realtimeNsec / 1e6);
  }

  realtimeSec(): number {
    const sec = hostClockSec(CLOCK_REALTIME);
    this.realtimeNsec = lastNsec();
    this.recentSec = sec;
    return sec;
  }

  recentRealtimeSec(): number {
    return this.recentSec;
  }

  /** CLOCK_REALTIME as ns: rounded to about 256 ns; for deadlines, not for stored times. */
  realtimeNs(): number {
    return this.realtimeSec() * 1e9 + this.realtimeNsec;
  }

  arm(timer: Timer, deadlineNs: number): void {
    this.timers.set(timer, deadlineNs);
    if (deadlineNs < this.programmedNs) {
      this.programmedNs = deadlineNs;
      this.onNextDeadline(deadlineNs + this.bootHostNs);
    }
  }

  cancel(timer: Timer): void {
    // The host's timer stays as it is: an early expire() finds nothing due and programs the next deadline.
    this.timers.remove(timer);
  }

  /** The earliest deadline, Infinity when there is none. */
  nextDeadline(): number {
    return this.timers.nextNs;
  }

  /** Tells every timer that is due, then programs the host for the next. */
  expire(): void {
    const now = this.monotonicNs();
    // Timers that re-arm themselves for a time that is past wait for the next round, so that the loop ends.
    let budget = this.timers.size;
    while (budget-- > 0) {
      const timer = this.timers.popDue(now);
      if (timer === null) break;
      timer.target.onTimer(timer, now);
    }
    const next = this.timers.nextNs;
    this.programmedNs = next;
    if (next !== Number.POSITIVE_INFINITY) this.onNextDeadline(next + this.bootHostNs);
  }
}
