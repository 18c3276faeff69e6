// Linux's limit on what execve(2) may carry over ("Limits on size of arguments and environment").

import { E2BIG } from '../../abi/errno.ts';
import { ARG_MAX, MAX_ARG_STRLEN } from '../../abi/limits.ts';
import { _STK_LIM } from '../../abi/process/resource.ts';
import type { ArgStrings } from '../kernel/task/arg_strings.ts';

const POINTER = 8;

/**
 * Bytes that argument and environment strings and their pointers may take together: a quarter of the stack limit, at
 * least 128 KiB, at most 6 MiB.
 */
export function argumentLimit(stackLimit: number): number {
  return Math.max(Math.min((_STK_LIM / 4) * 3, Math.floor(stackLimit / 4)), ARG_MAX);
}

/** 0 when the strings fit, -E2BIG when one is of MAX_ARG_STRLEN or together they exceed the limit. */
export function checkArguments(
  execfn: string,
  argv: ArgStrings,
  envp: ArgStrings,
  stackLimit: number,
): number {
  const bytes = execfn.length + 1 + argv.size + envp.size + (argv.count + envp.count) * POINTER;
  const longest = Math.max(argv.longest, envp.longest);
  return bytes > argumentLimit(stackLimit) || longest > MAX_ARG_STRLEN ? -E2BIG : 0;
}
