// Linux's limit on what execve(2) may carry over ("Limits on size of arguments and environment").

import { E2BIG } from '../../abi/errno.ts';
import { ARG_MAX, MAX_ARG_STRLEN } from '../../abi/limits.ts';
import { _STK_LIM } from '../../abi/resource.ts';

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
  argv: readonly string[],
  envp: readonly string[],
  stackLimit: number,
): number {
  let left = argumentLimit(stackLimit) - (execfn.length + 1);
  for (const list of [argv, envp]) {
    for (const s of list) {
      if (s.length >= MAX_ARG_STRLEN) return -E2BIG;
      left -= s.length + 1 + POINTER;
      if (left < 0) return -E2BIG;
    }
  }
  return left < 0 ? -E2BIG : 0;
}
