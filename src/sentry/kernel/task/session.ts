// Sessions and process groups: credentials(7), setsid(2), setpgid(2).

import type { TtySession } from '../../fs/tty/job_control.ts';
import type { ThreadGroup } from './threadgroup.ts';

export class Session implements TtySession {
  readonly sid: number;
  /** The leader while it lives. */
  leader: ThreadGroup | null;
  readonly pgrps: Set<ProcessGroup> = new Set();
  /** Foreground group of a terminal that was hung up; it is told when the leader exits. 0: none. */
  oldForeground = 0;

  constructor(leader: ThreadGroup) {
    this.sid = leader.tgid;
    this.leader = leader;
  }
}

export class ProcessGroup {
  readonly id: number;
  readonly session: Session;
  readonly members: Set<ThreadGroup> = new Set();

  constructor(id: number, session: Session) {
    this.id = id;
    this.session = session;
    session.pgrps.add(this);
  }

  /**
   * True when no member, `leaving` aside, has a parent in another group of the session: nobody could continue it. The first
   * process's parent is outside.
   */
  orphaned(leaving: ThreadGroup | null = null): boolean {
    for (const g of this.members) {
      if (g === leaving || g.dead) continue;
      if (g === g.kernel.initGroup && g.kernel.outsideCanContinue()) return false;
      const p = g.parent;
      if (p !== null && p.pgrp !== this && p.pgrp.session === this.session) return false;
    }
    return true;
  }

  /** True when a member is stopped by job control. */
  hasStopped(): boolean {
    for (const g of this.members) if (g.stopped) return true;
    return false;
  }
}
