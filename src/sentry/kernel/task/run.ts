// The way back to user mode: what a thread does between the end of a kernel event and its next guest instruction.
// Order as in Linux: die if killed, stop if the process stops, deliver signals (restarting or ending an interrupted call),
// put back a temporary mask, run.

import {
  EINTR,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
} from '../../../abi/errno.ts';
import { SA_NODEFER, SA_RESTART, SIG_DFL, SIG_IGN, SIGSTOP, SIGTSTP } from '../../../abi/signal/signal.ts';
import { SYS_restart_syscall } from '../../../abi/syscall.ts';
import { log } from '../../base/log.ts';
import { RAX, RIP } from '../../platform/regs.ts';
import { pushSignalFrame } from '../signal/frame.ts';
import type { SigInfo } from '../signal/siginfo.ts';
import { IGNORED_BY_DEFAULT_LO, type SigAction, STOP_LO, sigBit } from '../signal/state.ts';
import { TASK_STOPPED } from '../states.ts';
import { exitGroup, exitTask } from './exit.ts';
import type { Task } from './task.ts';

/** Bytes of the syscall instruction. */
const SYSCALL_LENGTH = 2;

/** Handles what is pending for the thread, then enters user mode; or leaves it stopped or dead. */
export function returnToUser(t: Task): void {
  const s = t.signals;
  if (s.hasSaved && !wasInterrupted(t)) s.restoreMask();
  const shared = t.group.pending;
  const lo = (s.pending.lo | shared.lo) & ~s.maskLo;
  const hi = (s.pending.hi | shared.hi) & ~s.maskHi;
  if ((lo | hi) !== 0 || s.killed || s.stopPending || t.group.exiting) {
    if (!handlePending(t)) return;
  }
  if (t.sysno >= 0) {
    restartWithoutHandler(t);
    s.restoreMask();
  }
  t.kernel.enterUser(t);
}

/** The call in progress was cut short by a signal: its temporary mask holds until that signal is delivered. */
function wasInterrupted(t: Task): boolean {
  if (t.sysno < 0) return false;
  const { regs } = t.ctx;
  if (regs.high(RAX) !== -1) return false;
  const rax = regs.int(RAX);
  return rax === -EINTR || (rax <= -ERESTARTSYS && rax >= -ERESTART_RESTARTBLOCK);
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
    if (sig <= 32) {
      const bit = sigBit(sig);
      if ((IGNORED_BY_DEFAULT_LO & bit) !== 0) continue;
      if ((STOP_LO & bit) !== 0) {
        // A group that nobody could continue does not stop for the terminal.
        if (sig !== SIGSTOP && g.pgrp.orphaned()) {
          // Outside, the shell that started the sandbox can continue it: then all of it stops.
          if (sig === SIGTSTP && g === t.kernel.initGroup) t.kernel.onInitStop();
          continue;
        }
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
  const regs = t.ctx.regs;
  if (t.sysno >= 0 && regs.high(RAX) === -1) {
    switch (-regs.int(RAX)) {
      case ERESTARTSYS:
        if ((action.flags & SA_RESTART) !== 0) rewind(t, t.sysno);
        else regs.set(RAX, -EINTR);
        break;
      case ERESTARTNOINTR:
        rewind(t, t.sysno);
        break;
      case ERESTARTNOHAND:
      case ERESTART_RESTARTBLOCK:
        regs.set(RAX, -EINTR);
        break;
    }
  }
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

function restartWithoutHandler(t: Task): void {
  const { regs } = t.ctx;
  if (regs.high(RAX) !== -1) return;
  switch (-regs.int(RAX)) {
    case ERESTARTSYS:
    case ERESTARTNOINTR:
    case ERESTARTNOHAND:
      rewind(t, t.sysno);
      break;
    case ERESTART_RESTARTBLOCK:
      rewind(t, SYS_restart_syscall);
      break;
  }
}

/** Makes the thread run its syscall instruction again. */
function rewind(t: Task, sysno: number): void {
  const regs = t.ctx.regs;
  regs.set(RAX, sysno);
  regs.set(RIP, regs.get(RIP) - SYSCALL_LENGTH);
}
