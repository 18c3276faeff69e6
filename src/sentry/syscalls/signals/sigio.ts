// Signal-driven I/O: with O_ASYNC a file tells its owner of readiness by SIGIO or the signal of F_SETSIG, fcntl(2).

import { ESRCH } from '../../../abi/errno.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
} from '../../../abi/events/poll.ts';
import { FASYNC } from '../../../abi/fs/fcntl.ts';
import { POLL_IN, POLL_OUT, SI_KERNEL, SI_SIGIO, SIGIO, SIGRTMIN } from '../../../abi/signal/signal.ts';
import type { Cred } from '../../base/cred.ts';
import { Waiter, type Wakeable } from '../../base/wait.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { SIL_KILL, SIL_POLL, SigInfo } from '../../kernel/signal/siginfo.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { ThreadGroup } from '../../kernel/task/threadgroup.ts';
import type { File, ReleaseHook } from '../../vfs/file.ts';

const EVENTS = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLPRI | POLLERR | POLLHUP;
/** si_code of events beyond POLL_IN and POLL_OUT: <asm-generic/siginfo.h>. */
const POLL_ERR = 4;
const POLL_PRI = 5;
const POLL_HUP = 6;

/** Listens on a file's queue for as long as its O_ASYNC is set. */
export class SigioWatch implements Wakeable, ReleaseHook {
  private readonly kernel: Kernel;
  private readonly file: File;
  /** The descriptor that O_ASYNC was set through: si_fd. */
  private readonly fd: number;
  private readonly waiter: Waiter;

  constructor(kernel: Kernel, file: File, fd: number) {
    this.kernel = kernel;
    this.file = file;
    this.fd = fd;
    this.waiter = new Waiter(this, EVENTS);
    file.queue()?.add(this.waiter);
  }

  onReady(_waiter: Waiter, events: number): void {
    const f = this.file;
    if (f.owner === 0) return;
    const pids = this.kernel.pids;
    if (f.owner < 0) {
      const pgrp = pids.pgrp(-f.owner);
      if (pgrp !== null) for (const g of [...pgrp.members]) this.toGroup(g, events, true);
      return;
    }
    const t = pids.task(f.owner);
    if (t === null) return;
    if (!f.ownerThread) this.toGroup(t.group, events, false);
    else if (allowed(f.ownerCred, t.cred))
      this.kernel.signals.sendToTask(t, f.ownerSig || SIGIO, this.info(events));
  }

  private toGroup(g: ThreadGroup, events: number, oneOfMany: boolean): void {
    const cred = g.leader?.cred;
    if (cred === undefined || !allowed(this.file.ownerCred, cred)) return;
    const { signals } = this.kernel;
    if (oneOfMany) signals.sendToOneOfMany(g, this.info(events));
    else signals.sendToGroup(g, this.info(events));
  }

  /** A fresh instance for every receiver: queues link them. */
  private info(events: number): SigInfo {
    const sig = this.file.ownerSig;
    if (sig === 0) return new SigInfo(SIGIO, SI_KERNEL, SIL_KILL);
    let code = POLL_IN;
    if ((events & POLLHUP) !== 0) code = POLL_HUP;
    else if ((events & POLLERR) !== 0) code = POLL_ERR;
    else if ((events & POLLPRI) !== 0) code = POLL_PRI;
    else if ((events & POLLIN) === 0) code = POLL_OUT;
    // Below the real-time signals these codes would mean something else.
    const info = new SigInfo(sig, sig < SIGRTMIN && sig !== SIGIO ? SI_SIGIO : code, SIL_POLL);
    info.band = events & EVENTS;
    info.fd = this.fd;
    return info;
  }

  onFileRelease(): void {
    this.waiter.remove();
  }
}

/** sigio_perm(): may who set the owner signal this process? */
function allowed(from: Cred | null, to: Cred): boolean {
  if (from === null || from.euid === 0) return true;
  return from.euid === to.suid || from.euid === to.uid || from.uid === to.suid || from.uid === to.uid;
}

/** O_ASYNC of `f` may have changed through descriptor `fd`: begins or ends listening. */
export function updateAsync(t: Task, fd: number, f: File): void {
  const on = (f.flags & FASYNC) !== 0;
  if (on && f.async === null) f.async = new SigioWatch(t.kernel, f, fd);
  else if (!on && f.async !== null) {
    f.async.onFileRelease(f);
    f.async = null;
  }
}

/** Implements F_SETOWN: a pid, -pgid, or 0 for nobody. -ESRCH when there is no such process. */
export function setOwner(t: Task, f: File, owner: number, thread: boolean): number {
  const pids = t.kernel.pids;
  if (owner > 0 && pids.task(owner) === null) return -ESRCH;
  if (owner < 0 && pids.pgrp(-owner) === null) return -ESRCH;
  f.owner = owner;
  f.ownerThread = thread;
  f.ownerCred = t.cred;
  return 0;
}
