// Making threads and processes: clone(2), fork(2), vfork(2). Handlers decode; this file copies.

import { EAGAIN, EEXIST, EFAULT, EINVAL, ENOMEM, EPERM, ERESTARTNOINTR } from '../../../abi/errno.ts';
import { CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN, CAP_SYS_RESOURCE } from '../../../abi/process/capability.ts';
import { RLIMIT_NOFILE, RLIMIT_NPROC } from '../../../abi/process/resource.ts';
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_DETACHED,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWIPC,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
} from '../../../abi/process/sched.ts';
import { kernelMemory } from '../../base/charge.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { ForkCopy } from '../../mm/fork.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import { MORE, SLICE_PAGES } from '../../mm/slices.ts';
import { FS_BASE, ORIG_RAX, RAX, RSP } from '../../platform/regs.ts';
import { BLOCKED, type Parked } from '../block.ts';
import { shareUndo } from '../ipc/sem.ts';
import { checkNamespaces, newNamespaces } from '../namespace/namespaces.ts';
import { disarmAltStack } from '../signal/frame.ts';
import { MissedSignals } from '../signal/missed.ts';
import { anyHold, begun, endHolds, hold, isHeld, mayChangeMappings } from './holds.ts';
import { addThread } from './init.ts';
import { installPidFile } from './pidfd.ts';
import { inheritSeccomp } from './seccomp.ts';
import { TASK_BYTES, Task } from './task.ts';
import { ThreadGroup } from './threadgroup.ts';

/** clone3's flags above 32 bits. */
export const CLONE_CLEAR_SIGHAND_HI = 1;
/** End of user addresses in Linux (TASK_SIZE_MAX). */
const TASK_SIZE_MAX = 0x7fff_ffff_f000;

/** An address space of so little is copied at once: 2 ms at most. See mm/slices.ts. */
const FORK_AT_ONCE = 2 * SLICE_PAGES;

/** What clone(2) and clone3(2) ask for. Reused: a call fills it and clones at once. */
export class CloneRequest {
  /** CLONE_* of the low 32 bits, signed as bit operators leave them, without CSIGNAL. */
  flags = 0;
  /** Flags above 32 bits. */
  flagsHi = 0;
  exitSignal = 0;
  /** New rsp; 0 keeps the parent's. */
  sp = 0;
  parentTid = 0;
  childTid = 0;
  tls = 0;
  /** Where the pidfd goes. */
  pidfd = 0;
  /** clone3's set_tid[0]; 0 = any. */
  wantedTid = 0;
}

/** Checks the flags that clone(2) and clone3(2) have in common; 0 or -errno. */
function checkFlags(t: Task, req: CloneRequest): number {
  const f = req.flags;
  // A new IPC namespace has none of the semaphores that a shared undo list speaks of.
  if ((f & CLONE_NEWIPC) !== 0 && (f & CLONE_SYSVSEM) !== 0) return -EINVAL;
  if ((f & CLONE_FS) !== 0 && (f & (CLONE_NEWNS | CLONE_NEWUSER)) !== 0) return -EINVAL;
  if ((f & CLONE_THREAD) !== 0 && (f & CLONE_SIGHAND) === 0) return -EINVAL;
  if ((f & CLONE_SIGHAND) !== 0 && (f & CLONE_VM) === 0) return -EINVAL;
  if ((f & CLONE_PARENT) !== 0 && t.group.parent === null) return -EINVAL;
  if ((f & CLONE_THREAD) !== 0 && (f & (CLONE_NEWUSER | CLONE_NEWPID)) !== 0) return -EINVAL;
  if ((f & CLONE_PIDFD) !== 0 && (f & CLONE_DETACHED) !== 0) return -EINVAL;
  return checkNamespaces(t, f);
}

