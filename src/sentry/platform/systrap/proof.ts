// Proof that a guest thread sleeps in the stub's handler. What its slot says is the guest's word; /proc/PID/task/TID/syscall
// is the host's: the call that the thread sleeps in, its arguments, stack pointer and address. A process may be handed
// from one guest program to the next only when no thread of it can still be running code of the first.

import { FUTEX_WAIT } from '../../../abi/ipc/futex.ts';
import { SYS_close, SYS_futex, SYS_pread64, SYS_sched_yield } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import { trees } from '../../../host/trees.ts';
import { H_STATE } from '../handover/line.ts';
import type { HostSlot } from './slot.ts';

const text = HostBuffer.alloc(256);
/** A thread that was just told to stop spinning needs a moment to fall asleep. */
const TRIES = 20;

/** True when the thread of `slot` sleeps at `sleepAddr` (after the call) on its own slot, with the handler's stack. */
export function sleepsInHandler(slot: HostSlot, sleepAddr: number): boolean {
  if (slot.frame < 0) return false;
  const fd = trees.threadFile(slot.pid, slot.tid, 'syscall');
  if (fd < 0) return false;
  let found = false;
  for (let i = 0; i < TRIES && !found; i++) {
    if (i > 0) hostCall(SYS_sched_yield);
    const n = hostCall(SYS_pread64, fd, text.addr, text.size, 0);
    found = n > 0 && matches(String.fromCharCode(...text.u8.subarray(0, n)), slot, sleepAddr);
  }
  hostCall(SYS_close, fd);
  return found;
}

/** "202 0x7ffff0100000 0x0 0x1 0x0 0x0 0x0 0x7ffff01034b8 0x7ffff0000093": number, six arguments, stack, address. */
function matches(line: string, slot: HostSlot, sleepAddr: number): boolean {
  const f = line.trim().split(' ').map(Number);
  return (
    f.length === 9 &&
    f[0] === SYS_futex &&
    f[1] === slot.addr + H_STATE &&
    f[2] === FUTEX_WAIT &&
    f[7] === slot.addr + slot.frame &&
    f[8] === sleepAddr
  );
}
