// Kernel: the object that holds everything of one sandbox, and its loop.
//
//   platform.wait() -> Context -> dispatch | fault | trap | kick -> returnToUser -> platform resume
//
// One JS thread, synchronous. A task is running (the platform has it), ready (on the run queue), blocked, stopped or dead.

import { EFAULT, ENOSYS } from '../../abi/errno.ts';
import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { SIGBUS, SIGKILL } from '../../abi/signal/signal.ts';
import { fileMemory, kernelMemory } from '../base/charge.ts';
import { countUnsupported } from '../base/log.ts';
import { PAGE_SIZE } from '../base/page.ts';
import type { MemoryFile } from '../memfile/memfile.ts';
import {
  ACCESS_READ,
  type Context,
  EV_DEAD,
  EV_FAULT,
  EV_KICK,
  EV_SYSCALL,
  EV_TRAP,
  type Platform,
} from '../platform/platform.ts';
import { ORIG_RAX, R8, R9, R10, RAX, RDI, RDX, RSI } from '../platform/regs.ts';
import type { InetNamespace } from '../socket/inet/namespace.ts';
import { UnixNamespace } from '../socket/unix/namespace.ts';
import { WORKS_ON } from '../vfs/file.ts';
import type { MemFs } from '../vfs/mem/mem_fs.ts';
import { endedMounts } from '../vfs/mount_namespace.ts';
import { BLOCKED, EXITED, NO_RESULT } from './block.ts';
import { FutexTable } from './futex/futex.ts';
import { IpcNamespace } from './ipc/namespace.ts';
import { MemoryGuard, setLimits } from './memory_guard.ts';
import { firstNetwork } from './namespace/net.ts';
import { UtsNames } from './namespace/uts.ts';
import { PROFILE_FAULT, PROFILE_HOST_EVENTS, PROFILE_OTHER, PROFILE_WAIT, type Profile } from './profile.ts';
import { Heartbeat } from './sched/heartbeat.ts';
import { IdleTrim } from './sched/idle_trim.ts';
import { LoadAverage } from './sched/load_average.ts';
import { SignalCenter } from './signal/send.ts';
import type { SigInfo } from './signal/siginfo.ts';
import { TASK_BLOCKED, TASK_DEAD, TASK_READY, TASK_RUNNING } from './states.ts';
import type { SyscallTable } from './syscall_table.ts';
import { killedByHost } from './task/exit.ts';
import { anyHold, endHolds } from './task/holds.ts';
import type { ProgramLoader } from './task/loader_interface.ts';
import { PidTable } from './task/pids.ts';
import { Remains } from './task/remains.ts';
import { returnToUser } from './task/run.ts';
import { ADMIT, checkSeccomp } from './task/seccomp.ts';
import { anyWork, endWork, workOn } from './task/shared_work.ts';
import type { Task } from './task/task.ts';
import { TaskLimit } from './task/task_limit.ts';
import type { ThreadGroup } from './task/threadgroup.ts';
import { UserShares } from './task/user_shares.ts';
import { UserTable } from './task/users.ts';
import { Timekeeper } from './time/timekeeper.ts';
import type { VdsoPages } from './time/vdso_pages.ts';

/** Events between looks at the kernel's own memory. */
const LOOK_EVERY = 512;
/** Events of busy guests between two slices of long work: about as much time as a slice takes. */
const EVENTS_PER_SLICE = 64;

/** Sees every system call: strace, metrics. */
export interface SyscallTracer {
  enter(t: Task): void;
  exit(t: Task, result: number): void;
  /** The task takes a signal that it does not ignore. */
  signal(t: Task, info: SigInfo): void;
  /** The task ends with a wait status; called before anything of it is given up. */
  exited(t: Task, status: number): void;
}

