// Times in guest memory: struct timespec and struct timeval, read and checked.

import { EFAULT } from '../../abi/errno.ts';
import { getI64, putU64 } from '../../abi/u64.ts';
import { scratch, scratchView } from '../base/scratch.ts';
import type { Task } from '../kernel/task/task.ts';

/** A time that is not valid: negative, or with a fraction of a second or more. Callers return -EINVAL. */
export const BAD_TIME = -1_000_000;
/** Longer times are as good as for ever (Linux saturates at KTIME_MAX); stays exact as a sum with any clock. */
export const LONGEST_NS = 2 ** 52;

/** Seconds and nanoseconds as ns; BAD_TIME when not normal. */
export function toNs(sec: number, nsec: number): number {
  if (sec < 0 || nsec < 0 || nsec >= 1e9) return BAD_TIME;
  return Math.min(LONGEST_NS, sec * 1e9 + nsec);
}

/** A struct timespec as ns; -EFAULT or BAD_TIME. */
export function readTimespecNs(t: Task, addr: number): number {
  if (t.mm.copyInExact(addr, scratch, 0, 16) !== 0) return -EFAULT;
  return toNs(getI64(scratchView, 0), getI64(scratchView, 8));
}

/**
 * A struct timespec that is an absolute time of CLOCK_REALTIME, as the CLOCK_MONOTONIC time of the same moment. -EFAULT or
 * BAD_TIME. The difference is taken in parts: a wall-clock time in ns does not fit a double exactly.
 */
export function readRealtimeDeadline(t: Task, addr: number): number {
  if (t.mm.copyInExact(addr, scratch, 0, 16) !== 0) return -EFAULT;
  const sec = getI64(scratchView, 0);
  const nsec = getI64(scratchView, 8);
  if (sec < 0 || nsec < 0 || nsec >= 1e9) return BAD_TIME;
  return realtimeToMonotonic(t, sec, nsec);
}

/** The CLOCK_MONOTONIC time (ns, at least 0) of a CLOCK_REALTIME time. */
export function realtimeToMonotonic(t: Task, sec: number, nsec: number): number {
  const time = t.kernel.time;
  const mono = time.monotonicNs();
  const nowSec = time.realtimeSec();
  const delta = (sec - nowSec) * 1e9 + (nsec - time.realtimeNsec);
  return Math.max(0, Math.min(LONGEST_NS, mono + delta));
}

/** Writes a struct timespec; 0 or -EFAULT. */
export function writeTimespec(t: Task, addr: number, sec: number, nsec: number): number {
  putU64(scratchView, 0, sec);
  putU64(scratchView, 8, nsec);
  return t.mm.copyOutExact(addr, scratch, 0, 16) !== 0 ? -EFAULT : 0;
}

/** Writes ns as a struct timespec; 0 or -EFAULT. */
export function writeTimespecNs(t: Task, addr: number, ns: number): number {
  const sec = Math.floor(ns / 1e9);
  return writeTimespec(t, addr, sec, Math.floor(ns - sec * 1e9));
}
