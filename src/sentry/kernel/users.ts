// What the kernel counts per real user id (struct ucounts): RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE.

import { Account, kernelMemory, ROOT_SHARE, USER_SHARE } from '../base/charge.ts';
import type { Task } from './task.ts';
import type { TaskLimit } from './task_limit.ts';

/** A queued signal. */
export const SIGNAL_BYTES = 256;

export class UserCount extends Account {
  readonly uid: number;
  tasks = 0;
  /** Places that it holds of the sandbox's (task_limit.ts). */
  places = 0;
  /** What it has in files. */
  readonly files: Account;
  /** Tasks in user mode, and the queue of those that wait for their turn (user_shares.ts). */
  running = 0;
  heldHead: Task | null = null;
  heldTail: Task | null = null;
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
  /** Users with tasks. */
  active = 0;

  private readonly limit: TaskLimit;

  constructor(limit: TaskLimit) {
    this.limit = limit;
  }

  /** A task of `u` is made, or becomes its. */
  enter(u: UserCount): void {
    this.limit.take(u);
    if (u.tasks++ === 0) this.active++;
  }

  leave(u: UserCount): void {
    this.limit.give(u);
    if (--u.tasks === 0) this.active--;
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
