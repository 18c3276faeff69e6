// Assembles the system-call table from the families.

import { SyscallTable } from '../kernel/syscall_table.ts';
import type { SyscallRow } from '../kernel/syscall_table.ts';

const families: readonly (readonly SyscallRow[])[] = [];

/** A fresh table with every system call that the kernel serves. */
export function makeSyscallTable(): SyscallTable {
  const table = new SyscallTable();
  for (const rows of families) for (const row of rows) table.add(row);
  return table;
}
