// Signal state: pending queues, masks and handlers. Policy (who may send, what a send does) is in send.ts.
// Sets are two u32 words; bit n-1 of the 64 stands for signal n.

import {
  SA_RESETHAND,
  SIG_DFL,
  SIG_IGN,
  SIGABRT,
  SIGBUS,
  SIGCHLD,
  SIGCONT,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGQUIT,
  SIGSEGV,
  SIGSTOP,
  SIGSYS,
  SIGTRAP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGWINCH,
  SIGXCPU,
  SIGXFSZ,
} from '../../../abi/signal/signal.ts';
import type { Task } from '../task/task.ts';
import type { SigInfo } from './siginfo.ts';

/** The set bit of a standard signal (1-32) in the low word. */
export function sigBit(sig: number): number {
  return (1 << ((sig - 1) & 31)) >>> 0;
}

/** Never blocked, caught or ignored. */
export const UNBLOCKABLE_LO: number = (sigBit(SIGKILL) | sigBit(SIGSTOP)) >>> 0;
/** Signals that a thread raises against itself; taken before all others. */
export const SYNCHRONOUS_LO: number =
  (sigBit(SIGSEGV) | sigBit(SIGBUS) | sigBit(SIGILL) | sigBit(SIGTRAP) | sigBit(SIGFPE) | sigBit(SIGSYS)) >>>
  0;
/** Default action: stop. */
export const STOP_LO: number = (sigBit(SIGSTOP) | sigBit(SIGTSTP) | sigBit(SIGTTIN) | sigBit(SIGTTOU)) >>> 0;
/** Default action: end with a core dump. */
export const CORE_LO: number =
  (sigBit(SIGQUIT) |
    sigBit(SIGILL) |
    sigBit(SIGTRAP) |
    sigBit(SIGABRT) |
    sigBit(SIGFPE) |
    sigBit(SIGSEGV) |
    sigBit(SIGBUS) |
    sigBit(SIGSYS) |
    sigBit(SIGXCPU) |
    sigBit(SIGXFSZ)) >>>
  0;
/** Default action: nothing. */
export const IGNORED_BY_DEFAULT_LO: number =
  (sigBit(SIGCONT) | sigBit(SIGCHLD) | sigBit(SIGWINCH) | sigBit(SIGURG)) >>> 0;

/** True when SIG_DFL of this signal ends the process. */
export function isFatalByDefault(sig: number): boolean {
  return sig > 32 || ((STOP_LO | IGNORED_BY_DEFAULT_LO) & sigBit(sig)) === 0;
}

/** Lowest signal number of a set, 0 when empty. */
export function lowestSignal(lo: number, hi: number): number {
  if (lo !== 0) return 32 - Math.clz32(lo & -lo);
  if (hi !== 0) return 64 - Math.clz32(hi & -hi);
  return 0;
}

/** struct sigpending: instances in order of arrival per signal, and the set of signals that have one. */
export class PendingSignals {
  lo = 0;
  hi = 0;
  /** First and last instance by signal number; made when the first signal comes. */
  private heads: (SigInfo | null)[] | null = null;
  private tails: (SigInfo | null)[] | null = null;

  has(sig: number): boolean {
    return ((sig <= 32 ? this.lo : this.hi) & sigBit(sig)) !== 0;
  }

  /** Appends an instance. Whether it may be queued at all was decided by the caller. */
  push(info: SigInfo): void {
    if (this.heads === null || this.tails === null) {
      this.heads = new Array(65).fill(null);
      this.tails = new Array(65).fill(null);
    }
    const sig = info.signo;
    info.next = null;
    const tail = this.tails[sig]!;
    if (tail === null) this.heads[sig] = info;
    else tail.next = info;
    this.tails[sig] = info;
    if (sig <= 32) this.lo = (this.lo | sigBit(sig)) >>> 0;
    else this.hi = (this.hi | sigBit(sig)) >>> 0;
  }

  /** Takes the oldest instance of a pending signal. */
  take(sig: number): SigInfo | null {
    if (this.heads === null || this.tails === null) return null;
    const info = this.heads[sig]!;
    if (info === null) return null;
    this.heads[sig] = info.next;
    if (info.next === null) {
      this.tails[sig] = null;
      this.clearBit(sig);
    }
    info.next = null;
    if (info.user !== null) {
      info.user.dequeued();
      info.user = null;
    }
    return info;
  }

