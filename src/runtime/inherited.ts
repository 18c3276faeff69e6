// What a process hands on to the program that it becomes, and the sandbox to its first program: execve(2), "attributes
// preserved". Read before anything of ours changes it; what Node.js has changed by then is in the starter's note.

import { readdirSync, readlinkSync } from 'node:fs';
import { ENOENT } from '../abi/errno.ts';
import { PRIO_PROCESS, RLIM_NLIMITS, RLIMIT_NOFILE } from '../abi/process/resource.ts';
import { SIG_IGN } from '../abi/signal/signal.ts';
import { SYS_getcwd, SYS_getpriority, SYS_umask } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import { hostAffinity } from '../host/cpus.ts';
import { hostHardLimit, hostLimit } from '../host/limits.ts';
import { hostCall } from '../host/syscall.ts';
import { bytesToString, toText } from '../sentry/base/bytes.ts';
import { Limits, NR_OPEN_MAX } from '../sentry/kernel/task/rlimits.ts';
import type { Task } from '../sentry/kernel/task/task.ts';
import { NOTE_NAME, parseNote } from './note.ts';

/** RLIMIT_NOFILE of a caller whose own is not known. */
const USUAL_FILES = 1024;
/** getpriority(2) of the system call itself: 20 less the nice value. */
const NICE_ZERO = 20;
const CWD_SIZE = 4096;
const STDIO = [0, 1, 2];

export interface Inherited {
  /** Signal sets; bit n-1 of the 64 stands for signal n. */
  readonly ignoredLo: number;
  readonly ignoredHi: number;
  readonly blockedLo: number;
  readonly blockedHi: number;
  readonly limits: Limits;
  readonly umask: number;
  readonly nice: number;
  /** CPUs allowed, bit n = CPU n; null for all. */
  readonly affinity: Uint8Array | null;
  /** The working directory as text of the host; null when it was removed. */
  readonly cwd: string | null;
  /** Descriptors of the caller that were open, in ascending order; null when only the starter could know, and was not there. */
  readonly openFds: readonly number[] | null;
}

const buffer = HostBuffer.alloc(CWD_SIZE);

/** Where the caller is; null when that directory was removed. */
function workingDirectory(): string | null {
  const n = hostCall(SYS_getcwd, buffer.addr, CWD_SIZE);
  if (n === -ENOENT) return null;
  // Too long for the call, which has no other reason to fail.
  if (n < 0) return process.cwd();
  return toText(bytesToString(buffer.u8, 0, n - 1));
}

function limits(soft: readonly number[] | null): Limits {
  const l = new Limits();
  for (let resource = 0; resource < RLIM_NLIMITS; resource++) {
    const most = resource === RLIMIT_NOFILE ? NR_OPEN_MAX : Number.POSITIVE_INFINITY;
    const hard = Math.min(hostHardLimit(resource), most);
    const known = resource === RLIMIT_NOFILE ? USUAL_FILES : hostLimit(resource);
    l.set(resource, Math.min(soft?.[resource] ?? known, hard), hard);
  }
  return l;
}

/** All that can be read of what this process was started with. Changes nothing. */
export function readInherited(): Inherited {
  const note = parseNote(process.env[NOTE_NAME], process.pid);
  const umask = hostCall(SYS_umask, 0o077);
  hostCall(SYS_umask, umask);
  return {
    ignoredLo: note?.ignoredLo ?? 0,
    ignoredHi: note?.ignoredHi ?? 0,
    blockedLo: note?.blockedLo ?? 0,
    blockedHi: note?.blockedHi ?? 0,
    limits: limits(note?.softLimits ?? null),
    umask,
    nice: NICE_ZERO - hostCall(SYS_getpriority, PRIO_PROCESS, 0),
    affinity: hostAffinity,
    cwd: workingDirectory(),
    openFds: note?.openFds ?? null,
  };
}

/** True when the caller ignores the signal. */
export function ignores(from: Inherited, sig: number): boolean {
  const set = sig <= 32 ? from.ignoredLo : from.ignoredHi;
  return ((set >>> ((sig - 1) & 31)) & 1) !== 0;
}

/** The first program of a caller gets signals, limits' clocks and scheduling attributes as the caller left them. */
export function handOn(init: Task, from: Inherited): void {
  const { handlers, cpuLimit } = init.group;
  for (let sig = 1; sig <= 64; sig++) if (ignores(from, sig)) handlers.setHandler(sig, SIG_IGN);
  init.signals.setMask(from.blockedLo, from.blockedHi);
  init.sched.nice = from.nice;
  init.sched.affinity = from.affinity;
  cpuLimit.update();
}

/** True when the caller had the standard descriptor `fd` closed: what is there was opened by Node.js. */
export function wasClosed(from: Inherited, fd: number): boolean {
  return from.openFds !== null && !from.openFds.includes(fd);
}

/**
 * Descriptors above 2 that are the caller's. Where there was no starter they are those that are plainly not of Node.js, which
 * has event counters and pipes of which it holds both ends; call it before the kernel opens anything.
 */
export function callerFds(from: Inherited): readonly number[] {
  if (from.openFds !== null) return from.openFds.filter((fd) => !STDIO.includes(fd));
  const links = new Map<number, string>();
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      links.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
    } catch {
      // It was the descriptor of the folder itself.
    }
  }
  const all = [...links.values()];
  return [...links]
    .filter(
      ([fd, link]) =>
        !STDIO.includes(fd) && !link.startsWith('anon_inode:') && all.indexOf(link) === all.lastIndexOf(link),
    )
    .map(([fd]) => fd)
    .sort((a, b) => a - b);
}
