// TaskLimit: how many threads there may be (--pids), and who may have them. A place is taken by every thread of the
// sandbox from clone(2) until it is reaped, so zombies hold theirs, and by every thread of the host that stays behind in a
// process for its next thread: it costs the host as much as before.
//
// Two rules, both O(1), so that one user's fork bomb leaves places for everybody else:
//   a user has at most three quarters of the places that the others have left over: who comes second, while the first has
//   all that it may have, still finds a quarter, and may take three quarters of that, and so on;
//   root may have all but a sixteenth of what the others have left over, as it answers to no RLIMIT_NPROC on Linux either,
//   but a bomb of root's should not keep an ordinary user from its first process.
// The share shrinks while others take places, but who is over it keeps what it has, and is only refused more.

import { ROOT_SHARE, USER_SHARE } from '../base/charge.ts';
import type { MemoryManager } from '../mm/mm.ts';
import type { UserCount } from './users.ts';

/** What kernels and the SDK get that say nothing else. */
export const DEFAULT_TASKS = 2048;

export class TaskLimit {
  /** Places in the sandbox, and how many are taken. */
  max: number = DEFAULT_TASKS;
  private used = 0;

  /** May `user` have one more thread? `privileged`: RLIMIT_NPROC does not bind it either. */
  admits(user: UserCount, privileged: boolean): boolean {
    if (this.used >= this.max) return false;
    const room = this.max - (this.used - user.places);
    return user.places < Math.max(1, Math.floor(room * (privileged ? ROOT_SHARE : USER_SHARE)));
  }

  take(user: UserCount): void {
    user.places++;
    this.used++;
  }

  give(user: UserCount): void {
    user.places--;
    this.used--;
  }

  /** A thread of `user` has left `mm` and the thread of the host with it: that stays while others have the memory. */
  leave(mm: MemoryManager, user: UserCount): void {
    if (mm.refs === 0) {
      const owner = mm.spareOwner as UserCount | null;
      for (; mm.spare > 0; mm.spare--) this.give(owner!);
      return;
    }
    if (mm.spare === 0) mm.spareOwner = user;
    if (mm.spareOwner !== user) return;
    mm.spare++;
    this.take(user);
  }

  /** A new thread of `user` in `mm` would find one of the host's threads there, which has a place. */
  finds(mm: MemoryManager, user: UserCount): boolean {
    return mm.spare > 0 && mm.spareOwner === user;
  }

  /** And has taken it. */
  reuse(mm: MemoryManager, user: UserCount): void {
    if (!this.finds(mm, user)) return;
    mm.spare--;
    this.give(user);
  }
}
