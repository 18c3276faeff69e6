// The system-call table: what dispatch, strace and the compatibility page read. Rows come from syscalls/*.ts.

import { syscallName } from '../../abi/syscall.ts';
import type { Task } from './task/task.ts';

/** A handler: arguments are as the row's kinds say, 32-bit signed for int kinds, signed 64-bit as numbers otherwise. */
export type Handler = (
  t: Task,
  a0: number,
  a1: number,
  a2: number,
  a3: number,
  a4: number,
  a5: number,
) => number;

/** Shows argument `index`, whose value is `value`; `result` counts for arguments that are shown at exit. */
export type ArgFormat = (
  t: Task,
  value: number,
  args: ArrayLike<number>,
  result: number,
  index: number,
) => string;

/** How one argument is decoded and shown. */
export interface ArgKind {
  readonly name: string;
  /** An int, unsigned int, fd, mode or pid: only the low 32 bits of the register count. */
  readonly int: boolean;
  /** strace text; called at entry, or at exit when `out` is true (memory that the call fills). */
  readonly format: ArgFormat;
  readonly out: boolean;
}

export interface SyscallRow {
  readonly nr: number;
  readonly kinds: readonly ArgKind[];
  readonly handler: Handler;
  /** What is partial or missing, for the compatibility page; empty when complete. */
  readonly note: string;
  /** Bit i set: argument i is an int kind. */
  readonly intMask: number;
}

export class SyscallTable {
  private readonly rows: (SyscallRow | null)[] = new Array(512).fill(null);

  add(row: SyscallRow): void {
    if (this.rows[row.nr] !== null)
      throw new Error(`system call ${row.nr} (${syscallName(row.nr)}) has two rows`);
    this.rows[row.nr] = row;
  }

  /** The row of a number, or null: guests choose numbers freely. */
  row(nr: number): SyscallRow | null {
    return nr >= 0 && nr < 512 ? this.rows[nr]! : null;
  }

  all(): SyscallRow[] {
    return this.rows.filter((r) => r !== null);
  }
}
