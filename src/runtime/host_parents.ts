// Who started a process of the host: proc_pid_stat(5).

import { SYS_close, SYS_pread64 } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import { hostCall } from '../host/syscall.ts';
import { trees } from '../host/trees.ts';
import { bytesToString } from '../sentry/base/bytes.ts';

const text = HostBuffer.alloc(512);

/** The parent of a process; 0 when nobody can tell. */
export function parentOf(pid: number): number {
  const fd = trees.threadFile(pid, pid, 'stat');
  if (fd < 0) return 0;
  const n = hostCall(SYS_pread64, fd, text.addr, text.size, 0);
  hostCall(SYS_close, fd);
  const stat = bytesToString(text.u8, 0, Math.max(n, 0));
  // The name, in parentheses, may have any bytes: what follows its end is numbers.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) || 0;
}
