// FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI: waiters of a condition variable that are handed over to its
// priority-inheritance lock, one of them as the owner. Such a waiter stands in the plain word's queue with cookie 0, which
// no wake meets; call.done is the lock's address (handOverPi), call.b becomes 1 when it was moved to the lock's queue.

import { EAGAIN, EDEADLK, EFAULT, EINVAL, ERESTARTNOINTR, ESRCH, ETIMEDOUT } from '../../../abi/errno.ts';
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS } from '../../../abi/ipc/futex.ts';
import type { Waiter } from '../../base/wait.ts';
import { ATOMIC_FAULT } from '../../mm/atomics.ts';
import { BLOCKED, type Parked, TIMED_OUT } from '../block.ts';
import type { Task } from '../task/task.ts';
import { type FutexQueue, WOKEN, wakeOne } from './futex.ts';

const CAS_TRIES = 1000;
const REQUEUED = 1;

/** The lock that a waiter expects to be moved to. */
class LockKey implements Parked {
  readonly space: object;
  readonly offset: number;
  constructor(space: object, offset: number) {
    this.space = space;
    this.offset = offset;
  }
  /** A name, no more: what a dead owner had is exitFutexes' affair. */
  abandon(): void {}
}

/** True when those who wait here can only be requeued to a lock. */
export function waitsForLock(q: FutexQueue | null): boolean {
  return q !== null && q.head !== null && q.head.cookie === 0;
}

/** FUTEX_WAIT_REQUEUE_PI on checked addresses. 0 when the thread owns the lock. */
export function waitRequeuePi(t: Task, addr: number, lock: number, shared: boolean, val: number): number {
  const call = t.call;
  const mm = t.mm;
  if (call.active && call.a === WOKEN) return 0;
  let err = mm.futexKey(lock, shared);
  if (err !== 0) return err;
  if (call.active && call.b === REQUEUED) {
    t.watch(t.kernel.piFutexes.queue(mm.futexObject, mm.futexOffset), 0, 0);
    const r = t.park();
    if (r === BLOCKED) return BLOCKED;
    return r === TIMED_OUT ? -ETIMEDOUT : -EAGAIN;
  }
  const key = new LockKey(mm.futexObject, mm.futexOffset);
  err = mm.futexKey(addr, shared);
  if (err !== 0) return err;
  if (key.space === mm.futexObject && key.offset === mm.futexOffset) return -EINVAL;
  const value = mm.atomicLoad32(addr);
  if (value === ATOMIC_FAULT) return -EFAULT;
  if (!call.timedOut && !call.interrupted && value !== (val | 0)) return -EAGAIN;
  t.watch(t.kernel.futexes.queue(mm.futexObject, mm.futexOffset), 0, 0);
  const r = t.park();
  if (r === BLOCKED) {
    call.done = lock;
    call.state = key;
    return BLOCKED;
  }
  return r === TIMED_OUT ? -ETIMEDOUT : -ERESTARTNOINTR;
}

/** FUTEX_CMP_REQUEUE_PI on checked addresses: how many waiters own the lock or wait for it now. */
export function cmpRequeuePi(
  t: Task,
  addr: number,
  lock: number,
  shared: boolean,
  wake: number,
  requeue: number,
  expected: number,
): number {
  if (requeue < 0 || wake !== 1) return -EINVAL;
  const mm = t.mm;
  let err = mm.futexKey(lock, shared);
  if (err !== 0) return err;
  const space = mm.futexObject;
  const offset = mm.futexOffset;
  err = mm.futexKey(addr, shared);
  if (err !== 0) return err;
  if (space === mm.futexObject && offset === mm.futexOffset) return -EINVAL;
  const value = mm.atomicLoad32(addr);
  if (value === ATOMIC_FAULT) return -EFAULT;
  if (value !== (expected | 0)) return -EAGAIN;
  const q = t.kernel.futexes.find(mm.futexObject, mm.futexOffset);
  let moved = 0;
  for (let w = q === null ? null : q.head; w !== null && moved <= requeue; moved++) {
    const next: Waiter | null = w.next;
    const key = (w.target as Task).call.state;
    if (w.cookie !== 0 || !(key instanceof LockKey)) return -EINVAL;
    if (key.space !== space || key.offset !== offset) return -EINVAL;
    const r = giveLock(t, w, lock, space, offset);
    if (r < 0) return moved > 0 ? moved : r;
    w = next;
  }
  return moved;
}

/** Makes a waiter the owner of a free lock and wakes it, or lets it wait for the lock. */
function giveLock(t: Task, w: Waiter, lock: number, space: object, offset: number): number {
  const mm = t.mm;
  const waiter = w.target as Task;
  for (let i = 0; i < CAS_TRIES; i++) {
    const value = mm.atomicLoad32(lock);
    if (value === ATOMIC_FAULT) return -EFAULT;
    const tid = value & FUTEX_TID_MASK;
    const free = tid === 0;
    if (tid === waiter.tid) return -EDEADLK;
    const owner = free ? null : t.kernel.pids.task(tid);
    if (!free && (owner === null || owner.dead)) return -ESRCH;
    const wanted = free ? waiter.tid | (value & (FUTEX_OWNER_DIED | FUTEX_WAITERS)) : value | FUTEX_WAITERS;
    const seen = wanted === value ? value : mm.atomicCompareExchange32(lock, value, wanted);
    if (seen === ATOMIC_FAULT) return -EFAULT;
    if (seen !== value) continue;
    if (free) {
      wakeOne(w);
      return 0;
    }
    const to = t.kernel.piFutexes.queue(space, offset);
    to.owner = owner;
    waiter.call.b = REQUEUED;
    to.add(w);
    return 0;
  }
  return -EAGAIN;
}
