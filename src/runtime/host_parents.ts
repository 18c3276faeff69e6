// Who started a process of the host: proc_pid_stat(5).

import { readFileSync } from 'node:fs';

/** The parent of a process; 0 when nobody can tell. */
export function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may have any bytes: what follows its end is numbers.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}
