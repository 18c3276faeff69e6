// Calls to the vsyscall page: three entry points at fixed addresses that old static programs call instead of using the
// VDSO (vsyscall=xonly of Linux). The page is not mapped: the fault at its address is the call.

import { EFAULT, ENOSYS } from '../../abi/errno.ts';
import { SYS_getcpu, SYS_gettimeofday, SYS_time } from '../../abi/syscall.ts';
import type { Task } from '../kernel/task/task.ts';
import { RAX, RDI, RDX, RIP, RSI, RSP } from '../platform/regs.ts';

/** 0xffffffffff600000 as the signed 64-bit number that Regs.get() returns. */
const VSYSCALL_ADDR = -10 * 1024 * 1024;
const CALLS = [SYS_gettimeofday, SYS_time, SYS_getcpu];
const SLOT = 1024;

const pointer = new Uint8Array(8);
const pointerView = new DataView(pointer.buffer);

/**
 * When the task faulted by calling one of the vsyscalls, does what the call does, returns to its caller and answers
 * true. False: an ordinary fault.
 */
export function emulateVsyscall(t: Task): boolean {
  const regs = t.ctx.regs;
  const off = regs.get(RIP) - VSYSCALL_ADDR;
  if (off < 0 || off >= CALLS.length * SLOT || off % SLOT !== 0) return false;
  const sp = regs.get(RSP);
  if (t.mm.copyInExact(sp, pointer, 0, 8) !== 0) return false;
  const row = t.kernel.table.row(CALLS[off / SLOT]!);
  const result =
    row === null ? -ENOSYS : row.handler(t, regs.get(RDI), regs.get(RSI), regs.get(RDX), 0, 0, 0);
  // A bad pointer is a fault of the program, not an error that it could look at.
  if (result === -EFAULT) return false;
  regs.set(RAX, result);
  regs.setWords(RIP, pointerView.getUint32(0, true), pointerView.getUint32(4, true));
  regs.set(RSP, sp + 8);
  return true;
}
