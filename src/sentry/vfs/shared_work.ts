// Work of a file system that takes longer than one call may hold the kernel, and that everybody needs who asks for it meanwhile:
// one caller does it slice by slice, the others wait for the same. An operation that says WORKS_ON leaves nothing half done:
// it is asked again from its start (kernel/task/shared_work.ts).

import type { WaitQueue } from '../base/wait.ts';
import type { VfsContext } from './context.ts';
import { WORKS_ON } from './file.ts';

export interface SharedWork {
  /** Who does it. */
  readonly owner: VfsContext;
  /** Where others wait for its end, be that done or given up. */
  readonly queue: WaitQueue;
  /** Its owner does not go on: what was made of it goes. Nothing happens when it is done. */
  abandon(): void;
}

let last: SharedWork | null = null;

/** The answer of an operation that is not done: of `work` a slice was done, or somebody else does it; null for what nobody shares. */
export function worksOn(work: SharedWork | null): number {
  last = work;
  return WORKS_ON;
}

/** What the last answer was about. */
export function takeWork(): SharedWork | null {
  const work = last;
  last = null;
  return work;
}
