// ReadTimer: VTIME of termios(3). A terminal keeps one timer for its readers, which try again when it has passed.

import { Timer, type TimerTarget, type TimeSource } from '../../base/time.ts';
import type { VfsContext } from '../../vfs/context.ts';

/** VTIME counts tenths of a second. */
const DECISECOND_NS = 1e8;
/** A timeout that nobody collected for this long belonged to a read that a signal ended. */
const STALE_EXPIRY_NS = 1e8;

/** Whose readers wait. */
export interface TimedReaders {
  /** Wakes them. */
  readTimeOver(): void;
}

export class ReadTimer implements TimerTarget {
  private readonly readers: TimedReaders;
  private readonly timer: Timer = new Timer(this);
  private time: TimeSource | null = null;
  private expiredAtNs = Number.NEGATIVE_INFINITY;

  constructor(readers: TimedReaders) {
    this.readers = readers;
  }

  /** Counts for somebody. */
  get running(): boolean {
    return this.timer.armed;
  }

  /** Starts or restarts it, once a reader has waited. */
  start(vtime: number): void {
    const time = this.time!;
    time.arm(this.timer, time.monotonicNs() + vtime * DECISECOND_NS);
  }

  /** True when the time has just passed (the read returns what it has), false when it now counts. */
  isOver(ctx: VfsContext, vtime: number): boolean {
    this.time = ctx.time;
    if (ctx.time.monotonicNs() - this.expiredAtNs < STALE_EXPIRY_NS) {
      this.expiredAtNs = Number.NEGATIVE_INFINITY;
      return true;
    }
    if (!this.timer.armed) this.start(vtime);
    return false;
  }

  /** A read got its bytes. */
  done(): void {
    this.stop();
    this.expiredAtNs = Number.NEGATIVE_INFINITY;
  }

  stop(): void {
    if (this.timer.armed) this.time!.cancel(this.timer);
  }

  onTimer(_timer: Timer, nowNs: number): void {
    this.expiredAtNs = nowNs;
    this.readers.readTimeOver();
  }
}
