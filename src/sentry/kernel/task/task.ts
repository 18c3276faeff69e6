// Task: one guest thread (struct task_struct). State lives here; behaviour by theme in task_*.ts and signal files.

import { EAGAIN, ERESTARTNOINTR, ERESTARTSYS } from '../../../abi/errno.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Cred } from '../../base/cred.ts';
import { Timer, type TimerTarget, type TimeSource } from '../../base/time.ts';
import { Waiter, type WaitQueue, type Wakeable } from '../../base/wait.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import type { Context } from '../../platform/platform.ts';
import type { InetNamespace } from '../../socket/inet/namespace.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { FdTable } from '../../vfs/fdtable.ts';
import type { File } from '../../vfs/file.ts';
import type { FsContext } from '../../vfs/fscontext.ts';
import { BLOCKED, BlockedCall, TIMED_OUT } from '../block.ts';
import type { IpcNamespace } from '../ipc/namespace.ts';
import type { SemUndo } from '../ipc/sem.ts';
import type { Kernel } from '../kernel.ts';
import type { UtsNames } from '../namespace/uts.ts';
import { SchedState } from '../sched/state.ts';
import { TaskSignals } from '../signal/state.ts';
import { TASK_BLOCKED, TASK_DEAD, TASK_READY } from '../states.ts';
import type { GroupShare } from './group_share.ts';
import type { SeccompState } from './seccomp.ts';
import type { ThreadGroup } from './threadgroup.ts';
import type { UserCount } from './users.ts';

/** A thread and its part of its process; what is left of it as a zombie. */
export const TASK_BYTES = 12288;
export const ZOMBIE_BYTES = 4096;

export class Task implements VfsContext, Wakeable, TimerTarget {
  readonly kernel: Kernel;
  /** Changes only when exec takes over the leader's (pids.renumber). */
  tid: number;
  group: ThreadGroup;
  readonly ctx: Context;
  mm: MemoryManager;
  fs: FsContext;
  fds: FdTable;
  cred: Cred;
  /** comm: at most 15 bytes, a byte string. */
  name: string;
  state = TASK_READY;
  /** Next task on the run queue; null at its end or when not queued. */
  runNext: Task | null = null;
  queued = false;
  /** It waits for its turn in user mode (user_shares.ts), and the tick in which its last one began. */
  held = false;
  turn = 0;
  /** The tick in which it forked last, or was forked. */
  forkTick = -2;
  /** The platform has it, or has had it until its event that is about to be handled. */
  inUser = false;
  /** Number of the system call in progress; -1 outside one. */
  sysno = -1;
  readonly call: BlockedCall = new BlockedCall();
  private readonly timer: Timer;
  readonly signals: TaskSignals;
  /** set_tid_address / CLONE_CHILD_CLEARTID; 0 for none. */
  clearChildTid = 0;
  robustList = 0;
  rseqAddr = 0;
  rseqSize = 0;
  rseqSig = 0;
  pdeathSignal = 0;
  /** Whose RLIMIT_NPROC this thread counts against, and the part of that for its process group. */
  user: UserCount;
  share: GroupShare;
  /** CPU time when it died: wait(2) still asks for a leader's. */
  finalCpuNs = 0;
  /** Who pays for it, and how much: what is left of a zombie is less. */
  private readonly payer: Account;
  private paid: number = TASK_BYTES;
  personality = 0;
  startNs: number;
  /** Where the last fault stands in signal frames: trapno, err, cr2 of sigcontext. */
  trapNo = 0;
  trapErr = 0;
  trapAddr = 0;
  readonly sched: SchedState = new SchedState();
  /** Waits of this thread: ru_nvcsw. */
  waits = 0;
  /** Page faults that were served: ru_minflt. */
  minorFaults = 0;
  /** System-call filters; null without any, so that a call costs one comparison. */
  seccomp: SeccompState | null = null;
  /** SysV semaphore adjustments (CLONE_SYSVSEM shares them); made on first use. */
  semUndo: SemUndo | null = null;
  /** Namespaces. */
  uts: UtsNames;
  ipc: IpcNamespace;
  net: InetNamespace;
  /** wait status once dead (exit code << 8 or signal). */
  exitStatus = 0;
  /** The parent of a vfork child waits here until the child execs or exits. */
  vforkParent: Task | null = null;

  constructor(
    kernel: Kernel,
    tid: number,
    group: ThreadGroup,
    ctx: Context,
    mm: MemoryManager,
    fs: FsContext,
    fds: FdTable,
    cred: Cred,
    name: string,
    share: GroupShare | null,
  ) {
    this.kernel = kernel;
    this.tid = tid;
    this.group = group;
    this.ctx = ctx;
    ctx.owner = this;
    this.mm = mm;
    this.fs = fs;
    this.fds = fds;
    this.cred = cred;
    this.name = name;
    this.timer = new Timer(this);
    this.signals = new TaskSignals();
    this.uts = kernel.uts;
    this.ipc = kernel.ipc;
    this.net = kernel.net.hold();
    this.share = kernel.users.shareFor(cred.uid, share);
    this.user = this.share.user;
    kernel.users.enter(this.share);
    this.payer = kernelMemory.take(TASK_BYTES, this.user);
    this.startNs = kernel.time.monotonicNs();
  }

