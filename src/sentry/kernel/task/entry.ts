// Registers of a program at its entry point: the x86-64 ABI's process initialization, as execve(2) leaves them.

import { scratch } from '../../base/scratch.ts';
import { CS, EFLAGS, RIP, RSP, SS } from '../../platform/regs.ts';
import { initialXstate } from '../signal/frame.ts';
import type { Task } from './task.ts';

const USER_CS = 0x33;
const USER_DS = 0x2b;
/** Interrupts on, and the bit that is always one. */
const EFLAGS_INIT = 0x202;

/** Clears all registers and aims the thread at a program's entry. */
export function setEntryRegisters(t: Task, entry: number, sp: number): void {
  const regs = t.ctx.regs;
  regs.u32.fill(0);
  regs.set(RIP, entry);
  regs.set(RSP, sp);
  regs.set(CS, USER_CS);
  regs.set(SS, USER_DS);
  regs.set(EFLAGS, EFLAGS_INIT);
  const xsize = t.kernel.platform.xstateSize;
  initialXstate(xsize);
  t.ctx.setXstate(scratch.subarray(0, xsize));
}
