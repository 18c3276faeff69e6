// Where Sentry and guest threads run, and whether they may spin for each other. The Sentry keeps one cpu. Two modes:
//
//   free   guest threads run on the other cpus, and both sides hand over by spinning: a call costs least
//   home   the Sentry and the threads that call it often share its cpu, nobody spins: a wake-up is a plain switch
//
// What wakes a sleeper on another cpu, or interrupts one (an exchange with a mapper, whose mapping change another cpu may
// have cached), costs ten times more than on the same cpu; a call costs ten times less. So what the guest does decides:
// the costs of both modes, as measured on this host, are compared over the last events (weighing.ts). And spinning takes
// an idle cpu: free ends when we or the guest's thread wait for one most of the time (/proc/PID/schedstat, second number),
// and begins only when the host was idle enough (second number of /proc/uptime); or it is tried for a moment, and what
// came of it decides (trial.ts).
//
// In either mode a thread that computes while others run too may use every cpu. And at home, when several threads run and
// compute for a while between their calls, all of them may: what the wake-ups across cpus cost is then less than what an
// idle cpu is worth (spreadPays).

import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from '../../../abi/fs/fcntl.ts';
import {
  SYS_close,
  SYS_getcpu,
  SYS_openat,
  SYS_pread64,
  SYS_sched_getaffinity,
  SYS_sched_setaffinity,
} from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { monotonicNs } from '../../../host/clock.ts';
import { hostCall } from '../../../host/syscall.ts';
import { trees } from '../../../host/trees.ts';
import type { HostThread } from './thread.ts';
import { Trial } from './trial.ts';
import { WEIGH_EVENTS, Weighing } from './weighing.ts';

const MASK_SIZE = 128;
/** How often the host's idle time is asked for while at home, at the least and after returns that did not last. */
const IDLE_LOOK_NS = 20_000_000;
const IDLE_LOOK_MAX_NS = 400_000_000;
/** Idle share of one cpu that makes spinning worth while. */
const IDLE_SHARE = 0.5;
/** How often a free Sentry whose spins miss looks how long threads wait for a cpu: several of the scheduler's slices. */
const DELAY_LOOK_NS = 50_000_000;
/**
 * Share of the time spent waiting for a cpu that ends the free mode. A thread that gets half of a cpu still makes more
 * calls by spinning in its slices than by switching all the time.
 */
const DELAY_SHARE = 0.65;
/** A free time shorter than this was a mistake. */
const SHORT_FREE_NS = 100_000_000;
/** A run longer than this while others run too makes a thread a computing one, which may use every cpu. */
const LONG_RUN_NS = 1_000_000;
/** A run shorter than this, wake-ups across cpus included, counts towards being a calling one again. */
const SHORT_RUN_NS = 200_000;
const SHORT_RUNS = 8;
/** How long the Sentry spins before it sleeps: what it costs to put it to sleep and wake it across cpus. */
const SPIN_NS = 80_000;
/** The same while guest threads share cpus, and one of them may have to wait for another. */
const CROWDED_SPIN_NS = 20_000;

/** How long threads stay spread, or at home, at the least. */
const SPREAD_KEPT_NS = 50_000_000;
/** At home: who runs longer than this would let a spinning Sentry fall asleep. */
const LONG_WAIT_NS = SPIN_NS;

/** How often a Sentry at home looks whether its cpu is crowded, and for how long the host then finds it another one. */
const HOME_LOOK_NS = 200_000_000;
const ROAM_NS = 10_000_000;
/** Share of the time spent waiting for its cpu that makes it look for another one. */
const CROWDED_SHARE = 0.3;

/**
 * Where a thread may run: not decided, with the Sentry, beside it, anywhere because it computes, anywhere because all do.
 * In a slot with the number of the home.
 */
export const AT_START = 0;
const AT_HOME = 1;
const BESIDE = 2;
const ANYWHERE = 3;
const SPREAD = 4;
const PLACES = 5;

/** What the placement needs of a running guest thread. */
interface Running {
  readonly slot: HostThread | null;
}

