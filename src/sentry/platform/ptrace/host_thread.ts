// HostThread: one host thread of a stub process, always a tracee of the Sentry's thread.

import { EIO, ESRCH } from '../../../abi/errno.ts';
import { PTRACE_CONT, PTRACE_EVENT_STOP, PTRACE_SYSEMU } from '../../../abi/process/ptrace.ts';
import { SIGTRAP } from '../../../abi/signal/signal.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import {
  ptraceGetregs,
  ptraceHasPendingSignal,
  ptraceInterrupt,
  ptraceResume,
  ptraceSetregs,
  ptraceSetregsResume,
  waitFor,
  waitStatus,
} from '../../../host/ptrace.ts';
import { CS, EFLAGS, ORIG_RAX, R12, RAX, RBX, REGS_SIZE, Regs, RIP, RSP, SS } from '../regs.ts';
import { ORDER_SIZE } from '../stub/orders.ts';
import { MAX_ORDERS, ORDERS_ADDR, type StubImage } from './stub.image.ts';

/** Stops in a row that are passed over: more are no accident. */
const MAX_STOPS = 10_000;

/** Registers for running orders; shared, since orders run one list at a time. */
const orderBuffer = HostBuffer.alloc(REGS_SIZE);
const orderRegs = new Regs(orderBuffer.buffer, 0);
orderRegs.set(CS, 0x33);
orderRegs.set(SS, 0x2b);

/** Where record `i` of the orders lies. */
const recordAddr = (i: number): number => ORDERS_ADDR + i * ORDER_SIZE;

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
   * Makes the stopped thread jump to `rip` with rbx and r12 set and run to the int3 before one of `ends`; returns rax.
   * Only a stop right there counts: a trap of the guest's, or a signal sent from outside, stops it in the same way. Such
   * stops and kicks are passed over. -ESRCH when the thread died, -EIO when it did not get there.
   */
  runTo(rip: number, rbx: number, r12: number, ends: readonly number[]): number {
    orderRegs.set(RIP, rip);
    orderRegs.set(RBX, rbx);
    orderRegs.set(R12, r12);
    orderRegs.set(EFLAGS, 0x202);
    orderRegs.set(ORIG_RAX, -1);
    let r = ptraceSetregsResume(this.tid, orderBuffer.addr, PTRACE_CONT);
    for (let stops = 0; r >= 0 && stops < MAX_STOPS; stops++) {
      r = waitFor(this.tid);
      if (r < 0) return r;
      const status = waitStatus();
      if ((status & 0xff) !== 0x7f) return -ESRCH;
      if (status >> 8 === SIGTRAP) {
        r = ptraceGetregs(this.tid, orderBuffer.addr);
        if (r < 0) return r;
        if (ends.includes(orderRegs.get(RIP))) return orderRegs.get(RAX);
      }
      r = ptraceResume(this.tid);
    }
    return r < 0 ? r : -EIO;
  }

  /**
   * The thread has stopped, and nothing that happened to it before shall be seen any more: afterwards no signal is
   * pending that its next run would begin with. False when it died.
   */
  settle(): boolean {
    for (let stops = 0; stops < MAX_STOPS; stops++) {
      if (!ptraceHasPendingSignal(this.tid)) return true;
      // Nothing runs before pending signals are delivered, and their delivery is a stop.
      if (ptraceResume(this.tid, PTRACE_SYSEMU) < 0 || !this.waitForStop()) return false;
    }
    return false;
  }

  /** Stops the running thread, whatever it did meanwhile. False when it died. */
  halt(): boolean {
    ptraceInterrupt(this.tid);
    return this.waitForStop() && this.settle();
  }

  /** Waits until the new thread or process has stopped for the first time. */
  waitForBirth(): boolean {
    for (let stops = 0; stops < MAX_STOPS; stops++) {
      if (!this.waitForStop()) return false;
      if (waitStatus() >> 16 === PTRACE_EVENT_STOP) return true;
      if (ptraceResume(this.tid) < 0) return false;
    }
    return false;
  }

  private waitForStop(): boolean {
    return waitFor(this.tid) >= 0 && (waitStatus() & 0xff) === 0x7f;
  }

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
  runOrders(stub: StubImage, count: number): number {
    if (count > MAX_ORDERS) throw new Error('too many orders');
    const r = this.runTo(stub.ordersAddr, ORDERS_ADDR, count, [stub.ordersEnd]);
    // How many are left, and where the next one lies, are the loop's own registers.
    const left = orderRegs.get(R12);
    if (orderRegs.get(RIP) === stub.ordersEnd && left === 0 && orderRegs.get(RBX) === recordAddr(count))
      return 0;
    return r < 0 && r >= -4095 ? r : -EIO;
  }

  /** As runOrders for one record, with its result. */
  runOrder(stub: StubImage): number {
    return this.runTo(stub.ordersAddr, ORDERS_ADDR, 1, [stub.ordersEnd]);
  }

  /** Sets the stopped thread's rip, keeping its other registers, and leaves it stopped. */
  startAt(rip: number): void {
    ptraceGetregs(this.tid, orderBuffer.addr);
    orderRegs.set(RIP, rip);
    orderRegs.set(ORIG_RAX, -1);
    ptraceSetregs(this.tid, orderBuffer.addr);
  }
}