export class Kernel {
  readonly platform: Platform;
  private readonly int80IsSyscall: boolean;
  readonly memfile: MemoryFile;
  readonly table: SyscallTable;
  readonly time: Timekeeper;
  readonly pids: PidTable;
  readonly signals: SignalCenter;
  readonly taskLimit: TaskLimit = new TaskLimit();
  readonly users: UserTable = new UserTable(this.taskLimit);
  readonly futexes: FutexTable = new FutexTable();
  /** Waiters for PI locks, apart: only their owner wakes them. */
  readonly piFutexes: FutexTable = new FutexTable();
  /** The first UTS and IPC namespaces. */
  readonly uts: UtsNames = new UtsNames();
  readonly ipc: IpcNamespace = new IpcNamespace();
  /** The first network namespace: its loopback is up. */
  readonly net: InetNamespace;
  /** AF_UNIX: abstract names, /proc/net/unix. */
  readonly unix: UnixNamespace = new UnixNamespace();
  /** Holds memfds; made with the first. */
  memfds: MemFs | null = null;
  tracer: SyscallTracer | null = null;
  /** Where the loop's time goes; null when nobody asked. */
  profile: Profile | null = null;
  /** The VDSO that new programs get; null leaves them without one. */
  vdso: VdsoPages | null = null;
  /** Set by the runtime before the first execve. */
  loader: ProgramLoader | null = null;
  /** Set by the runtime: serves a call of the vsyscall page, which no address space maps; true when it was one. */
  emulateVsyscall: (t: Task) => boolean = () => false;
  /** A process has stopped; the runtime may stop the sandbox with the first one. */
  onStop: (g: ThreadGroup) => void = () => {};
  /** Whether somebody outside could continue the first process's group; the runtime knows. */
  outsideCanContinue: () => boolean = () => false;
  /** CPUs and memory that the guest sees. */
  numCpu = 1;
  totalMemBytes = 2 ** 32;
  /** /proc tells of control groups of version 1; else of version 2. */
  cgroupsV1 = false;
  /** The process with pid 1; its end is the end of the sandbox. */
  initGroup: ThreadGroup | null = null;
  /** Wait status of init once it is dead; -1 while it lives. */
  exitStatus = -1;
  /** Processes made since boot: /proc/stat. */
  forkCount = 0;
  /** Processes that were killed because memory was short. */
  oomKills = 0;
  /** CPU time of threads that are dead. */
  deadCpuNs = 0;
  /** Tasks that are not dead. The loop ends when none is left. */
  liveTasks = 0;
  readonly load: LoadAverage = new LoadAverage(this);
  readonly shares: UserShares;
  private readonly heartbeat: Heartbeat;
  /** Made with the first look: V8's statistics take 2 ms to load, which short programs need not wait for. */
  private guard: MemoryGuard | null = null;
  /** Made with the first death. */
  private remainsOrNull: Remains | null = null;
  private readonly trim = new IdleTrim(this);
  /** Turns of the loop since boot. */
  events = 0;
  private runHead: Task | null = null;
  private runTail: Task | null = null;
  /** Calls that do long work in slices. */
  private laterHead: Task | null = null;
  private laterTail: Task | null = null;
  private sinceSlice = 0;
  /** Says why a process was killed; the runtime sets it. */
  onOutOfMemory: (text: string, victim: ThreadGroup) => void = () => {};
  /** Called when host descriptors, host signals or timers may be ready; the runtime sets it (HostPoller.dispatch). */
  onHostEvents: () => void = () => {};

  constructor(platform: Platform, memfile: MemoryFile, table: SyscallTable) {
    this.platform = platform;
    this.int80IsSyscall = platform.int80IsSyscall;
    this.memfile = memfile;
    this.table = table;
    this.time = new Timekeeper();
    this.pids = new PidTable();
    this.net = firstNetwork(this.time, this.unix, this.pids, memfile);
    this.heartbeat = new Heartbeat(this);
    this.shares = new UserShares(this);
    this.signals = new SignalCenter(this);
  }

  /** Puts a task on the run queue (once). */
  makeReady(t: Task): void {
    if (t.state !== TASK_DEAD) t.state = TASK_READY;
    if (t.held && t.signals.killed) this.shares.release(t);
    if (t.queued || t.held) return;
    t.queued = true;
    t.runNext = null;
    if (this.runTail === null) this.runHead = t;
    else this.runTail.runNext = t;
    this.runTail = t;
  }

  /** Puts a task that gave way on the queue of those that go on when others had their turn. */
  makeReadyLater(t: Task): void {
    t.state = TASK_READY;
    t.queued = true;
    t.runNext = null;
    if (this.laterTail === null) this.laterHead = t;
    else this.laterTail.runNext = t;
    this.laterTail = t;
  }

  /** Lets the first of those that gave way do its next slice. */
  private stepLater(): void {
    const t = this.laterHead;
    if (t === null) return;
    this.laterHead = t.runNext;
    if (this.laterHead === null) this.laterTail = null;
    t.runNext = null;
    t.queued = false;
    if (t.state === TASK_READY) this.step(t);
    this.countEvent();
  }

  /** Init died: nothing outlives it. */
  initExited(status: number): void {
    this.exitStatus = status;
  }

