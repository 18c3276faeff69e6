// The machine code of signals.ts.

import { SYS_rt_sigreturn, SYS_write } from '../abi/syscall.ts';
import {
  Assembler,
  CL,
  EAX,
  EDI,
  imm,
  type MachineCode,
  mem,
  R8,
  RAX,
  RCX,
  RDI,
  RDX,
  RSI,
  rip,
} from '../asm/index.ts';

/** kill(2) and the like sent it. */
export const FROM_PROCESS = 1;
/** The kernel sent it: a key of the terminal, a hang-up. */
export const FROM_KERNEL = 2;

/** siginfo_t.si_code. */
const SI_CODE = 8;
/** In the shared memory: a byte per signal, the eventfd, the number 1. */
export const FLAGS_SIZE = 64;
export const FD_AT = 64;
export const ONE_AT = 72;

// void handler(int sig, siginfo_t *info, void *): flags[sig] = info->si_code > 0 ? 2 : 1; write(fd, &one, 8). errno of
// the interrupted code is not touched, since the raw call sets none; all registers come back from the signal frame.
const code = new Assembler();
code.label('handler').mov(EDI, EDI).mov(R8, rip('shared')).mov(EAX, mem(RSI, SI_CODE));
code.mov(RCX, imm(FROM_PROCESS)).test(EAX, EAX).jle('store').mov(RCX, imm(FROM_KERNEL));
code.label('store').mov(mem(R8, 0, RDI), CL);
code.mov(RDI, mem(R8, FD_AT)).mov(RSI, R8).add(RSI, imm(ONE_AT)).mov(RDX, imm(8)).mov(RAX, imm(SYS_write));
code.syscall().ret();
code.align(16);
code.label('restorer').mov(RAX, imm(SYS_rt_sigreturn)).syscall();
code.align(8).label('shared').u64(0);
export const SIGNALS_CODE: MachineCode = code.image();