  /** Next signal outside the blocked set, in Linux's order: synchronous ones first, then by number; 0 for none. */
  next(blockedLo: number, blockedHi: number): number {
    const lo = (this.lo & ~blockedLo) >>> 0;
    const hi = (this.hi & ~blockedHi) >>> 0;
    if ((lo | hi) === 0) return 0;
    const sync = lo & SYNCHRONOUS_LO;
    return sync !== 0 ? lowestSignal(sync, 0) : lowestSignal(lo, hi);
  }

  /** Drops every instance of the signals in the set. */
  discard(lo: number, hi: number): void {
    let restLo = (this.lo & lo) >>> 0;
    let restHi = (this.hi & hi) >>> 0;
    while ((restLo | restHi) !== 0) {
      const sig = lowestSignal(restLo, restHi);
      for (let info = this.take(sig); info !== null; info = this.take(sig)) info.timer?.onDiscarded(info);
      if (sig <= 32) restLo = (restLo & ~sigBit(sig)) >>> 0;
      else restHi = (restHi & ~sigBit(sig)) >>> 0;
    }
  }

  /** Takes out the queued instance of one timer (timer_delete), if it is here. */
  removeInfo(wanted: SigInfo): boolean {
    if (this.heads === null || this.tails === null || !this.has(wanted.signo)) return false;
    const sig = wanted.signo;
    let before: SigInfo | null = null;
    for (let i: SigInfo | null = this.heads[sig]!; i !== null; before = i, i = i.next) {
      if (i !== wanted) continue;
      if (before === null) this.heads[sig] = i.next;
      else before.next = i.next;
      if (i.next === null) this.tails[sig] = before;
      if (this.heads[sig] === null) this.clearBit(sig);
      i.next = null;
      if (i.user !== null) i.user.dequeued();
      i.user = null;
      return true;
    }
    return false;
  }

  private clearBit(sig: number): void {
    if (sig <= 32) this.lo = (this.lo & ~sigBit(sig)) >>> 0;
    else this.hi = (this.hi & ~sigBit(sig)) >>> 0;
  }
}

/** struct k_sigaction. The handler is an address, SIG_DFL or SIG_IGN; flags are unsigned. */
export class SigAction {
  handler = SIG_DFL;
  flags = 0;
  restorer = 0;
  maskLo = 0;
  maskHi = 0;

  copyFrom(o: SigAction): void {
    this.handler = o.handler;
    this.flags = o.flags;
    this.restorer = o.restorer;
    this.maskLo = o.maskLo;
    this.maskHi = o.maskHi;
  }
}

/** The table of handlers (struct sighand_struct); CLONE_SIGHAND shares it. */
export class SignalHandlers {
  /** Thread groups that share it. */
  refs = 1;
  readonly actions: SigAction[] = [];
  /** Signals that a send drops and that never interrupt: SIG_IGN, or SIG_DFL of those ignored by default. */
  ignoredLo = IGNORED_BY_DEFAULT_LO;
  ignoredHi = 0;

  constructor() {
    for (let i = 0; i <= 64; i++) this.actions.push(new SigAction());
  }

  ignores(sig: number): boolean {
    return ((sig <= 32 ? this.ignoredLo : this.ignoredHi) & sigBit(sig)) !== 0;
  }

  /** Recomputes whether a signal is ignored; call after every change of its action. */
  update(sig: number): void {
    const handler = this.actions[sig]!.handler;
    const bit = sigBit(sig);
    const ignored =
      handler === SIG_IGN || (handler === SIG_DFL && sig <= 32 && (IGNORED_BY_DEFAULT_LO & bit) !== 0);
    if (sig <= 32) this.ignoredLo = (ignored ? this.ignoredLo | bit : this.ignoredLo & ~bit) >>> 0;
    else this.ignoredHi = (ignored ? this.ignoredHi | bit : this.ignoredHi & ~bit) >>> 0;
  }

  setHandler(sig: number, handler: number): void {
    this.actions[sig]!.handler = handler;
    this.update(sig);
  }

