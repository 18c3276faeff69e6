// HandOver: guest threads run, report through their lines (line.ts), and are served one after another. It keeps who is in
// user mode, finds who has reported, lets those run whose turn it is, and sleeps when nobody has anything.
//
// Waiting has two phases: a short spin over the states of running threads, as long as a cpu is free for it, then one sleep
// for the kernel's descriptors, the threads' event counter and the deaths of their processes together.

import { FUTEX_WAKE } from '../../../abi/ipc/futex.ts';
import { SYS_futex } from '../../../abi/syscall.ts';
import { monotonicNs } from '../../../host/clock.ts';
import { hostCall3 } from '../../../host/syscall.ts';
import { sleepsInCall, threadCpuNs } from '../../../host/threads.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import type { HostWait } from './host_wait.ts';
import { C_SPINS, C_WANTS, H_ASLEEP, H_STATE, WANTS_RING, WANTS_WAKE } from './line.ts';
import { Placement } from './placement.ts';
import { ReadyRing } from './ready_ring.ts';
import type { Handed, HostThread } from './thread.ts';
import { SLICE_LOOK_MS, Turns } from './turns.ts';

/** Events between looks at the host's descriptors while guest threads keep the Sentry busy. */
const HOST_LOOK_EVERY = 64;
/** Rounds of the scan between looks at the clock. */
const SPIN_ROUNDS = 200;
/** PAUSEs a guest thread waits for its answer, when cpus are free: some 50 us. */
const GUEST_SPINS = 2000;
/** How often a thread that has only a trap to make is looked at, and how long it may run: an honest one needs microseconds. */
const REPORT_LOOK_NS = 10e6;
const REPORT_CPU_NS = 2e6;
/** How long the Sentry spins for its report first, if it has a cpu of its own. */
const REPORT_SPIN_NS = 40_000;
/** A kicked thread that does not come back for this long has blocked the kick on purpose: its process is ended. */
const KICK_LIMIT_NS = 10e9;
const KICK_LOOK_MS = 1000;
/** Guest threads that run at once, per cpu, and at the least. */
const RUN_PER_CPU = 8;
const RUN_LEAST = 16;
/** How often all states are looked at while ready threads are found through the ring, which guests can write to. */
const RING_LOOK_MS = 100;

export class HandOver<C extends Handed> {
  readonly placement = new Placement();
  readonly ring: ReadyRing<C>;
  private readonly host: HostWait;
  /** The page that all threads read, and where it begins. */
  private readonly control: Int32Array;
  private readonly controlAt: number;
  /** Threads in user mode. */
  private readonly running: C[] = [];
  /** And those that wait for their turn. */
  private readonly turns: Turns<C>;
  private next = 0;
  /** Events that never needed the host. */
  private readonly posted: C[] = [];
  /** The thread delivered last. */
  private last: C | null = null;
  /** Kicks not yet answered: thread -> when. */
  private readonly kicks = new Map<C, number>();
  private ringLookNs = 0;
  /** WANTS_WAKE, or 0. */
  private wanted = 0;
  private sinceHost = 0;
  private spinHits = 0;
  private spinMisses = 0;
  private sleeps = 0;

  /** `control` is the words of the page that all threads read, from `controlAt` on; at most `runLimit` threads run at once. */
  constructor(
    memfile: MemoryFile,
    control: Int32Array,
    controlAt: number,
    host: HostWait,
    runLimit?: number,
  ) {
    this.control = control;
    this.controlAt = controlAt;
    this.host = host;
    const limit = Math.max(RUN_LEAST, RUN_PER_CPU * this.placement.cpus);
    this.turns = new Turns(this.running, runLimit ?? limit);
    this.ring = new ReadyRing(memfile);
  }

  /** Queues an event that did not come from the host. */
  post(t: C): void {
    if (!this.posted.includes(t)) this.posted.push(t);
  }

  /** See Platform.wait(). */
  wait(block: boolean): C | null {
    const { host } = this;
    if (++this.sinceHost >= HOST_LOOK_EVERY) {
      this.sinceHost = 0;
      this.ring.unsure = true;
      // The kernel looks at its descriptors, and we at ours.
      this.hostEvents(host.sleep(0));
      host.ready = false;
      return null;
    }
    if (this.turns.waiting > 0) this.turns.take();
    if (this.posted.length > 0) return this.posted.shift()!;
    // A thread whose call blocks must not spin on the cpu that another could use.
    if (this.last !== null) {
      this.last.park();
      this.last = null;
    }
    let t = this.ready();
    if (t !== null || !block) return t;
    const { placement } = this;
    const spinNs = placement.spinNs(this.running.length);
    if (spinNs > 0) {
      if ((t = this.spin()) !== null) return t;
      const end = monotonicNs() + spinNs;
      do {
        if ((t = this.spin()) !== null) return t;
      } while (monotonicNs() < end);
      this.spinMisses++;
      placement.miss(this.running);
    }
    placement.sleeping(this.running);
    this.allowSpins();
    for (;;) {
      t = this.sleep();
      placement.woken();
      if (t !== null) return t;
      if (this.posted.length > 0) return this.posted.shift()!;
      if (host.ready) {
        host.ready = false;
        this.sinceHost = 0;
        return null;
      }
    }
  }

