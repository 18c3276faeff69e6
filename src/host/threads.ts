// What the host tells of other threads. CPU time: of a process with one guest thread the process's CPU clock tells
// (clock_getcpuclockid(3)); one of several needs /proc/PID/task/TID/schedstat (first number: ns on a cpu), which costs ten
// times more. And whether a thread sleeps: /proc/PID/task/TID/syscall.

import { SYS_close, SYS_pread64, SYS_read } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostClockNs } from './clock.ts';
import { hostCall } from './syscall.ts';
import { trees } from './trees.ts';

const text = HostBuffer.alloc(128);

/** CPUCLOCK_SCHED of a process: the clock id that the kernel makes of its pid. */
const CPUCLOCK_SCHED = 2;

/** Nanoseconds that a process has run. */
export function processCpuNs(pid: number): number {
  return hostClockNs((~pid << 3) | CPUCLOCK_SCHED);
}

/** Nanoseconds that a thread has run; 0 when the host does not tell. */
export function threadCpuNs(pid: number, tid: number): number {
  const fd = trees.threadFile(pid, tid, 'schedstat');
  if (fd < 0) return 0;
  const n = hostCall(SYS_read, fd, text.addr, 127);
  hostCall(SYS_close, fd);
  let ns = 0;
  for (let i = 0; i < n; i++) {
    const c = text.u8[i]!;
    if (c < 0x30 || c > 0x39) break;
    ns = ns * 10 + (c - 0x30);
  }
  return ns;
}

/** True when the thread sleeps in a system call. */
export function sleepsInCall(pid: number, tid: number): boolean {
  const fd = trees.threadFile(pid, tid, 'syscall');
  if (fd < 0) return false;
  const n = hostCall(SYS_pread64, fd, text.addr, 1, 0);
  hostCall(SYS_close, fd);
  // The number of the call; else "running", or "-1" while it waits for a page.
  return n === 1 && text.u8[0]! >= 0x30 && text.u8[0]! <= 0x39;
}
