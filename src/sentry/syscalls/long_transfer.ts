// Reads and writes that are done in slices, as seen by others: a write is one piece for other writers of the file, and
// who uses the file position of the same description waits for the whole transfer (i_rwsem and f_pos_lock in Linux).

import { POLLIN } from '../../abi/poll.ts';
import { WaitQueue } from '../base/wait.ts';
import type { Parked } from '../kernel/block.ts';
import type { Task } from '../kernel/task.ts';
import type { File } from '../vfs/file.ts';
import type { Inode } from '../vfs/inode.ts';

interface Hold {
  readonly task: Task;
  readonly queue: WaitQueue;
}

/** What transfers in progress hold: inodes that are written, descriptions whose position moves. Nearly always empty. */
const holds = new Map<Inode | File, Hold>();

/** The parked state of a transfer: its holds end with a thread that never goes on. */
const transfer: Parked = { abandon: endLongTransfer };

/** Anything held at all: the question of every other transfer. */
export function anyLongTransfer(): boolean {
  return holds.size !== 0;
}

/** Waits while somebody else holds `what`: 0 when nobody does, else BLOCKED, or -ERESTARTNOINTR for a dying thread. */
export function awaitLongTransfer(t: Task, what: Inode | File): number {
  const hold = holds.get(what);
  if (hold === undefined || hold.task === t) return 0;
  t.watch(hold.queue, POLLIN);
  return t.parkKillable();
}

/** Until its transfer ends, `t` holds `what`. */
export function holdLongTransfer(t: Task, what: Inode | File): void {
  t.call.state = transfer;
  if (!holds.has(what)) holds.set(what, { task: t, queue: new WaitQueue() });
}

/** The transfer of `t` is over. */
export function endLongTransfer(t: Task): void {
  for (const [what, hold] of holds) {
    if (hold.task !== t) continue;
    holds.delete(what);
    hold.queue.wake(POLLIN);
  }
}