/** -EAGAIN when the user has as many threads as RLIMIT_NPROC or the sandbox's limit allow. */
function checkProcessLimit(t: Task, sharesMemory: boolean): number {
  const { kernel, user, cred } = t;
  const privileged = cred.uid === 0 || cred.capable(CAP_SYS_RESOURCE) || cred.capable(CAP_SYS_ADMIN);
  if (!privileged && user.tasks + 1 > t.rlimit(RLIMIT_NPROC)) return -EAGAIN;
  if (sharesMemory && kernel.taskLimit.finds(t.mm, t.share)) return 0;
  return kernel.taskLimit.admits(t.share, privileged) ? 0 : -EAGAIN;
}

function chooseTid(t: Task, wanted: number): number {
  const pids = t.kernel.pids;
  if (wanted === 0) return pids.allocate();
  if (!t.cred.capable(CAP_CHECKPOINT_RESTORE) && !t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
  return pids.isFree(wanted) ? wanted : -EEXIST;
}

/** Makes the thread or process; its tid, or -errno. With CLONE_VFORK, BLOCKED until it execs or exits. */
export function cloneTask(t: Task, req: CloneRequest): number {
  if (begun(t)) return t.call.state instanceof MemoryCopy ? copyMemory(t, t.call.state) : vforkWait(t);
  const f = req.flags;
  let err = checkFlags(t, req);
  if (err < 0) return err;
  // What the new program of a sibling may do was decided when nobody shared its folders.
  if ((f & CLONE_FS) !== 0 && anyHold() && isHeld(t, t.fs)) return -EAGAIN;
  const sharesMemory = (f & CLONE_VM) !== 0;
  if (!sharesMemory && (anyHold() || t.call.active)) {
    err = mayChangeMappings(t);
    if (err !== 0) return err;
  }
  // A signal to the whole process must not miss the child: it is handled first, and the call made again.
  if (t.signals.interrupts(t)) return -ERESTARTNOINTR;
  err = checkProcessLimit(t, sharesMemory);
  if (err < 0) return err;
  if ((f & CLONE_SETTLS) !== 0 && (req.tls < 0 || req.tls >= TASK_SIZE_MAX)) return -EPERM;
  const tid = chooseTid(t, req.wantedTid);
  if (tid < 0) return tid;
  if (!kernelMemory.fits(ownBytes(t, f) + (sharesMemory ? 0 : t.mm.copyBytes))) return -ENOMEM;
  if (sharesMemory) return makeTask(t, req, tid, t.mm.ref());
  if (t.mm.copyWork <= FORK_AT_ONCE) {
    const mm = t.mm.fork();
    return typeof mm === 'number' ? mm : makeTask(t, req, tid, mm);
  }
  const copy = t.mm.beginFork();
  return typeof copy === 'number' ? copy : copyMemory(t, new MemoryCopy(copy, req, tid));
}

/** Bytes of the kernel's memory that the call takes, but for a copy of the address space. */
function ownBytes(t: Task, flags: number): number {
  const bytes = TASK_BYTES + (t.seccomp === null ? 0 : t.seccomp.bytes);
  return (flags & CLONE_FILES) === 0 ? bytes + t.fds.bytes : bytes;
}

/** A fork that copies its memory in slices, and what it is to make then. */
class MemoryCopy implements Parked {
  readonly copy: ForkCopy;
  readonly request: CloneRequest;
  readonly tid: number;

  constructor(copy: ForkCopy, request: CloneRequest, tid: number) {
    this.copy = copy;
    this.request = Object.assign(new CloneRequest(), request);
    this.tid = tid;
  }

  /** The child is no more than memory yet. */
  abandon(t: Task): void {
    endHolds(t);
    t.group.missed = null;
    this.copy.child.release();
  }
}

/** Copies a slice of the memory, and makes the process when all is there. */
function copyMemory(t: Task, c: MemoryCopy): number {
  const { group, call } = t;
  const { child } = c.copy;
  if (call.state !== c) {
    hold(t, t.mm, c);
    group.missed = new MissedSignals();
  }
  // The parent may have got more since the call was let in.
  const fits = kernelMemory.fits(Math.max(0, t.mm.copyBytes - child.copyBytes));
  let r = fits ? c.copy.step(SLICE_PAGES) : -ENOMEM;
  if (r === MORE && (r = t.giveWay()) === BLOCKED) return r;
  const { missed } = group;
  const req = c.request;
  if (r === 0) r = checkProcessLimit(t, false);
  if (r === 0 && !kernelMemory.fits(ownBytes(t, req.flags))) r = -ENOMEM;
  const tid = t.kernel.pids.isFree(c.tid) ? c.tid : chooseTid(t, req.wantedTid);
  if (r === 0 && tid < 0) r = tid;
  if (r < 0) {
    c.abandon(t);
    call.state = null;
    return r;
  }
  endHolds(t);
  group.missed = null;
  call.reset();
  r = makeTask(t, req, tid, child);
  const made = r === tid || r === BLOCKED ? t.kernel.pids.task(tid) : null;
  if (made !== null) missed!.sendTo(made.group);
  return r;
}

/** Makes the thread or process `tid` with the memory `mm`, which it takes or releases. */
function makeTask(t: Task, req: CloneRequest, tid: number, mm: MemoryManager): number {
  const f = req.flags;
  const k = t.kernel;
  const ctx = k.platform.newContext();
  const group = (f & CLONE_THREAD) !== 0 ? t.group : newGroup(t, tid, req);
  if (mm !== t.mm) mm.limits = group.limits;
  const fs = (f & CLONE_FS) !== 0 ? t.fs : t.fs.clone();
  const fds = (f & CLONE_FILES) !== 0 ? t.fds : t.fds.clone();
  if (fs === t.fs) fs.refs++;
  if (fds === t.fds) fds.refs++;
  if (mm === t.mm) k.taskLimit.reuse(mm, t.share);
  const child = new Task(k, tid, group, ctx, mm, fs, fds, t.cred, t.name, t.share);
  copyThreadState(t, child, req);

  // Writing may need mapping orders: before the host's thread is made they go along with its own. But only in memory of
  // the child's own, as it is not certain yet that there will be a child.
  const ownMemory = mm !== t.mm;
  const setsTid = (f & CLONE_CHILD_SETTID) !== 0;
  if (setsTid && ownMemory) putTid(child, req.childTid, tid);
  let err = ctx.prepare(mm.as);
  if (err < 0) {
    abandon(t, child, group);
    return err;
  }
  if ((f & CLONE_PIDFD) !== 0) {
    const thread = (f & CLONE_THREAD) !== 0 ? child : null;
    err = givePidfd(t, group, thread, req.pidfd);
    if (err < 0) {
      abandon(t, child, group);
      return err;
    }
  }
  if (group !== t.group) enterGroup(t, group, child, req);
  addThread(child);
  if ((f & CLONE_PARENT_SETTID) !== 0) putTid(t, req.parentTid, tid);
  if (setsTid && !ownMemory) putTid(child, req.childTid, tid);
  k.forkCount++;
  t.forkTick = child.forkTick = k.shares.tick;
  k.makeReady(child);
  if ((f & CLONE_VFORK) === 0) return tid;
  child.vforkParent = t;
  t.call.state = new VforkWait(child);
  t.call.a = tid;
  return t.parkKillable();
}

/** The parent of a vfork child waits for it. */
class VforkWait implements Parked {
  readonly child: Task;

  constructor(child: Task) {
    this.child = child;
  }

  abandon(t: Task): void {
    if (this.child.vforkParent === t) this.child.vforkParent = null;
  }
}

/** The parent of a vfork child was woken: by the child's exec or exit, or by a signal that can wait. */
function vforkWait(t: Task): number {
  const { child } = t.call.state as VforkWait;
  if (child.vforkParent !== t) return t.call.a;
  const r = t.parkKillable();
  if (r !== BLOCKED) child.vforkParent = null;
  return r;
}

/** A thread that could not be finished: everything that it took is given back. */
function abandon(t: Task, child: Task, group: ThreadGroup): void {
  const { users, taskLimit } = t.kernel;
  users.leave(child.share);
  child.shrinkTo(0);
  const hasThread = child.ctx.hostTid !== 0;
  child.ctx.release();
  child.mm.release();
  if (hasThread) taskLimit.leave(child.mm, child.share);
  child.leaveSemUndo();
  child.enterNet(t.kernel.net);
  child.fs.unref();
  if (--child.fds.refs === 0) child.fds.closeAll(t);
  if (group !== t.group) {
    group.handlers.refs--;
    group.exeFile?.unref();
  }
}

function givePidfd(t: Task, group: ThreadGroup, thread: Task | null, addr: number): number {
  const fd = installPidFile(t, group, thread, 0, t.rlimit(RLIMIT_NOFILE));
  if (fd < 0) return fd;
  scratchView.setInt32(0, fd, true);
  if (t.mm.copyOutExact(addr, scratch, 0, 4) === 0) return fd;
  t.fds.close(t, fd);
  return -EFAULT;
}

/** A failed write is ignored, as in Linux: the call has succeeded. */
function putTid(t: Task, addr: number, tid: number): void {
  scratchView.setInt32(0, tid, true);
  t.mm.copyOutExact(addr, scratch, 0, 4);
}

function newGroup(t: Task, tid: number, req: CloneRequest): ThreadGroup {
  const from = t.group;
  let handlers = from.handlers;
  if ((req.flags & CLONE_SIGHAND) !== 0) handlers.refs++;
  else handlers = handlers.clone();
  if ((req.flagsHi & CLONE_CLEAR_SIGHAND_HI) !== 0) handlers.reset();
  const g = new ThreadGroup(t.kernel, tid, handlers, from.limits.clone());
  g.exePath = from.exePath;
  g.exeFile = from.exeFile === null ? null : from.exeFile.ref();
  g.dumpable = from.dumpable;
  g.oomScoreAdj = from.oomScoreAdj;
  g.noThp = from.noThp;
  return g;
}

/** Puts a new process into the family, its process group and the pid table. */
function enterGroup(t: Task, g: ThreadGroup, child: Task, req: CloneRequest): void {
  const from = t.group;
  g.leader = child;
  if ((req.flags & CLONE_PARENT) !== 0) {
    g.parent = from.parent;
    g.parentTask = from.parentTask;
    g.exitSignal = from.exitSignal;
  } else {
    g.parent = from;
    g.parentTask = t;
    g.exitSignal = req.exitSignal;
  }
  g.parent?.children.add(g);
  g.tty = from.tty;
  g.cpuLimit.update();
  t.kernel.pids.addGroup(g);
  t.kernel.pids.join(g, from.pgrp);
}

function copyThreadState(t: Task, child: Task, req: CloneRequest): void {
  const f = req.flags;
  const s = child.signals;
  s.maskLo = t.signals.maskLo;
  s.maskHi = t.signals.maskHi;
  if ((f & (CLONE_VM | CLONE_VFORK)) === CLONE_VM) disarmAltStack(s);
  else {
    s.altSp = t.signals.altSp;
    s.altSize = t.signals.altSize;
    s.altFlags = t.signals.altFlags;
  }
  child.uts = t.uts;
  child.ipc = t.ipc;
  child.enterNet(t.net);
  newNamespaces(child, f);
  inheritSeccomp(t, child);
  child.personality = t.personality;
  child.sched.inherit(t.sched);
  if ((f & CLONE_CHILD_CLEARTID) !== 0) child.clearChildTid = req.childTid;
  if ((f & CLONE_SYSVSEM) !== 0) child.semUndo = shareUndo(t);
  const regs = child.ctx.regs;
  regs.copyFrom(t.ctx.regs);
  regs.set(RAX, 0);
  regs.set(ORIG_RAX, -1);
  if (req.sp !== 0) regs.set(RSP, req.sp);
  if ((f & CLONE_SETTLS) !== 0) regs.set(FS_BASE, req.tls);
  const xstate = scratch.subarray(0, t.kernel.platform.xstateSize);
  t.ctx.getXstate(xstate);
  child.ctx.setXstate(xstate);
}
