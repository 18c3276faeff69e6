// The end of threads and processes: _exit(2), exit_group(2), and what a dead process leaves to its relatives.

import {
  CLD_EXITED,
  CLD_KILLED,
  SA_NOCLDWAIT,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SIGKILL,
} from '../../../abi/signal/signal.ts';
import { EXITED } from '../block.ts';
import { exitFutexes } from '../futex/exit.ts';
import { childInfo } from '../signal/send.ts';
import { kernelInfo, userInfo } from '../signal/siginfo.ts';
import { TASK_BLOCKED, TASK_DEAD } from '../states.ts';
import { sessionLeaderExits } from '../tty_adapter.ts';
import { type Task, ZOMBIE_BYTES } from './task.ts';
import type { ThreadGroup } from './threadgroup.ts';

/** exit_group(2): the whole process ends with a wait status (exit code << 8, or a signal). */
export function exitGroup(t: Task, status: number): number {
  const g = t.group;
  t.kernel.signals.beginGroupExit(g, status);
  return exitTask(t, g.exitStatus);
}

/**
 * The host killed the thread that ran this guest thread, which may be parked in a call or about to run; its address space
 * cannot be trusted to be whole.
 */
export function killedByHost(t: Task): void {
  t.kernel.signals.beginGroupExit(t.group, SIGKILL);
  exitTask(t, SIGKILL);
}

/** Ends one thread; the last one ends its process. Returns EXITED. */
export function exitTask(t: Task, status: number): number {
  if (t.dead) return EXITED;
  const k = t.kernel;
  const g = t.group;
  t.exitStatus = status;
  if (k.tracer !== null) k.tracer.exited(t, status);
  t.unwatch();
  t.call.abandon(t);
  t.call.reset();
  const last = g.live === 1;
  if (last && !g.exiting) {
    g.exiting = true;
    g.exitStatus = status;
  }
  leaveStop(t);
  if (last) {
    g.itimers.stop();
    g.cpuLimit.stop();
    for (const timer of g.posixTimers.values()) timer.dispose();
    g.posixTimers.clear();
  }
  exitFutexes(t);
  releaseVforkParent(t);
  t.leaveSemUndo();
  if (--t.fds.refs === 0) t.fds.closeAll(t);
  t.enterNet(k.net);
  t.fs.unref();
  const cpuNs = t.ctx.cpuTimeNs();
  t.state = TASK_DEAD;
  t.finalCpuNs = cpuNs;
  k.deadCpuNs += cpuNs;
  g.deadUsage.userNs += cpuNs;
  g.deadUsage.voluntarySwitches += t.waits;
  g.deadUsage.minorFaults += t.minorFaults;
  g.deadUsage.maxRssPages = Math.max(g.deadUsage.maxRssPages, t.mm.peakRssPages);
  t.ctx.release();
  t.mm.release();
  k.taskLimit.leave(t.mm, t.share);
  k.remains.replace(t);
  t.shrinkTo(ZOMBIE_BYTES);
  g.live--;
  k.liveTasks--;
  t.signals.pending.discard(0xffffffff, 0xffffffff);
  if (last) groupDied(g, t);
  else threadDied(g, t);
  g.exitWait.wake(1);
  return EXITED;
}

/** A thread that leaves no longer counts for a job-control stop. */
function leaveStop(t: Task): void {
  const g = t.group;
  if (!t.signals.stopPending) return;
  t.signals.stopPending = false;
  if (g.stopWaiting > 0 && --g.stopWaiting === 0 && g.live > 1) t.kernel.signals.stopComplete(g);
}

/** The parent of a vfork child goes on: the child has its own memory now, or is dead. */
export function releaseVforkParent(t: Task): void {
  const parent = t.vforkParent;
  if (parent === null) return;
  t.vforkParent = null;
  if (parent.state === TASK_BLOCKED) t.kernel.makeReady(parent);
}

/** One of several threads died. */
function threadDied(g: ThreadGroup, t: Task): void {
  const k = t.kernel;
  let heir: Task | null = null;
  for (const other of g.threads) {
    if (other.dead) continue;
    heir ??= other;
    // Signals of the process that this thread was woken for are the others' now.
    if (other.signals.interrupts(other)) k.signals.wake(other);
  }
  for (const child of g.children) {
    if (child.parentTask !== t) continue;
    child.parentTask = heir;
    sendParentDeath(child, t);
  }
  if (g.leader !== t) forgetThread(g, t);
  const exec = g.execTask;
  if (exec !== null && g.live === 1 && exec.state === TASK_BLOCKED) k.makeReady(exec);
}

