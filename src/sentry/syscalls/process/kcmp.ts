// kcmp(2).

import { EBADF, EINVAL, EOPNOTSUPP, EPERM, ESRCH } from '../../../abi/errno.ts';
import {
  KCMP_FILE,
  KCMP_FILES,
  KCMP_FS,
  KCMP_IO,
  KCMP_SIGHAND,
  KCMP_SYSVSEM,
  KCMP_VM,
} from '../../../abi/process/kcmp.ts';
import { SYS_kcmp } from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { mayPtrace } from '../../kernel/task/ptrace_access.ts';
import type { Task } from '../../kernel/task/task.ts';
import { LONG, ONE_OF, PID } from '../kinds.ts';
import { sys } from '../row.ts';

/** Numbers objects in the order in which they are first asked about: kcmp needs any fixed order. */
const order = new WeakMap<object, number>();
let nextOrder = 1;

function rank(o: object): number {
  let n = order.get(o);
  if (n === undefined) {
    n = nextOrder++;
    order.set(o, n);
  }
  return n;
}

/** 0 equal, 1 less, 2 greater. */
function compare(a: object | null, b: object | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return 2;
  return rank(a) < rank(b) ? 1 : 2;
}

/** Implements kcmp(2). */
function kcmp(t: Task, pid1: number, pid2: number, type: number, idx1: number, idx2: number): number {
  const a = t.kernel.pids.task(pid1);
  const b = t.kernel.pids.task(pid2);
  if (a === null || b === null) return -ESRCH;
  if (!mayPtrace(t, a) || !mayPtrace(t, b)) return -EPERM;
  switch (type) {
    case KCMP_FILE: {
      const f = a.fds.get(idx1);
      const g = b.fds.get(idx2);
      return f === null || g === null ? -EBADF : compare(f, g);
    }
    case KCMP_VM:
      return compare(a.mm, b.mm);
    case KCMP_FILES:
      return compare(a.fds, b.fds);
    case KCMP_FS:
      return compare(a.fs, b.fs);
    case KCMP_SIGHAND:
      return compare(a.group.handlers, b.group.handlers);
    case KCMP_SYSVSEM:
      return compare(a.semUndo, b.semUndo);
    case KCMP_IO:
      // No I/O contexts: all threads share the one that there is not.
      return 0;
    default:
      countUnsupported(`kcmp ${type}`);
      return type >= 0 && type < 8 ? -EOPNOTSUPP : -EINVAL;
  }
}

const TYPE = ONE_OF('type', [
  ['KCMP_FILE', KCMP_FILE],
  ['KCMP_VM', KCMP_VM],
  ['KCMP_FILES', KCMP_FILES],
  ['KCMP_FS', KCMP_FS],
  ['KCMP_SIGHAND', KCMP_SIGHAND],
  ['KCMP_IO', KCMP_IO],
  ['KCMP_SYSVSEM', KCMP_SYSVSEM],
]);

export const rows = [sys(SYS_kcmp, [PID, PID, TYPE, LONG, LONG], kcmp, 'no KCMP_EPOLL_TFD')];
