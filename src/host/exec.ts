// This process becomes another program: execve(2).

import { SYS_execve } from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

/** What execve(2) takes, in memory that stays: an array of pointers that ends with a null, and the byte strings behind it. */
export function layStrings(strings: readonly string[]): HostBuffer {
  const size = strings.reduce((sum, s) => sum + s.length + 1, 0);
  const table = 8 * (strings.length + 1);
  const b = HostBuffer.alloc(table + size);
  let at = table;
  strings.forEach((s, i) => {
    putU64(b.view, 8 * i, b.putString(s, at));
    at += s.length + 1;
  });
  putU64(b.view, 8 * strings.length, 0);
  return b;
}

/**
 * Runs the program at `path` in place of this one, with its pid and descriptors; what was in memory is gone. Strings are byte strings.
 * Comes back only when that is not possible, with -errno.
 */
export function hostExec(path: string, argv: readonly string[], env: readonly string[]): number {
  const file = layStrings([path]);
  // SAFETY: the pointers lead into buffers that live as long as the process, each string ends with a NUL.
  return hostCall(SYS_execve, file.addr + 16, layStrings(argv).addr, layStrings(env).addr);
}