  /** Scans for a moment: most events come before it pays to ask a clock. */
  private spin(): C | null {
    for (let i = 0; i < SPIN_ROUNDS; i++) {
      const t = this.ready();
      if (t === null) continue;
      this.spinHits++;
      return t;
    }
    return null;
  }

  /** A thread that has an event, or null. */
  private ready(): C | null {
    const { ring } = this;
    if (!ring.on) return this.scan();
    while (!ring.unsure) {
      const t = ring.take();
      if (t === null) break;
      // Who waits for its turn still has the state of its last report.
      if (t.runIndex < 0 || (Atomics.load(t.words, t.stateAt) & 1) === 0) continue;
      if (this.deliver(t)) return t;
      if (this.posted.length > 0) return this.posted.shift()!;
    }
    if (!ring.unsure) return null;
    const t = this.scan();
    if (t === null) ring.unsure = false;
    return t;
  }

  /** A running thread's state says that it has an event: false when there was none to deliver after all. */
  private deliver(t: C): boolean {
    // While it was collected its process may have died, and with it the thread's run.
    if (!t.collect() || !t.running) return false;
    t.running = false;
    this.left(t);
    this.last = t;
    return true;
  }

  /** Looks at every running thread once, beginning after the one served last. */
  private scan(): C | null {
    const list = this.running;
    const n = list.length;
    let i = this.next;
    for (let k = 0; k < n; k++) {
      if (i >= n) i = 0;
      const t = list[i]!;
      if ((Atomics.load(t.words, t.stateAt) & 1) !== 0) {
        if (this.deliver(t)) {
          this.next = i;
          return t;
        }
        // Its process was ended: the list has changed.
        if (this.posted.length > 0) return this.posted.shift()!;
      }
      i++;
    }
    return null;
  }

  /** Sleeps until something happens; a thread that was ready after all, or null. */
  private sleep(): C | null {
    this.setAsleep(true);
    let t = this.ready();
    if (t === null) {
      this.sleeps++;
      const n = this.host.sleep(this.timeoutMs());
      this.setAsleep(false);
      this.hostEvents(n);
      if (this.turns.waiting > 0) this.turns.take();
      if (this.ring.on) this.lookAtAll();
      t = this.ready();
    } else this.setAsleep(false);
    return t;
  }

  /** Guests may have kept a report out of the ring: from time to time all states are looked at. */
  private lookAtAll(): void {
    const now = monotonicNs();
    if (now - this.ringLookNs < RING_LOOK_MS * 1e6) return;
    this.ringLookNs = now;
    this.ring.unsure = true;
  }

  /** How long the Sentry may sleep without an event. */
  private timeoutMs(): number {
    if (this.turns.waiting > 0) return SLICE_LOOK_MS;
    return this.ring.on ? RING_LOOK_MS : this.kicks.size > 0 ? KICK_LOOK_MS : -1;
  }

  /** The Sentry is about to sleep, or awake again. */
  private setAsleep(asleep: boolean): void {
    this.wanted = asleep ? WANTS_WAKE : 0;
    this.tell();
  }

  /** Tells threads what to do when they report. */
  private tell(): void {
    const wants = this.ring.on ? this.wanted | WANTS_RING : this.wanted;
    Atomics.store(this.control, this.controlAt + C_WANTS / 4, wants);
  }

  /** What the host tells in `n` of its events, and what is due by now. */
  private hostEvents(n: number): void {
    if (this.kicks.size > 0) this.checkKicks();
    this.host.take(n);
  }

  /** May `t` run now? Else it waits for its turn. */
  admits(t: C): boolean {
    const goesOn = this.last === t;
    if (this.turns.admits(t, goesOn)) return true;
    if (goesOn) this.last = null;
    return false;
  }

  /** `t` does not wait for its turn any more. */
  unqueue(t: C): void {
    this.turns.remove(t);
    t.queued = false;
    t.running = false;
  }

  /** `t` is about to enter user mode. */
  entering(t: C): void {
    if (this.last === t) this.last = null;
    t.runIndex = this.running.length;
    this.running.push(t);
    if (this.ring.decide(this.running.length)) this.tell();
    this.placement.entering(t.slot!, this.running);
    this.allowSpins();
  }

