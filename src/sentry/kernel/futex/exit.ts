// What a dying or exec'ing thread owes to futexes: the robust list, PI futexes that others wait for, and the word of
// CLONE_CHILD_CLEARTID. The list is guest memory: bounded, and a bad pointer just ends the walk.

import {
  FUTEX_OWNER_DIED,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
  ROBUST_LIST_HEAD_FUTEX_OFFSET,
  ROBUST_LIST_HEAD_LIST_OP_PENDING,
  ROBUST_LIST_LIMIT,
  SIZEOF_ROBUST_LIST_HEAD,
} from '../../../abi/ipc/futex.ts';
import { getI64, getU64 } from '../../../abi/u64.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { ATOMIC_FAULT } from '../../mm/atomics.ts';
import type { Task } from '../task/task.ts';
import { handOverPi } from './pi.ts';

/** A compare-and-exchange that guest threads keep winning is given up after this many tries. */
const CAS_TRIES = 1000;

/** Called before the thread leaves its address space. */
export function exitFutexes(t: Task): void {
  if (t.robustList !== 0) {
    const head = t.robustList;
    t.robustList = 0;
    walkRobustList(t, head);
  }
  if (!t.kernel.piFutexes.empty) {
    for (const q of [...t.kernel.piFutexes.all()]) if (q.owner === t) handOverPi(q, FUTEX_OWNER_DIED);
  }
  if (t.clearChildTid !== 0) {
    const addr = t.clearChildTid;
    t.clearChildTid = 0;
    // Nobody is left to look at the word when the address space has no other user.
    if (t.mm.refs > 1 && addr % 4 === 0 && t.mm.atomicStore32(addr, 0) === 0) wakeShared(t, addr);
  }
}

function wakeShared(t: Task, addr: number): void {
  if (t.mm.futexKey(addr, true) === 0) t.kernel.futexes.wake(t.mm.futexObject, t.mm.futexOffset, 1);
}

/** Implements the exit side of get_robust_list(2): marks every lock on the list as left by a dead owner. */
function walkRobustList(t: Task, head: number): void {
  if (t.mm.copyInExact(head, scratch, 0, SIZEOF_ROBUST_LIST_HEAD) !== 0) return;
  const first = getU64(scratchView, 0);
  const offset = getI64(scratchView, ROBUST_LIST_HEAD_FUTEX_OFFSET);
  const pending = getU64(scratchView, ROBUST_LIST_HEAD_LIST_OP_PENDING);
  // Bit 0 of a pointer says that the lock is a PI futex.
  const pendingEntry = pending - (pending % 2);
  let next = first;
  for (let i = 0; i < ROBUST_LIST_LIMIT; i++) {
    const isPi = next % 2 === 1;
    const entry = next - (next % 2);
    if (entry === head) break;
    const fetched = t.mm.copyInExact(entry, scratch, 0, 8) === 0;
    const after = fetched ? getU64(scratchView, 0) : 0;
    if (entry !== pendingEntry && !ownerDied(t, entry + offset, isPi, false)) return;
    if (!fetched) return;
    next = after;
  }
  if (pendingEntry !== 0) ownerDied(t, pendingEntry + offset, pending % 2 === 1, true);
}

/** False when the word cannot be reached. */
function ownerDied(t: Task, addr: number, isPi: boolean, isPending: boolean): boolean {
  if (addr % 4 !== 0 || addr < 0) return false;
  for (let i = 0; i < CAS_TRIES; i++) {
    const value = t.mm.atomicLoad32(addr);
    if (value === ATOMIC_FAULT) return false;
    // The owner had unlocked but not yet woken anybody when it died.
    if (isPending && !isPi && value === 0) {
      wakeShared(t, addr);
      return true;
    }
    if ((value & FUTEX_TID_MASK) !== t.tid) return true;
    const seen = t.mm.atomicCompareExchange32(addr, value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    if (seen === ATOMIC_FAULT) return false;
    if (seen !== value) continue;
    if (!isPi && (value & FUTEX_WAITERS) !== 0) wakeShared(t, addr);
    return true;
  }
  return false;
}
