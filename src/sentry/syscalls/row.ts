// sys(): makes a row of the system-call table. Each family file ends with its rows.

import type { ArgKind, SyscallRow } from '../kernel/syscall_table.ts';
import type { Task } from '../kernel/task.ts';

/** One row: number, argument kinds in order, handler, and a note when support is partial. */
export function sys(
  nr: number,
  kinds: readonly ArgKind[],
  handler: (t: Task, ...args: number[]) => number,
  note = '',
): SyscallRow {
  let intMask = 0;
  for (let i = 0; i < kinds.length; i++) if (kinds[i]!.int) intMask |= 1 << i;
  return { nr, kinds, handler, note, intMask };
}
