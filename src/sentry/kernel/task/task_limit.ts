// TaskLimit: how many threads there may be (--pids), and who may have them. A place is taken by every thread of the
// sandbox from clone(2) until it is reaped, so zombies hold theirs, and by every thread of the host that stays behind in a
// process for its next thread: it costs the host as much as before.
//
// Three rules, all O(1), so that a fork bomb leaves places for everybody else:
//   a user has at most three quarters of the places that the others have left over: who comes second, while the first has
//   all that it may have, still finds a quarter, and may take three quarters of that, and so on;
//   root may have all but a sixteenth of what the others have left over, as it answers to no RLIMIT_NPROC on Linux either,
//   but a bomb of root's should not keep an ordinary user from its first process;
//   within a user, the last quarter is for process groups that have little: each may have its part of it whatever the
//   others do, so that a bomb in one of them, or in all but one, leaves the user's other programs some (group_share.ts).
// The share shrinks while others take places, but who is over it keeps what it has, and is only refused more.

import { ROOT_SHARE, USER_SHARE } from '../../base/charge.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import { type GroupShare, MAX_GROUPS } from './group_share.ts';

/** What kernels and the SDK get that say nothing else. */
export const DEFAULT_TASKS = 2048;

/** What is kept of a user's places for process groups that have little. */
const GROUP_RESERVE = 1 / 4;

export class TaskLimit {
  /** Places in the sandbox, and how many are taken. */
  max: number = DEFAULT_TASKS;
  private used = 0;

  /** May a task of `share` have one more thread? `privileged`: RLIMIT_NPROC does not bind it either. */
  admits(share: GroupShare, privileged: boolean): boolean {
    if (this.used >= this.max) return false;
    const { places, groups } = share.user;
    const room = this.max - (this.used - places);
    const most = Math.max(1, Math.floor(room * (privileged ? ROOT_SHARE : USER_SHARE)));
    if (places >= most) return false;
    if (groups.length < 2) return true;
    const reserve = most * GROUP_RESERVE;
    return places < most - reserve || share.places < reserve / MAX_GROUPS;
  }

  take(share: GroupShare): void {
    share.places++;
    share.user.places++;
    this.used++;
  }

  give(share: GroupShare): void {
    share.places--;
    share.user.places--;
    this.used--;
  }

  /** A thread of `share` has left `mm` and the thread of the host with it: that stays while others have the memory. */
  leave(mm: MemoryManager, share: GroupShare): void {
    if (mm.refs === 0) {
      const owner = mm.spareOwner as GroupShare | null;
      for (; mm.spare > 0; mm.spare--) this.give(owner!);
      return;
    }
    if (mm.spare === 0) mm.spareOwner = share;
    const owner = mm.spareOwner as GroupShare;
    if (owner.user !== share.user) return;
    mm.spare++;
    this.take(owner);
  }

  /** A new thread of the user in `mm` would find one of the host's threads there, which has a place. */
  finds(mm: MemoryManager, share: GroupShare): boolean {
    return mm.spare > 0 && (mm.spareOwner as GroupShare).user === share.user;
  }

  /** And has taken it. */
  reuse(mm: MemoryManager, share: GroupShare): void {
    if (!this.finds(mm, share)) return;
    mm.spare--;
    this.give(mm.spareOwner as GroupShare);
  }
}
