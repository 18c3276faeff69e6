// Calls that end with pages brought in: mmap with MAP_POPULATE, mlock and what grows under it. The mapping is made at
// once; its pages come in slices, between which others run, as Linux does it with the lock of the address space free.

import { EFAULT, ENOENT, ENOMEM } from '../../../abi/errno.ts';
import { BLOCKED } from '../../kernel/block.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import { populateSlice } from '../../mm/populate.ts';

/** Does a slice of bringing in [from, to): where to go on, or -errno. */
type Step = (mm: MemoryManager, from: number, to: number) => number;

/** Does the next slice of [from, to); `result` when all is there, the step's error, or BLOCKED. */
export function inSlices(t: Task, from: number, to: number, result: number, step: Step): number {
  const next = step(t.mm, from, to);
  if (next < 0) return next;
  if (next >= to) return result;
  t.call.a = next;
  t.call.b = to;
  t.call.done = result;
  return t.giveWay();
}

/** The end of a call that succeeded with `result` and may have left pages to bring in. Goes on in a call that is run again. */
function bringIn(t: Task, result: number, step: Step): number {
  const { call, mm } = t;
  if (call.active) return inSlices(t, call.a, call.b, call.done, step);
  const { dueFrom, dueTo } = mm;
  if (dueFrom >= dueTo) return result;
  mm.takeDue();
  return inSlices(t, dueFrom, dueTo, result, step);
}

/** Brings in what is there to be brought in; a failure is none of the call's (MAP_POPULATE in mmap(2)). */
export function bringInQuietly(t: Task, result: number): number {
  const made = t.call.active ? t.call.done : result;
  const r = bringIn(t, result, populateSlice);
  return r === -ENOMEM || r === -ENOENT || r === -EFAULT ? made : r;
}

/** The same for mlock(2): -ENOMEM when a page is not to be had. */
export function bringInAll(t: Task, result: number): number {
  const r = bringIn(t, result, populateSlice);
  return r === -ENOENT ? -ENOMEM : r;
}

/** The same for mlockall(2), which passes over what nobody may access, and errors. */
export function bringInMapped(t: Task): number {
  const r = bringIn(t, 0, (mm, from, to) => populateSlice(mm, from, to, true));
  return r === BLOCKED ? r : 0;
}
