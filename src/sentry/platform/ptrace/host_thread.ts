// HostThread: one host thread of a stub process, always a tracee of the Sentry's thread.

import { PTRACE_CONT, PTRACE_EVENT_STOP } from '../../../abi/ptrace.ts';
import { SIGTRAP } from '../../../abi/signal.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import {
  ptraceGetregs,
  ptraceResume,
  ptraceSetregs,
  ptraceSetregsResume,
  waitFor,
  waitStatus,
} from '../../../host/ptrace.ts';
import { CS, EFLAGS, ORIG_RAX, R12, RAX, RBX, REGS_SIZE, Regs, RIP, RSP, SS } from '../regs.ts';
import { MAX_ORDERS, ORDERS_ADDR } from './stub.image.ts';

/** Registers for running orders; shared, since orders run one list at a time. */
const orderBuffer = HostBuffer.alloc(REGS_SIZE);
const orderRegs = new Regs(orderBuffer.buffer, 0);
orderRegs.set(CS, 0x33);
orderRegs.set(SS, 0x2b);

export class HostThread {
  readonly pid: number;
  readonly tid: number;
  /** Pinned to the Sentry's cpu. */
  home = true;
  /** Consecutive short runs while away from home. */
  shortRuns = 0;
  /** When it last entered user mode, when somebody else was running too; ns. */
  resumedNs = 0;

  constructor(pid: number, tid: number) {
    this.pid = pid;
    this.tid = tid;
  }

  /**
   * Makes the stopped thread jump to `rip` with rbx and r12 set and run to its int3; returns rax. Stops that come in
   * between (a kick, a stray signal) are passed over: `kicked` tells whether there was a kick. -ESRCH when it died.
   */
  runTo(rip: number, rbx: number, r12: number): number {
    orderRegs.set(RIP, rip);
    orderRegs.set(RBX, rbx);
    orderRegs.set(R12, r12);
    orderRegs.set(EFLAGS, 0x202);
    orderRegs.set(ORIG_RAX, -1);
    let r = ptraceSetregsResume(this.tid, orderBuffer.addr, PTRACE_CONT);
    while (r >= 0) {
      r = waitFor(this.tid);
      if (r < 0) break;
      const status = waitStatus();
      if ((status & 0xff) !== 0x7f) return -3;
      if (status >> 8 === SIGTRAP) {
        ptraceGetregs(this.tid, orderBuffer.addr);
        return orderRegs.get(RAX);
      }
      if (status >> 16 === PTRACE_EVENT_STOP) this.kicked = true;
      r = ptraceResume(this.tid);
    }
    return r;
  }

  kicked = false;

  /** A register as it was after the last runTo(). */
  reg(r: number): number {
    return orderRegs.get(r);
  }

  /** rsp of the stopped thread. */
  stackPointer(): number {
    ptraceGetregs(this.tid, orderBuffer.addr);
    return orderRegs.get(RSP);
  }

  /** Runs the first `count` records of the orders page; 0, or the -errno of the first that failed. */
  runOrders(ordersAddr: number, count: number): number {
    if (count > MAX_ORDERS) throw new Error('too many orders');
    const r = this.runTo(ordersAddr, ORDERS_ADDR, count);
    return r < 0 && r >= -4095 ? r : 0;
  }

  /** As runOrders for one record, with its result. */
  runOrder(ordersAddr: number): number {
    return this.runTo(ordersAddr, ORDERS_ADDR, 1);
  }

  /** Sets the stopped thread's rip, keeping its other registers, and leaves it stopped. */
  startAt(rip: number): void {
    ptraceGetregs(this.tid, orderBuffer.addr);
    orderRegs.set(RIP, rip);
    orderRegs.set(ORIG_RAX, -1);
    ptraceSetregs(this.tid, orderBuffer.addr);
  }
}
