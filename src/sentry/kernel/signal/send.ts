// SignalCenter: sending signals. What a send does at once (drop, queue, stop/continue bookkeeping, fatal kill, wake-up) is
// decided here; what the receiving thread does with it, in task/run.ts.

import { EAGAIN, ENOSYS } from '../../../abi/errno.ts';
import { POLLIN } from '../../../abi/events/poll.ts';
import { CAP_KILL } from '../../../abi/process/capability.ts';
import { RLIMIT_SIGPENDING } from '../../../abi/process/resource.ts';
import {
  CLD_CONTINUED,
  CLD_STOPPED,
  SA_NOCLDSTOP,
  SI_KERNEL,
  SI_USER,
  SIG_DFL,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGRTMIN,
  SIGSEGV,
} from '../../../abi/signal/signal.ts';
import { kernelMemory } from '../../base/charge.ts';
import { ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE, EV_FAULT } from '../../platform/platform.ts';
import { CS, ORIG_RAX, RAX, RDI, RIP, USER32_CS } from '../../platform/regs.ts';
import type { Kernel } from '../kernel.ts';
import { TASK_BLOCKED, TASK_RUNNING, TASK_STOPPED } from '../states.ts';
import type { ProcessGroup } from '../task/session.ts';
import type { Task } from '../task/task.ts';
import type { ThreadGroup } from '../task/threadgroup.ts';
import { faultInfo, kernelInfo, SIGNAL_BYTES, SIL_CHLD, SigInfo, userInfo } from './siginfo.ts';
import { CORE_LO, isFatalByDefault, STOP_LO, sigBit } from './state.ts';

/** Linux's T_PF: what a page fault is called in sigcontext.trapno. */
const TRAP_PAGE_FAULT = 14;
const TRAP_GENERAL_PROTECTION = 13;
const NS_PER_TICK = 1e7;

/** The instruction that is being looked at. */
const instruction = new Uint8Array(15);

export class SignalCenter {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Sends to one thread. Without `info`, as if the thread had sent it to itself (SIGPIPE, SIGXFSZ). 0 or -EAGAIN. */
  sendToTask(t: Task, sig: number, info: SigInfo = userInfo(sig, t.tgid, t.cred.uid)): number {
    return this.send(t, info, false);
  }

  /** Sends to a process: any of its threads may take it. 0 or -EAGAIN (queue limit). */
  sendToGroup(g: ThreadGroup, info: SigInfo): number {
    const t = g.leader;
    return t === null ? 0 : this.send(t, info, true);
  }

  /** The same for who is outside: SIGKILL and SIGSTOP reach a process 1 too. */
  sendFromOutside(g: ThreadGroup, sig: number): number {
    const t = g.leader;
    return t === null ? 0 : this.send(t, userInfo(sig, 0, 0), true, true);
  }

  /** Sends to a process as one of several that get the same signal: so does a child that it is about to have. */
  sendToOneOfMany(g: ThreadGroup, info: SigInfo): number {
    g.missed?.add(info.signo);
    return this.sendToGroup(g, info);
  }

  /** Sends to every member of a process group; the number of members. */
  sendToPgrp(pgrp: ProcessGroup, sig: number, code = SI_KERNEL, pid = 0, uid = 0): number {
    let n = 0;
    for (const g of [...pgrp.members]) {
      if (g.dead) continue;
      const info = kernelInfo(sig);
      info.code = code;
      info.pid = pid;
      info.uid = uid;
      this.sendToOneOfMany(g, info);
      n++;
    }
    return n;
  }

  /** True when credentials(7) let `from` send `sig` to a process. */
  mayKill(from: Task, to: ThreadGroup, sig: number): boolean {
    if (from.group === to) return true;
    const target = (to.leader ?? from).cred;
    const c = from.cred;
    if (c.euid === target.suid || c.euid === target.uid || c.uid === target.suid || c.uid === target.uid) {
      return true;
    }
    if (c.capable(CAP_KILL)) return true;
    return sig === SIGCONT && from.group.session === to.session;
  }

  private send(t: Task, info: SigInfo, shared: boolean, outside = false): number {
    const g = t.group;
    const sig = info.signo;
    if (g.dead || !this.prepare(t, sig, outside)) {
      info.timer?.onDiscarded(info);
      return 0;
    }
    const queue = shared ? g.pending : t.signals.pending;
    if (sig < SIGRTMIN && queue.has(sig)) {
      info.timer?.onDiscarded(info);
      return 0;
    }
    let queued = info;
    if (sig !== SIGKILL) {
      const user = this.kernel.users.get(t.cred.uid);
      // A timer has room for its one signal since timer_create(2).
      const overrides = info.timer !== null || (sig < SIGRTMIN && info.code >= 0);
      const many =
        user.sigpending >= g.limits.soft(RLIMIT_SIGPENDING) || !kernelMemory.fits(SIGNAL_BYTES, user);
      if (!overrides && many) {
        if (sig >= SIGRTMIN && info.code !== SI_USER && info.code !== SI_KERNEL) return -EAGAIN;
        // The signal is delivered, what it carried is lost: sigqueue's documented behaviour for kill(2).
        queued = userInfo(sig, 0, 0);
        if (queue.has(sig)) return 0;
      } else {
        queued.user = user;
        user.enqueued();
      }
    }
    queue.push(queued);
    if (!g.signalWait.empty) g.signalWait.wake(POLLIN);
    this.complete(t, sig, shared);
    return 0;
  }