  /**
   * Runs until init is dead. The others are not ended one by one, which would take time for each: the platform kills all
   * stubs at once when it shuts down, and nothing that the kernel holds for them lasts longer than this process.
   */
  run(): void {
    this.heartbeat.start();
    this.trim.worked();
    while (this.liveTasks > 0 && this.exitStatus < 0) {
      for (let t = this.runHead; t !== null && this.exitStatus < 0; t = this.runHead) {
        this.runHead = t.runNext;
        if (this.runHead === null) this.runTail = null;
        t.runNext = null;
        t.queued = false;
        if (t.state === TASK_READY) this.step(t);
        this.countEvent();
      }
      if (this.shares.held > 0 && this.admitHeld()) continue;
      if (this.liveTasks === 0 || this.exitStatus >= 0) break;
      if (this.profile !== null) this.profile.enter(PROFILE_WAIT);
      const long = this.laterHead !== null || this.memfile.untidy || endedMounts.any;
      const ctx = this.platform.wait(!long);
      if (ctx === null) {
        if (this.profile !== null) this.profile.enter(PROFILE_HOST_EVENTS);
        this.onHostEvents();
      } else this.handleEvent(ctx);
      this.countEvent();
      // Between two slices whoever is ready has its turn, and those that call all the time have several.
      if (long && (ctx === null || ++this.sinceSlice >= EVENTS_PER_SLICE)) {
        this.sinceSlice = 0;
        if (this.memfile.untidy) this.memfile.tidy();
        if (endedMounts.any) endedMounts.step();
        this.stepLater();
      }
    }
    if (this.tracer !== null) for (const t of this.pids.tasks()) if (!t.dead) this.tracer.exited(t, SIGKILL);
  }

  /** What the dead have. */
  get remains(): Remains {
    this.remainsOrNull ??= new Remains(this);
    return this.remainsOrNull;
  }

  /** Tasks whose turn has come go on: false when there are none. */
  private admitHeld(): boolean {
    let any = false;
    for (let t = this.shares.next(); t !== null; t = this.shares.next()) {
      any = true;
      returnToUser(t);
    }
    return any;
  }

  private countEvent(): void {
    if (this.memfile.short) {
      this.memfile.short = false;
      this.memoryGuard().pagesShort();
    }
    if (++this.events % LOOK_EVERY !== 0) return;
    this.trim.worked();
    this.memoryGuard().look();
  }

  /** Gives guests so much memory from now on: whoever holds too much is looked for with the next event. */
  limitMemory(bytes: number): void {
    this.memfile.limit(bytes);
    this.totalMemBytes = Math.min(bytes, this.memfile.limitPages * PAGE_SIZE);
    setLimits(this.totalMemBytes);
    this.guard = null;
    this.memfile.short = true;
  }

  /** CPU time of all threads there ever were. */
  guestCpuNs(): number {
    let ns = this.deadCpuNs;
    for (const t of this.pids.allTasks()) if (!t.dead) ns += t.ctx.cpuTimeNs();
    return ns;
  }

  private memoryGuard(): MemoryGuard {
    this.guard ??= new MemoryGuard(this);
    return this.guard;
  }

  /** A ready task: retry its parked call, or return to user mode. */
  private step(t: Task): void {
    this.charge(t);
    if (t.call.active) {
      t.unwatch();
      if (t.signals.interrupts(t)) t.call.interrupted = true;
      if (this.profile !== null) this.profile.enterCall(t.sysno);
      this.finish(t, this.dispatch(t));
      return;
    }
    returnToUser(t);
  }

  /** What is made from now on is made for `t`. */
  private charge(t: Task): void {
    kernelMemory.current = t.user;
    fileMemory.current = t.user.files;
  }

  private handleEvent(ctx: Context): void {
    const t = ctx.owner as Task;
    if (t.inUser) {
      t.inUser = false;
      t.share.left();
    }
    this.charge(t);
    if (this.profile !== null) {
      if (ctx.event === EV_SYSCALL) this.profile.enterCall(ctx.regs.int(ORIG_RAX));
      else this.profile.enter(ctx.event === EV_FAULT ? PROFILE_FAULT : PROFILE_OTHER);
    }
    switch (ctx.event) {
      case EV_SYSCALL: {
        if (this.int80IsSyscall && this.signals.refuseInt80(t)) {
          returnToUser(t);
          return;
        }
        t.sysno = ctx.regs.int(ORIG_RAX);
        if (this.tracer !== null) this.tracer.enter(t);
        const verdict = t.seccomp === null ? ADMIT : checkSeccomp(t);
        if (verdict === ADMIT) this.finish(t, this.dispatch(t));
        else this.refuse(t, verdict);
        return;
      }
      case EV_FAULT:
        if (this.resolveFault(t, ctx)) t.minorFaults++;
        else if (!this.mayTryAgain(t) && !this.emulateVsyscall(t)) this.signals.faultSignal(t);
        returnToUser(t);
        return;
      case EV_TRAP:
        this.signals.faultSignal(t);
        returnToUser(t);
        return;
      case EV_KICK:
        returnToUser(t);
        return;
      case EV_DEAD:
        killedByHost(t);
        return;
    }
  }

