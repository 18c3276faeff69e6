// UserShares: who may be in user mode while several want to. The Sentry serves one event after another, so a fork or a page
// fault waits for those of every thread that is in user mode; with a thousand threads of one bomb there, all others would
// wait for a thousand forks. So as long as there are tasks of two users or more, each user has a few threads in user mode at
// a time; and as long as a user has tasks in two process groups or more (group_share.ts), these have as few together, but
// one that has nothing there gets in at once. The others are held in a queue of their group's, and take turns.
//
// A thread goes on through its system calls until its turn is over and others are held that want its place. Turns are
// counted by ticks of a timer, which runs only while somebody is held, and kicks those that compute for too long.

import { Timer, type TimerTarget } from '../../base/time.ts';
import type { Kernel } from '../kernel.ts';
import { TASK_READY, TASK_RUNNING } from '../states.ts';
import type { GroupShare } from './group_share.ts';
import type { Task } from './task.ts';

/** Threads in user mode of whoever has a share, at least: enough to keep the cpus busy, and few for the others to wait for. */
const RUNNING_LEAST = 4;
/** Of those that have just forked or been forked: the Sentry takes long for each, and has one thread whatever cpus there are. */
const FORKING_MOST = 2;
const TICK_NS = 5e6;

export class UserShares implements TimerTarget {
  private readonly kernel: Kernel;
  private readonly timer: Timer;
  /** Tasks that are held, of all users. */
  held = 0;
  /** The turn that it is now. */
  tick = 0;
  /** Groups with held tasks, each once. */
  private readonly waiting: GroupShare[] = [];

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.timer = new Timer(this);
  }

  /** May `t` enter user mode now? Otherwise it is held, and goes its way again from returnToUser() when its turn comes. */
  admits(t: Task): boolean {
    const { share } = t;
    if (
      share.user.held === 0
        ? share.user.running < FORKING_MOST || this.hasPlace(t, share)
        : this.mayGoOn(t, share)
    ) {
      t.turn = this.tick;
      return true;
    }
    this.hold(t, share);
    return false;
  }

  /** There is a place for `t` of `share` in user mode, whoever else wants it. */
  private hasPlace(t: Task, share: GroupShare): boolean {
    const { users, numCpu } = this.kernel;
    const { running, groups } = share.user;
    const others = users.active > 1;
    // Who is alone by now has its threads back.
    if (!others && groups.length < 2) return true;
    const most = t.forkTick >= this.tick - 1 ? FORKING_MOST : Math.max(RUNNING_LEAST, numCpu);
    if (others && running >= most) return false;
    return groups.length < 2 || share.running === 0 || running < most;
  }

  /** The same, while others of the user are held. */
  private mayGoOn(t: Task, share: GroupShare): boolean {
    return this.hasPlace(t, share) && (t.turn === this.tick || !this.wanted(share, share.running + 1));
  }

  /** Somebody of the user is held who has more right to a place than a thread of `share` whose turn is over: one of `running`. */
  private wanted(share: GroupShare, running: number): boolean {
    if (share.heldHead !== null) return true;
    for (const other of share.user.groups)
      if (other.heldHead !== null && other.running < running) return true;
    return false;
  }

  private hold(t: Task, share: GroupShare): void {
    t.state = TASK_READY;
    t.held = true;
    t.runNext = null;
    if (share.heldTail === null) {
      share.heldHead = t;
      this.waiting.push(share);
    } else share.heldTail.runNext = t;
    share.heldTail = t;
    share.user.held++;
    this.held++;
    if (!this.timer.armed) this.kernel.time.arm(this.timer, this.kernel.time.monotonicNs() + TICK_NS);
  }

  /** A task whose turn it is, off its queue; null when all with held tasks have their share in user mode. */
  next(): Task | null {
    for (let i = 0; i < this.waiting.length; i++) {
      const share = this.waiting[i]!;
      const t = share.heldHead!;
      if (!this.hasPlace(t, share)) continue;
      share.heldHead = t.runNext;
      t.runNext = null;
      t.held = false;
      t.turn = this.tick;
      share.user.held--;
      this.held--;
      // Groups take turns too.
      this.waiting.splice(i, 1);
      if (share.heldHead === null) share.heldTail = null;
      else this.waiting.push(share);
      return t;
    }
    return null;
  }

  /** `t` is held no more: it is killed, or about to have part in another share. It goes its way from returnToUser() again. */
  release(t: Task): void {
    const { share } = t;
    let before: Task | null = null;
    for (let other = share.heldHead; other !== t && other !== null; other = other.runNext) before = other;
    if (before === null) share.heldHead = t.runNext;
    else before.runNext = t.runNext;
    if (share.heldTail === t) share.heldTail = before;
    if (share.heldHead === null) this.waiting.splice(this.waiting.indexOf(share), 1);
    t.runNext = null;
    t.held = false;
    share.user.held--;
    this.held--;
    this.kernel.makeReady(t);
  }

  onTimer(timer: Timer, nowNs: number): void {
    if (this.held === 0) return;
    this.tick++;
    for (const t of this.kernel.pids.allTasks())
      if (t.state === TASK_RUNNING && t.turn < this.tick - 1 && t.user.held > 0)
        if (this.wanted(t.share, t.share.running)) t.ctx.interrupt();
    this.kernel.time.arm(timer, nowNs + TICK_NS);
  }
}
