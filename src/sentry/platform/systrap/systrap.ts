// The systrap platform: guest threads run natively under a seccomp filter that turns every system call into a signal,
// whose handler, in the stub, hands the thread over through shared memory. ptrace is not used.
//
// Waiting has two phases: a short spin over the states of running contexts, as long as a cpu is free for it, then one
// epoll_wait for the kernel's descriptors, the stubs' event counter and the deaths of stubs together.

import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLET, EPOLLIN } from '../../../abi/epoll.ts';
import { EAGAIN, EINTR, ESRCH } from '../../../abi/errno.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK } from '../../../abi/eventfd.ts';
import { POLLFD_EVENTS, POLLFD_FD, POLLIN, SIZEOF_POLLFD } from '../../../abi/poll.ts';
import { CLONE_FILES, CLONE_PARENT } from '../../../abi/sched.ts';
import { SIGCHLD, SIGKILL } from '../../../abi/signal.ts';
import {
  SYS_clone,
  SYS_close,
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_epoll_wait,
  SYS_eventfd2,
  SYS_kill,
  SYS_poll,
  SYS_read,
  SYS_wait4,
} from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { __WALL } from '../../../abi/wait.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { monotonicNs } from '../../../host/clock.ts';
import { receiveFd, socketPair } from '../../../host/fd_passing.ts';
import { hostCall, hostCall3 } from '../../../host/syscall.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { type AddressSpace, type Context, EV_DEAD, type Platform } from '../platform.ts';
import { refused } from '../refused.ts';
import { threadCpuNs } from '../stub/cpu_time.ts';
import { Donations, type StubTable } from '../stub/donations.ts';
import { hostGettimeAddr } from '../stub/host_vdso.ts';
import { startProgram } from '../stub/program.ts';
import { endProcesses } from '../stub/reap.ts';
import { SystrapAddressSpace } from './address_space.ts';
import type { Bases } from './bases.ts';
import { SystrapContext } from './context.ts';
import { chooseBases } from './features.ts';
import {
  C_SPINS,
  C_WANTS,
  C_XSTATE,
  EVENT_FD,
  IMAGE_FD,
  MEMFILE_FD,
  ORDERS_PAGES,
  REPORT_FD,
  WANTS_RING,
  WANTS_WAKE,
  XSTATE_ROOM,
} from './layout.ts';
import { Mappers } from './mappers.ts';
import { Placement } from './placement.ts';
import { ProcessPool } from './pool.ts';
import { HostProcess } from './process.ts';
import { sleepsInCall } from './proof.ts';
import { ReadyRing } from './ready_ring.ts';
import type { HostSlot } from './slot.ts';
import { STUBS, type StubImage } from './stub.image.ts';
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
/** How long the Sentry spins, and waits at most, for the first thread of all. */
const START_SPIN_NS = 200_000;
const START_LIMIT_NS = 2e9;
/** A kicked thread that does not come back for this long has blocked the kick on purpose: its process is ended. */
const KICK_LIMIT_NS = 10e9;
const KICK_LOOK_MS = 1000;
/** Guest threads that run at once, per cpu, and at the least. */
const RUN_PER_CPU = 8;
const RUN_LEAST = 16;
/** How often all states are looked at while ready threads are found through the ring, which guests can write to. */
const RING_LOOK_MS = 100;

// What an epoll event is about: its second word; the first is the pid of a stub.
const ABOUT_POLLER = 0;
const ABOUT_PIDFD = 1;
/** Only wakes: the scan finds who reported. */
const ABOUT_EVENTS = 2;
const EVENT_SIZE = 12;
const MAX_EVENTS = 16;

export interface SystrapOptions {
  /** Rewrite system call instructions to jumps, in address spaces that have a PatchTarget. */
  readonly patchCalls?: boolean;
  /** How stubs deal with fs and gs; by default as the host allows. */
  readonly bases?: Bases;
  /** Guest threads that may run at once; by default some per cpu. */
  readonly runLimit?: number;
}

