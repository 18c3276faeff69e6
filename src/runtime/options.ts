// What a sandbox is made from. The command line and the SDK fill it in; boot.ts builds it.

import type { Inherited } from './inherited.ts';
import type { NetworkOptions } from './network/options.ts';

/** A directory or file of the host that the guest sees at another place. */
export interface MountOption {
  /** Path on the host. */
  readonly source: string;
  /** Absolute path inside. */
  readonly target: string;
  readonly readonly: boolean;
  /** Changes reach the host; else they stay in memory. */
  readonly shared: boolean;
}

/** A descriptor of the caller that the first program gets under the same number. */
export interface PassedFd {
  readonly fd: number;
  /** Somebody asked for it: it is an error when it cannot be had. */
  readonly asked: boolean;
}

/** What `clock` may be. */
export const CLOCK_NAMES: readonly string[] = ['auto', 'tsc', 'vdso', 'call'];

export interface SandboxOptions {
  /** Program and arguments, as text of the host (base/bytes.ts); the program is looked up in the guest's PATH when it has no slash. At least one. */
  readonly argv: readonly string[];
  /** Environment of the first process: NAME=VALUE. */
  readonly env: readonly string[];
  /** Names of variables that become those of `user`, as passwd inside has them. */
  readonly followsUser: readonly string[];
  /** What the caller's process hands on besides. */
  readonly inherited: Inherited;
  /** Descriptors above 2 that are handed on as well. */
  readonly passedFds: readonly PassedFd[];
  /** Working directory inside; null for the caller's. */
  readonly cwd: string | null;
  /** "UID", "UID:GID", "NAME" or "NAME:GROUP"; null for the invoking user's ids. */
  readonly user: string | null;
  readonly hostname: string | null;
  /** In the order in which they are mounted. */
  readonly mounts: readonly MountOption[];
  /** Absolute paths of the host that are not there inside, through whatever mount. */
  readonly hidden: readonly string[];
  /** Absolute paths inside at which empty tmpfs are mounted. */
  readonly tmpfs: readonly string[];
  /** Directory of the host that becomes the root, read-only below an in-memory layer that takes all changes. */
  readonly rootfs: string;
  /** Directory of the host that keeps what is written to the root, for this run and later ones; null for memory. */
  readonly overlay: string | null;
  readonly platform: string;
  /** Platforms that can may rewrite system call instructions to jumps. */
  readonly patchCalls: boolean;
  /** systrap uses the processor's FSGSBASE instructions: auto (where there are), on, off. */
  readonly fsgsbase: string;
  /** The kernel process gives up every system call that it does not need (lockdown/). */
  readonly seccomp: boolean;
  /** Another process has the host's files open, and this one none (gofer.ts). */
  readonly gofer: boolean;
  /** How guests read clocks: 'auto', 'tsc', 'vdso' or 'call' (kernel/time/clock_way.ts). */
  readonly clock: string;
  readonly network: NetworkOptions;
  /** Trace of system calls: null for none, '-' for stderr, else a file of the host. */
  readonly strace: string | null;
  /** Report of where the kernel's time went: null for none, '-' for stderr, else a file of the host. */
  readonly profile: string | null;
  /** What the run changed of files, told at its end: null for not, '-' for stderr, else a file of the host. */
  readonly diff: string | null;
  /** Samples of the kernel's JavaScript, for developer tools: a file of the host, or null. */
  readonly cpuProfile: string | null;
  /** Directory of the host for debug logs; null for none. */
  readonly debugLog: string | null;
  /** CPUs that the guest sees. */
  readonly numCpu: number;
  /** Threads that the sandbox may have at once, zombies included; 0 for what suits the host (host_limits.ts). */
  readonly maxTasks: number;
  /** Bytes of memory that the guest sees and may use. */
  readonly totalMemBytes: number;
  /** Signal of the host that makes the kernel write a dump of all tasks to the debug log or stderr; 0 for none. */
  readonly dumpSignal: number;
}

/** Something that the person who starts a sandbox can put right. `status` is the exit status that tells of it. */
export class StartError extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Exit statuses of `vedette` itself, as shells and env(1) have them. */
export const STATUS_USAGE = 125;
export const STATUS_NOT_EXECUTABLE = 126;
export const STATUS_NOT_FOUND = 127;
/** The kernel itself failed (EX_SOFTWARE of sysexits.h). */
export const STATUS_KERNEL_BUG = 70;