export class Placement {
  readonly cpus: number;
  /** The Sentry's cpu; -1 before begin(). */
  cpu = -1;
  /** True in the mode `free`. */
  free = false;
  /** At home, threads may use every cpu. */
  private spread = false;
  private spreadNs = 0;
  /** Counts the cpus that were home, times PLACES: who was placed for an earlier one is placed anew. */
  private homeNumber = 0;
  /** When and with which delay the home was looked at last; and the Sentry is not pinned, to find a better one. */
  private homeLookNs = 0;
  private homeDelayNs = 0;
  private roaming = false;
  private readonly all = HostBuffer.alloc(MASK_SIZE);
  private readonly home = HostBuffer.alloc(MASK_SIZE);
  private readonly others = HostBuffer.alloc(MASK_SIZE);
  private readonly text = HostBuffer.alloc(128);
  private readonly uptimeFd: number;
  private readonly schedstatFd: number;
  /** Running threads that may use the Sentry's cpu while it is free. */
  private anywhere = 0;
  readonly weighing = new Weighing(monotonicNs());
  private readonly trial = new Trial();
  private sleptAtNs = 0;
  /** How often the free mode ended. */
  homeTimes = 0;
  private idleSec = 0;
  private idleAtNs = 0;
  /** Time between looks at the host's idle time. */
  private lookNs = IDLE_LOOK_NS;
  private freeSinceNs = 0;
  private lastScanNs = 0;
  private delayAtNs = 0;
  private ownDelayNs = 0;
  private delayTid = 0;
  private threadDelayNs = 0;

  constructor() {
    const size = hostCall(SYS_sched_getaffinity, 0, MASK_SIZE, this.all.addr);
    this.cpus = size > 0 ? countBits(this.all.u8) : 1;
    this.uptimeFd = this.open('/proc/uptime');
    this.schedstatFd = this.open('/proc/thread-self/schedstat');
    this.sampleIdle();
  }

  /** The first process for guests was started, with the cpus that we were started with: from now on we keep to one. */
  begin(): void {
    this.settle();
  }

  /** A thread is about to enter user mode, the last of `running`. */
  entering(slot: HostThread, running: readonly Running[]): void {
    if (slot.place % PLACES === ANYWHERE) {
      this.anywhere++;
      slot.resumedNs = monotonicNs();
    } else {
      const place = this.free ? BESIDE : this.spread ? SPREAD : AT_HOME;
      if (slot.place !== this.homeNumber + place) this.place(slot, place);
      slot.resumedNs = running.length > 1 || !this.free ? monotonicNs() : 0;
    }
    if (running.length <= 1) return;
    const now = slot.resumedNs;
    if (now - this.lastScanNs < LONG_RUN_NS) return;
    this.lastScanNs = now;
    if (!this.free || running.length >= this.cpus) this.letComputersGo(running, now);
  }

  /** A mapper works only while the Sentry waits for it: on the same cpu, where neither has to be woken from afar. */
  placeMapper(process: { readonly pid: number; mapperCpu: number }): void {
    if (process.mapperCpu === this.cpu) return;
    process.mapperCpu = this.cpu;
    hostCall(SYS_sched_setaffinity, process.pid, MASK_SIZE, this.home.addr);
  }

  /** An exchange with a mapper took `ns`. */
  exchanged(ns: number): void {
    this.weighing.exchanged(this.free, ns);
  }

  /** A thread that the Sentry waits for runs on the Sentry's cpu. */
  bringHome(slot: HostThread): void {
    if (slot.place !== this.homeNumber + AT_HOME) this.place(slot, AT_HOME);
  }

  /** The thread runs on another cpu than the Sentry, and both may spin for each other. */
  isBeside(slot: HostThread): boolean {
    return this.free && slot.place === this.homeNumber + BESIDE;
  }