/** Takes a dead thread out of all tables. */
export function forgetThread(g: ThreadGroup, t: Task): void {
  g.threads.delete(t);
  t.shrinkTo(0);
  t.kernel.users.leave(t.share);
  t.kernel.pids.removeTask(t);
}

function sendParentDeath(child: ThreadGroup, parent: Task): void {
  for (const t of child.threads) {
    if (t.dead || t.pdeathSignal === 0) continue;
    const sig = t.pdeathSignal;
    t.kernel.signals.sendToGroup(child, userInfo(sig, parent.tgid, parent.cred.uid));
  }
}

/** The last thread of a process died: it becomes a zombie, or is gone at once when nobody will wait for it. */
function groupDied(g: ThreadGroup, t: Task): void {
  const k = g.kernel;
  g.dead = true;
  if (g.leader !== t) forgetThread(g, t);
  g.pending.discard(0xffffffff, 0xffffffff);
  g.handlers.refs--;
  g.handlers = k.remains.handlers;
  if (g === k.initGroup) k.initExited(g.exitStatus);
  const session = g.session;
  if (session.leader === g) {
    sessionLeaderExits(k, g);
    session.leader = null;
  }
  g.tty = null;
  if (g.exeFile !== null) {
    g.exeFile.unref();
    g.exeFile = null;
  }
  reparentChildren(g, t);
  const parent = g.parent;
  if (parent !== null && parent.pgrp !== g.pgrp && parent.session === g.session) hangUpIfOrphaned(g, g);
  if (notifyParent(g)) reap(g);
}

/** Tells the parent of a zombie; true when the parent does not want to wait for it. */
function notifyParent(g: ThreadGroup): boolean {
  const k = g.kernel;
  const parent = g.parent;
  if (parent === null || parent.dead) return true;
  const status = g.exitStatus;
  const signo = status & 0x7f;
  let sig = g.exitSignal;
  let autoreap = false;
  if (sig === SIGCHLD) {
    const action = parent.handlers.actions[SIGCHLD]!;
    if (action.handler === SIG_IGN || (action.flags & SA_NOCLDWAIT) !== 0) {
      autoreap = true;
      if (action.handler === SIG_IGN) sig = 0;
    }
  }
  if (sig !== 0) {
    const info = childInfo(g, sig, signo !== 0 ? CLD_KILLED : CLD_EXITED, signo !== 0 ? signo : status >> 8);
    k.signals.sendToGroup(parent, info);
  }
  parent.childWait.wake(1);
  return autoreap;
}

/** Removes a zombie for good. */
export function reap(g: ThreadGroup): void {
  if (g.reaped) return;
  g.reaped = true;
  const k = g.kernel;
  if (g.leader !== null) forgetThread(g, g.leader);
  g.parent?.children.delete(g);
  k.pids.leave(g);
  k.pids.removeGroup(g);
  g.exitWait.wake(1);
}

/** Children of a dead process go to the nearest sub-reaper among its ancestors, or to init. */
function reparentChildren(g: ThreadGroup, t: Task): void {
  if (g.children.size === 0) return;
  const k = g.kernel;
  let reaper: ThreadGroup | null = g.parent;
  while (reaper !== null && !(reaper.childSubreaper && !reaper.exiting)) reaper = reaper.parent;
  if (reaper === null) reaper = k.initGroup;
  if (reaper === g || reaper?.dead === true) reaper = null;
  for (const child of [...g.children]) {
    g.children.delete(child);
    child.parent = reaper;
    child.parentTask = reaper === null ? null : reaper.anyThread();
    sendParentDeath(child, t);
    child.exitSignal = SIGCHLD;
    if (reaper === null) {
      if (child.dead) reap(child);
      continue;
    }
    reaper.children.add(child);
    if (child.dead && notifyParent(child)) reap(child);
    else if (child.pgrp !== g.pgrp && child.session === g.session) hangUpIfOrphaned(child, null);
  }
}

/**
 * setpgid(2): a process group with stopped members that has just become orphaned gets SIGHUP and SIGCONT.
 * `leaving` is the member whose exit caused it.
 */
function hangUpIfOrphaned(g: ThreadGroup, leaving: ThreadGroup | null): void {
  const pgrp = g.pgrp;
  if (!pgrp.hasStopped() || !pgrp.orphaned(leaving)) return;
  const signals = g.kernel.signals;
  for (const member of [...pgrp.members]) {
    if (member.dead) continue;
    signals.sendToOneOfMany(member, kernelInfo(SIGHUP));
    signals.sendToOneOfMany(member, kernelInfo(SIGCONT));
  }
}