export class SystrapPlatform implements Platform, StubTable {
  readonly name = 'systrap';
  /** int 0x80 comes back as a fault. */
  readonly patchesCalls: boolean;
  readonly int80IsSyscall = false;
  readonly fsgsbase: boolean;
  /** Faults are exact: nobody need look at the instruction. */
  readonly accessOf = null;
  private readonly hasHostVdso: boolean;
  readonly xstateSize: number;
  readonly xcr0Lo: number;
  /** Slots have room for it outside of signal frames. */
  readonly movesXstate: boolean;
  readonly initialXstate: Uint8Array;
  readonly memfile: MemoryFile;
  /** The control page, read-only in every stub. */
  readonly control: Int32Array;
  private readonly controlAt: number;
  readonly epollFd: number;
  private readonly eventFd: number;
  private readonly mappers: Mappers;
  /** A pristine process that is only ever cloned. */
  private readonly template: HostProcess;
  private readonly processes = new Map<number, HostProcess>();
  readonly pool = new ProcessPool(this);
  /** Contexts in user mode. */
  private readonly running: SystrapContext[] = [];
  /** And those that wait for their turn. */
  private readonly turns: Turns;
  private next = 0;
  /** Events that never needed the host. */
  private readonly posted: SystrapContext[] = [];
  /** The context delivered last. */
  private last: SystrapContext | null = null;
  /** Kicks not yet answered: context -> when. */
  private readonly kicks = new Map<SystrapContext, number>();
  readonly ring: ReadyRing<SystrapContext>;
  private ringLookNs = 0;
  readonly placement = new Placement();
  readonly donations = new Donations(this);
  readonly stub: StubImage;
  /** Call sites patched so far. */
  patchedSites = 0;
  /** Where the template, and processes without threads, read their orders. */
  readonly ordersPage: Int32Array;
  /** WANTS_WAKE, or 0. */
  private wanted = 0;
  private sinceHost = 0;
  private spinHits = 0;
  private spinMisses = 0;
  private sleeps = 0;
  private readonly events = HostBuffer.alloc(EVENT_SIZE * MAX_EVENTS);
  private readonly scratch = HostBuffer.alloc(128);
  /** The event counter, for poll(2). */
  private readonly poll = HostBuffer.alloc(SIZEOF_POLLFD);