  /** A thread came back from user mode, where `others` still are. */
  left(slot: HostThread, others: number): void {
    if (!this.free && slot.place % PLACES === AT_HOME)
      this.weighing.wasAwayAtHome(monotonicNs() - slot.resumedNs);
    if (this.weighing.event(others + 1)) this.weigh();
    if (slot.place % PLACES !== ANYWHERE) return;
    this.anywhere--;
    const run = monotonicNs() - slot.resumedNs;
    if (run >= SHORT_RUN_NS) slot.shortRuns = 0;
    else if (++slot.shortRuns >= SHORT_RUNS) this.place(slot, this.free ? BESIDE : AT_HOME);
  }

  /** How long the Sentry may spin for one of `running` threads, in ns; 0 when it shall sleep at once. */
  spinNs(running: number): number {
    if (!this.free || running === 0) return 0;
    if (running < this.cpus) return SPIN_NS;
    return this.anywhere === 0 ? CROWDED_SPIN_NS : 0;
  }

  /** Guest threads may spin for the Sentry's answer. */
  guestsMaySpin(running: number): boolean {
    return this.free && (running < this.cpus || this.anywhere === 0);
  }

  /** A spin ended without an event: the threads compute, or have no cpu. */
  miss(running: readonly Running[]): void {
    const now = monotonicNs();
    if (this.trial.failed(now, this.weighing.pending)) {
      this.goHome();
      return;
    }
    if (this.trial.decides || now - this.delayAtNs < DELAY_LOOK_NS) return;
    const own = this.delay(this.schedstatFd);
    const slot = running.length > 0 ? running[0]!.slot : null;
    let thread = 0;
    if (slot !== null) {
      const fd = trees.threadFile(slot.pid, slot.tid, 'schedstat');
      thread = this.delay(fd);
      if (fd >= 0) hostCall(SYS_close, fd);
    }
    const known = slot !== null && slot.tid === this.delayTid && running.length < this.cpus;
    const waited = Math.max(own - this.ownDelayNs, known ? thread - this.threadDelayNs : 0);
    const busy = this.delayAtNs > 0 && waited > (now - this.delayAtNs) * DELAY_SHARE;
    this.delayAtNs = now;
    this.ownDelayNs = own;
    this.delayTid = slot === null ? 0 : slot.tid;
    this.threadDelayNs = thread;
    if (busy) this.goHome();
  }

  /** The Sentry is about to sleep. Free, its cpu is for threads that wait for another one. */
  sleeping(running: readonly Running[]): void {
    if (this.free && running.length >= this.cpus && this.anywhere === 0)
      for (const { slot } of running) if (slot !== null) this.letGo(slot);
    this.sleptAtNs = this.free ? 0 : monotonicNs();
  }

  /** The Sentry was woken. */
  woken(): void {
    if (this.free) {
      this.weighing.wakes++;
      return;
    }
    const now = monotonicNs();
    if (now - this.sleptAtNs > LONG_WAIT_NS) this.weighing.wakes++;
    if (now - this.homeLookNs > HOME_LOOK_NS) this.lookAtHome(now);
  }

  /** Others may have come to our cpu: lets the host's scheduler choose for a moment, and settles where that leads. */
  private lookAtHome(now: number): void {
    const own = this.delay(this.schedstatFd);
    const crowded = own - this.homeDelayNs > (now - this.homeLookNs) * CROWDED_SHARE && this.homeLookNs > 0;
    this.homeLookNs = now;
    this.homeDelayNs = own;
    if (this.roaming) {
      this.roaming = false;
      this.settle();
    } else if (crowded && this.cpus > 1) {
      this.roaming = true;
      this.homeLookNs = now - HOME_LOOK_NS + ROAM_NS;
      hostCall(SYS_sched_setaffinity, 0, MASK_SIZE, this.all.addr);
    }
  }

