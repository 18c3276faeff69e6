// What the kernel counts per real user id (struct ucounts): RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE.

import { Account, kernelMemory, ROOT_SHARE, USER_SHARE } from '../../base/charge.ts';
import { SIGNAL_BYTES } from '../signal/siginfo.ts';
import { GroupShare, MAX_GROUPS } from './group_share.ts';
import type { ProcessGroup } from './session.ts';
import type { Task } from './task.ts';
import type { TaskLimit } from './task_limit.ts';
import type { ThreadGroup } from './threadgroup.ts';

export class UserCount extends Account {
  readonly uid: number;
  tasks = 0;
  /** Places that it holds of the sandbox's (limit.ts). */
  places = 0;
  /** What it has in files. */
  readonly files: Account;
  /** Its process groups that have tasks, as far as they are told apart: at most MAX_GROUPS. */
  readonly groups: GroupShare[] = [];
  /** Tasks in user mode, and those that wait for their turn (user_shares.ts). */
  running = 0;
  held = 0;
  sigpending = 0;
  msgqueueBytes = 0;
  constructor(uid: number) {
    super(uid === 0 ? ROOT_SHARE : USER_SHARE);
    this.files = new Account(this.share);
    this.uid = uid;
  }

  /** A signal is queued on the user's account, or was. */
  enqueued(): void {
    this.sigpending++;
    kernelMemory.take(SIGNAL_BYTES, this);
  }

  dequeued(): void {
    this.sigpending--;
    kernelMemory.give(this, SIGNAL_BYTES);
  }
}

export class UserTable {
  private readonly users: Map<number, UserCount> = new Map();
  /** Users with tasks, and their groups. */
  active = 0;
  groups = 0;

  private readonly limit: TaskLimit;

  constructor(limit: TaskLimit) {
    this.limit = limit;
  }

  /** A task is made in `share`, or comes to it. */
  enter(share: GroupShare): void {
    const u = share.user;
    this.limit.take(share);
    if (u.tasks++ === 0) this.active++;
    if (share.tasks++ > 0) return;
    u.groups.push(share);
    this.groups++;
  }

  leave(share: GroupShare): void {
    const u = share.user;
    this.limit.give(share);
    if (--u.tasks === 0) this.active--;
    if (--share.tasks > 0) return;
    u.groups.splice(u.groups.indexOf(share), 1);
    this.groups--;
  }

  /** The share of a first task of `uid`, or of the child of one in `from`. */
  shareFor(uid: number, from: GroupShare | null): GroupShare {
    if (from !== null && from.user.uid === uid) return from;
    const u = this.get(uid);
    return u.groups[0] ?? new GroupShare(u, null);
  }

  /** `t` has become a task of `uid`. */
  changeUser(t: Task, uid: number): void {
    this.move(t, shareIn(this.get(uid), t.group.pgrpOrNull, null, 0));
  }

  /** The process is in another process group by now: setpgid(2), setsid(2). */
  regroup(g: ThreadGroup): void {
    for (const t of g.threads) this.move(t, shareIn(t.user, g.pgrp, t.share, g.threads.size));
  }

  private move(t: Task, to: GroupShare): void {
    const from = t.share;
    if (from === to) return;
    // It would wait in a queue that nobody looks at.
    if (t.held) t.kernel.shares.release(t);
    if (t.inUser) {
      from.left();
      to.entered();
    }
    // First the one, so that a share with nobody left over does not count meanwhile.
    this.leave(from);
    this.enter(to);
    t.share = to;
    t.user = to.user;
  }

  /** The counts of a user, made on first use. One small object per uid that ever ran: bounded by what setuid allows. */
  get(uid: number): UserCount {
    let u = this.users.get(uid);
    if (u === undefined) {
      this.sweep();
      u = new UserCount(uid);
      this.users.set(uid, u);
    }
    return u;
  }

  /** Forgets users without tasks, so that a guest that runs through all uids costs nothing. */
  private sweep(): void {
    if (this.users.size < 1024) return;
    for (const [uid, u] of this.users) {
      if (
        u.tasks === 0 &&
        u.bytes === 0 &&
        u.files.bytes === 0 &&
        u.places === 0 &&
        u.sigpending === 0 &&
        u.msgqueueBytes === 0
      )
        this.users.delete(uid);
    }
  }
}

/**
 * What a task of `u` in `pgrp` has part in: the group's share, a new one, or, where enough groups are told apart, the one
 * that it comes `from`, of whose tasks `leaving` would leave it.
 */
function shareIn(
  u: UserCount,
  pgrp: ProcessGroup | null,
  from: GroupShare | null,
  leaving: number,
): GroupShare {
  let least: GroupShare | null = null;
  for (const share of u.groups) {
    if (share.pgrp === pgrp) return share;
    if (least === null || share.places < least.places) least = share;
  }
  if (from !== null && from.tasks <= leaving) {
    // It would have nobody left.
    from.pgrp = pgrp;
    return from;
  }
  if (u.groups.length < MAX_GROUPS) return new GroupShare(u, pgrp);
  return from ?? least!;
}
