// select(2), pselect6(2). Descriptor sets are bitmaps of 64-bit words.

import { EBADF, EFAULT, EINVAL, ERESTARTNOHAND, ERESTARTSYS } from '../../../abi/errno.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../../../abi/events/poll.ts';
import { SYS_pselect6, SYS_select } from '../../../abi/syscall.ts';
import { getI64, getU64 } from '../../../abi/u64.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, TIMED_OUT } from '../../kernel/block.ts';
import type { Task } from '../../kernel/task/task.ts';
import { INT, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { waitWithMask } from '../sigset.ts';
import { storeRemaining } from './poll.ts';
import { type PollSet, parkedSet, sharedSet } from './pollset.ts';

const NS_PER_SEC = 1e9;
const NS_PER_USEC = 1000;
const USEC_PER_SEC = 1e6;

/** POLLIN_SET, POLLOUT_SET and POLLEX_SET of Linux: the events that make a descriptor count for each set. */
const READ_SET = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
const WRITE_SET = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
const EXCEPT_SET = POLLPRI;
const SETS = [READ_SET, WRITE_SET, EXCEPT_SET];

/** Which of the three sets an entry was in, kept above the poll bits of PollSet.wanted. */
const SET_SHIFT = 16;

/** Copies of the sets, one after the other, each `setBytes` long. */
let bitmaps = new Uint8Array(3 * 128);

/** Fills the shared set from the caller's three bitmaps; 0 or -EFAULT. */
function load(t: Task, n: number, addrs: readonly number[]): number {
  const setBytes = Math.ceil(n / 64) * 8;
  if (bitmaps.length < 3 * setBytes) bitmaps = new Uint8Array(3 * setBytes);
  for (let s = 0; s < 3; s++) {
    const addr = addrs[s]!;
    if (addr === 0) bitmaps.fill(0, s * setBytes, (s + 1) * setBytes);
    else if (setBytes > 0 && t.mem.copyInExact(addr, bitmaps, s * setBytes, setBytes) !== 0) return -EFAULT;
  }
  sharedSet.reset(n);
  for (let byte = 0; byte * 8 < n; byte++) {
    const r = bitmaps[byte]!;
    const w = bitmaps[setBytes + byte]!;
    const x = bitmaps[2 * setBytes + byte]!;
    if ((r | w | x) === 0) continue;
    for (let bit = 0; bit < 8 && byte * 8 + bit < n; bit++) {
      const which = ((r >> bit) & 1) | (((w >> bit) & 1) << 1) | (((x >> bit) & 1) << 2);
      if (which === 0) continue;
      let wanted = which << SET_SHIFT;
      for (let s = 0; s < 3; s++) if ((which & (1 << s)) !== 0) wanted |= SETS[s]!;
      sharedSet.add(byte * 8 + bit, wanted);
    }
  }
  return 0;
}

/** Bits set in the results of all three sets; -1 when an entry turned out not to be open. */
function countBits(set: PollSet): number {
  let bits = 0;
  for (let i = 0; i < set.count; i++) {
    const found = set.found[i]!;
    if (found === 0) continue;
    if ((found & POLLNVAL) !== 0) return -1;
    const which = set.wanted[i]! >> SET_SHIFT;
    for (let s = 0; s < 3; s++) if ((which & (1 << s)) !== 0 && (found & SETS[s]!) !== 0) bits++;
  }
  return bits;
}

/** Writes the three result bitmaps; 0 or -EFAULT. */
function store(t: Task, set: PollSet, n: number, addrs: readonly number[]): number {
  const setBytes = Math.ceil(n / 64) * 8;
  if (bitmaps.length < 3 * setBytes) bitmaps = new Uint8Array(3 * setBytes);
  bitmaps.fill(0, 0, 3 * setBytes);
  for (let i = 0; i < set.count; i++) {
    const which = set.wanted[i]! >> SET_SHIFT;
    const fd = set.fds[i]!;
    for (let s = 0; s < 3; s++)
      if ((which & (1 << s)) !== 0 && (set.found[i]! & SETS[s]!) !== 0)
        bitmaps[s * setBytes + (fd >> 3)]! |= 1 << (fd & 7);
  }
  for (let s = 0; s < 3; s++)
    if (
      addrs[s] !== 0 &&
      setBytes > 0 &&
      t.mem.copyOutExact(addrs[s]!, bitmaps, s * setBytes, setBytes) !== 0
    )
      return -EFAULT;
  return 0;
}

/** What select and pselect6 share: bits set, 0 at the deadline, BLOCKED, -EBADF, -EFAULT, -EINVAL, -ERESTARTNOHAND. */
function selectUntil(t: Task, nfds: number, addrs: readonly number[], deadlineNs: number): number {
  if (nfds < 0) return -EINVAL;
  // As on Linux, descriptors beyond the table are not looked at; a table has at least 64 slots.
  const slots = Math.max(64, Math.ceil(t.fds.length / 64) * 64);
  const parked = parkedSet(t);
  // A parked call keeps its bound: the table may have grown since.
  const n = parked !== null ? t.call.a : Math.min(nfds, slots);
  let set = parked;
  if (set === null) {
    const r = load(t, n, addrs);
    if (r < 0) return r;
    set = sharedSet;
    t.deadline(deadlineNs);
  }
  set.scan(t);
  let result = countBits(set);
  if (result === 0) {
    const r = set.park(t);
    if (r === BLOCKED) {
      t.call.a = n;
      return BLOCKED;
    }
    result = r === TIMED_OUT ? 0 : r === -ERESTARTSYS ? -ERESTARTNOHAND : r;
  } else if (result < 0) result = -EBADF;
  // A call that fails leaves the sets as they were.
  const r = result >= 0 ? store(t, set, n, addrs) : 0;
  if (set !== sharedSet) set.drop(t);
  return r < 0 ? r : result;
}

/** Ends a call that is not parked: tells the time left. */
function finish(t: Task, timeout: number, unitNs: number, result: number): number {
  const until = t.call.deadlineNs;
  if (result === BLOCKED || until === Number.POSITIVE_INFINITY || until === 0) return result;
  return storeRemaining(t, timeout, until, unitNs, result);
}

/** Implements select(2): the timeout is a struct timeval or NULL; the time left is written back. */
function select(t: Task, nfds: number, r: number, w: number, x: number, timeout: number): number {
  let at = Number.POSITIVE_INFINITY;
  if (timeout !== 0 && !t.call.active) {
    if (t.mem.copyInExact(timeout, scratch, 0, 16) !== 0) return -EFAULT;
    const usec = getI64(scratchView, 8);
    const sec = getI64(scratchView, 0) + Math.trunc(usec / USEC_PER_SEC);
    const rest = usec % USEC_PER_SEC;
    if (sec < 0 || rest < 0) return -EINVAL;
    at = sec === 0 && rest === 0 ? 0 : t.time.monotonicNs() + sec * NS_PER_SEC + rest * NS_PER_USEC;
  }
  return finish(t, timeout, NS_PER_USEC, selectUntil(t, nfds, [r, w, x], at));
}

/** Implements pselect6(2): a struct timespec, and a pointer to {mask address, mask size}. */
function pselect6(
  t: Task,
  nfds: number,
  r: number,
  w: number,
  x: number,
  timeout: number,
  sig: number,
): number {
  let at = Number.POSITIVE_INFINITY;
  if (!t.call.active) {
    let mask = 0;
    let size = 0;
    if (sig !== 0) {
      if (t.mem.copyInExact(sig, scratch, 0, 16) !== 0) return -EFAULT;
      mask = getU64(scratchView, 0);
      size = getU64(scratchView, 8);
    }
    if (timeout !== 0) {
      if (t.mem.copyInExact(timeout, scratch, 0, 16) !== 0) return -EFAULT;
      const sec = getI64(scratchView, 0);
      const nsec = getI64(scratchView, 8);
      if (sec < 0 || nsec < 0 || nsec >= NS_PER_SEC) return -EINVAL;
      at = sec === 0 && nsec === 0 ? 0 : t.time.monotonicNs() + sec * NS_PER_SEC + nsec;
    }
    const m = waitWithMask(t, mask, size);
    if (m < 0) return m;
  }
  return finish(t, timeout, 1, selectUntil(t, nfds, [r, w, x], at));
}

const FD_SET = STRUCT('fd_set', true);

export const rows = [
  sys(SYS_select, [INT, FD_SET, FD_SET, FD_SET, STRUCT('struct timeval', true)], select),
  sys(
    SYS_pselect6,
    [INT, FD_SET, FD_SET, FD_SET, STRUCT('struct timespec', true), STRUCT('struct sigset_argpack')],
    pselect6,
  ),
];
