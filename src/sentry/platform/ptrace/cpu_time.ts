// CPU time of a stub's thread: see host/threads.ts.

import { threadCpuNs as ofOne, processCpuNs } from '../../../host/threads.ts';
import type { HostThread } from './host_thread.ts';

/** Nanoseconds that the thread has run; 0 when the host does not tell. `alone`: it is its process's only thread. */
export function threadCpuNs(thread: HostThread, alone: boolean): number {
  return alone ? processCpuNs(thread.pid) : ofOne(thread.pid, thread.tid);
}
