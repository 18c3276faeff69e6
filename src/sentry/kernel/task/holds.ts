// What calls that are done in slices hold meanwhile, so that they are one piece to others: inodes that are written,
// descriptions whose position moves, address spaces whose mappings change, trees of mounts that are copied, processes that
// take a new program with the rights it gives, and their folders (i_rwsem, f_pos_lock, mmap_lock, namespace_sem,
// cred_guard_mutex and fs_struct.in_exec in Linux).

import { POLLIN } from '../../../abi/events/poll.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import type { File } from '../../vfs/file.ts';
import type { FsContext } from '../../vfs/fscontext.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { MountNamespace } from '../../vfs/mount_namespace.ts';
import type { Parked } from '../block.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './threadgroup.ts';

interface Hold {
  readonly task: Task;
  readonly queue: WaitQueue;
}

type Held = Inode | File | MemoryManager | MountNamespace | ThreadGroup | FsContext;

/** What calls in progress hold. Nearly always empty. */
const holds = new Map<Held, Hold>();

/** The parked state of a call that has nothing but holds: they end with a thread that never goes on. */
const holdsOnly: Parked = { abandon: endHolds };
/** That of a call of which nothing is done yet: it waits to begin. */
const toBegin: Parked = { abandon: () => {} };

/** Anything held at all: the question of every call that would have to wait. */
export function anyHold(): boolean {
  return holds.size !== 0;
}

/** Waits while somebody else holds `what`: 0 when nobody does, else BLOCKED, or -ERESTARTNOINTR for a dying thread. */
export function awaitHold(t: Task, what: Held): number {
  const hold = holds.get(what);
  if (hold === undefined || hold.task === t) return 0;
  t.watch(hold.queue, POLLIN);
  return t.parkKillable();
}

/** Somebody else holds `what`. */
export function isHeld(t: Task, what: Held): boolean {
  const h = holds.get(what);
  return h !== undefined && h.task !== t;
}

/** Until its call ends, `t` holds `what`; `state` is what the call parks, whose abandon() has to end the holds. */
export function hold(t: Task, what: Held, state: Parked = holdsOnly): void {
  t.call.state = state;
  if (!holds.has(what)) holds.set(what, { task: t, queue: new WaitQueue() });
}

/** What `t` holds is free. Who waits has its turn in the order of coming. */
export function endHolds(t: Task): void {
  for (const [what, h] of holds) {
    if (h.task !== t) continue;
    holds.delete(what);
    h.queue.wake(POLLIN);
  }
}

/** The call of `t` is under way: its handler runs for the second time or later, and not only because it had to wait. */
export function begun(t: Task): boolean {
  return t.call.active && t.call.state !== toBegin;
}

/**
 * A call that changes `what` may begin, or go on: 0. Else it waits, as awaitHold() says, and its handler then runs as if for
 * the first time.
 */
export function mayBegin(t: Task, what: Held): number {
  const { call } = t;
  if (call.active && call.state !== toBegin) return 0;
  const r = holds.size === 0 ? 0 : awaitHold(t, what);
  if (r !== 0) call.state = toBegin;
  else if (call.active) call.reset();
  return r;
}

/** The same for a call that changes mappings of its caller's memory. */
export function mayChangeMappings(t: Task): number {
  return mayBegin(t, t.mm);
}
