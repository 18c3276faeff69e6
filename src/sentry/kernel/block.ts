// How a system call waits. File operations never do: a handler that gets -EAGAIN returns task.block(...), which parks
// a plain record on the task and registers its waiters. When an event, the deadline or a signal comes, the handler is
// run again from the start with the same arguments; what it must remember in between (bytes done, the deadline, the
// file that a since closed descriptor meant) is in the record. So signals, restarts and checkpoints have one home.
//
// Long work is done in slices by the same way: after a slice a handler returns task.giveWay(), others have their turn, and
// the handler is run again. A slice is counted in work, not in time: SLICE_BYTES copied, 128 pages brought in,
// are some tenths of a millisecond, up to one, and nothing may hold the Sentry for more than five.

import { type Account, kernelMemory } from '../base/charge.ts';
import type { Waiter } from '../base/wait.ts';
import type { File } from '../vfs/file.ts';
import type { Task } from './task/task.ts';

/** Handler results that are not results. All are far below -4095. */
/** The task is parked; the handler will run again. */
export const BLOCKED = -0x1000_0001;
/** The handler set the registers itself (rt_sigreturn, execve): leave rax alone. */
export const NO_RESULT = -0x1000_0002;
/** The task exited in the handler. */
export const EXITED = -0x1000_0003;

/** Bytes that one slice copies. */
export const SLICE_BYTES = 1 << 18;

/** From Task.park(): the deadline of the call is over. */
export const TIMED_OUT = -0x1000_0004;

/**
 * What a parked call holds beyond its file and waiters. A call that ends in its handler lets go of it there; that of a thread
 * which will never run again, because the host killed it, is abandoned.
 */
export interface Parked {
  /** Gives back what the record holds, for others to have. The call does not run again. */
  abandon(t: Task): void;
}

/** Waiters that a task keeps. What one more takes, with its part of the set of files that a poll(2) watches. */
const WAITERS_KEPT = 64;
export const WAITER_BYTES = 192;

/** The record of a parked call. One per task, reused: reset() at the start of every system call. */
export class BlockedCall {
  /** True from the first block() of a call to its end: the handler is running for the second time or later. */
  active = false;
  /** Absolute CLOCK_MONOTONIC deadline in ns; Infinity when there is none. */
  deadlineNs = Number.POSITIVE_INFINITY;
  /** The deadline passed. */
  timedOut = false;
  /** Progress that survives a retry: bytes already moved, or whatever the handler counts. */
  done = 0;
  /** Free for the handler: plain numbers. */
  a = 0;
  b = 0;
  /** Free for the handler: kernel objects. */
  state: Parked | null = null;
  /** A signal ended the wait; the handler runs once more and its park() answers -ERESTARTSYS. */
  interrupted = false;
  /** The descriptor that `file` was looked up from, so that a retry finds the same file; -1 none. */
  fd = -1;
  file: File | null = null;
  /** Waiters that were registered; removed at wake-up. The first `used` of the array count. */
  readonly waiters: Waiter[] = [];
  used = 0;
  private payer: Account | null = null;
  /** The guest's vector of a call that goes on later, who may change it meanwhile: addresses, then lengths. */
  vector: Float64Array | null = null;
  private vectorPayer: Account | null = null;

  /** Has `parts` be there when the handler runs again. */
  keepVector(parts: Float64Array): void {
    this.vector = parts;
    this.vectorPayer = kernelMemory.take(parts.byteLength);
  }

  private dropVector(): void {
    if (this.vector === null) return;
    kernelMemory.give(this.vectorPayer!, this.vector.byteLength);
    this.vector = this.vectorPayer = null;
  }

  /** One more waiter. Few are kept for the next call; `payer` pays for more. */
  addWaiter(w: Waiter, payer: Account): void {
    if (this.waiters.push(w) <= WAITERS_KEPT) return;
    this.payer = kernelMemory.take(WAITER_BYTES, this.payer ?? payer);
  }

  /** The thread ends in the middle of the call. */
  abandon(t: Task): void {
    const { state } = this;
    this.state = null;
    this.dropVector();
    if (state !== null) state.abandon(t);
  }

  /** Forgets the last call. */
  reset(): void {
    if (this.payer !== null) {
      kernelMemory.give(this.payer, (this.waiters.length - WAITERS_KEPT) * WAITER_BYTES);
      this.payer = null;
      this.waiters.length = WAITERS_KEPT;
    }
    this.dropVector();
    this.active = false;
    this.deadlineNs = Number.POSITIVE_INFINITY;
    this.timedOut = false;
    this.interrupted = false;
    this.done = 0;
    this.a = 0;
    this.b = 0;
    this.state = null;
    this.fd = -1;
    if (this.file !== null) {
      const f = this.file;
      this.file = null;
      f.unref();
    }
  }
}
