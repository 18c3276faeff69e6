// Resource limits of a process: getrlimit(2). Infinity stands for RLIM_INFINITY.

import {
  _STK_LIM,
  MLOCK_LIMIT,
  RLIM_NLIMITS,
  RLIMIT_CORE,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RTPRIO,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
} from '../../../abi/process/resource.ts';

/** The highest RLIMIT_NOFILE (fs.nr_open). */
export const NR_OPEN_MAX = 1048576;
/** RLIMIT_NPROC and RLIMIT_SIGPENDING of a fresh process. */
const DEFAULT_PROCESSES = 15000;

const INF = Number.POSITIVE_INFINITY;

export class Limits {
  private readonly softs: number[] = new Array(RLIM_NLIMITS).fill(INF);
  private readonly hards: number[] = new Array(RLIM_NLIMITS).fill(INF);

  /** The soft limit in the resource's own unit; Infinity when there is none. */
  soft(resource: number): number {
    return this.softs[resource]!;
  }

  hard(resource: number): number {
    return this.hards[resource]!;
  }

  /** Sets both; the caller has checked rights and that soft <= hard. */
  set(resource: number, soft: number, hard: number): void {
    this.softs[resource] = soft;
    this.hards[resource] = hard;
  }

  clone(): Limits {
    const l = new Limits();
    for (let i = 0; i < RLIM_NLIMITS; i++) l.set(i, this.softs[i]!, this.hards[i]!);
    return l;
  }
}

/** The limits of the first process: what a Linux system gives its login shells. */
export function defaultLimits(): Limits {
  const l = new Limits();
  l.set(RLIMIT_STACK, _STK_LIM, INF);
  l.set(RLIMIT_CORE, 0, INF);
  l.set(RLIMIT_NPROC, DEFAULT_PROCESSES, DEFAULT_PROCESSES);
  l.set(RLIMIT_NOFILE, 1024, NR_OPEN_MAX);
  l.set(RLIMIT_MEMLOCK, MLOCK_LIMIT, MLOCK_LIMIT);
  l.set(RLIMIT_SIGPENDING, DEFAULT_PROCESSES, DEFAULT_PROCESSES);
  l.set(RLIMIT_MSGQUEUE, 819200, 819200);
  l.set(RLIMIT_NICE, 0, 0);
  l.set(RLIMIT_RTPRIO, 0, 0);
  return l;
}
