// CPU time of a stub's thread. Of a process with one thread its CPU clock tells (clock_getcpuclockid(3)); a single
// thread of several needs /proc/PID/task/TID/schedstat (first number: ns on a cpu), which costs ten times more.

import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from '../../../abi/fs/fcntl.ts';
import { SYS_close, SYS_openat, SYS_read } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostClockNs } from '../../../host/clock.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { HostThread } from './host_thread.ts';

const path = HostBuffer.alloc(64);
const text = HostBuffer.alloc(128);

/** CPUCLOCK_SCHED of a process: the clock id that the kernel makes of its pid. */
const CPUCLOCK_SCHED = 2;

/** Nanoseconds that the thread has run; 0 when the host does not tell. `alone`: it is its process's only thread. */
export function threadCpuNs(thread: HostThread, alone: boolean): number {
  if (alone) return hostClockNs((~thread.pid << 3) | CPUCLOCK_SCHED);

  path.putString(`/proc/${thread.pid}/task/${thread.tid}/schedstat`);
  const fd = hostCall(SYS_openat, AT_FDCWD, path.addr, O_RDONLY | O_CLOEXEC, 0);
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