  /** Its filters take `bytes` more. */
  pay(bytes: number): void {
    this.paid += bytes;
    kernelMemory.take(bytes, this.payer);
  }

  /** Only `bytes` of it are left. */
  shrinkTo(bytes: number): void {
    kernelMemory.give(this.payer, this.paid - bytes);
    this.paid = bytes;
  }

  get dead(): boolean {
    return this.state === TASK_DEAD;
  }

  get mem(): MemoryManager {
    return this.mm;
  }

  get time(): TimeSource {
    return this.kernel.time;
  }

  get tgid(): number {
    return this.group.tgid;
  }

  rlimit(resource: number): number {
    return this.group.limits.soft(resource);
  }

  raise(sig: number): void {
    this.kernel.signals.sendToTask(this, sig);
  }

  /** The file of a descriptor, or null; during a retried call, the file that the first try found. */
  file(fd: number): File | null {
    const call = this.call;
    if (call.active && call.fd === fd && call.file !== null) return call.file;
    return this.fds.get(fd);
  }

  /** Remembers over retries which file `fd` meant, holding a reference. */
  pin(fd: number, file: File): void {
    if (this.call.file !== null) return;
    this.call.fd = fd;
    this.call.file = file.ref();
  }

  /** Sets the deadline of this call at its first run; retries keep it. Absolute CLOCK_MONOTONIC ns. */
  deadline(atNs: number): void {
    if (!this.call.active) this.call.deadlineNs = atNs;
  }

  /** Registers interest for the park() that follows. */
  watch(queue: WaitQueue, events: number, cookie = 0): Waiter {
    const call = this.call;
    let w = call.waiters[call.used];
    if (w === undefined) {
      w = new Waiter(this, events, cookie);
      call.addWaiter(w, this.user);
    }
    w.events = events;
    w.cookie = cookie;
    call.used++;
    queue.add(w);
    return w;
  }

  /**
   * Parks the call: BLOCKED when it now waits; -ERESTARTSYS when a signal interrupts it; TIMED_OUT when its deadline
   * is over. Anything but BLOCKED ends the wait: the handler maps it to its own result and returns.
   */
  park(): number {
    const call = this.call;
    if (call.interrupted || this.signals.interrupts(this)) {
      this.unwatch();
      return -ERESTARTSYS;
    }
    if (call.timedOut || call.deadlineNs <= 0) {
      this.unwatch();
      return TIMED_OUT;
    }
    call.active = true;
    this.waits++;
    this.state = TASK_BLOCKED;
    if (call.deadlineNs !== Number.POSITIVE_INFINITY) this.kernel.time.arm(this.timer, call.deadlineNs);
    return BLOCKED;
  }

  /** park() for a wait that only death ends (vfork, exec): signals stay pending. */
  parkKillable(): number {
    const call = this.call;
    if (this.signals.killed) {
      this.unwatch();
      return -ERESTARTNOINTR;
    }
    call.interrupted = false;
    call.active = true;
    this.waits++;
    this.state = TASK_BLOCKED;
    return BLOCKED;
  }

  /**
   * The call has done a slice of long work and goes on when others had their turn: BLOCKED, or -ERESTARTNOINTR when the
   * thread is to die. Other signals stay pending: who may stop early asks `signalled`.
   */
  giveWay(): number {
    const r = this.parkKillable();
    if (r === BLOCKED) {
      this.waits--;
      this.kernel.makeReadyLater(this);
    }
    return r;
  }

  /** giveWay() of work that must not end half done: who is to die does so after its last slice. BLOCKED. */
  giveWayUntilDone(): number {
    const call = this.call;
    call.interrupted = false;
    call.active = true;
    this.kernel.makeReadyLater(this);
    return BLOCKED;
  }

  /** A signal, a stop or a kill wants the thread's attention. */
  get signalled(): boolean {
    return this.call.interrupted || this.signals.interrupts(this);
  }

  /** watch() and park() in one: waits for `events` on `queue`. */
  block(queue: WaitQueue | null, events: number): number {
    if (queue === null) return -EAGAIN;
    this.watch(queue, events);
    return this.park();
  }

  /** Belongs to another network namespace from now on: the first one again at its end. */
  enterNet(ns: InetNamespace): void {
    ns.hold();
    this.net.drop();
    this.net = ns;
  }

  /** Takes back what SEM_UNDO operations did, unless other threads share the list: exit, unshare. */
  leaveSemUndo(): void {
    const undo = this.semUndo;
    this.semUndo = null;
    if (undo !== null) undo.leave(this);
  }

  /** Takes all registered waiters off their queues. */
  unwatch(): void {
    const call = this.call;
    for (let i = 0; i < call.used; i++) call.waiters[i]!.remove();
    call.used = 0;
    if (this.timer.armed) this.kernel.time.cancel(this.timer);
  }

  onReady(_waiter: Waiter, _events: number): void {
    if (this.state === TASK_BLOCKED) this.kernel.makeReady(this);
  }

  onTimer(_timer: Timer, _nowNs: number): void {
    if (this.state !== TASK_BLOCKED) return;
    this.call.timedOut = true;
    this.kernel.makeReady(this);
  }
}
