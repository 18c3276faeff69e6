// POSIX per-process timers: timer_create(2). A timer has at most one signal queued; expirations meanwhile are its overrun.

import { SI_TIMER, SIGEV_NONE, SIGEV_THREAD_ID } from '../../../abi/signal/signal.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { Timer, type TimerTarget } from '../../base/time.ts';
import { SIL_TIMER, SigInfo } from '../signal/siginfo.ts';
import type { Task } from '../task/task.ts';
import type { ThreadGroup } from '../task/threadgroup.ts';
import { threadCpuNs } from './cpu_clock.ts';

/** DELAYTIMER_MAX: where the overrun count stops. */
const OVERRUN_MAX = 0x7fffffff;
/** A timer whose signal is ignored fires no more often than this. */
const IGNORED_PAUSE_NS = 1e6;
/** CPU-time clocks are looked at no more often than this. */
const CPU_TICK_NS = 1e6;

/** A timer with the signal that it queues. */
export const TIMER_BYTES = 768;

export class PosixTimer implements TimerTarget {
  readonly id: number;
  readonly group: ThreadGroup;
  readonly clock: number;
  readonly notify: number;
  readonly signo: number;
  readonly valueLo: number;
  readonly valueHi: number;
  /** SIGEV_THREAD_ID: who gets the signal. CPU clock of a thread: whose time. */
  readonly target: Task | null;
  readonly cpuOf: Task | null;
  /** CPU clock of a process: whose. */
  readonly cpuGroup: ThreadGroup | null;
  private readonly timer: Timer;
  private readonly payer: Account = kernelMemory.take(TIMER_BYTES);
  /** On CLOCK_MONOTONIC or the CPU clock, ns; 0 when disarmed. */
  private atNs = 0;
  private periodNs = 0;
  private queued: SigInfo | null = null;
  /** Expirations since the queued signal, and what the last taken signal reported. */
  private missed = 0;
  overrun = 0;

  constructor(
    id: number,
    group: ThreadGroup,
    clock: number,
    notify: number,
    signo: number,
    valueLo: number,
    valueHi: number,
    target: Task | null,
    cpuOf: Task | null,
    cpuGroup: ThreadGroup | null,
  ) {
    this.id = id;
    this.group = group;
    this.clock = clock;
    this.notify = notify;
    this.signo = signo;
    this.valueLo = valueLo;
    this.valueHi = valueHi;
    this.target = target;
    this.cpuOf = cpuOf;
    this.cpuGroup = cpuGroup;
    this.timer = new Timer(this);
  }

  private now(): number {
    if (this.cpuOf !== null) return threadCpuNs(this.cpuOf);
    return this.cpuGroup !== null ? this.cpuGroup.cpuNs() : this.group.kernel.time.monotonicNs();
  }

  /** Nanoseconds to the next expiration; 0 when disarmed, at least 1 when armed. */
  remaining(): number {
    if (this.atNs === 0) return 0;
    const now = this.now();
    if (this.atNs > now) return this.atNs - now;
    // Past expirations are counted when their signal is taken; nobody is told of those of SIGEV_NONE.
    if (this.periodNs !== 0) return this.periodNs - ((now - this.atNs) % this.periodNs);
    return this.notify === SIGEV_NONE ? 0 : 1;
  }

  interval(): number {
    return this.periodNs;
  }

  /** Arms at a time of its own clock (for real-time clocks: already turned into CLOCK_MONOTONIC); atNs 0 disarms. */
  set(atNs: number, periodNs: number): void {
    this.group.kernel.time.cancel(this.timer);
    this.forgetQueued();
    this.missed = 0;
    this.overrun = 0;
    this.atNs = atNs;
    this.periodNs = periodNs;
    if (atNs !== 0) this.arm();
  }

  /** A time of the timer's clock that is `ns` from now. */
  fromNow(ns: number): number {
    return this.now() + ns;
  }

  private arm(): void {
    if (this.notify === SIGEV_NONE || this.atNs === 0) return;
    const time = this.group.kernel.time;
    if (this.cpuGroup === null) {
      time.arm(this.timer, this.atNs);
      return;
    }
    const left = (this.atNs - this.now()) / Math.max(1, this.cpuGroup.live);
    time.arm(this.timer, time.monotonicNs() + Math.max(CPU_TICK_NS, left));
  }

  onTimer(): void {
    if (this.atNs === 0) return;
    const now = this.now();
    if (now < this.atNs) {
      this.arm();
      return;
    }
    this.missed = this.advance(now);
    this.send();
  }

  /** Moves a periodic timer on to its first expiration after `now`; how many were skipped on the way. */
  private advance(now: number): number {
    if (this.periodNs === 0) {
      this.atNs = 0;
      return 0;
    }
    const extra = Math.floor((now - this.atNs) / this.periodNs);
    this.atNs += (extra + 1) * this.periodNs;
    return Math.min(extra, OVERRUN_MAX);
  }

  private send(): void {
    const info = new SigInfo(this.signo, SI_TIMER, SIL_TIMER);
    info.timer = this;
    info.timerId = this.id;
    info.valueLo = this.valueLo;
    info.valueHi = this.valueHi;
    this.queued = info;
    const signals = this.group.kernel.signals;
    if (this.notify === SIGEV_THREAD_ID) {
      const t = this.target;
      if (t === null || t.dead) this.queued = null;
      else if (signals.sendToTask(t, this.signo, info) !== 0) this.queued = null;
    } else if (signals.sendToGroup(this.group, info) !== 0) this.queued = null;
  }

  /**
   * Its signal was taken for delivery: the overrun is known now, and the timer goes on. It did not run meanwhile, so that a
   * short period cannot flood a process that does not take its signals.
   */
  onDequeued(info: SigInfo): void {
    if (info !== this.queued) return;
    this.queued = null;
    const now = this.now();
    if (this.atNs !== 0 && now >= this.atNs) this.missed += this.advance(now) + 1;
    this.overrun = Math.min(OVERRUN_MAX, this.missed);
    this.missed = 0;
    info.overrun = this.overrun;
    this.arm();
  }

  /** Its signal was dropped before anyone took it (ignored); the timer goes on. */
  onDiscarded(info: SigInfo): void {
    if (info !== this.queued) return;
    this.queued = null;
    if (this.atNs === 0) return;
    this.advance(Math.max(this.atNs, this.now() + IGNORED_PAUSE_NS));
    this.arm();
  }

  private forgetQueued(): void {
    const info = this.queued;
    if (info === null) return;
    this.queued = null;
    if (!this.group.pending.removeInfo(info) && this.target !== null) {
      this.target.signals.pending.removeInfo(info);
    }
  }

  /** timer_delete(2), exec, exit. */
  dispose(): void {
    kernelMemory.give(this.payer, TIMER_BYTES);
    this.group.kernel.time.cancel(this.timer);
    this.forgetQueued();
    this.atNs = 0;
  }
}