  /**
   * Starts the template stub and one process of it. `pollerFd` is the epoll descriptor whose readiness ends a wait.
   * Throws an Error that names the failing step when the host does not allow it.
   */
  constructor(memfile: MemoryFile, pollerFd: number, options: SystrapOptions = {}) {
    this.memfile = memfile;
    this.patchesCalls = options.patchCalls === true;
    this.stub = STUBS[options.bases ?? chooseBases()];
    this.fsgsbase = this.stub.bases === 'read';
    const frame = memfile.alloc(1 + ORDERS_PAGES);
    if (frame < 0) throw refused('systrap', 'no memory for the control page', frame);
    this.control = memfile.i32(frame);
    this.controlAt = memfile.byteOffset(frame) / 4;
    const orders = this.controlAt + 1024;
    this.ordersPage = this.control.subarray(orders, orders + ORDERS_PAGES * 1024);
    const limit = Math.max(RUN_LEAST, RUN_PER_CPU * this.placement.cpus);
    this.turns = new Turns(this.running, options.runLimit ?? limit);
    this.ring = new ReadyRing(memfile);
    this.eventFd = must('eventfd', hostCall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
    this.poll.view.setInt32(POLLFD_FD, this.eventFd, true);
    this.poll.view.setInt16(POLLFD_EVENTS, POLLIN, true);
    this.epollFd = must('epoll_create1', hostCall(SYS_epoll_create1, EPOLL_CLOEXEC));
    this.watch(pollerFd, ABOUT_POLLER, EPOLLIN);
    // Every write is an edge, so that nobody has to read the counter, which 2 ** 64 writes of a one would fill.
    this.watch(this.eventFd, ABOUT_EVENTS, EPOLLIN | EPOLLET);

    const elf = this.stub.elf.slice();
    const fields = new DataView(elf.buffer);
    putU64(fields, this.stub.controlAt, frame * 4096);
    putU64(fields, this.stub.ringAt, this.ring.frame * 4096);
    const pair = socketPair();
    if (typeof pair === 'number') throw refused('systrap', 'socketpair', pair);
    const [ours, theirs] = pair;
    const fds = [
      [memfile.fd, MEMFILE_FD] as const,
      [this.eventFd, EVENT_FD] as const,
      [theirs, REPORT_FD] as const,
    ];
    const pid = must('the stub', startProgram(elf, 'vedette-stub', fds, IMAGE_FD));
    try {
      hostCall(SYS_close, theirs);
      const fd = must('a seccomp filter with notifications', receiveFd(ours));
      hostCall(SYS_close, ours);
      this.mappers = new Mappers(fd, this.placement);
      this.template = new HostProcess(this, pid);
      must('pidfd_open', this.template.pidfd);
      must('the stub', this.mappers.begin(this.template));
      this.hasHostVdso = this.mappers.reported(3) > this.mappers.reported(2);
      this.processes.set(pid, this.template);

      // One process and thread tell the layout of the host's signal frames, and wait in the pool.
      const first = this.cloneProcess();
      if (typeof first === 'number') throw refused('systrap', 'no stub process', first);
      const slot = first.takeSlot();
      if (slot === null) throw refused('systrap', 'no guest thread', -EAGAIN);
      if (!this.awaitStart(slot)) throw new Error('systrap platform: a guest thread did not start');
      const layout = slot.locateFrame() && slot.noteTop() ? slot.xstateLayout() : null;
      if (layout === null || layout[0] < 576 || slot.xstateAt(layout[0] + 4) < 0)
        throw new Error('systrap platform: signal frames of an unknown layout');
      [this.xstateSize, this.xcr0Lo] = layout;
      this.movesXstate = this.xstateSize <= XSTATE_ROOM;
      this.control[this.controlAt + C_XSTATE / 4] = this.xcr0Lo;
      const area = slot.xstateAt(this.xstateSize);
      this.initialXstate = slot.bytes.slice(area, area + this.xstateSize);
      slot.starting = false;
      first.idle.push(slot);
      this.pool.add(first);
      this.placement.begin();
    } catch (error) {
      hostCall(SYS_kill, pid, SIGKILL);
      hostCall(SYS_wait4, pid, 0, __WALL, 0);
      for (const process of this.processes.values()) process.end();
      throw error;
    }
  }

  hostGettime(): number {
    return this.hasHostVdso ? hostGettimeAddr() : 0;
  }

  get mapsFiles(): boolean {
    return !this.donations.refused;
  }

  /** StubTable: the template's mapper gets the descriptor, and with it all processes. */
  giveFd(fd: number): number {
    return this.mappers.giveFd(this.template, fd);
  }

  closeFds(numbers: readonly number[]): void {
    for (const process of this.processes.values()) if (process.orders.count > 0) this.runOrders(process);
    for (const fd of numbers) this.template.orders.push(SYS_close, fd, 0, 0, 0, 0, 0);
    this.runOrders(this.template);
  }

  newAddressSpace(): AddressSpace | number {
    const process = this.pool.take();
    if (process !== undefined) return new SystrapAddressSpace(this, process);
    const made = this.cloneProcess();
    return typeof made === 'number' ? made : new SystrapAddressSpace(this, made);
  }

  newContext(): Context {
    return new SystrapContext(this);
  }

  /** Queues an event that did not come from the host. */
  post(ctx: SystrapContext): void {
    if (!this.posted.includes(ctx)) this.posted.push(ctx);
  }

  wait(block: boolean): Context | null {
    if (++this.sinceHost >= HOST_LOOK_EVERY) {
      this.sinceHost = 0;
      this.ring.unsure = true;
      // The kernel looks at its descriptors, and we at ours.
      this.hostEvents(this.pollHost(0));
      this.hostReady = false;
      return null;
    }
    if (this.turns.waiting > 0) this.turns.take();
    if (this.posted.length > 0) return this.posted.shift()!;
    // A thread whose call blocks must not spin on the cpu that another could use.
    if (this.last !== null) {
      this.last.park();
      this.last = null;
    }
    let ctx = this.ready();
    if (ctx !== null || !block) return ctx;
    const { placement } = this;
    const spinNs = placement.spinNs(this.running.length);
    if (spinNs > 0) {
      if ((ctx = this.spin()) !== null) return ctx;
      const end = monotonicNs() + spinNs;
      do {
        if ((ctx = this.spin()) !== null) return ctx;
      } while (monotonicNs() < end);
      this.spinMisses++;
      placement.miss(this.running);
    }
    placement.sleeping(this.running);
    this.allowSpins();
    for (;;) {
      ctx = this.sleep();
      placement.woken();
      if (ctx !== null) return ctx;
      if (this.posted.length > 0) return this.posted.shift()!;
      if (this.hostReady) {
        this.hostReady = false;
        this.sinceHost = 0;
        return null;
      }
    }
  }

  /** Scans for a moment: most events come before it pays to ask a clock. */
  private spin(): SystrapContext | null {
    for (let i = 0; i < SPIN_ROUNDS; i++) {
      const ctx = this.ready();
      if (ctx === null) continue;
      this.spinHits++;
      return ctx;
    }
    return null;
  }

  private hostReady = false;

  /** A context that has an event, or null. */
  private ready(): SystrapContext | null {
    const { ring } = this;
    if (!ring.on) return this.scan();
    while (!ring.unsure) {
      const ctx = ring.take();
      if (ctx === null) break;
      // Who waits for its turn still has the state of its last report.
      if (ctx.runIndex < 0 || (Atomics.load(ctx.words, ctx.stateAt) & 1) === 0) continue;
      if (this.deliver(ctx)) return ctx;
      if (this.posted.length > 0) return this.posted.shift()!;
    }
    if (!ring.unsure) return null;
    const ctx = this.scan();
    if (ctx === null) ring.unsure = false;
    return ctx;
  }

  /** A running context's state says that it has an event: false when there was none to deliver after all. */
  private deliver(ctx: SystrapContext): boolean {
    // While it was collected its process may have died, and with it the context's run.
    if (!ctx.collect() || !ctx.running) return false;
    ctx.running = false;
    this.left(ctx);
    this.last = ctx;
    return true;
  }

  /** Looks at every running context once, beginning after the one served last. */
  private scan(): SystrapContext | null {
    const list = this.running;
    const n = list.length;
    let i = this.next;
    for (let k = 0; k < n; k++) {
      if (i >= n) i = 0;
      const ctx = list[i]!;
      if ((Atomics.load(ctx.words, ctx.stateAt) & 1) !== 0) {
        if (this.deliver(ctx)) {
          this.next = i;
          return ctx;
        }
        // Its process was ended: the list has changed.
        if (this.posted.length > 0) return this.posted.shift()!;
      }
      i++;
    }
    return null;
  }

  /** Sleeps until something happens; a context that was ready after all, or null. */
  private sleep(): SystrapContext | null {
    this.setAsleep(true);
    let ctx = this.ready();
    if (ctx === null) {
      this.sleeps++;
      const n = this.pollHost(this.timeoutMs());
      this.setAsleep(false);
      this.hostEvents(n);
      if (this.turns.waiting > 0) this.turns.take();
      if (this.ring.on) this.lookAtAll();
      ctx = this.ready();
    } else this.setAsleep(false);
    return ctx;
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

  private pollHost(timeoutMs: number): number {
    const n = hostCall(SYS_epoll_wait, this.epollFd, this.events.addr, MAX_EVENTS, timeoutMs);
    if (n < 0 && n !== -EINTR) throw new Error(`systrap platform: epoll_wait failed (${n})`);
    return n;
  }

  /** What the host tells in `n` of its events, and what is due by now. */
  private hostEvents(n: number): void {
    if (this.kicks.size > 0) this.checkKicks();
    const v = this.events.view;
    for (let i = 0; i < n; i++) {
      const at = i * EVENT_SIZE;
      switch (v.getUint32(at + 8, true)) {
        case ABOUT_POLLER:
          this.hostReady = true;
          break;
        case ABOUT_PIDFD:
          this.processDied(v.getUint32(at + 4, true));
          break;
      }
    }
  }

  private processDied(pid: number): void {
    const process = this.processes.get(pid);
    if (process === undefined) return;
    if (process === this.template) throw new Error('systrap platform: the template stub died');
    process.reap();
  }

  /** May `ctx` run now? Else it waits for its turn. */
  admits(ctx: SystrapContext): boolean {
    const goesOn = this.last === ctx;
    if (this.turns.admits(ctx, goesOn)) return true;
    if (goesOn) this.last = null;
    return false;
  }

  /** `ctx` does not wait for its turn any more. */
  unqueue(ctx: SystrapContext): void {
    this.turns.remove(ctx);
    ctx.queued = false;
    ctx.running = false;
  }

  /** `ctx` is about to enter user mode. */
  entering(ctx: SystrapContext): void {
    if (this.last === ctx) this.last = null;
    ctx.runIndex = this.running.length;
    this.running.push(ctx);
    if (this.ring.decide(this.running.length)) this.tell();
    this.placement.entering(ctx.slot!, this.running);
    this.allowSpins();
  }

  /** `ctx` came back, or will not. */
  left(ctx: SystrapContext): void {
    const list = this.running;
    const moved = list.pop()!;
    if (moved !== ctx) {
      list[ctx.runIndex] = moved;
      moved.runIndex = ctx.runIndex;
    }
    ctx.runIndex = -1;
    if (this.ring.decide(list.length)) this.tell();
    if (ctx.slot !== null) this.placement.left(ctx.slot, list.length);
    if (this.kicks.size > 0) this.kicks.delete(ctx);
  }

  /** Guest threads may spin for an answer while every runnable thread, and the Sentry, has a cpu. */
  private allowSpins(): void {
    const spins = this.placement.guestsMaySpin(this.running.length) ? GUEST_SPINS : 0;
    const at = this.controlAt + C_SPINS / 4;
    if (this.control[at] !== spins) this.control[at] = spins;
  }

  /** A running context is to come back; false when it was told already. */
  kicked(ctx: SystrapContext): boolean {
    if (this.kicks.has(ctx)) return false;
    this.kicks.set(ctx, monotonicNs());
    return true;
  }

  private checkKicks(): void {
    const now = monotonicNs();
    for (const [ctx, since] of this.kicks) {
      if (now - since < KICK_LIMIT_NS) continue;
      this.kicks.delete(ctx);
      ctx.process?.end();
    }
  }

  /** A context is released. */
  forget(ctx: SystrapContext): void {
    if (this.last === ctx) this.last = null;
    const i = this.posted.indexOf(ctx);
    if (i >= 0) this.posted.splice(i, 1);
  }

  /** The process is dead: so are the contexts that have a thread of it. */
  forgetProcess(process: HostProcess): void {
    this.processes.delete(process.pid);
    this.mappers.forget(process.pid);
    this.pool.forget(process);
    for (let k = this.running.length - 1; k >= 0; k--) {
      const ctx = this.running[k]!;
      if (ctx.process !== process) continue;
      ctx.running = false;
      this.left(ctx);
    }
    for (const ctx of this.turns.waitingIn(process)) this.unqueue(ctx);
    // Those that do not run too: a parked call would wait, and hold what it has, for who never goes on.
    for (const ctx of process.contexts) {
      ctx.event = EV_DEAD;
      this.post(ctx);
    }
  }

  /**
   * Carries out the queued orders of `process`; result of the last one, or -errno of the one that failed. When this returns,
   * all of them are done, or no thread of the process runs any more: it may have mapped what the Sentry is about to give
   * to others.
   */
  runOrders(process: HostProcess): number {
    const r = this.mappers.run(process);
    if (process.broken !== 0) process.end();
    return r;
  }

  private cloneProcess(): HostProcess | number {
    // CLONE_PARENT: the new process is the Sentry's child, which is told of its death and reaps it. CLONE_FILES: all have
    // the descriptors of donated files.
    this.template.orders.push(SYS_clone, CLONE_PARENT | CLONE_FILES | SIGCHLD, 0, 0, 0, 0, 0);
    const pid = this.runOrders(this.template);
    if (pid <= 0) return pid < 0 ? pid : -ESRCH;
    const process = new HostProcess(this, pid);
    const r = this.mappers.begin(process);
    if (r < 0) {
      process.end();
      return r;
    }
    this.processes.set(pid, process);
    return process;
  }

  /** The first thread's report: soon there where cpus are idle, but where none is, it waits for the one that we spin on. */
  private awaitStart(slot: HostSlot): boolean {
    const end = monotonicNs() + START_SPIN_NS;
    while ((Atomics.load(slot.words, slot.at) & 1) === 0)
      if (monotonicNs() > end) return this.awaitReport(slot, START_LIMIT_NS);
    return true;
  }

  /**
   * Waits for the report of one thread, which only has a trap to make, while all others wait; false after `limitNs`, or
   * when it does something else meanwhile. The Sentry sleeps: the thread may need this very cpu. What others report is
   * found by the next scan.
   */
  awaitReport(slot: HostSlot, limitNs: number): boolean {
    let now = monotonicNs();
    const end = now + limitNs;
    let lookNs = now + REPORT_LOOK_NS;
    let cpuNs = -1;
    const reported = (): boolean => (Atomics.load(slot.words, slot.at) & 1) !== 0;
    if (this.placement.isBeside(slot))
      for (const spinEnd = now + REPORT_SPIN_NS; now < spinEnd; now = monotonicNs())
        for (let i = 0; i < SPIN_ROUNDS; i++) if (reported()) return true;
    while (!reported()) {
      hostCall3(SYS_read, this.eventFd, this.scratch.addr, 8);
      this.setAsleep(true);
      if (!reported()) hostCall3(SYS_poll, this.poll.addr, 1, Math.ceil((Math.min(lookNs, end) - now) / 1e6));
      this.setAsleep(false);
      now = monotonicNs();
      if (now >= end) return reported();
      if (now < lookNs) continue;
      lookNs = now + REPORT_LOOK_NS;
      const ran = threadCpuNs(slot.pid, slot.tid);
      if (cpuNs >= 0 && (ran - cpuNs > REPORT_CPU_NS || sleepsInCall(slot))) return reported();
      if (cpuNs < 0) cpuNs = ran;
    }
    return true;
  }

  trim(): void {
    this.pool.trim();
  }

  /** All stub processes, for tests and reports. */
  pids(): number[] {
    return [...this.processes.keys()];
  }

  stats(): Record<string, number> {
    return {
      'events found while spinning': this.spinHits,
      'spins without an event': this.spinMisses,
      sleeps: this.sleeps,
      'exchanges with mappers': this.mappers.exchanges,
      'mapping orders': this.mappers.orders,
      'patched call sites': this.patchedSites,
      'times at home, for want of cpus': this.placement.homeTimes,
    };
  }

  shutdown(): void {
    endProcesses(this.processes.keys());
    this.mappers.close();
    hostCall(SYS_close, this.epollFd);
    hostCall(SYS_close, this.eventFd);
  }

  private watch(fd: number, about: number, events: number): void {
    const v = this.events.view;
    v.setUint32(0, events, true);
    v.setUint32(4, 0, true);
    v.setUint32(8, about, true);
    must('epoll_ctl', hostCall(SYS_epoll_ctl, this.epollFd, EPOLL_CTL_ADD, fd, this.events.addr));
  }
}

function must(step: string, r: number): number {
  if (r < 0) throw refused('systrap', `${step} failed`, r);
  return r;
}
