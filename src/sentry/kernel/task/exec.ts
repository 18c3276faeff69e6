// The point of no return of execve(2): the caller becomes the only thread of its process and takes the new program.

import { EAGAIN } from '../../../abi/errno.ts';
import { PER_CLEAR_ON_SETID } from '../../../abi/process/personality.ts';
import { SIGCHLD } from '../../../abi/signal/signal.ts';
import type { Cred } from '../../base/cred.ts';
import type { Parked } from '../block.ts';
import { exitFutexes } from '../futex/exit.ts';
import { disarmAltStack } from '../signal/frame.ts';
import { setEntryRegisters } from './entry.ts';
import { grew } from './exec_cred.ts';
import { forgetThread, releaseVforkParent } from './exit.ts';
import { endHolds } from './holds.ts';
import type { LoadedProgram } from './loader_interface.ts';
import type { Task } from './task.ts';

/**
 * Runs a loaded program in place of the caller's: 0, or BLOCKED while other threads die, or -errno when the process is
 * killed meanwhile (the program is given back then).
 */
export function execTask(t: Task, program: LoadedProgram): number {
  const g = t.group;
  if (g.live > 1) {
    if (g.execTask !== null && g.execTask !== t) {
      discardProgram(program);
      return -EAGAIN;
    }
    if (g.execTask === null) {
      g.execTask = t;
      t.kernel.signals.killThreads(g, t);
    }
    t.call.state = new PendingExec(program);
    const r = t.parkKillable();
    if (r < 0 && !t.call.active) g.execTask = null;
    return r;
  }
  g.execTask = null;
  takeOverLeader(t);
  exitFutexes(t);
  releaseVforkParent(t);
  swapMemory(t, program);
  resetSignals(t);
  for (const timer of g.posixTimers.values()) timer.dispose();
  g.posixTimers.clear();
  if (t.fds.refs > 1) {
    const own = t.fds.clone();
    t.fds.refs--;
    t.fds = own;
  }
  t.fds.closeOnExec(t);
  takeIdentity(t, program);
  setEntryRegisters(t, program.entry, program.sp);
  return 0;
}

/** A loaded program whose caller waits for the other threads of its process to die. */
export class PendingExec implements Parked {
  readonly program: LoadedProgram;

  constructor(program: LoadedProgram) {
    this.program = program;
  }

  abandon(t: Task): void {
    endHolds(t);
    discardProgram(this.program);
    t.group.execTask = null;
  }
}

/** Gives back a program that will not run. */
export function discardProgram(program: LoadedProgram): void {
  program.mm.release();
  program.exeFile?.unref();
}

/** Threads other than the leader may exec: the survivor gets the process's id. */
function takeOverLeader(t: Task): void {
  const g = t.group;
  const leader = g.leader;
  if (leader === t) return;
  if (leader !== null) forgetThread(g, leader);
  t.kernel.pids.renumber(t, g.tgid);
  g.leader = t;
}

function swapMemory(t: Task, program: LoadedProgram): void {
  const old = t.mm;
  if (gainsRights(t.cred, program) || !program.mm.succeed(old)) t.ctx.detach();
  t.mm = program.mm;
  old.release();
  t.kernel.taskLimit.leave(old, t.share);
}

/** May the program do what its caller may not? */
function gainsRights(from: Cred, { cred, secure }: LoadedProgram): boolean {
  const sameIds =
    cred.uid === from.uid && cred.euid === from.euid && cred.gid === from.gid && cred.egid === from.egid;
  return secure || !sameIds || grew(cred.permitted, from.permitted);
}

function resetSignals(t: Task): void {
  const g = t.group;
  if (g.handlers.refs > 1) {
    const own = g.handlers.clone();
    g.handlers.refs--;
    g.handlers = own;
  }
  g.handlers.reset();
  disarmAltStack(t.signals);
  t.signals.killed = false;
}

function takeIdentity(t: Task, program: LoadedProgram): void {
  const g = t.group;
  if (program.secure) {
    t.pdeathSignal = 0;
    t.personality &= ~PER_CLEAR_ON_SETID;
  }
  const c = program.cred;
  g.dumpable = program.secure || c.euid !== c.uid || c.egid !== c.gid ? 0 : 1;
  t.cred = c;
  t.name = program.name.slice(0, 15);
  g.exePath = program.exePath;
  g.exeFile?.unref();
  g.exeFile = program.exeFile;
  g.execed = true;
  g.exitSignal = SIGCHLD;
  t.clearChildTid = 0;
  t.robustList = 0;
  t.rseqAddr = 0;
}
