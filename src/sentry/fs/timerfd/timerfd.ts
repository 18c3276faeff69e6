// timerfd_create(2): a timer whose expirations are read from a file.
//
// An interval timer that nobody reads stays expired and disarmed; the expirations that passed meanwhile are computed when
// somebody reads or asks, so an idle descriptor costs nothing (timerfd_tmrproc in Linux does the same).

import { EAGAIN, ECANCELED, EFAULT, EINVAL } from '../../../abi/errno.ts';
import { POLLIN } from '../../../abi/events/poll.ts';
import { O_RDWR } from '../../../abi/fs/fcntl.ts';
import { CLOCK_REALTIME, CLOCK_REALTIME_ALARM, type Itimerspec } from '../../../abi/time/time.ts';
import { TFD_IOC_SET_TICKS, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET } from '../../../abi/time/timerfd.ts';
import { getU64, putU64 } from '../../../abi/u64.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { Timer, type TimerTarget, type TimeSource } from '../../base/time.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';

const NS_PER_SEC = 1e9;
/** KTIME_MAX: beyond it a deadline never comes. About 292 years. */
const MAX_NS = 9.2e18;

export class TimerFile extends File implements TimerTarget {
  readonly clock: number;
  private readonly time: TimeSource;
  private readonly timer: Timer = new Timer(this);
  private readonly waiters: WaitQueue = new WaitQueue();
  /** 0 for a one-shot timer. */
  private intervalNs = 0;
  /** CLOCK_MONOTONIC of the next expiration, or of the last one while `expired`. */
  private nextNs = 0;
  private ticks = 0;
  private expired = false;
  /** Flags of the last timerfd_settime. */
  private setFlags = 0;
  private canceled = false;

  constructor(inode: Inode, flags: number, clock: number, time: TimeSource) {
    super(inode, O_RDWR | flags);
    this.clock = clock;
    this.time = time;
  }

  private get realtime(): boolean {
    return this.clock === CLOCK_REALTIME || this.clock === CLOCK_REALTIME_ALARM;
  }

  /** timerfd_settime(2). The caller has validated the nanosecond fields and that seconds are >= 0. */
  setTime(flags: number, spec: Itimerspec): void {
    const now = this.time.monotonicNs();
    this.time.cancel(this.timer);
    this.expired = false;
    this.ticks = 0;
    this.canceled = false;
    this.setFlags = flags;
    this.intervalNs = spec.intervalSec * NS_PER_SEC + spec.intervalNsec;
    if (spec.valueSec === 0 && spec.valueNsec === 0) return;
    let after = spec.valueSec * NS_PER_SEC + spec.valueNsec;
    if ((flags & TFD_TIMER_ABSTIME) !== 0) {
      if (this.realtime) {
        const nowSec = this.time.realtimeSec();
        // Differences first: seconds since 1970 in ns are beyond what a JS number holds exactly.
        after = (spec.valueSec - nowSec) * NS_PER_SEC + (spec.valueNsec - this.time.realtimeNsec);
      } else after -= now;
    }
    this.nextNs = after > MAX_NS ? MAX_NS : now + after;
    this.time.arm(this.timer, this.nextNs);
  }

  /** timerfd_gettime(2): fills the remaining time and the interval. */
  getTime(out: Itimerspec): void {
    const now = this.time.monotonicNs();
    this.forward(now);
    let left = 0;
    if (this.timer.armed) left = Math.max(1, this.nextNs - now);
    out.valueSec = Math.floor(left / NS_PER_SEC);
    out.valueNsec = Math.floor(left % NS_PER_SEC);
    out.intervalSec = Math.floor(this.intervalNs / NS_PER_SEC);
    out.intervalNsec = this.intervalNs % NS_PER_SEC;
  }

  /** Counts the expirations of an interval timer since the last one that was seen, and arms it again. */
  private forward(now: number): void {
    if (!this.expired || this.intervalNs === 0) return;
    this.expired = false;
    const passed = Math.floor((now - this.nextNs) / this.intervalNs);
    this.ticks += Math.max(0, passed);
    this.nextNs += (Math.max(0, passed) + 1) * this.intervalNs;
    this.time.arm(this.timer, this.nextNs);
  }

  onTimer(_timer: Timer, _nowNs: number): void {
    this.expired = true;
    this.ticks++;
    this.waiters.wake(POLLIN);
  }

  /** CLOCK_REALTIME jumped: a timer with TFD_TIMER_CANCEL_ON_SET ends with ECANCELED. */
  onClockSet(): void {
    const both = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
    if (!this.realtime || (this.setFlags & both) !== both) return;
    this.canceled = true;
    this.ticks++;
    this.waiters.wake(POLLIN);
  }

  override read(_ctx: VfsContext, io: Io): number {
    if (io.remaining < 8) return -EINVAL;
    if (this.ticks === 0) return -EAGAIN;
    if (this.canceled) {
      this.canceled = false;
      this.ticks = 0;
      return -ECANCELED;
    }
    this.forward(this.time.monotonicNs());
    putU64(scratchView, 0, this.ticks);
    this.expired = false;
    this.ticks = 0;
    return io.put(scratch, 0, 8) === 8 ? 8 : -EFAULT;
  }

  override write(): number {
    return -EINVAL;
  }

  override poll(): number {
    return this.ticks > 0 ? POLLIN : 0;
  }

  override queue(): WaitQueue {
    return this.waiters;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    if (cmd !== TFD_IOC_SET_TICKS) return super.ioctl(ctx, cmd, arg);
    if (ctx.mem.copyInExact(arg, scratch, 0, 8) !== 0) return -EFAULT;
    const ticks = getU64(scratchView, 0);
    if (ticks === 0) return -EINVAL;
    this.ticks = ticks;
    this.waiters.wake(POLLIN);
    return 0;
  }

  protected override release(): void {
    this.time.cancel(this.timer);
  }

  override fdinfo(): string {
    const left: Itimerspec = { intervalSec: 0, intervalNsec: 0, valueSec: 0, valueNsec: 0 };
    const ticks = this.ticks;
    this.getTime(left);
    return (
      `clockid: ${this.clock}\nticks: ${ticks}\nsettime flags: 0${this.setFlags.toString(8)}\n` +
      `it_value: (${left.valueSec}, ${left.valueNsec})\nit_interval: (${left.intervalSec}, ${left.intervalNsec})\n`
    );
  }

  override describe(): string {
    return 'anon_inode:[timerfd]';
  }
}
