// The machine code of syscall.ts.

import { Assembler, type MachineCode, mem, R8, R9, R10, RAX, RCX, RDI, RDX, RSI, RSP } from '../asm/index.ts';

// long raw6(long nr, long a0 .. a5): System V arguments (rdi rsi rdx rcx r8 r9 [rsp+8]) to the kernel's
// (rax; rdi rsi rdx r10 r8 r9).
const code = new Assembler();
code.label('raw6');
code.mov(RAX, RDI).mov(RDI, RSI).mov(RSI, RDX).mov(RDX, RCX).mov(R10, R8).mov(R8, R9).mov(R9, mem(RSP, 8));
code.syscall().ret();
code.align(16);
code.label('raw3');
code.mov(RAX, RDI).mov(RDI, RSI).mov(RSI, RDX).mov(RDX, RCX).syscall().ret();
export const SYSCALL_CODE: MachineCode = code.image();
