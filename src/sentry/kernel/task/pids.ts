// The pid table: one number space for threads, processes, process groups and sessions, as in Linux. A number is free
// again when nothing of the four uses it.

import { ProcessGroup, Session } from './session.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './threadgroup.ts';

/** Numbers run from 1 to PID_MAX - 1 (kernel.pid_max). */
export const PID_MAX = 4194304;
/** After a wrap, numbers below this are not reused (RESERVED_PIDS in Linux). */
const RESERVED_PIDS = 300;

class PidSlot {
  task: Task | null = null;
  group: ThreadGroup | null = null;
  pgrp: ProcessGroup | null = null;
  session: Session | null = null;
  get unused(): boolean {
    return this.task === null && this.group === null && this.pgrp === null && this.session === null;
  }
}

export class PidTable {
  private readonly slots: Map<number, PidSlot> = new Map();
  private last = 0;
  /** Threads, dead ones that are not reaped included. */
  threadCount = 0;
  /** The number given out last: /proc/loadavg. */
  get lastPid(): number {
    return this.last;
  }

  /** A free number for a new thread: TaskLimit sees to it that there are some. */
  allocate(): number {
    let nr = this.last;
    do {
      nr = nr + 1 < PID_MAX ? nr + 1 : RESERVED_PIDS;
    } while (this.slots.has(nr));
    this.last = nr;
    return nr;
  }

  /** A chosen number (clone3 set_tid): false when it is taken. */
  isFree(nr: number): boolean {
    return !this.slots.has(nr);
  }

  private slot(nr: number): PidSlot {
    let s = this.slots.get(nr);
    if (s === undefined) {
      s = new PidSlot();
      this.slots.set(nr, s);
    }
    return s;
  }

  private sweep(nr: number, s: PidSlot): void {
    if (s.unused) this.slots.delete(nr);
  }

  task(tid: number): Task | null {
    return this.slots.get(tid)?.task ?? null;
  }

  /** The process with this id; zombies included. */
  group(tgid: number): ThreadGroup | null {
    return this.slots.get(tgid)?.group ?? null;
  }

  pgrp(id: number): ProcessGroup | null {
    return this.slots.get(id)?.pgrp ?? null;
  }

  session(sid: number): Session | null {
    return this.slots.get(sid)?.session ?? null;
  }

  addTask(t: Task): void {
    this.slot(t.tid).task = t;
    this.threadCount++;
  }

  removeTask(t: Task): void {
    const s = this.slots.get(t.tid);
    if (s === undefined || s.task !== t) return;
    s.task = null;
    this.threadCount--;
    this.sweep(t.tid, s);
  }

  /** exec by a thread that is not the leader: it takes the process's number, and its own becomes free. */
  renumber(t: Task, tid: number): void {
    this.removeTask(t);
    t.tid = tid;
    this.addTask(t);
  }

  addGroup(g: ThreadGroup): void {
    this.slot(g.tgid).group = g;
  }

  removeGroup(g: ThreadGroup): void {
    const s = this.slots.get(g.tgid);
    if (s === undefined || s.group !== g) return;
    s.group = null;
    this.sweep(g.tgid, s);
  }

  /** Makes `g` the leader of a new session and process group (setsid). It leaves its old group. */
  newSession(g: ThreadGroup): Session {
    const session = new Session(g);
    const s = this.slot(g.tgid);
    s.session = session;
    this.join(g, this.newPgrp(g.tgid, session));
    return session;
  }

  /** A new process group; empty until somebody joins. */
  newPgrp(id: number, session: Session): ProcessGroup {
    const pgrp = new ProcessGroup(id, session);
    this.slot(id).pgrp = pgrp;
    return pgrp;
  }

  /** Moves a process to a process group. */
  join(g: ThreadGroup, pgrp: ProcessGroup): void {
    const old = g.pgrpOrNull;
    if (old === pgrp) return;
    g.pgrpOrNull = pgrp;
    pgrp.members.add(g);
    if (old !== null) this.left(g, old);
  }

  /** A reaped process leaves its group; empty groups and sessions go. */
  leave(g: ThreadGroup): void {
    const old = g.pgrpOrNull;
    if (old !== null) this.left(g, old);
  }

  private left(g: ThreadGroup, pgrp: ProcessGroup): void {
    pgrp.members.delete(g);
    if (pgrp.members.size > 0) return;
    const s = this.slots.get(pgrp.id);
    if (s !== undefined && s.pgrp === pgrp) {
      s.pgrp = null;
      this.sweep(pgrp.id, s);
    }
    const session = pgrp.session;
    session.pgrps.delete(pgrp);
    if (session.pgrps.size > 0) return;
    const ss = this.slots.get(session.sid);
    if (ss !== undefined && ss.session === session) {
      ss.session = null;
      this.sweep(session.sid, ss);
    }
  }

  /** Every process, zombies included, by ascending id. */
  groups(): ThreadGroup[] {
    const out: ThreadGroup[] = [];
    for (const s of this.slots.values()) if (s.group !== null) out.push(s.group);
    return out.sort((a, b) => a.tgid - b.tgid);
  }

  /** Every thread, in no order: without a list of its own. */
  *allTasks(): Generator<Task> {
    for (const s of this.slots.values()) if (s.task !== null) yield s.task;
  }

  /** Every thread, by ascending id. */
  tasks(): Task[] {
    const out: Task[] = [];
    for (const s of this.slots.values()) if (s.task !== null) out.push(s.task);
    return out.sort((a, b) => a.tid - b.tid);
  }
}
