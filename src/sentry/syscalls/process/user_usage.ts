// struct rusage in guest memory.

import { EFAULT } from '../../../abi/errno.ts';
import { encodeRusage, SIZEOF_RUSAGE } from '../../../abi/process/resource.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { Usage } from '../../kernel/task/usage.ts';

const PAGE_KIB = 4;

/** Writes a struct rusage; 0 or -EFAULT. */
export function writeRusage(t: Task, addr: number, u: Usage): number {
  const utimeSec = Math.floor(u.userNs / 1e9);
  const stimeSec = Math.floor(u.systemNs / 1e9);
  encodeRusage(scratchView, 0, {
    utimeSec,
    utimeUsec: Math.floor((u.userNs - utimeSec * 1e9) / 1000),
    stimeSec,
    stimeUsec: Math.floor((u.systemNs - stimeSec * 1e9) / 1000),
    maxrss: u.maxRssPages * PAGE_KIB,
    ixrss: 0,
    idrss: 0,
    isrss: 0,
    minflt: u.minorFaults,
    majflt: u.majorFaults,
    nswap: 0,
    inblock: 0,
    oublock: 0,
    msgsnd: 0,
    msgrcv: 0,
    nsignals: 0,
    nvcsw: u.voluntarySwitches,
    nivcsw: u.involuntarySwitches,
  });
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_RUSAGE) !== 0 ? -EFAULT : 0;
}