  /** Fork without CLONE_SIGHAND. */
  clone(): SignalHandlers {
    const h = new SignalHandlers();
    for (let i = 1; i <= 64; i++) h.actions[i]!.copyFrom(this.actions[i]!);
    h.ignoredLo = this.ignoredLo;
    h.ignoredHi = this.ignoredHi;
    return h;
  }

  /** exec, CLONE_CLEAR_SIGHAND: caught signals go back to the default; ignored ones stay ignored. */
  reset(): void {
    for (let i = 1; i <= 64; i++) {
      const a = this.actions[i]!;
      if (a.handler !== SIG_IGN) a.handler = SIG_DFL;
      a.flags = 0;
      a.restorer = 0;
      a.maskLo = 0;
      a.maskHi = 0;
      this.update(i);
    }
  }

  /** SA_RESETHAND at delivery. */
  oneShot(sig: number): void {
    const a = this.actions[sig]!;
    if ((a.flags & SA_RESETHAND) !== 0) this.setHandler(sig, SIG_DFL);
  }
}

/** What a syscall to be continued by restart_syscall(2) left behind (struct restart_block). */
export const RESTART_NONE = 0;
export const RESTART_NANOSLEEP = 1;
export const RESTART_POLL = 2;
export const RESTART_FUTEX = 3;
export const RESTART_CPU_SLEEP = 4;

/** One thread's signal state. */
export class TaskSignals {
  maskLo = 0;
  maskHi = 0;
  /** The mask that a temporary one replaced (sigsuspend, ppoll, ...); restored before the next return to user mode. */
  savedLo = 0;
  savedHi = 0;
  hasSaved = false;
  readonly pending: PendingSignals = new PendingSignals();
  /** Signals that rt_sigtimedwait(2) waits for: they wake the thread although they are blocked. */
  waitLo = 0;
  waitHi = 0;
  altSp = 0;
  altSize = 0;
  altFlags = 0;
  /** The thread is to join its group's stop. */
  stopPending = false;
  /** The thread is to exit: group exit, exec by a sibling. */
  killed = false;
  /** restart_syscall(2): which call, its clock and absolute deadline, and where the remaining time goes. */
  restartKind = RESTART_NONE;
  restartClock = 0;
  restartDeadlineNs = 0;
  restartPtr = 0;
  restartArg = 0;
  restartArg2 = 0;

  /** The signal mask becomes (lo, hi); SIGKILL and SIGSTOP stay deliverable. */
  setMask(lo: number, hi: number): void {
    this.maskLo = (lo & ~UNBLOCKABLE_LO) >>> 0;
    this.maskHi = hi >>> 0;
  }

  /**
   * Installs the mask of a call such as ppoll(2) until the call ends. Idempotent over retries of a parked call. When the
   * call returns, the old mask comes back: at once, or through the frame of the handler that interrupted it.
   */
  setTemporaryMask(lo: number, hi: number): void {
    if (!this.hasSaved) {
      this.hasSaved = true;
      this.savedLo = this.maskLo;
      this.savedHi = this.maskHi;
    }
    this.setMask(lo, hi);
  }

  restoreMask(): void {
    if (!this.hasSaved) return;
    this.hasSaved = false;
    this.maskLo = this.savedLo;
    this.maskHi = this.savedHi;
  }

  /** True when a parked call of the task must end: an unblocked signal that is not ignored, a stop, a kill. */
  interrupts(t: Task): boolean {
    if (this.killed || this.stopPending) return true;
    const shared = t.group.pending;
    const lo = (this.pending.lo | shared.lo) & ~this.maskLo;
    const hi = (this.pending.hi | shared.hi) & ~this.maskHi;
    if ((lo | hi) === 0) return false;
    const h = t.group.handlers;
    return ((lo & ~h.ignoredLo) | (hi & ~h.ignoredHi)) !== 0;
  }

  /** Takes the next deliverable signal of the thread or its group; null for none. */
  dequeue(t: Task, blockedLo: number, blockedHi: number): SigInfo | null {
    let from = this.pending;
    let sig = from.next(blockedLo, blockedHi);
    if (sig === 0) {
      from = t.group.pending;
      sig = from.next(blockedLo, blockedHi);
      if (sig === 0) return null;
    }
    const info = from.take(sig);
    if (info !== null && info.timer !== null) info.timer.onDequeued(info);
    return info;
  }
}
