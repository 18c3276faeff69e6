// Calls that change mappings in slices, such as mprotect(2) and mremap(2). Between two slices others run and fault on,
// and calls that change mappings of the same memory wait (kernel/task/holds.ts).

import type { Parked } from '../../kernel/block.ts';
import { endHolds, hold } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { MORE, SLICE_PAGES } from '../../mm/slices.ts';

/** What a call has to do: step() goes on until so many pages are done, and returns MORE or the call's result. */
interface MappingWork {
  step(pages: number): number;
}

class WorkInProgress implements Parked {
  readonly work: MappingWork;

  constructor(work: MappingWork) {
    this.work = work;
  }

  /** The host has killed the process: nobody will see the rest. */
  abandon(t: Task): void {
    endHolds(t);
  }
}

/** The work that an earlier run of the call's handler has begun. */
export function workInProgress(t: Task): MappingWork | null {
  const { active, state } = t.call;
  return active && state instanceof WorkInProgress ? state.work : null;
}

/** Does a slice: BLOCKED when there is more, or the result; the call then goes on as one that has not waited. */
export function workOn(t: Task, work: MappingWork): number {
  const { call } = t;
  const r = work.step(SLICE_PAGES);
  if (r === MORE) {
    if (!(call.state instanceof WorkInProgress)) hold(t, t.mm, new WorkInProgress(work));
    return t.giveWayUntilDone();
  }
  if (call.active) {
    endHolds(t);
    call.reset();
  }
  return r;
}
