// sys(): makes a row of the system-call table. Each family file ends with its rows.

import type { ArgKind, SyscallRow } from '../kernel/syscall_table.ts';
import { anyHold, mayChangeMappings } from '../kernel/task/holds.ts';
import type { Task } from '../kernel/task/task.ts';

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

/** The row of a call that changes mappings: it waits until no other thread's call does so in slices (kernel/task/holds.ts). */
export function inTurn(row: SyscallRow): SyscallRow {
  const { handler } = row;
  return {
    ...row,
    handler: (t, a0, a1, a2, a3, a4, a5) => {
      if (anyHold() || t.call.active) {
        const r = mayChangeMappings(t);
        if (r !== 0) return r;
      }
      return handler(t, a0, a1, a2, a3, a4, a5);
    },
  };
}
