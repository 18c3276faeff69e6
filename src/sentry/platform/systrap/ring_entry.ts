// What a thread that has reported does when the control page wants something of it: puts its number into the ring.

import { type Assembler, EAX, EDI, EDX, imm, mem, RAX, type Reg, RSI } from '../../../asm/index.ts';
import { C_WANTS, H_NUMBER, RING_LAP_SHIFT, RING_SHIFT, RING_SIZE, WANTS_RING } from '../handover/line.ts';
import { RING_ADDR } from './layout.ts';

/**
 * Emits it for the slot in `slot` and the control page in `control`; rax, rdx, rdi and rsi are lost, and eax is what is wanted
 * afterwards. The exchange is a full barrier: either the Sentry sees the number before it sleeps, or eax tells that it
 * sleeps. `done` is a label of the caller's choice.
 */
export function emitRing(a: Assembler, slot: Reg, control: Reg, done: string): void {
  a.mov(EAX, mem(control, C_WANTS)).test(EAX, imm(WANTS_RING)).je(done);
  a.mov(EDI, mem(slot, H_NUMBER)).mov(RSI, imm(RING_ADDR)).mov(EAX, imm(1)).lockXadd(mem(RSI), EAX);
  a.mov(EDX, EAX).shr(EDX, imm(RING_SHIFT)).shl(EDX, imm(RING_LAP_SHIFT)).or(EDI, EDX);
  a.and(EAX, imm(RING_SIZE - 1)).xchg(mem(RSI, 4 * RING_SIZE, RAX, 4), EDI);
  a.mov(EAX, mem(control, C_WANTS)).label(done);
}
