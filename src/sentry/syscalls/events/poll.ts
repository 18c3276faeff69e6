// poll(2), ppoll(2).

import {
  EFAULT,
  EINTR,
  EINVAL,
  ENOMEM,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTSYS,
} from '../../../abi/errno.ts';
import { POLLFD_EVENTS, POLLFD_REVENTS, SIZEOF_POLLFD } from '../../../abi/events/poll.ts';
import { STICKY_TIMEOUTS } from '../../../abi/process/personality.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import { SYS_poll, SYS_ppoll } from '../../../abi/syscall.ts';
import { getI64, putU64 } from '../../../abi/u64.ts';
import { kernelMemory } from '../../base/charge.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, TIMED_OUT, WAITER_BYTES } from '../../kernel/block.ts';
import { RESTART_POLL } from '../../kernel/signal/state.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, INT, SIZE, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';
import { waitWithMask } from '../sigset.ts';
import { type PollSet, parkedSet, sharedSet } from './pollset.ts';

const NS_PER_MS = 1e6;
const NS_PER_SEC = 1e9;

/** The caller's array. Not the scratch buffer: files are asked for events while it is in use. */
let array = new Uint8Array(64 * SIZEOF_POLLFD);
let arrayView = new DataView(array.buffer);

/** Copies the array in and fills the shared set from it; 0 or -errno. */
function load(t: Task, addr: number, count: number): number {
  if (count > t.rlimit(RLIMIT_NOFILE)) return -EINVAL;
  if (!kernelMemory.fits(count * WAITER_BYTES)) return -ENOMEM;
  const bytes = count * SIZEOF_POLLFD;
  if (bytes > array.length) {
    if (bytes > 0x4000_0000) return -ENOMEM;
    array = new Uint8Array(bytes);
    arrayView = new DataView(array.buffer);
  }
  if (bytes > 0 && t.mem.copyInExact(addr, array, 0, bytes) !== 0) return -EFAULT;
  sharedSet.reset(count);
  for (let i = 0; i < count; i++) {
    const at = i * SIZEOF_POLLFD;
    sharedSet.add(arrayView.getInt32(at, true), arrayView.getUint16(at + POLLFD_EVENTS, true));
  }
  return 0;
}

/** Writes the revents fields; 0 or -EFAULT. A call that waited must not touch what others may have changed since. */
function store(t: Task, set: PollSet, addr: number): number {
  if (set === sharedSet) {
    for (let i = 0; i < set.count; i++)
      arrayView.setUint16(i * SIZEOF_POLLFD + POLLFD_REVENTS, set.found[i]!, true);
    return set.count === 0 ? 0 : t.mem.copyOutExact(addr, array, 0, set.count * SIZEOF_POLLFD);
  }
  for (let i = 0; i < set.count; i++) {
    scratchView.setUint16(0, set.found[i]!, true);
    if (t.mem.copyOutExact(addr + i * SIZEOF_POLLFD + POLLFD_REVENTS, scratch, 0, 2) !== 0) return -EFAULT;
  }
  return 0;
}

/**
 * Waits for events until an absolute CLOCK_MONOTONIC time (0: only looks, Infinity: for ever). The number of ready
 * entries, BLOCKED, -EFAULT, -EINVAL, or -ERESTARTNOHAND when a signal came.
 */
function pollUntil(t: Task, addr: number, count: number, deadlineNs: number): number {
  let set = parkedSet(t);
  if (set === null) {
    const r = load(t, addr, count);
    if (r < 0) return r;
    set = sharedSet;
    t.deadline(deadlineNs);
  }
  let result = set.scan(t);
  if (result === 0) {
    const r = set.park(t);
    if (r === BLOCKED) return BLOCKED;
    result = r === TIMED_OUT ? 0 : r === -ERESTARTSYS ? -ERESTARTNOHAND : r;
  }
  const r = store(t, set, addr);
  if (set !== sharedSet) set.drop(t);
  return r < 0 ? r : result;
}

/** Implements poll(2); the timeout is in milliseconds, negative to wait for ever. */
function poll(t: Task, addr: number, nfds: number, timeoutMs: number): number {
  let at = Number.POSITIVE_INFINITY;
  if (timeoutMs === 0) at = 0;
  else if (timeoutMs > 0 && !t.call.active) at = t.time.monotonicNs() + timeoutMs * NS_PER_MS;
  return pollRestartable(t, addr, nfds >>> 0, at);
}

function pollRestartable(t: Task, addr: number, count: number, deadlineNs: number): number {
  const until = t.call.active ? t.call.deadlineNs : deadlineNs;
  const r = pollUntil(t, addr, count, deadlineNs);
  if (r !== -ERESTARTNOHAND) return r;
  const s = t.signals;
  s.restartKind = RESTART_POLL;
  s.restartDeadlineNs = until;
  s.restartPtr = addr;
  s.restartArg = count;
  return -ERESTART_RESTARTBLOCK;
}

/** restart_syscall(2) of a poll(2) that a signal without a handler interrupted: waits on until the same deadline. */
export function restartPoll(t: Task): number {
  const s = t.signals;
  return pollRestartable(t, s.restartPtr, s.restartArg, s.restartDeadlineNs);
}

/** Writes the time left until the call's deadline to a struct of seconds and a fraction in units of `unitNs`. */
export function storeRemaining(
  t: Task,
  addr: number,
  deadlineNs: number,
  unitNs: number,
  result: number,
): number {
  if ((t.personality & STICKY_TIMEOUTS) === 0) {
    const left = Math.max(0, deadlineNs - t.time.monotonicNs());
    putU64(scratchView, 0, Math.floor(left / NS_PER_SEC));
    putU64(scratchView, 8, Math.floor((left % NS_PER_SEC) / unitNs));
    if (t.mem.copyOutExact(addr, scratch, 0, 16) === 0) return result;
  }
  // The call may not be restarted when the program does not see how much time is left.
  return result === -ERESTARTNOHAND ? -EINTR : result;
}

/** Implements ppoll(2): timeout and signal mask may be NULL; the time left is written back. */
function ppoll(t: Task, addr: number, nfds: number, timeout: number, mask: number, maskSize: number): number {
  let at = Number.POSITIVE_INFINITY;
  if (timeout !== 0 && !t.call.active) {
    if (t.mem.copyInExact(timeout, scratch, 0, 16) !== 0) return -EFAULT;
    const sec = getI64(scratchView, 0);
    const nsec = getI64(scratchView, 8);
    if (sec < 0 || nsec < 0 || nsec >= NS_PER_SEC) return -EINVAL;
    at = sec === 0 && nsec === 0 ? 0 : t.time.monotonicNs() + sec * NS_PER_SEC + nsec;
  }
  const m = waitWithMask(t, mask, maskSize);
  if (m < 0) return m;
  const r = pollUntil(t, addr, nfds >>> 0, at);
  const until = t.call.deadlineNs;
  if (r === BLOCKED || until === Number.POSITIVE_INFINITY || until === 0) return r;
  return storeRemaining(t, timeout, until, 1, r);
}

const POLLFDS = STRUCT('struct pollfd[]', true);
const TIMESPEC = STRUCT('struct timespec');

export const rows = [
  sys(SYS_poll, [POLLFDS, UINT, INT], poll),
  sys(SYS_ppoll, [POLLFDS, UINT, TIMESPEC, ADDR, SIZE], ppoll),
];