  /** The effects of a send that come before queueing (prepare_signal in Linux); false when the signal is dropped. */
  private prepare(t: Task, sig: number, outside: boolean): boolean {
    const g = t.group;
    if (g.exiting) return false;
    if (sig <= 32 && (STOP_LO & sigBit(sig)) !== 0) this.discardEverywhere(g, sigBit(SIGCONT));
    else if (sig === SIGCONT) {
      this.discardEverywhere(g, STOP_LO);
      this.continueGroup(g);
    }
    return !this.isIgnored(t, sig, outside);
  }

  private discardEverywhere(g: ThreadGroup, lo: number): void {
    g.pending.discard(lo, 0);
    for (const t of g.threads) t.signals.pending.discard(lo, 0);
  }

  /** A blocked signal is kept: the handler may change before it is unblocked. */
  private isIgnored(t: Task, sig: number, outside: boolean): boolean {
    const s = t.signals;
    const blocked = sig <= 32 ? s.maskLo : s.maskHi;
    const saved = s.hasSaved ? (sig <= 32 ? s.savedLo : s.savedHi) : 0;
    if (((blocked | saved) & sigBit(sig)) !== 0) return false;
    const g = t.group;
    return g.handlers.ignores(sig) || (g.unkillable && g.spares(sig, outside));
  }

  /** SIGCONT's immediate effect: stopped threads run again, whatever the signal's handler and mask. */
  private continueGroup(g: ThreadGroup): void {
    if (g.stopSig === 0) return;
    const wasStopped = g.stopped;
    g.stopSig = 0;
    g.stopWaiting = 0;
    g.stopped = false;
    g.reportStop = false;
    for (const t of g.threads) {
      t.signals.stopPending = false;
      if (t.state === TASK_STOPPED) this.kernel.makeReady(t);
    }
    if (wasStopped) {
      g.reportContinue = true;
      this.notifyJobControl(g, CLD_CONTINUED, SIGCONT);
    }
  }

  /** Chooses a thread for the signal and wakes it; a signal that will kill takes effect on the whole process now. */
  private complete(t: Task, sig: number, shared: boolean): void {
    const g = t.group;
    let target: Task | null = null;
    if (wants(t, sig)) target = t;
    else if (shared) {
      for (const other of g.threads) {
        if (other !== t && wants(other, sig)) {
          target = other;
          break;
        }
      }
    }
    if (target === null) return;
    const s = target.signals;
    const blocked = ((sig <= 32 ? s.maskLo : s.maskHi) & sigBit(sig)) !== 0;
    if (!blocked && isFatalByDefault(sig) && g.handlers.actions[sig]!.handler === SIG_DFL) {
      const dumpsCore = sig <= 32 && (CORE_LO & sigBit(sig)) !== 0;
      if (!dumpsCore || sig === SIGKILL) {
        this.beginGroupExit(g, sig);
        return;
      }
    }
    this.wake(target);
  }

  /** Brings a thread to the point where it looks at its signals. Stopped threads stay stopped. */
  wake(t: Task): void {
    if (t.state === TASK_BLOCKED) this.kernel.makeReady(t);
    else if (t.state === TASK_RUNNING) t.ctx.interrupt();
  }

  /** Starts the end of a whole process: every thread leaves at its next return to user mode. */
  beginGroupExit(g: ThreadGroup, status: number): void {
    if (g.exiting) return;
    g.exiting = true;
    g.exitStatus = status;
    this.killThreads(g, null);
  }

  /** Makes every live thread but one leave. */
  killThreads(g: ThreadGroup, except: Task | null): void {
    g.stopSig = 0;
    g.stopWaiting = 0;
    g.stopped = false;
    for (const t of g.threads) {
      if (t === except || t.dead) continue;
      t.signals.killed = true;
      if (t.state === TASK_STOPPED) this.kernel.makeReady(t);
      else this.wake(t);
    }
  }

  /** A signal that the thread cannot escape: unblocked, and its default action if it was blocked or ignored. */
  force(t: Task, info: SigInfo): void {
    const sig = info.signo;
    const s = t.signals;
    const h = t.group.handlers;
    const bit = sigBit(sig);
    const blocked = ((sig <= 32 ? s.maskLo : s.maskHi) & bit) !== 0;
    // Nor does it spare a process 1 that has no handler for it.
    if (h.actions[sig]!.handler === SIG_DFL) t.group.unkillable = false;
    if (blocked || h.actions[sig]!.handler === SIG_IGN) {
      h.setHandler(sig, SIG_DFL);
      if (sig <= 32) s.maskLo = (s.maskLo & ~bit) >>> 0;
      else s.maskHi = (s.maskHi & ~bit) >>> 0;
    }
    this.send(t, info, false);
  }

