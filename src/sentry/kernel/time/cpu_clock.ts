// CPU-time clocks: clock_getcpuclockid(3), pthread_getcpuclockid(3). A negative clock id holds the inverted pid or tid
// above three bits: bit 2 = one thread, bits 0-1 = which time (3: a clock device).

import { EINVAL } from '../../../abi/errno.ts';
import { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID } from '../../../abi/time/time.ts';
import type { Task } from '../task/task.ts';

const PER_THREAD = 4;
const CLOCK_TYPE = 3;
const CLOCK_DEVICE = 3;

/** A thread's CPU time in ns. */
export function threadCpuNs(t: Task): number {
  return t.dead ? t.finalCpuNs : t.ctx.cpuTimeNs();
}

/** The thread whose time a clock id means (of its process, for process clocks); null when there is none. */
export function cpuClockTask(t: Task, clock: number): Task | null {
  if (clock === CLOCK_PROCESS_CPUTIME_ID || clock === CLOCK_THREAD_CPUTIME_ID) return t;
  if (clock >= 0 || (clock & CLOCK_TYPE) === CLOCK_DEVICE) return null;
  const id = ~(clock >> 3);
  if (id === 0) return t;
  const target = t.kernel.pids.task(id);
  if (target === null) return null;
  if ((clock & PER_THREAD) !== 0) return target.group === t.group ? target : null;
  return target.tid === target.tgid ? target : null;
}

/** True when a CPU-time clock id means one thread. */
export function isThreadClock(clock: number): boolean {
  return clock === CLOCK_THREAD_CPUTIME_ID || (clock < 0 && (clock & PER_THREAD) !== 0);
}

/** Reads a CPU-time clock in ns; -EINVAL for what is none. */
export function cpuClockNs(t: Task, clock: number): number {
  const target = cpuClockTask(t, clock);
  if (target === null) return -EINVAL;
  return isThreadClock(clock) ? threadCpuNs(target) : target.group.cpuNs();
}
