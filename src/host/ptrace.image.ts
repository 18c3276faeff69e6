// The machine code of ptrace.ts.

import { PTRACE_GETREGS, PTRACE_SETREGS } from '../abi/process/ptrace.ts';
import { SYS_ptrace, SYS_wait4 } from '../abi/syscall.ts';
import { Assembler, imm, type MachineCode, R10, R12, RAX, RBX, RDI, RDX, RSI } from '../asm/index.ts';

// long setregs_resume(long tid, long regs, long request): PTRACE_SETREGS, then `request` with signal 0.
const code = new Assembler();
code.label('resume').push(RBX).push(R12).mov(RBX, RDI).mov(R12, RDX);
code
  .mov(R10, RSI)
  .mov(RSI, RDI)
  .mov(RDI, imm(PTRACE_SETREGS))
  .mov(RDX, imm(0))
  .mov(RAX, imm(SYS_ptrace))
  .syscall();
code.test(RAX, RAX).jne('resumeOut');
code.mov(RDI, R12).mov(RSI, RBX).mov(RDX, imm(0)).mov(R10, imm(0)).mov(RAX, imm(SYS_ptrace)).syscall();
code.label('resumeOut').pop(R12).pop(RBX).ret();
code.align(16);
// long getregs(long tid, long regs)
code.label('getregs').mov(R10, RSI).mov(RSI, RDI).mov(RDI, imm(PTRACE_GETREGS)).mov(RDX, imm(0));
code.mov(RAX, imm(SYS_ptrace)).syscall().ret();
code.align(16);
// long waitany(long status, int options): wait4(-1, status, options, 0)
code.label('waitany').mov(RDX, RSI).mov(RSI, RDI).mov(RDI, imm(-1)).mov(R10, imm(0));
code.mov(RAX, imm(SYS_wait4)).syscall().ret();
export const PTRACE_CODE: MachineCode = code.image();
