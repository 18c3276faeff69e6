// UserShares: who may be in user mode while the tasks of several users want to. The Sentry serves one event after another,
// so a fork or a page fault waits for those of every thread that is in user mode; with a thousand threads of one user
// there, all others would wait for a thousand forks. So as long as there are tasks of two users or more, each user has a
// few threads in user mode at a time; its others are held in a queue of the user's own, and take turns.
//
// A thread goes on through its system calls until its turn is over and others of its user are held. Turns are counted by
// ticks of a timer, which runs only while somebody is held, and kicks those that compute for too long.

import { Timer, type TimerTarget } from '../base/time.ts';
import type { Kernel } from './kernel.ts';
import { TASK_READY, TASK_RUNNING, type Task } from './task.ts';
import type { UserCount } from './users.ts';

/** Threads of one user in user mode, at least: enough to keep the cpus busy, and few for the others to wait for. */
const RUNNING_LEAST = 4;
const TICK_NS = 5e6;

export class UserShares implements TimerTarget {
  private readonly kernel: Kernel;
  private readonly timer: Timer;
  /** Tasks that are held, of all users. */
  held = 0;
  private tick = 0;
  /** Users with held tasks, each once. */
  private readonly waiting: UserCount[] = [];

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.timer = new Timer(this);
  }

  /** May `t` enter user mode now? Otherwise it is held, and goes its way again from returnToUser() when its turn comes. */
  admits(t: Task): boolean {
    const u = t.user;
    if (u.running < this.most() && (u.heldHead === null || t.turn === this.tick)) {
      t.turn = this.tick;
      return true;
    }
    this.hold(t, u);
    return false;
  }

  /** Threads of one user in user mode, now. A user that is alone by now has its threads back. */
  private most(): number {
    const { users, numCpu } = this.kernel;
    return users.active > 1 ? Math.max(RUNNING_LEAST, numCpu) : Number.POSITIVE_INFINITY;
  }

  private hold(t: Task, u: UserCount): void {
    t.state = TASK_READY;
    t.held = true;
    t.runNext = null;
    if (u.heldTail === null) {
      u.heldHead = t;
      this.waiting.push(u);
    } else u.heldTail.runNext = t;
    u.heldTail = t;
    this.held++;
    if (!this.timer.armed) this.kernel.time.arm(this.timer, this.kernel.time.monotonicNs() + TICK_NS);
  }

  /** A task whose turn it is, off its queue; null when every user with held tasks has its share in user mode. */
  next(): Task | null {
    const most = this.most();
    for (let i = 0; i < this.waiting.length; i++) {
      const u = this.waiting[i]!;
      if (u.running >= most) continue;
      const t = u.heldHead!;
      u.heldHead = t.runNext;
      t.runNext = null;
      t.held = false;
      t.turn = this.tick;
      this.held--;
      // Users take turns too.
      this.waiting.splice(i, 1);
      if (u.heldHead === null) u.heldTail = null;
      else this.waiting.push(u);
      return t;
    }
    return null;
  }

  onTimer(timer: Timer, nowNs: number): void {
    if (this.held === 0) return;
    this.tick++;
    for (const t of this.kernel.pids.allTasks())
      if (t.state === TASK_RUNNING && t.turn < this.tick - 1 && t.user.heldHead !== null) t.ctx.interrupt();
    this.kernel.time.arm(timer, nowNs + TICK_NS);
  }
}
