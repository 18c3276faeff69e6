// The machine code of all_threads.ts.

import { FUTEX_PRIVATE_FLAG, FUTEX_WAKE } from '../abi/ipc/futex.ts';
import { SYS_futex, SYS_gettid, SYS_rt_sigreturn } from '../abi/syscall.ts';
import {
  Assembler,
  dword,
  EAX,
  ECX,
  imm,
  type MachineCode,
  mem,
  R8,
  R9,
  R10,
  R12,
  R13,
  R14,
  RAX,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  rip,
} from '../asm/index.ts';

/**
 * In the shared memory: how many threads are done (u32, a futex); the number of calls (u64); a slot per thread; the calls.
 *
 *   slot:  u32 tid, u32 1 when done, i64 -errno of the call that failed or 0
 *   call:  u64 number, six arguments, 1 when it may fail
 */
export const DONE_AT = 0;
export const COUNT_AT = 8;
export const SLOTS_AT = 64;
export const SLOT_SIZE = 16;
export const SLOT_DONE = 4;
export const SLOT_FAILURE = 8;
export const MAX_THREADS = 256;
export const CALLS_AT: number = SLOTS_AT + MAX_THREADS * SLOT_SIZE;
export const CALL_SIZE = 64;
export const CALL_MAY_FAIL = 56;
export const MAX_CALLS = 64;
export const SHARED_SIZE: number = CALLS_AT + MAX_CALLS * CALL_SIZE;

// void handler(int): finds the slot of this thread and makes the calls, until one fails that may not; then tells. A thread
// without a slot, or whose slot is done, does nothing. All registers come back from the signal frame.
const code = new Assembler();
code.label('handler').mov(R12, rip('shared')).mov(RAX, imm(SYS_gettid)).syscall();
code.mov(RBX, R12).add(RBX, imm(SLOTS_AT)).mov(R13, imm(MAX_THREADS));
code.label('find').cmp(mem(RBX), EAX).je('found').add(RBX, imm(SLOT_SIZE)).dec(R13).jne('find').ret();
code.label('found').mov(ECX, mem(RBX, SLOT_DONE)).test(ECX, ECX).jne('out');
code.mov(R14, R12).add(R14, imm(CALLS_AT)).mov(R13, mem(R12, COUNT_AT));
code.label('call').test(R13, R13).je('done');
code.mov(RAX, mem(R14, 0)).mov(RDI, mem(R14, 8)).mov(RSI, mem(R14, 16)).mov(RDX, mem(R14, 24));
code.mov(R10, mem(R14, 32)).mov(R8, mem(R14, 40)).mov(R9, mem(R14, 48)).syscall();
code.mov(RCX, imm(-4095)).cmp(RAX, RCX).jae('failed');
code.label('next').add(R14, imm(CALL_SIZE)).dec(R13).jmp('call');
code.label('failed').mov(RCX, mem(R14, CALL_MAY_FAIL)).test(RCX, RCX).jne('next');
code.mov(mem(RBX, SLOT_FAILURE), RAX);
code
  .label('done')
  .mov(ECX, imm(1))
  .mov(mem(RBX, SLOT_DONE), ECX)
  .lockInc(dword(mem(R12, DONE_AT)));
code
  .mov(RDI, R12)
  .mov(RSI, imm(FUTEX_WAKE | FUTEX_PRIVATE_FLAG))
  .mov(RDX, imm(1));
code.mov(RAX, imm(SYS_futex)).syscall();
code.label('out').ret();
code.align(16);
code.label('restorer').mov(RAX, imm(SYS_rt_sigreturn)).syscall();
code.align(8).label('shared').u64(0);
export const ALL_THREADS_CODE: MachineCode = code.image();
