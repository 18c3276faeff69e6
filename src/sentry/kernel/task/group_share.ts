// GroupShare: what one process group of one user has of the threads in user mode (user_shares.ts) and of the places of --pids
// (limit.ts). Users are told apart first; within a user these are, so that a fork bomb does not take its own user's
// other programs with it.
//
// Process groups rather than sessions (which Linux's autogroup takes): a shell with job control puts each pipeline into a
// group of its own, all in one session, and a bomb that is typed there should leave the shell and its other jobs alone;
// setsid(2) makes a new group as well. A shell without job control runs all that it starts in its own group, so that a
// script counts as one whichever of the two is taken.
//
// Anybody can make groups, so their number gives nothing: beyond the first few of a user, a new group stays in the share of
// the process that made it. A bomb's remain with the bomb, those of the user's shell with the shell.

import type { ProcessGroup } from './session.ts';
import type { Task } from './task.ts';
import type { UserCount } from './users.ts';

/** Groups of one user that are told apart. */
export const MAX_GROUPS = 4;

export class GroupShare {
  readonly user: UserCount;
  /** The group that it was made for. */
  pgrp: ProcessGroup | null;
  tasks = 0;
  /** Places that it holds of the sandbox's. */
  places = 0;
  /** Tasks in user mode, and the queue of those that wait for their turn. */
  running = 0;
  heldHead: Task | null = null;
  heldTail: Task | null = null;

  constructor(user: UserCount, pgrp: ProcessGroup | null) {
    this.user = user;
    this.pgrp = pgrp;
  }

  /** One of its tasks has entered user mode, or left it. */
  entered(): void {
    this.running++;
    this.user.running++;
  }

  left(): void {
    this.running--;
    this.user.running--;
  }
}
