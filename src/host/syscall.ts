// hostCall: one raw Linux system call. Results below zero are -errno; addresses come back as exact numbers.

import { Assembler, mem, R8, R9, R10, RAX, RCX, RDI, RDX, RSI, RSP } from '../asm/index.ts';
import { installCode, routine } from './ffi.ts';

// long raw6(long nr, long a0 .. a5): System V arguments (rdi rsi rdx rcx r8 r9 [rsp+8]) to the kernel's
// (rax; rdi rsi rdx r10 r8 r9).
const code = new Assembler();
code.label('raw6');
code.mov(RAX, RDI).mov(RDI, RSI).mov(RSI, RDX).mov(RDX, RCX).mov(R10, R8).mov(R8, R9).mov(R9, mem(RSP, 8));
code.syscall().ret();
code.align(16);
code.label('raw3');
code.mov(RAX, RDI).mov(RDI, RSI).mov(RSI, RDX).mov(RDX, RCX).syscall().ret();
const at = installCode(code);

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
