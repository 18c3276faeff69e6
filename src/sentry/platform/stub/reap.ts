// The end of many stubs at once: all are told to die before any is waited for, so that the host takes them down side by
// side, on all its cpus.

import { __WALL, WNOHANG } from '../../../abi/process/wait.ts';
import { SIGKILL } from '../../../abi/signal/signal.ts';
import { SYS_kill, SYS_nanosleep, SYS_wait4 } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { monotonicNs } from '../../../host/clock.ts';
import { hostCall } from '../../../host/syscall.ts';

/** How long the dying are waited for at most: whoever has not made it by then is dying still, and somebody else's to reap. */
const LIMIT_NS = 900e6;
const NAP_NS = 100_000;

const status = HostBuffer.alloc(8);
const nap = HostBuffer.alloc(16);
nap.view.setUint32(8, NAP_NS, true);

/**
 * Kills the processes `pids`, our children, and reaps them. `traced`: threads of theirs are tracees, which are reaped one
 * by one, before their process is.
 */
export function endProcesses(pids: Iterable<number>, traced = false): void {
  const left = new Set(pids);
  for (const pid of left) hostCall(SYS_kill, pid, SIGKILL);
  const end = monotonicNs() + LIMIT_NS;
  while (left.size > 0) {
    if (traced) reapAny(left);
    else for (const pid of left) if (hostCall(SYS_wait4, pid, 0, __WALL | WNOHANG, 0) !== 0) left.delete(pid);
    if (left.size === 0 || monotonicNs() > end) return;
    hostCall(SYS_nanosleep, nap.addr, 0);
  }
}

function reapAny(left: Set<number>): void {
  for (;;) {
    const tid = hostCall(SYS_wait4, -1, status.addr, __WALL | WNOHANG, 0);
    if (tid === 0) return;
    if (tid < 0) {
      left.clear();
      return;
    }
    // A stop from before the kill is no end.
    if ((status.view.getInt32(0, true) & 0xff) !== 0x7f) left.delete(tid);
  }
}
