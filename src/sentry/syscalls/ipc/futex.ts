// futex(2), futex_waitv(2), set_robust_list(2), get_robust_list(2).

import {
  EAGAIN,
  EFAULT,
  EINVAL,
  ENOSYS,
  EPERM,
  ERESTART_RESTARTBLOCK,
  ERESTARTSYS,
  ESRCH,
  ETIMEDOUT,
} from '../../../abi/errno.ts';
import {
  decodeFutexWaitv,
  FUTEX_BITSET_MATCH_ANY,
  FUTEX_CLOCK_REALTIME,
  FUTEX_CMD_MASK,
  FUTEX_CMP_REQUEUE,
  FUTEX_CMP_REQUEUE_PI,
  FUTEX_LOCK_PI,
  FUTEX_LOCK_PI2,
  FUTEX_OP_ADD,
  FUTEX_OP_ANDN,
  FUTEX_OP_CMP_EQ,
  FUTEX_OP_CMP_GE,
  FUTEX_OP_CMP_GT,
  FUTEX_OP_CMP_LE,
  FUTEX_OP_CMP_LT,
  FUTEX_OP_CMP_NE,
  FUTEX_OP_OPARG_SHIFT,
  FUTEX_OP_OR,
  FUTEX_OP_SET,
  FUTEX_OP_XOR,
  FUTEX_PRIVATE_FLAG,
  FUTEX_REQUEUE,
  FUTEX_TRYLOCK_PI,
  FUTEX_UNLOCK_PI,
  FUTEX_WAIT,
  FUTEX_WAIT_BITSET,
  FUTEX_WAIT_REQUEUE_PI,
  FUTEX_WAITV_MAX,
  FUTEX_WAKE,
  FUTEX_WAKE_BITSET,
  FUTEX_WAKE_OP,
  FUTEX2_PRIVATE,
  FUTEX2_SIZE_MASK,
  FUTEX2_SIZE_U32,
  SIZEOF_FUTEX_WAITV,
  SIZEOF_ROBUST_LIST_HEAD,
} from '../../../abi/ipc/futex.ts';
import {
  SYS_futex,
  SYS_futex_waitv,
  SYS_get_robust_list,
  SYS_set_robust_list,
} from '../../../abi/syscall.ts';
import { CLOCK_MONOTONIC, CLOCK_REALTIME } from '../../../abi/time/time.ts';
import { putU64 } from '../../../abi/u64.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, TIMED_OUT } from '../../kernel/block.ts';
import { WOKEN } from '../../kernel/futex/futex.ts';
import { lockPi, unlockPi } from '../../kernel/futex/pi.ts';
import { cmpRequeuePi, waitRequeuePi, waitsForLock } from '../../kernel/futex/requeue_pi.ts';
import { RESTART_FUTEX } from '../../kernel/signal/state.ts';
import { mayPtrace } from '../../kernel/task/ptrace_access.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ATOMIC_FAULT } from '../../mm/atomics.ts';
import { ADDR, HEX, INT, ONE_OF, PID, SIZE, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';
import { BAD_TIME, readRealtimeDeadline, readTimespecNs } from '../user_time.ts';

const CAS_TRIES = 1000;
const NEVER = Number.POSITIVE_INFINITY;

/** Resolves a futex address; the key is then in mm.futexObject and mm.futexOffset. */
function key(t: Task, addr: number, shared: boolean): number {
  return addr % 4 !== 0 ? -EINVAL : t.mm.futexKey(addr, shared);
}

/**
 * Waits until the word is woken: 0, -EAGAIN when it does not hold `val`, -ETIMEDOUT, or a restart code. `deadlineNs` is
 * on CLOCK_MONOTONIC.
 */
function wait(
  t: Task,
  addr: number,
  shared: boolean,
  val: number,
  deadlineNs: number,
  bitset: number,
): number {
  if (bitset === 0) return -EINVAL;
  const call = t.call;
  if (call.active && call.a === WOKEN) return 0;
  const err = key(t, addr, shared);
  if (err !== 0) return err;
  const value = t.mm.atomicLoad32(addr);
  if (value === ATOMIC_FAULT) return -EFAULT;
  if (!call.timedOut && !call.interrupted && value !== (val | 0)) return -EAGAIN;
  t.deadline(deadlineNs);
  t.watch(t.kernel.futexes.queue(t.mm.futexObject, t.mm.futexOffset), 0, bitset | 0);
  const r = t.park();
  if (r === BLOCKED) return BLOCKED;
  if (r === TIMED_OUT) return -ETIMEDOUT;
  if (call.deadlineNs === NEVER) return -ERESTARTSYS;
  const s = t.signals;
  s.restartKind = RESTART_FUTEX;
  s.restartPtr = addr;
  s.restartArg = val;
  s.restartArg2 = bitset;
  s.restartClock = shared ? 1 : 0;
  s.restartDeadlineNs = call.deadlineNs;
  return -ERESTART_RESTARTBLOCK;
}

/** restart_syscall(2) of an interrupted wait with a timeout. */
export function restartFutex(t: Task): number {
  const s = t.signals;
  return wait(t, s.restartPtr, s.restartClock === 1, s.restartArg, s.restartDeadlineNs, s.restartArg2);
}

function wake(t: Task, addr: number, shared: boolean, count: number, bitset: number): number {
  if (bitset === 0) return -EINVAL;
  const err = key(t, addr, shared);
  if (err !== 0) return err;
  const { futexObject, futexOffset } = t.mm;
  // A waiter for a lock is not to be woken by somebody who does not hand it over.
  if (!t.kernel.piFutexes.empty && t.kernel.piFutexes.find(futexObject, futexOffset) !== null) return -EINVAL;
  if (waitsForLock(t.kernel.futexes.find(futexObject, futexOffset))) return -EINVAL;
  // Linux wakes one waiter when asked for none.
  return t.kernel.futexes.wake(futexObject, futexOffset, Math.max(1, count), bitset | 0);
}

function requeue(
  t: Task,
  addr: number,
  shared: boolean,
  wakeCount: number,
  moveCount: number,
  addr2: number,
  expected: number | null,
): number {
  if (wakeCount < 0 || moveCount < 0) return -EINVAL;
  let err = key(t, addr2, shared);
  if (err !== 0) return err;
  const space2 = t.mm.futexObject;
  const offset2 = t.mm.futexOffset;
  err = key(t, addr, shared);
  if (err !== 0) return err;
  if (expected !== null) {
    const value = t.mm.atomicLoad32(addr);
    if (value === ATOMIC_FAULT) return -EFAULT;
    if (value !== (expected | 0)) return -EAGAIN;
  }
  const futexes = t.kernel.futexes;
  if (waitsForLock(futexes.find(t.mm.futexObject, t.mm.futexOffset))) return -EINVAL;
  const woken = wakeCount === 0 ? 0 : futexes.wake(t.mm.futexObject, t.mm.futexOffset, wakeCount);
  const rest = futexes.find(t.mm.futexObject, t.mm.futexOffset);
  const moved = futexes.requeue(rest, space2, offset2, moveCount);
  return woken + moved;
}

/** The arithmetic of FUTEX_WAKE_OP; the new value, or NaN for an unknown operation. */
function applyOp(op: number, old: number, arg: number): number {
  switch (op) {
    case FUTEX_OP_SET:
      return arg;
    case FUTEX_OP_ADD:
      return (old + arg) | 0;
    case FUTEX_OP_OR:
      return old | arg;
    case FUTEX_OP_ANDN:
      return old & ~arg;
    case FUTEX_OP_XOR:
      return old ^ arg;
    default:
      return Number.NaN;
  }
}

function compareOp(cmp: number, old: number, arg: number): boolean {
  switch (cmp) {
    case FUTEX_OP_CMP_EQ:
      return old === arg;
    case FUTEX_OP_CMP_NE:
      return old !== arg;
    case FUTEX_OP_CMP_LT:
      return old < arg;
    case FUTEX_OP_CMP_LE:
      return old <= arg;
    case FUTEX_OP_CMP_GT:
      return old > arg;
    default:
      return old >= arg;
  }
}

function wakeOp(
  t: Task,
  addr: number,
  shared: boolean,
  count: number,
  count2: number,
  addr2: number,
  encoded: number,
): number {
  let err = key(t, addr, shared);
  if (err !== 0) return err;
  const space1 = t.mm.futexObject;
  const offset1 = t.mm.futexOffset;
  err = key(t, addr2, shared);
  if (err !== 0) return err;
  const space2 = t.mm.futexObject;
  const offset2 = t.mm.futexOffset;

  const op = (encoded >>> 28) & 7;
  const cmp = (encoded >>> 24) & 15;
  let opArg = (encoded << 8) >> 20;
  const cmpArg = (encoded << 20) >> 20;
  if (((encoded >>> 28) & FUTEX_OP_OPARG_SHIFT) !== 0) opArg = 1 << (opArg & 31);
  if (cmp > FUTEX_OP_CMP_GE || op > FUTEX_OP_XOR) return -ENOSYS;
  let old = 0;
  for (let i = 0; ; i++) {
    if (i === CAS_TRIES) return -EAGAIN;
    old = t.mm.atomicLoad32(addr2);
    if (old === ATOMIC_FAULT) return -EFAULT;
    const seen = t.mm.atomicCompareExchange32(addr2, old, applyOp(op, old, opArg));
    if (seen === ATOMIC_FAULT) return -EFAULT;
    if (seen === old) break;
  }
  let woken = t.kernel.futexes.wake(space1, offset1, Math.max(1, count));
  if (compareOp(cmp, old, cmpArg)) woken += t.kernel.futexes.wake(space2, offset2, Math.max(1, count2));
  return woken;
}

/** The deadline of a timed operation at its first run; -EFAULT or -EINVAL. Retries do not look at memory again. */
function deadlineOf(t: Task, timeout: number, relative: boolean, realtime: boolean): number {
  if (timeout === 0) return NEVER;
  if (t.call.active) return t.call.deadlineNs;
  const ns = !relative && realtime ? readRealtimeDeadline(t, timeout) : readTimespecNs(t, timeout);
  if (ns < 0) return ns === BAD_TIME ? -EINVAL : ns;
  return relative ? t.kernel.time.monotonicNs() + ns : ns;
}

/** Implements futex(2). */
function futex(
  t: Task,
  addr: number,
  op: number,
  val: number,
  timeout: number,
  addr2: number,
  val3: number,
): number {
  const cmd = op & FUTEX_CMD_MASK;
  const shared = (op & FUTEX_PRIVATE_FLAG) === 0;
  const realtime = (op & FUTEX_CLOCK_REALTIME) !== 0;
  if (
    realtime &&
    cmd !== FUTEX_WAIT_BITSET &&
    cmd !== FUTEX_WAIT_REQUEUE_PI &&
    cmd !== FUTEX_LOCK_PI2 &&
    cmd !== FUTEX_WAIT
  ) {
    return -ENOSYS;
  }
  switch (cmd) {
    case FUTEX_WAIT: {
      const at = deadlineOf(t, timeout, true, false);
      return at < 0 ? at : wait(t, addr, shared, val, at, FUTEX_BITSET_MATCH_ANY);
    }
    case FUTEX_WAIT_BITSET: {
      const at = deadlineOf(t, timeout, false, realtime);
      return at < 0 ? at : wait(t, addr, shared, val, at, val3);
    }
    case FUTEX_WAKE:
      return wake(t, addr, shared, val, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
      return wake(t, addr, shared, val, val3);
    // In these the timeout argument is a count.
    case FUTEX_REQUEUE:
      return requeue(t, addr, shared, val, timeout | 0, addr2, null);
    case FUTEX_CMP_REQUEUE:
      return requeue(t, addr, shared, val, timeout | 0, addr2, val3);
    case FUTEX_WAKE_OP:
      return wakeOp(t, addr, shared, val, timeout | 0, addr2, val3);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: {
      // FUTEX_LOCK_PI's clock is CLOCK_REALTIME without being asked for.
      const at = deadlineOf(t, timeout, false, realtime || cmd === FUTEX_LOCK_PI);
      if (at < 0) return at;
      const err = key(t, addr, shared);
      if (err !== 0) return err;
      t.deadline(at);
      return lockPi(t, addr, true);
    }
    case FUTEX_TRYLOCK_PI: {
      const err = key(t, addr, shared);
      return err !== 0 ? err : lockPi(t, addr, false);
    }
    case FUTEX_UNLOCK_PI: {
      const err = key(t, addr, shared);
      return err !== 0 ? err : unlockPi(t, addr);
    }
    case FUTEX_WAIT_REQUEUE_PI: {
      const at = deadlineOf(t, timeout, false, realtime);
      if (at < 0) return at;
      if (addr % 4 !== 0 || addr2 % 4 !== 0) return -EINVAL;
      t.deadline(at);
      return waitRequeuePi(t, addr, addr2, shared, val);
    }
    case FUTEX_CMP_REQUEUE_PI:
      if (addr % 4 !== 0 || addr2 % 4 !== 0) return -EINVAL;
      return cmpRequeuePi(t, addr, addr2, shared, val, timeout | 0, val3);
    default:
      return -ENOSYS;
  }
}

/** Implements futex_waitv(2): the index of the word that was woken. */
function futex_waitv(
  t: Task,
  addr: number,
  count: number,
  flags: number,
  timeout: number,
  clock: number,
): number {
  if (flags !== 0 || count < 1 || count > FUTEX_WAITV_MAX) return -EINVAL;
  const call = t.call;
  if (call.active && call.a === WOKEN) return call.b;
  let at = NEVER;
  if (timeout !== 0) {
    if (clock !== CLOCK_MONOTONIC && clock !== CLOCK_REALTIME) return -EINVAL;
    at = deadlineOf(t, timeout, false, clock === CLOCK_REALTIME);
    if (at < 0) return at;
  }
  if (t.mm.copyInExact(addr, scratch, 0, count * SIZEOF_FUTEX_WAITV) !== 0) return -EFAULT;
  const words = [];
  for (let i = 0; i < count; i++) words.push(decodeFutexWaitv(scratchView, i * SIZEOF_FUTEX_WAITV));
  for (const w of words) {
    if (w.reserved !== 0 || (w.flags & ~(FUTEX2_PRIVATE | FUTEX2_SIZE_MASK)) !== 0) return -EINVAL;
    if ((w.flags & FUTEX2_SIZE_MASK) !== FUTEX2_SIZE_U32) return -EINVAL;
  }
  t.deadline(at);
  for (const w of words) {
    const err = key(t, w.uaddr, (w.flags & FUTEX2_PRIVATE) === 0);
    const value = err === 0 ? t.mm.atomicLoad32(w.uaddr) : 0;
    if (err !== 0 || value === ATOMIC_FAULT) {
      t.unwatch();
      return err !== 0 ? err : -EFAULT;
    }
    if (!call.timedOut && !call.interrupted && value !== (w.val | 0)) {
      t.unwatch();
      return -EAGAIN;
    }
    t.watch(t.kernel.futexes.queue(t.mm.futexObject, t.mm.futexOffset), 0, FUTEX_BITSET_MATCH_ANY | 0);
  }
  const r = t.park();
  if (r === BLOCKED) return BLOCKED;
  return r === TIMED_OUT ? -ETIMEDOUT : -ERESTARTSYS;
}

/** Implements set_robust_list(2). */
function set_robust_list(t: Task, head: number, len: number): number {
  if (len !== SIZEOF_ROBUST_LIST_HEAD) return -EINVAL;
  t.robustList = head;
  return 0;
}

/** Implements get_robust_list(2). */
function get_robust_list(t: Task, pid: number, headPtr: number, lenPtr: number): number {
  const target = pid === 0 ? t : t.kernel.pids.task(pid);
  if (target === null) return -ESRCH;
  if (!mayPtrace(t, target)) return -EPERM;
  putU64(scratchView, 0, SIZEOF_ROBUST_LIST_HEAD);
  if (t.mm.copyOutExact(lenPtr, scratch, 0, 8) !== 0) return -EFAULT;
  putU64(scratchView, 0, target.robustList);
  return t.mm.copyOutExact(headPtr, scratch, 0, 8) !== 0 ? -EFAULT : 0;
}

const OP_NAMES = (
  [
    ['FUTEX_WAIT', FUTEX_WAIT],
    ['FUTEX_WAKE', FUTEX_WAKE],
    ['FUTEX_REQUEUE', FUTEX_REQUEUE],
    ['FUTEX_CMP_REQUEUE', FUTEX_CMP_REQUEUE],
    ['FUTEX_WAKE_OP', FUTEX_WAKE_OP],
    ['FUTEX_LOCK_PI', FUTEX_LOCK_PI],
    ['FUTEX_UNLOCK_PI', FUTEX_UNLOCK_PI],
    ['FUTEX_TRYLOCK_PI', FUTEX_TRYLOCK_PI],
    ['FUTEX_WAIT_BITSET', FUTEX_WAIT_BITSET],
    ['FUTEX_WAKE_BITSET', FUTEX_WAKE_BITSET],
    ['FUTEX_LOCK_PI2', FUTEX_LOCK_PI2],
    ['FUTEX_WAIT_REQUEUE_PI', FUTEX_WAIT_REQUEUE_PI],
    ['FUTEX_CMP_REQUEUE_PI', FUTEX_CMP_REQUEUE_PI],
  ] as const
).flatMap(([name, op]): [string, number][] => [
  [name, op],
  [`${name}_PRIVATE`, op | FUTEX_PRIVATE_FLAG],
  [`${name}|FUTEX_CLOCK_REALTIME`, op | FUTEX_CLOCK_REALTIME],
  [`${name}_PRIVATE|FUTEX_CLOCK_REALTIME`, op | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME],
]);

export const rows = [
  sys(
    SYS_futex,
    [ADDR, ONE_OF('op', OP_NAMES), INT, ADDR, ADDR, INT],
    futex,
    'PI locks do not boost priorities',
  ),
  sys(SYS_futex_waitv, [STRUCT('futex_waitv'), UINT, HEX, STRUCT('timespec'), INT], futex_waitv),
  sys(SYS_set_robust_list, [ADDR, SIZE], set_robust_list),
  sys(SYS_get_robust_list, [PID, ADDR, ADDR], get_robust_list),
];
