// TtyAdapter: sessions and process groups for fs/tty, and what a session leader's exit means for its terminal.

import { SIGCONT, SIGHUP } from '../../abi/signal/signal.ts';
import type { ControllingTty, TtyHost, TtyProcess, TtySession } from '../fs/tty/job_control.ts';
import type { VfsContext } from '../vfs/context.ts';
import type { Kernel } from './kernel.ts';
import { kernelInfo } from './signal/siginfo.ts';
import { sigBit } from './signal/state.ts';
import type { Session } from './task/session.ts';
import type { Task } from './task/task.ts';
import type { ThreadGroup } from './task/threadgroup.ts';

export class TtyAdapter implements TtyHost {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  processOf(ctx: VfsContext): TtyProcess {
    return (ctx as Task).group;
  }

  sessionOf(ctx: VfsContext): TtySession {
    return (ctx as Task).group.session;
  }

  pgrpOf(ctx: VfsContext): number {
    return (ctx as Task).group.pgrp.id;
  }

  isSessionLeader(ctx: VfsContext): boolean {
    const g = (ctx as Task).group;
    return g.session.leader === g;
  }

  sessionOfPgrp(pgrp: number): TtySession | null {
    return this.kernel.pids.pgrp(pgrp)?.session ?? null;
  }

  isOrphaned(ctx: VfsContext): boolean {
    return (ctx as Task).group.pgrp.orphaned();
  }

  blocksOrIgnores(ctx: VfsContext, sig: number): boolean {
    const t = ctx as Task;
    return (t.signals.maskLo & sigBit(sig)) !== 0 || t.group.handlers.ignores(sig);
  }

  signalPgrp(session: TtySession, pgrp: number, sig: number): void {
    const group = this.kernel.pids.pgrp(pgrp);
    if (group !== null && group.session === session) this.kernel.signals.sendToPgrp(group, sig);
  }

  signalLeader(session: TtySession, sig: number): void {
    const leader = (session as Session).leader;
    if (leader !== null) this.kernel.signals.sendToGroup(leader, kernelInfo(sig));
  }

  clearTty(session: TtySession, tty: ControllingTty): void {
    for (const pgrp of (session as Session).pgrps) {
      for (const g of pgrp.members) if (g.tty === tty) g.tty = null;
    }
  }

  keepForeground(session: TtySession, pgrp: number): void {
    (session as Session).oldForeground = pgrp;
  }
}

/** disassociate_ctty(1): the leader of a session exits; its terminal, or the one that was hung up, is told. */
export function sessionLeaderExits(kernel: Kernel, leader: ThreadGroup): void {
  const session = leader.session;
  if (leader.tty !== null) {
    leader.tty.leaderExited();
    return;
  }
  const group = session.oldForeground === 0 ? null : kernel.pids.pgrp(session.oldForeground);
  if (group === null || group.session !== session) return;
  kernel.signals.sendToPgrp(group, SIGHUP);
  kernel.signals.sendToPgrp(group, SIGCONT);
}
