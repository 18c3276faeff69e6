// Clocks and timers as the kernel sees them. Times are nanoseconds as JS numbers: since boot for the monotonic clock
// (exact for 104 days), {sec, nsec} where wall-clock time is stored.

/** Implemented by whatever must be called back at a time: tasks with a deadline, timerfds, POSIX timers. */
export interface TimerTarget {
  /** The timer's deadline passed. It is off the queue already and may be set again. */
  onTimer(timer: Timer, nowNs: number): void;
}

/** One deadline on the timer queue. Plain fields, so that it can be saved. */
export class Timer {
  readonly target: TimerTarget;
  /** Free for the owner. */
  cookie: number;
  deadlineNs = Number.POSITIVE_INFINITY;
  /** Place in the queue's heap; -1 when not armed. */
  index = -1;
  constructor(target: TimerTarget, cookie = 0) {
    this.target = target;
    this.cookie = cookie;
  }
  get armed(): boolean {
    return this.index >= 0;
  }
}

/** What objects below the kernel layer may ask of time. The kernel's Timekeeper implements it. */
export interface TimeSource {
  /** CLOCK_MONOTONIC in ns. */
  monotonicNs(): number;
  /** CLOCK_REALTIME whole seconds; its nanoseconds are in realtimeNsec after the call. */
  realtimeSec(): number;
  realtimeNsec: number;
  /** CLOCK_REALTIME whole seconds of a few seconds ago at the most: asks no clock. */
  recentRealtimeSec(): number;
  /** Arms or re-arms a timer at an absolute CLOCK_MONOTONIC time. */
  arm(timer: Timer, deadlineNs: number): void;
  /** Disarms; harmless when not armed. */
  cancel(timer: Timer): void;
}
