// Time as the stack sees it: ns of a monotonic clock, and deadlines that somebody keeps.

/** What must be called back at a time: connections, neighbours, reassembly. */
export interface NetTimerTarget {
  /** The deadline passed. The timer is off the queue and may be set again. */
  onTimer(timer: NetTimer, nowNs: number): void;
}

/** One deadline. Plain fields, so that it can be saved. */
export class NetTimer {
  readonly target: NetTimerTarget;
  /** Free for the owner: which of its timers this is. */
  cookie: number;
  deadlineNs = Number.POSITIVE_INFINITY;
  /** Place in the queue; -1 when not armed. */
  index = -1;

  constructor(target: NetTimerTarget, cookie = 0) {
    this.target = target;
    this.cookie = cookie;
  }

  get armed(): boolean {
    return this.index >= 0;
  }
}

/** A clock with its queue of timers. The kernel's Timekeeper is one; tests turn one by hand. */
export interface NetClock {
  monotonicNs(): number;
  /** Of UTC, for what peers read. */
  realtimeMs(): number;
  /** Arms or re-arms at an absolute time. */
  arm(timer: NetTimer, deadlineNs: number): void;
  /** Disarms; harmless when not armed. */
  cancel(timer: NetTimer): void;
}