  /** There was no memory for the page of a fault, and another process gives some up. */
  private mayTryAgain(t: Task): boolean {
    if (t.mm.faultSig !== SIGKILL || !this.memoryGuard().pageRefused(t.group, t.user)) return false;
    t.mm.faultSig = 0;
    return true;
  }

  /** True when the access may go on. */
  private resolveFault(t: Task, ctx: Context): boolean {
    if (ctx.faultAccess === ACCESS_READ) {
      // Knowing a write from the start saves the second fault that a page mapped for reading would bring. The guess is
      // acted on only where a write is allowed: taken for a write, a read elsewhere would be refused.
      const guess = this.signals.askInstruction(t);
      const vma = t.mm.vmaAt(ctx.faultAddr);
      const access = vma !== null && (vma.prot & PROT_WRITE) !== 0 ? guess : ACCESS_READ;
      if (t.mm.handleFault(ctx.faultAddr, access, ctx.sig === SIGBUS) === 0) return true;
      ctx.faultAccess = guess;
      return false;
    }
    return t.mm.handleFault(ctx.faultAddr, ctx.faultAccess, ctx.sig === SIGBUS) === 0;
  }

  /** Runs the handler of the task's current system call with its register arguments. */
  private dispatch(t: Task): number {
    const row = this.table.row(t.sysno);
    if (row === null) {
      countUnsupported(`system call ${t.sysno}`);
      return -ENOSYS;
    }
    const r = t.ctx.regs;
    const ints = row.intMask;
    return row.handler(
      t,
      (ints & 1) !== 0 ? r.int(RDI) : r.get(RDI),
      (ints & 2) !== 0 ? r.int(RSI) : r.get(RSI),
      (ints & 4) !== 0 ? r.int(RDX) : r.get(RDX),
      (ints & 8) !== 0 ? r.int(R10) : r.get(R10),
      (ints & 16) !== 0 ? r.int(R8) : r.get(R8),
      (ints & 32) !== 0 ? r.int(R9) : r.get(R9),
    );
  }

  /** Ends one run of a handler. */
  private finish(t: Task, outcome: number): void {
    const result = outcome === WORKS_ON ? workOn(t, this.table.row(t.sysno)!) : outcome;
    if (result === BLOCKED) {
      if (t.state !== TASK_BLOCKED && t.state !== TASK_READY) throw new Error('BLOCKED without park()');
      return;
    }
    // It had a place for the result, and no page for it: as with a fault of its own.
    if (result === -EFAULT && t.mm.faultSig === SIGKILL) this.mayTryAgain(t);
    if (this.tracer !== null) this.tracer.exit(t, result);
    if (t.call.active || t.call.file !== null) {
      t.unwatch();
      // However the call ended, nobody waits for it any more.
      if (anyHold()) endHolds(t);
      if (anyWork()) endWork(t);
      t.call.reset();
    }
    t.call.deadlineNs = Number.POSITIVE_INFINITY;
    if (result === EXITED) return;
    // A handler that set the registers left no call to restart.
    if (result === NO_RESULT) t.sysno = -1;
    else t.ctx.regs.set(RAX, result);
    returnToUser(t);
  }

  /** Ends a call that a filter did not admit. Its result is the filter's: never taken for a call to restart. */
  private refuse(t: Task, result: number): void {
    if (this.tracer !== null) this.tracer.exit(t, result);
    if (result === EXITED) return;
    if (result !== NO_RESULT) t.ctx.regs.set(RAX, result);
    t.sysno = -1;
    returnToUser(t);
  }

  /** Hands a task to the platform. Only task/run.ts calls it, when nothing is left to do in the kernel. */
  enterUser(t: Task): void {
    if (this.time.resting) this.time.onRouse();
    t.sysno = -1;
    if ((this.users.groups > 1 || this.shares.held > 0) && !this.shares.admits(t)) return;
    t.share.entered();
    t.inUser = true;
    t.state = TASK_RUNNING;
    t.ctx.resume(t.mm.as);
  }
}
