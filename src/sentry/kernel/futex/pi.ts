// Priority-inheritance futexes as far as ownership goes: futex(2), "Priority-inheritance futexes". The kernel passes a
// contended lock to its longest waiter; priorities are the host's affair and are not boosted.

import { EAGAIN, EDEADLK, EFAULT, EPERM, ERESTARTNOINTR, ESRCH, ETIMEDOUT } from '../../../abi/errno.ts';
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS } from '../../../abi/ipc/futex.ts';
import { ATOMIC_FAULT } from '../../mm/atomics.ts';
import { BLOCKED, TIMED_OUT } from '../block.ts';
import type { Task } from '../task/task.ts';
import { type FutexQueue, WOKEN, wakeOne } from './futex.ts';

const CAS_TRIES = 1000;
/** Longest chain of owners that wait for each other that is followed (as in Linux). */
const MAX_LOCK_DEPTH = 1024;

/** FUTEX_LOCK_PI and FUTEX_TRYLOCK_PI. The key of the word is in mm.futexObject and mm.futexOffset. */
export function lockPi(t: Task, addr: number, wait: boolean): number {
  const call = t.call;
  const mm = t.mm;
  if (call.active && call.a === WOKEN) return 0;
  const table = t.kernel.piFutexes;
  const space = mm.futexObject;
  const offset = mm.futexOffset;
  for (let i = 0; i < CAS_TRIES; i++) {
    const value = mm.atomicLoad32(addr);
    if (value === ATOMIC_FAULT) return -EFAULT;
    const ownerTid = value & FUTEX_TID_MASK;
    if (ownerTid === t.tid) return -EDEADLK;
    const q = table.find(space, offset);
    if (ownerTid === 0) {
      const next = t.tid | (value & FUTEX_OWNER_DIED) | (q === null ? 0 : FUTEX_WAITERS);
      const seen = mm.atomicCompareExchange32(addr, value, next);
      if (seen === ATOMIC_FAULT) return -EFAULT;
      if (seen !== value) continue;
      if (q !== null) q.owner = t;
      return 0;
    }
    const owner = t.kernel.pids.task(ownerTid);
    if (owner === null || owner.dead) return -ESRCH;
    if (!wait) return -EAGAIN;
    if ((value & FUTEX_WAITERS) === 0) {
      const seen = mm.atomicCompareExchange32(addr, value, value | FUTEX_WAITERS);
      if (seen === ATOMIC_FAULT) return -EFAULT;
      if (seen !== value) continue;
    }
    if (waitsFor(owner, t)) return -EDEADLK;
    return enqueue(t, addr, table.queue(space, offset), owner);
  }
  return -EAGAIN;
}

function enqueue(t: Task, addr: number, q: FutexQueue, owner: Task): number {
  q.owner = owner;
  t.watch(q, 0, 0);
  const r = t.park();
  if (r === BLOCKED) {
    t.call.done = addr;
    return BLOCKED;
  }
  return r === TIMED_OUT ? -ETIMEDOUT : -ERESTARTNOINTR;
}

/** True when `from` waits, over any number of locks, for `t`. */
function waitsFor(from: Task, t: Task): boolean {
  let at: Task | null = from;
  for (let i = 0; at !== null && i < MAX_LOCK_DEPTH; i++) {
    if (at === t) return true;
    const call: Task['call'] = at.call;
    const q = call.active && call.used > 0 ? call.waiters[0]!.queue : null;
    at = q !== null && isPiQueue(q) && t.kernel.piFutexes.find(q.space, q.offset) === q ? q.owner : null;
  }
  return false;
}

function isPiQueue(q: object): q is FutexQueue {
  return 'owner' in q;
}

/** FUTEX_UNLOCK_PI. */
export function unlockPi(t: Task, addr: number): number {
  const mm = t.mm;
  const q = t.kernel.piFutexes.find(mm.futexObject, mm.futexOffset);
  for (let i = 0; i < CAS_TRIES; i++) {
    const value = mm.atomicLoad32(addr);
    if (value === ATOMIC_FAULT) return -EFAULT;
    if ((value & FUTEX_TID_MASK) !== t.tid) return -EPERM;
    if (q !== null && !q.empty) {
      handOverPi(q, 0);
      return 0;
    }
    const seen = mm.atomicCompareExchange32(addr, value, 0);
    if (seen === ATOMIC_FAULT) return -EFAULT;
    if (seen === value) return 0;
  }
  return -EAGAIN;
}

/** Makes the longest waiter the owner and wakes it. `mark` is FUTEX_OWNER_DIED when the old owner died. */
export function handOverPi(q: FutexQueue, mark: number): void {
  const w = q.head;
  if (w === null) return;
  const heir = w.target as Task;
  const addr = heir.call.done;
  const more = w.next === null ? 0 : FUTEX_WAITERS;
  for (let i = 0; i < CAS_TRIES; i++) {
    const value = heir.mm.atomicLoad32(addr);
    if (value === ATOMIC_FAULT) break;
    const next = heir.tid | more | mark;
    const seen = heir.mm.atomicCompareExchange32(addr, value, next);
    if (seen === ATOMIC_FAULT || seen === value) break;
  }
  q.owner = heir;
  wakeOne(w);
}