  /** `t` came back, or will not. */
  left(t: C): void {
    const list = this.running;
    const moved = list.pop()!;
    if (moved !== t) {
      list[t.runIndex] = moved;
      moved.runIndex = t.runIndex;
    }
    t.runIndex = -1;
    if (this.ring.decide(list.length)) this.tell();
    if (t.slot !== null) this.placement.left(t.slot, list.length);
    if (this.kicks.size > 0) this.kicks.delete(t);
  }

  /** Guest threads may spin for an answer while every runnable thread, and the Sentry, has a cpu. */
  private allowSpins(): void {
    this.setSpins(this.placement.guestsMaySpin(this.running.length) ? GUEST_SPINS : 0);
  }

  private setSpins(spins: number): void {
    const at = this.controlAt + C_SPINS / 4;
    if (this.control[at] !== spins) this.control[at] = spins;
  }

  /** A running thread is to come back; false when it was told already. */
  kicked(t: C): boolean {
    if (this.kicks.has(t)) return false;
    this.kicks.set(t, monotonicNs());
    return true;
  }

  private checkKicks(): void {
    const now = monotonicNs();
    for (const [t, since] of this.kicks) {
      if (now - since < KICK_LIMIT_NS) continue;
      this.kicks.delete(t);
      t.end();
    }
  }

  /** `t` is released, or leaves a process that is dead: none of its events matters any more. */
  forget(t: C): void {
    if (this.last === t) this.last = null;
    const i = this.posted.indexOf(t);
    if (i >= 0) this.posted.splice(i, 1);
  }

  /** The host threads of all `t` for which `test` holds are dead: they run no more, and wait for no turn. */
  forgetRuns(test: (t: C) => boolean): void {
    for (let k = this.running.length - 1; k >= 0; k--) {
      const t = this.running[k]!;
      if (!test(t)) continue;
      t.running = false;
      this.left(t);
    }
    for (const t of this.turns.those(test)) this.unqueue(t);
  }

  /**
   * Answers one thread with `state`, upon which it only has a trap to make, and waits for its report, while all others
   * wait; false as in awaitReport().
   */
  ask(thread: HostThread, state: number, limitNs: number): boolean {
    // On our cpu it would spin for an answer, and so keep us from giving it.
    if (!this.placement.isBeside(thread)) this.setSpins(0);
    Atomics.store(thread.words, thread.at, state);
    // Whatever it says: it would make us wait.
    hostCall3(SYS_futex, thread.hostAddr + H_STATE, FUTEX_WAKE, 1);
    const reported = this.awaitReport(thread, limitNs);
    this.allowSpins();
    return reported;
  }

  /**
   * Waits for the report of one thread; false after `limitNs`, or when it does something else meanwhile. The Sentry sleeps:
   * the thread may need this very cpu. What others report is found by the next scan.
   */
  awaitReport(thread: HostThread, limitNs: number): boolean {
    const { host } = this;
    let now = monotonicNs();
    const end = now + limitNs;
    let lookNs = now + REPORT_LOOK_NS;
    let cpuNs = -1;
    if (this.placement.isBeside(thread) && this.spinForReport(thread, REPORT_SPIN_NS)) return true;
    while (!hasReported(thread)) {
      host.drain();
      this.setAsleep(true);
      if (!hasReported(thread)) host.sleepForReport(Math.ceil((Math.min(lookNs, end) - now) / 1e6));
      this.setAsleep(false);
      now = monotonicNs();
      if (now >= end) return hasReported(thread);
      if (now < lookNs) continue;
      lookNs = now + REPORT_LOOK_NS;
      const ran = threadCpuNs(thread.pid, thread.tid);
      if (cpuNs >= 0 && (ran - cpuNs > REPORT_CPU_NS || sleepsInCall(thread.pid, thread.tid)))
        return hasReported(thread);
      if (cpuNs < 0) cpuNs = ran;
    }
    return true;
  }

  /** Spins for `ns` for the report of one thread; false when it did not come. */
  spinForReport(thread: HostThread, ns: number): boolean {
    const end = monotonicNs() + ns;
    do {
      for (let i = 0; i < SPIN_ROUNDS; i++) if (hasReported(thread)) return true;
    } while (monotonicNs() < end);
    return false;
  }

  stats(): Record<string, number> {
    return {
      'events found while spinning': this.spinHits,
      'spins without an event': this.spinMisses,
      sleeps: this.sleeps,
      'times at home, for want of cpus': this.placement.homeTimes,
    };
  }
}

/** Sets the state that a thread waits for, and wakes it. */
export function answer(thread: HostThread, state: number): void {
  Atomics.store(thread.words, thread.at, state);
  if (Atomics.load(thread.words, thread.at + H_ASLEEP / 4) !== 0)
    hostCall3(SYS_futex, thread.hostAddr + H_STATE, FUTEX_WAKE, 1);
}

function hasReported(thread: HostThread): boolean {
  return (Atomics.load(thread.words, thread.at) & 1) !== 0;
}
