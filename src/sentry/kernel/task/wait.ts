// Waiting for children: what wait4(2) and waitid(2) share.

import { ECHILD } from '../../../abi/errno.ts';
import {
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
} from '../../../abi/process/wait.ts';
import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  SIGCHLD,
  SIGCONT,
} from '../../../abi/signal/signal.ts';
import { reap } from './exit.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './threadgroup.ts';
import { Usage } from './usage.ts';

/** Which children, and what became of the one that was found. Reused: a call fills it and reads it at once. */
export class WaitRequest {
  /** Any child. */
  any = false;
  /** Or the process with this id, or members of this process group; 0 = not asked. */
  pid = 0;
  pgid = 0;
  options = 0;

  /** Results. */
  foundPid = 0;
  foundUid = 0;
  /** As wait4's status word. */
  status = 0;
  /** As waitid's si_code and si_status. */
  code = 0;
  codeStatus = 0;
  readonly usage: Usage = new Usage();
}

function selects(t: Task, req: WaitRequest, child: ThreadGroup): boolean {
  if (req.pid !== 0 && child.tgid !== req.pid) return false;
  if (req.pgid !== 0 && child.pgrp.id !== req.pgid) return false;
  const o = req.options;
  if ((o & __WNOTHREAD) !== 0 && child.parentTask !== t) return false;
  if ((o & __WALL) !== 0) return true;
  // A "clone child" is one whose end is not reported by SIGCHLD.
  return (child.exitSignal !== SIGCHLD) === ((o & __WCLONE) !== 0);
}

/**
 * Finds a child with something to report and fills the request: its pid; 0 with WNOHANG when none has; -ECHILD when there
 * is no such child; BLOCKED or an interrupted park()'s result.
 */
export function waitForChild(t: Task, req: WaitRequest): number {
  const g = t.group;
  let candidates = 0;
  for (const child of g.children) {
    if (!selects(t, req, child)) continue;
    candidates++;
    if (report(g, child, req)) return req.foundPid;
  }
  if (candidates === 0) return -ECHILD;
  if ((req.options & WNOHANG) !== 0) return 0;
  return t.block(g.childWait, 1);
}

function report(parent: ThreadGroup, child: ThreadGroup, req: WaitRequest): boolean {
  const o = req.options;
  const keep = (o & WNOWAIT) !== 0;
  if (child.dead) {
    if ((o & WEXITED) === 0) return false;
    fill(child, req, child.exitStatus);
    const sig = child.exitStatus & 0x7f;
    req.code = sig !== 0 ? CLD_KILLED : CLD_EXITED;
    req.codeStatus = sig !== 0 ? sig : child.exitStatus >> 8;
    if (keep) return true;
    parent.childUsage.add(child.deadUsage);
    parent.childUsage.add(child.childUsage);
    reap(child);
    return true;
  }
  if (child.reportStop && (o & WSTOPPED) !== 0) {
    fill(child, req, (child.stopSig << 8) | 0x7f);
    req.code = CLD_STOPPED;
    req.codeStatus = child.stopSig;
    if (!keep) child.reportStop = false;
    return true;
  }
  if (child.reportContinue && (o & WCONTINUED) !== 0) {
    fill(child, req, 0xffff);
    req.code = CLD_CONTINUED;
    req.codeStatus = SIGCONT;
    if (!keep) child.reportContinue = false;
    return true;
  }
  return false;
}

function fill(child: ThreadGroup, req: WaitRequest, status: number): void {
  req.foundPid = child.tgid;
  req.foundUid = child.leader === null ? 0 : child.leader.cred.uid;
  req.status = status;
  const u = req.usage;
  u.reset();
  u.add(child.deadUsage);
  u.add(child.childUsage);
  for (const t of child.threads) if (!t.dead) u.userNs += t.ctx.cpuTimeNs();
}
