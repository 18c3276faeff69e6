// TtyAdapter: sessions and process groups for fs/tty, and what a session leader's exit means for its terminal.

import { SIGCONT, SIGHUP } from '../../abi/signal.ts';
import type { ControllingTty, TtyHost, TtyProcess, TtySession } from '../fs/tty/job_control.ts';
import type { VfsContext } from '../vfs/context.ts';
import type { Kernel } from './kernel.ts';
import type { Session } from './session.ts';
import { kernelInfo } from './siginfo.ts';
import { sigBit } from './signal_state.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './threadgroup.ts';

export class TtyAdapter implements TtyHost {
  private readonly kernel: Kernel;
  /** Foreground groups of terminals that were hung up, by session: signalled when its leader exits. */
  private readonly oldForeground: WeakMap<Session, number> = new WeakMap();

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
    this.oldForeground.set(session as Session, pgrp);
  }

  /** disassociate_ctty(1): a process exits. Call it for every process, before its session learns of its death. */
  processExits(g: ThreadGroup): void {
    const session = g.session;
    if (session.leader !== g) return;
    if (g.tty !== null) {
      g.tty.leaderExited();
      g.tty = null;
      return;
    }
    const pgrp = this.oldForeground.get(session);
    if (pgrp === undefined) return;
    this.signalPgrp(session, pgrp, SIGHUP);
    this.signalPgrp(session, pgrp, SIGCONT);
  }
}
