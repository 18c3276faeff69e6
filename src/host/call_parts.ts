// Lists of system calls that a locked-down process may make, by the part that needs them, each with its reason: what Node.js itself
// needs, and how the other parts are written.

import { PROT_EXEC } from '../abi/memory/mman.ts';
import { PR_SET_DUMPABLE } from '../abi/process/prctl.ts';
import { RLIMIT_CORE } from '../abi/process/resource.ts';
import * as nr from '../abi/syscall.ts';
import type { CodeRange } from './code_range.ts';
import { type Allowed, bits, int, type Rule, SyscallRules, within } from './syscall_rules.ts';

/** One part's calls. */
export interface CallPart {
  readonly name: string;
  readonly calls: readonly Allowed[];
}

/** An argument that does not matter. */
export const ANY = undefined;
/** One reason, and the calls that have it: with any arguments, or with those that one of the rules wants. */
export function rows(why: string, ...calls: (number | [number, ...Rule[]])[]): Allowed[] {
  return calls.flatMap((call) => {
    if (typeof call === 'number') return [{ nr: call, rule: [], why }];
    const [number, ...rules] = call;
    return rules.map((rule) => ({ nr: number, rule, why }));
  });
}

/** One rule per value of argument `at`. */
export function oneOf(at: number, values: readonly number[]): Rule[] {
  return values.map((value) => [...new Array<undefined>(at).fill(undefined), int(value)]);
}

export function rulesOf(parts: readonly CallPart[]): SyscallRules {
  const rules = new SyscallRules();
  for (const { calls } of parts) rules.merge(calls);
  return rules;
}

/** What Node.js, V8 and libc need; `code` is where V8 makes code, null when nobody knows; `pid` is this process. */
export function enginePart(code: readonly CodeRange[] | null, pid: number): CallPart {
  return {
    name: 'engine',
    calls: [
      ...rows('memory of V8 and libc, none of it executable', nr.SYS_munmap, nr.SYS_brk, nr.SYS_madvise, [
        nr.SYS_mmap,
        [ANY, ANY, bits(PROT_EXEC)],
      ]),
      ...rows('libc moves large allocations', nr.SYS_mremap),
      ...rows('memory of V8 and libc', [nr.SYS_mprotect, [ANY, ANY, bits(PROT_EXEC)]]),
      ...rows('V8 makes code in its own range alone', [
        nr.SYS_mprotect,
        ...(code === null ? [[]] : code.map((r): Rule => [within(r.from, r.size, 1)])),
      ]),
      ...rows(
        "V8's threads wait for each other",
        nr.SYS_futex,
        nr.SYS_sched_yield,
        // Node.js from 24 on: who waits is queued by priority.
        nr.SYS_sched_getparam,
        nr.SYS_sched_getscheduler,
      ),
      ...rows(
        'clocks and identity',
        nr.SYS_clock_gettime,
        nr.SYS_clock_getres,
        nr.SYS_gettimeofday,
        nr.SYS_getpid,
        nr.SYS_gettid,
        nr.SYS_getrusage,
        nr.SYS_sched_getaffinity,
        nr.SYS_sysinfo,
      ),
      ...rows('sleeping', nr.SYS_nanosleep, nr.SYS_clock_nanosleep, nr.SYS_restart_syscall),
      ...rows('random numbers', nr.SYS_getrandom),
      ...rows('signals of our own', nr.SYS_rt_sigaction, nr.SYS_rt_sigprocmask, nr.SYS_rt_sigreturn, [
        nr.SYS_tgkill,
        [int(pid)],
      ]),
      ...rows(
        'the end',
        nr.SYS_exit,
        nr.SYS_exit_group,
        [nr.SYS_prctl, [int(PR_SET_DUMPABLE), int(0)]],
        [nr.SYS_setrlimit, [int(RLIMIT_CORE)]],
      ),
      ...rows('compiled code is kept: the time of an open file is set', [
        nr.SYS_utimensat,
        // No path, and no flags: within() says that both are 0.
        [ANY, within(0, 0, 3)],
      ]),
      ...rows('output of Node.js, its own event loop', nr.SYS_writev, nr.SYS_epoll_pwait),
    ],
  };
}
