// Calls that an operation of a file system answered with WORKS_ON (vfs/shared_work.ts): they run again from their start. Who does the
// work has its next slice when others had their turn; who needs it too waits for its end.

import { POLLIN } from '../../../abi/events/poll.ts';
import { R8, R9, R10, RDI, RDX, RSI } from '../../platform/regs.ts';
import { type SharedWork, takeWork } from '../../vfs/shared_work.ts';
import type { Parked } from '../block.ts';
import type { SyscallRow } from '../syscall_table.ts';
import type { Task } from './task.ts';

/** Who does what. Nearly always empty, and never more than there are threads. */
const owned: Map<Task, SharedWork> = new Map();
const parked: Parked = { abandon: endWork };

/** Registers of a call's arguments. */
const ARGUMENTS = [RDI, RSI, RDX, R10, R8, R9];

/** When the call of `row` runs again, its first descriptor means the file that it means now. */
function keepFile(t: Task, row: SyscallRow): void {
  const i = row.kinds.findIndex((kind) => kind.name === 'fd');
  if (i < 0) return;
  const fd = t.ctx.regs.int(ARGUMENTS[i]!);
  const file = t.file(fd);
  if (file !== null) t.pin(fd, file);
}

/** Parks the call: BLOCKED, or -ERESTARTNOINTR for a thread that is to die. */
export function workOn(t: Task, row: SyscallRow): number {
  keepFile(t, row);
  const work = takeWork();
  if (owned.size > 0 && owned.get(t) !== work) endWork(t);
  if (work === null) return t.giveWay();
  if (work.owner !== t) {
    t.watch(work.queue, POLLIN);
    return t.parkKillable();
  }
  owned.set(t, work);
  t.call.state = parked;
  return t.giveWay();
}

/** Any call does such work: the question of every call that ends. */
export function anyWork(): boolean {
  return owned.size > 0;
}

/** The call of `t` has ended, with its work or without. */
export function endWork(t: Task): void {
  const work = owned.get(t);
  if (work === undefined) return;
  owned.delete(t);
  work.abandon();
}
