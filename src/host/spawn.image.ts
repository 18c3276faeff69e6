// The machine code of spawn.ts.

import { CLONE_VFORK, CLONE_VM } from '../abi/process/sched.ts';
import { SIGCHLD } from '../abi/signal/signal.ts';
import { SYS_clone, SYS_exit_group } from '../abi/syscall.ts';
import {
  Assembler,
  imm,
  type MachineCode,
  mem,
  R8,
  R9,
  R10,
  R12,
  RAX,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
} from '../asm/index.ts';

/** Bytes of an order: number, six arguments, 1 when it may fail; then -errno of the failure. */
export const ORDER_SIZE = 64;

// long spawn(u64 *orders, long count): clone(VM|VFORK); the parent returns the pid or -errno when the child has execed
// or exited. The child runs the orders; the first failure that may not be is stored in its order and the child exits 127.
// A vfork child shares this stack while the parent sleeps; it calls and pushes nothing.
const code = new Assembler();
code.label('spawn').push(RBX).push(R12).mov(RBX, RDI).mov(R12, RSI);
code.mov(RAX, imm(SYS_clone)).mov(RDI, imm(CLONE_VM | CLONE_VFORK | SIGCHLD));
code.mov(RSI, imm(0)).mov(RDX, imm(0)).mov(R10, imm(0)).mov(R8, imm(0)).syscall();
code.test(RAX, RAX).je('child').pop(R12).pop(RBX).ret();
code.label('child').test(R12, R12).je('fail');
code.mov(RAX, mem(RBX, 0)).mov(RDI, mem(RBX, 8)).mov(RSI, mem(RBX, 16)).mov(RDX, mem(RBX, 24));
code.mov(R10, mem(RBX, 32)).mov(R8, mem(RBX, 40)).mov(R9, mem(RBX, 48)).syscall();
code.mov(RCX, imm(-4095)).cmp(RAX, RCX).jae('failed');
code.label('next').add(RBX, imm(ORDER_SIZE)).dec(R12).jmp('child');
code.label('failed').mov(RCX, mem(RBX, 56)).test(RCX, RCX).jne('next').mov(mem(RBX, 56), RAX);
code.label('fail').mov(RDI, imm(127)).mov(RAX, imm(SYS_exit_group)).syscall().jmp('fail');
export const SPAWN_CODE: MachineCode = code.image();