  /** Compares what the last events cost in this mode with what they would in the other. */
  private weigh(): void {
    const { weighing, trial } = this;
    const now = monotonicNs();
    weighing.weigh(now);
    if (this.free) {
      trial.count(WEIGH_EVENTS, weighing.eachUs);
      if (trial.failed(now, 0) || (!trial.decides && weighing.wantsHome)) this.goHome();
      return;
    }
    if (this.cpus === 1) return;
    if (weighing.wantsFree) this.look(now);
    if (
      !this.free &&
      now - this.spreadNs > SPREAD_KEPT_NS &&
      weighing.spreadPays(this.cpus, this.spread) !== this.spread
    ) {
      this.spread = !this.spread;
      this.spreadNs = now;
    }
  }

  /** At home, free is better: is the host idle enough, or is it to be tried? */
  private look(now: number): void {
    if (now - this.idleAtNs < this.lookNs) return;
    const before = this.idleSec;
    const since = (now - this.idleAtNs) / 1e9;
    this.sampleIdle();
    const idle = this.idleSec - before >= since * IDLE_SHARE;
    if (!idle && !this.trial.due(now)) return;
    this.trial.begin(now, this.weighing.eachUs, !idle);
    this.free = true;
    this.freeSinceNs = now;
    this.delayAtNs = 0;
    this.settle();
  }

  private goHome(): void {
    this.free = false;
    this.homeTimes++;
    this.sampleIdle();
    this.lookNs =
      this.idleAtNs - this.freeSinceNs < SHORT_FREE_NS && !this.trial.promised
        ? Math.min(2 * this.lookNs, IDLE_LOOK_MAX_NS)
        : IDLE_LOOK_NS;
    this.settle();
  }

  /** Keeps the Sentry on the cpu that it is on. */
  private settle(): void {
    hostCall(SYS_getcpu, this.text.addr, 0, 0);
    const cpu = this.text.view.getUint32(0, true);
    this.roaming = false;
    if (cpu !== this.cpu) this.homeNumber += PLACES;
    this.cpu = cpu;
    this.home.u8.fill(0);
    this.home.u8[cpu >> 3] = 1 << (cpu & 7);
    for (let i = 0; i < MASK_SIZE; i++) this.others.u8[i] = this.all.u8[i]! & ~this.home.u8[i]!;
    hostCall(SYS_sched_setaffinity, 0, MASK_SIZE, this.home.addr);
  }

  /** Lets threads that have computed for long use every cpu. */
  private letComputersGo(running: readonly Running[], now: number): void {
    for (const { slot } of running) {
      if (slot === null || slot.place % PLACES === ANYWHERE) continue;
      if (slot.resumedNs === 0) slot.resumedNs = now;
      else if (now - slot.resumedNs > LONG_RUN_NS) this.letGo(slot);
    }
  }

  /** A running thread may use every cpu from now on. */
  private letGo(slot: HostThread): void {
    if (slot.place % PLACES === ANYWHERE) return;
    this.place(slot, ANYWHERE);
    this.anywhere++;
  }

  private place(slot: HostThread, place: number): void {
    slot.place = this.homeNumber + place;
    slot.shortRuns = 0;
    const mask = place === AT_HOME ? this.home : place === BESIDE ? this.others : this.all;
    hostCall(SYS_sched_setaffinity, slot.tid, MASK_SIZE, mask.addr);
  }

  private open(name: string): number {
    this.text.putString(name);
    return hostCall(SYS_openat, AT_FDCWD, this.text.addr, O_RDONLY | O_CLOEXEC, 0);
  }

  private read(fd: number): string {
    const n = fd < 0 ? 0 : hostCall(SYS_pread64, fd, this.text.addr, 127, 0);
    return n <= 0 ? '' : String.fromCharCode(...this.text.u8.subarray(0, n));
  }

  /** Nanoseconds that a thread has waited for a cpu, from its schedstat. */
  private delay(fd: number): number {
    return Number(this.read(fd).split(' ')[1] ?? 0) || 0;
  }

  private sampleIdle(): void {
    this.idleAtNs = monotonicNs();
    this.idleSec = Number(this.read(this.uptimeFd).split(' ')[1] ?? 0) || 0;
  }
}

function countBits(bytes: Uint8Array): number {
  let n = 0;
  for (let b of bytes) for (; b !== 0; b >>= 1) n += b & 1;
  return n;
}
