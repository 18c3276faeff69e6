// What has been used: getrusage(2), times(2).

import { EFAULT, EINVAL } from '../../../abi/errno.ts';
import { RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD } from '../../../abi/process/resource.ts';
import { SYS_getrusage, SYS_times } from '../../../abi/syscall.ts';
import { encodeTms, SIZEOF_TMS } from '../../../abi/time/times.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import { Usage } from '../../kernel/task/usage.ts';
import { ONE_OF, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { writeRusage } from './user_usage.ts';

const NS_PER_TICK = 1e7;
const usage = new Usage();

/** Adds a live thread's own use. */
function addThread(u: Usage, t: Task): void {
  u.userNs += t.ctx.cpuTimeNs();
  u.voluntarySwitches += t.waits;
  u.minorFaults += t.minorFaults;
}

/** Implements getrusage(2). I/O is not counted. */
function getrusage(t: Task, who: number, addr: number): number {
  const g = t.group;
  usage.reset();
  if (who === RUSAGE_SELF) {
    usage.add(g.deadUsage);
    for (const other of g.threads) if (!other.dead) addThread(usage, other);
    usage.maxRssPages = Math.max(usage.maxRssPages, t.mm.peakRssPages);
  } else if (who === RUSAGE_CHILDREN) usage.add(g.childUsage);
  else if (who === RUSAGE_THREAD) {
    addThread(usage, t);
    usage.maxRssPages = t.mm.peakRssPages;
  } else return -EINVAL;
  return writeRusage(t, addr, usage);
}

/** Implements times(2). */
function times(t: Task, addr: number): number {
  if (addr !== 0) {
    const child = t.group.childUsage;
    encodeTms(scratchView, 0, {
      utime: Math.floor(t.group.cpuNs() / NS_PER_TICK),
      stime: 0,
      cutime: Math.floor(child.userNs / NS_PER_TICK),
      cstime: Math.floor(child.systemNs / NS_PER_TICK),
    });
    if (t.mm.copyOutExact(addr, scratch, 0, SIZEOF_TMS) !== 0) return -EFAULT;
  }
  return Math.floor(t.kernel.time.monotonicNs() / NS_PER_TICK);
}

const WHO = ONE_OF('who', [
  ['RUSAGE_SELF', RUSAGE_SELF],
  ['RUSAGE_CHILDREN', RUSAGE_CHILDREN],
  ['RUSAGE_THREAD', RUSAGE_THREAD],
]);
const NOTE = 'all CPU time counts as user time';

export const rows = [
  sys(SYS_getrusage, [WHO, STRUCT('rusage', true)], getrusage, `${NOTE}; no I/O counts`),
  sys(SYS_times, [STRUCT('tms', true)], times, NOTE),
];
