// ThreadGroup: one process (struct signal_struct): what its threads share apart from memory and files.

import { SIG_DFL, SIGCHLD, SIGKILL, SIGSTOP } from '../../../abi/signal/signal.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { ControllingTty, TtyProcess } from '../../fs/tty/job_control.ts';
import type { File } from '../../vfs/file.ts';
import type { Kernel } from '../kernel.ts';
import type { MissedSignals } from '../signal/missed.ts';
import { PendingSignals, type SignalHandlers } from '../signal/state.ts';
import { CpuLimit } from '../time/cpu_limit.ts';
import { IntervalTimers } from '../time/itimer.ts';
import type { PosixTimer } from '../time/posix_timer.ts';
import type { Limits } from './rlimits.ts';
import type { ProcessGroup, Session } from './session.ts';
import type { Task } from './task.ts';
import { Usage } from './usage.ts';

export class ThreadGroup implements TtyProcess {
  readonly kernel: Kernel;
  readonly tgid: number;
  /** The thread whose tid is tgid; exec by another thread replaces it. May be dead while others live. */
  leader: Task | null = null;
  /** Threads in order of creation. A dead leader stays in it until the process is reaped; other dead threads leave. */
  readonly threads: Set<Task> = new Set();
  /** Threads that are not dead. */
  live = 0;

  handlers: SignalHandlers;
  readonly pending: PendingSignals = new PendingSignals();
  limits: Limits;

  /** Null for the first process, and only for it. */
  parent: ThreadGroup | null = null;
  /** The thread that made this process: whose death PR_SET_PDEATHSIG reports, what __WNOTHREAD asks for. */
  parentTask: Task | null = null;
  readonly children: Set<ThreadGroup> = new Set();
  /** What the parent gets at exit: SIGCHLD, another signal, or 0. */
  exitSignal = SIGCHLD;
  pgrpOrNull: ProcessGroup | null = null;
  /** Controlling terminal. */
  tty: ControllingTty | null = null;
  /** True once it has called execve since its fork: setpgid(2) then refuses. */
  execed = false;

  /** A group exit is under way, by exit_group or a fatal signal; every thread leaves. */
  exiting = false;
  /** Wait status: exit code << 8, or the signal that killed. */
  exitStatus = 0;
  /** All threads are dead: a zombie, until reaped. */
  dead = false;
  reaped = false;
  /** The thread that runs execve and waits for its siblings to die. */
  execTask: Task | null = null;

  /** While one of its threads copies memory for a child: what is sent to several processes meanwhile. */
  missed: MissedSignals | null = null;

  /** The signal of the job-control stop that is under way or holds; 0 when none. */
  stopSig = 0;
  /** Threads that have yet to stop. */
  stopWaiting = 0;
  /** Every live thread is stopped. */
  stopped = false;
  /** Unreported events for WUNTRACED and WCONTINUED. */
  reportStop = false;
  reportContinue = false;

  /** Woken when a child changes state. */
  readonly childWait: WaitQueue = new WaitQueue();
  /** Woken when this process or one of its threads dies: pidfds, exec. */
  readonly exitWait: WaitQueue = new WaitQueue();

  /** Woken with POLLIN when a signal is queued for this process or one of its threads: signalfd(2). */
  readonly signalWait: WaitQueue = new WaitQueue();

  readonly itimers: IntervalTimers;
  readonly cpuLimit: CpuLimit;
  readonly posixTimers: Map<number, PosixTimer> = new Map();
  nextTimerId = 0;

  /** CPU time and faults of dead threads; of reaped children. */
  readonly deadUsage: Usage = new Usage();
  readonly childUsage: Usage = new Usage();

  /** The program: /proc/PID/exe. The file, when kept, holds a reference. */
  exePath = '';
  exeFile: File | null = null;
  childSubreaper = false;
  /** Process 1 of a container: SIGNAL_UNKILLABLE. */
  unkillable = false;
  dumpable = 1;
  oomScoreAdj = 0;
  noThp = false;
  /** MEMBARRIER_CMD_REGISTER_* made so far. */
  membarrier = 0;
  startNs: number;

  constructor(kernel: Kernel, tgid: number, handlers: SignalHandlers, limits: Limits) {
    this.kernel = kernel;
    this.tgid = tgid;
    this.handlers = handlers;
    this.limits = limits;
    this.itimers = new IntervalTimers(this);
    this.cpuLimit = new CpuLimit(this);
    this.startNs = kernel.time.monotonicNs();
  }

  get pgrp(): ProcessGroup {
    return this.pgrpOrNull!;
  }

  get session(): Session {
    return this.pgrpOrNull!.session;
  }

  /**
   * An unkillable process gets no signal that it has no handler for: kill(2), NOTES; pid_namespaces(7). From outside SIGKILL and SIGSTOP
   * take effect.
   */
  spares(sig: number, outside: boolean): boolean {
    if (this.handlers.actions[sig]!.handler !== SIG_DFL) return false;
    return !(outside && (sig === SIGKILL || sig === SIGSTOP));
  }

  /** A thread that lives, the leader if it does; null for a zombie. */
  anyThread(): Task | null {
    if (this.leader !== null && !this.leader.dead) return this.leader;
    for (const t of this.threads) if (!t.dead) return t;
    return null;
  }

  /** CPU time of all threads, dead ones included, in ns. */
  cpuNs(): number {
    let ns = this.deadUsage.userNs + this.deadUsage.systemNs;
    for (const t of this.threads) if (!t.dead) ns += t.ctx.cpuTimeNs();
    return ns;
  }
}
