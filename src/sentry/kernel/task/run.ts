// The way back to user mode: what a thread does between the end of a kernel event and its next guest instruction.
// Order as in Linux: die if killed, stop if the process stops, deliver signals (restarting or ending an interrupted call),
// put back a temporary mask, run.

import { SA_NODEFER, SIG_DFL, SIG_IGN, SIGKILL, SIGSTOP } from '../../../abi/signal/signal.ts';
import { log } from '../../base/log.ts';
import { pushSignalFrame } from '../signal/frame.ts';
import { beforeHandler, wasCutShort, withoutHandler } from '../signal/restart.ts';
import type { SigInfo } from '../signal/siginfo.ts';
import { IGNORED_BY_DEFAULT_LO, type SigAction, STOP_LO, sigBit } from '../signal/state.ts';
import { TASK_STOPPED } from '../states.ts';
import { exitGroup, exitTask } from './exit.ts';
import type { Task } from './task.ts';

/** Handles what is pending for the thread, then enters user mode; or leaves it stopped or dead. */
export function returnToUser(t: Task): void {
  const s = t.signals;
  if (s.hasSaved && !wasCutShort(t.ctx.regs, t.sysno)) s.restoreMask();
  const shared = t.group.pending;
  const lo = (s.pending.lo | shared.lo) & ~s.maskLo;
  const hi = (s.pending.hi | shared.hi) & ~s.maskHi;
  if ((lo | hi) !== 0 || s.killed || s.stopPending || t.group.exiting) {
    if (!handlePending(t)) return;
  }
  if (t.sysno >= 0) {
    withoutHandler(t.ctx.regs, t.sysno);
    s.restoreMask();
  }
  t.kernel.enterUser(t);
}

/** False when the thread does not go on: it exited or stopped. */
function handlePending(t: Task): boolean {
  const s = t.signals;
  const g = t.group;
  for (;;) {
    if (g.exiting) {
      exitTask(t, g.exitStatus);
      return false;
    }
    if (s.killed) {
      exitTask(t, 0);
      return false;
    }
    if (s.stopPending) {
      stop(t);
      return false;
    }
    const info = s.dequeue(t, s.maskLo, s.maskHi);
    if (info === null) return true;
    if (t.kernel.tracer !== null) t.kernel.tracer.signal(t, info);
    const action = g.handlers.actions[info.signo]!;
    if (action.handler === SIG_IGN) continue;
    if (action.handler !== SIG_DFL) {
      deliver(t, info, action);
      continue;
    }
    const sig = info.signo;
    // It came while it was blocked.
    if (g.unkillable && sig !== SIGKILL && sig !== SIGSTOP) continue;
    if (sig <= 32) {
      const bit = sigBit(sig);
      if ((IGNORED_BY_DEFAULT_LO & bit) !== 0) continue;
      if ((STOP_LO & bit) !== 0) {
        // A group that nobody could continue does not stop for the terminal.
        if (sig !== SIGSTOP && g.pgrp.orphaned()) continue;
        beginStop(t, sig);
        continue;
      }
    }
    log(`process ${g.tgid} killed by signal ${sig}`);
    exitGroup(t, sig);
    return false;
  }
}

/** A stop signal's default action: every thread of the process is to stop. */
function beginStop(t: Task, sig: number): void {
  const g = t.group;
  if (g.stopSig !== 0) return;
  g.stopSig = sig;
  g.stopWaiting = 0;
  for (const other of g.threads) {
    if (other.dead) continue;
    other.signals.stopPending = true;
    g.stopWaiting++;
    if (other !== t) t.kernel.signals.wake(other);
  }
}

function stop(t: Task): void {
  const g = t.group;
  t.signals.stopPending = false;
  t.state = TASK_STOPPED;
  if (--g.stopWaiting === 0) t.kernel.signals.stopComplete(g);
}

/** Sets up the handler's frame; the interrupted call is restarted after it or fails with EINTR: signal(7). */
function deliver(t: Task, info: SigInfo, action: SigAction): void {
  const s = t.signals;
  beforeHandler(t.ctx.regs, t.sysno, action.flags);
  // The flags and mask in force are those before SA_RESETHAND takes effect.
  const flags = action.flags;
  const maskLo = action.maskLo;
  const maskHi = action.maskHi;
  const ok = pushSignalFrame(t, info, action);
  t.sysno = -1;
  t.group.handlers.oneShot(info.signo);
  if (!ok) {
    t.kernel.signals.forceSegv(t, info.signo);
    return;
  }
  s.hasSaved = false;
  const bit = (flags & SA_NODEFER) !== 0 ? 0 : sigBit(info.signo);
  if (info.signo <= 32) s.setMask(s.maskLo | maskLo | bit, s.maskHi | maskHi);
  else s.setMask(s.maskLo | maskLo, s.maskHi | maskHi | bit);
}
