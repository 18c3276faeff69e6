// hostCall: one raw Linux system call. Results below zero are -errno; addresses come back as exact numbers.

import { installCode, routine } from './ffi.ts';
import { SYSCALL_CODE } from './syscall.image.ts';

const at = installCode(SYSCALL_CODE);

const raw6 = routine(
  at('raw6'),
  'int64_t vedette_raw6(int64_t nr, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)',
);
const raw3 = routine(at('raw3'), 'int64_t vedette_raw3(int64_t nr, int64_t a, int64_t b, int64_t c)');

/** One host system call; result or -errno. Callers pass only arguments that they made themselves (invariant 1). */
export function hostCall(nr: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
  return raw6(nr, a, b, c, d, e, f);
}

/** hostCall for calls of at most three arguments: the shorter crossing of hot paths. */
export function hostCall3(nr: number, a: number, b: number, c: number): number {
  return raw3(nr, a, b, c);
}