  /** SIGSEGV without an address: the frame of `sig` cannot be written, or read back (sig 0). */
  forceSegv(t: Task, sig = 0): void {
    // A SIGSEGV whose own frame cannot be written must not loop: it kills (force_sigsegv in Linux).
    if (sig === SIGSEGV) t.group.handlers.setHandler(SIGSEGV, SIG_DFL);
    this.force(t, kernelInfo(SIGSEGV));
  }

  /** Turns the fault or trap that a context came back with into a forced signal. */
  faultSignal(t: Task): void {
    const ctx = t.ctx;
    if (ctx.event === EV_FAULT) {
      const mm = t.mm;
      t.trapNo = TRAP_PAGE_FAULT;
      t.trapErr =
        4 |
        ((ctx.faultAccess & ACCESS_WRITE) !== 0 ? 2 : 0) |
        ((ctx.faultAccess & ACCESS_EXEC) !== 0 ? 16 : 0);
      t.trapAddr = ctx.faultAddr;
      this.force(t, faultInfo(mm.faultSig, mm.faultCode, ctx.faultAddr));
      return;
    }
    t.trapNo = ctx.sig === SIGSEGV ? TRAP_GENERAL_PROTECTION : 0;
    t.trapErr = 0;
    this.force(t, faultInfo(ctx.sig, ctx.sigCode, ctx.faultAddr));
  }

  /** What a fault tried that the platform can only call a read: the instruction tells. */
  askInstruction(t: Task): number {
    const { accessOf } = this.kernel.platform;
    if (accessOf === null) return ACCESS_READ;
    const n = t.mm.copyIn(t.ctx.regs.get(RIP), instruction, 0, instruction.length);
    return n < 1 ? ACCESS_READ : accessOf(instruction, n, t.ctx.regs.get(RDI) === t.ctx.faultAddr);
  }

  /**
   * Calls of the 32-bit ABI, where the platform cannot tell them from syscall. A 64-bit kernel without 32-bit emulation
   * answers int 0x80 with a general protection fault, and syscall from 32-bit code with ENOSYS. True when that is done.
   */
  refuseInt80(t: Task): boolean {
    const regs = t.ctx.regs;
    const at = regs.get(RIP) - 2;
    // Only what reads as int 0x80 is refused: the bytes may have changed since.
    if (t.mm.copyIn(at, instruction, 0, 2) !== 2 || instruction[0] !== 0xcd || instruction[1] !== 0x80) {
      if (regs.int(CS) !== USER32_CS) return false;
      regs.set(RAX, -ENOSYS);
      return true;
    }
    regs.set(RIP, at);
    regs.setWords(RAX, regs.int(ORIG_RAX), regs.high(ORIG_RAX));
    t.trapNo = TRAP_GENERAL_PROTECTION;
    t.trapErr = 0x402;
    this.force(t, kernelInfo(SIGSEGV));
    return true;
  }

  /** Tells the parent that the process stopped or goes on: SIGCHLD unless SA_NOCLDSTOP, and wait(2). */
  notifyJobControl(g: ThreadGroup, code: number, status: number): void {
    const parent = g.parent;
    if (parent === null) return;
    const action = parent.handlers.actions[SIGCHLD]!;
    if (action.handler !== SIG_IGN && (action.flags & SA_NOCLDSTOP) === 0) {
      this.sendToGroup(parent, childInfo(g, SIGCHLD, code, status));
    }
    parent.childWait.wake(1);
  }

  /** The last thread of a process has stopped. */
  stopComplete(g: ThreadGroup): void {
    g.stopped = true;
    g.reportStop = true;
    g.reportContinue = false;
    this.notifyJobControl(g, CLD_STOPPED, g.stopSig);
    this.kernel.onStop(g);
  }
}

/** True when the thread would take the signal now (wants_signal in Linux). */
function wants(t: Task, sig: number): boolean {
  if (t.dead) return false;
  if (sig === SIGKILL) return true;
  const s = t.signals;
  const bit = sigBit(sig);
  const blocked = sig <= 32 ? s.maskLo & ~s.waitLo : s.maskHi & ~s.waitHi;
  if ((blocked & bit) !== 0) return false;
  return t.state !== TASK_STOPPED;
}

/** SIGCHLD's siginfo about process `g`. */
export function childInfo(g: ThreadGroup, sig: number, code: number, status: number): SigInfo {
  const info = new SigInfo(sig, code, SIL_CHLD);
  info.pid = g.tgid;
  info.uid = g.leader === null ? 0 : g.leader.cred.uid;
  info.status = status;
  info.utime = Math.floor(g.cpuNs() / NS_PER_TICK);
  return info;
}
