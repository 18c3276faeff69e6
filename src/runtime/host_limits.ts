// Limits of the host under which no sandbox can start: said before anything is tried, with the fix.

import { readFileSync } from 'node:fs';
import { RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_NPROC } from '../abi/process/resource.ts';
import { hostLimit, maxHostFiles, raiseHostLimit } from '../host/limits.ts';

/** Node.js has eighteen descriptors, the Sentry twenty, and every process and open directory of the guest one. */
const LEAST_FILES = 48;
/** What is asked for when there are fewer: enough for programs that start a few others. */
const ENOUGH_FILES = 64;
/** Guest memory is a file of the host that is as large, though never written to a disk. */
const LEAST_FILE_BYTES = 32 * 2 ** 20;

/** What is too small for any sandbox, and the fix, in one line; null when all is well. */
export function limitTooSmall(): string | null {
  if (maxHostFiles < LEAST_FILES)
    return `${maxHostFiles} open files are too few; fix: raise "ulimit -n" to ${ENOUGH_FILES} or more`;
  // The soft limits are the guest's business, and have been noted.
  raiseHostLimit(RLIMIT_AS);
  raiseHostLimit(RLIMIT_FSIZE);
  const fileBytes = hostLimit(RLIMIT_FSIZE);
  if (fileBytes < LEAST_FILE_BYTES)
    return `files may have ${fileBytes} bytes, which is too few for guest memory; fix: "ulimit -f unlimited"`;
  return null;
}

/** Threads that a sandbox may have where the host bears them. */
const MOST_TASKS = 2048;
/** Even on the smallest of hosts. */
const LEAST_TASKS = 64;
/** A process of the guest is one of the host, with two threads. */
const HOST_TASKS_EACH = 2;
/** What part of what the host can do one sandbox takes by default. */
const HOST_SHARE = 1 / 8;
/** A sleeping process of the guest: kernel stacks, page tables and descriptors of its stub, and the Sentry's own objects. */
const BYTES_EACH = 384 * 2 ** 10;
const MEMORY_SHARE = 1 / 4;

function hostNumber(path: string): number {
  try {
    const n = Number.parseInt(readFileSync(path, 'latin1'), 10);
    return n > 0 ? n : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** How many threads a sandbox may have when nobody says so; `memoryBytes` is what its guests may use. */
export function defaultTasks(memoryBytes: number): number {
  const host = Math.min(
    hostNumber('/proc/sys/kernel/pid_max'),
    hostNumber('/proc/sys/kernel/threads-max'),
    hostNumber('/sys/fs/cgroup/pids.max'),
    // Root is not bound by it, but somebody else's processes may run under the same limit.
    hostLimit(RLIMIT_NPROC),
  );
  return Math.max(
    LEAST_TASKS,
    Math.min(
      MOST_TASKS,
      Math.floor((host * HOST_SHARE) / HOST_TASKS_EACH),
      Math.floor((maxHostFiles - LEAST_FILES) / 2),
      Math.floor((memoryBytes * MEMORY_SHARE) / BYTES_EACH),
    ),
  );
}
