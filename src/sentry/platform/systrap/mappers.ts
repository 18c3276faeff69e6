// Mappers: how the Sentry speaks with the first threads of stub processes. A mapper waits in a call that the seccomp
// listener holds; an answer is the number of orders to carry out, and its next call is the report on them.

import { ESRCH } from '../../../abi/errno.ts';
import { SYS_clone, SYS_close } from '../../../abi/syscall.ts';
import { monotonicNs } from '../../../host/clock.ts';
import { NotifyListener } from '../../../host/notify.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { Placement } from '../handover/placement.ts';
import type { OrderList } from '../stub/orders.ts';

/** A process, as far as its mapper is concerned. */
export interface Mapped {
  readonly pid: number;
  readonly pidfd: number;
  /** The mapper's call that waits for an answer. */
  idLow: number;
  idHigh: number;
  /** Orders that are queued, and the page that the mapper reads them from. */
  readonly orders: OrderList;
  readonly ordersPage: Int32Array;
  /** The cpu that the mapper is pinned to; -1 for none. */
  mapperCpu: number;
  /** 0, or why the process must not run guest code again: -errno. */
  broken: number;
  /** Kills the process and waits for its end. */
  end(): void;
}

export class Mappers {
  private readonly listener: NotifyListener;
  private readonly placement: Placement;
  /** Reports that came while another's was waited for: tid -> call id. */
  private readonly early = new Map<number, [number, number]>();
  /** How often a mapper was given orders, and how many. */
  exchanges = 0;
  orders = 0;

  /** `listenerFd` is the listener of every stub's filter. */
  constructor(listenerFd: number, placement: Placement) {
    this.listener = new NotifyListener(listenerFd);
    this.placement = placement;
  }

  /** Waits for the first report of a new process; 0 or -errno. */
  begin(process: Mapped): number {
    const early = this.early.get(process.pid);
    if (early !== undefined) {
      this.early.delete(process.pid);
      [process.idLow, process.idHigh] = early;
      return 0;
    }
    const r = this.listener.receive(process.pidfd);
    return r < 0 ? r : this.takeUntil(process);
  }

  /** Carries out the queued orders of `process`; result of the last one, or -errno of the one that failed. */
  run(process: Mapped): number {
    const list = process.orders;
    if (process.broken !== 0) {
      list.count = 0;
      return process.broken;
    }
    this.placement.placeMapper(process);
    list.writeTo(process.ordersPage);
    const count = list.count;
    const forks = list.slots[(count - 1) * 7] === SYS_clone;
    list.count = 0;
    this.exchanges++;
    this.orders += count;
    const since = monotonicNs();
    let r = this.listener.answer(process.idLow, process.idHigh, count, process.pidfd);
    if (r === 0) r = this.takeUntil(process);
    this.placement.exchanged(monotonicNs() - since);
    if (r < 0) {
      process.broken = r;
      process.end();
      return r;
    }
    const result = this.listener.arg(0);
    // Orders are left when one failed: the guest might see wrong memory. Not so when it was the clone at the end, and the
    // host has no more threads.
    const left = this.listener.arg(1);
    if (left !== 0 && !(left === 1 && forks)) process.broken = result < 0 ? result : -ESRCH;
    return result;
  }

  /** An argument of the report that came last. */
  reported(arg: number): number {
    return this.listener.arg(arg);
  }

  /** Gives a waiting mapper's process a descriptor of ours; its number there, or -errno. */
  giveFd(process: Mapped, fd: number): number {
    this.placement.placeMapper(process);
    return this.listener.addFd(process.idLow, process.idHigh, fd);
  }

  /** The listener has received a report: goes on until it is the one of `process`. 0 or -errno. */
  private takeUntil(process: Mapped): number {
    while (this.listener.tid !== process.pid) {
      this.early.set(this.listener.tid, [this.listener.idLow, this.listener.idHigh]);
      const r = this.listener.receive(process.pidfd);
      if (r < 0) return r;
    }
    process.idLow = this.listener.idLow;
    process.idHigh = this.listener.idHigh;
    return 0;
  }

  /** A process is dead. */
  forget(pid: number): void {
    this.early.delete(pid);
  }

  /** Every mapper's pending call fails from now on, which ends its process. */
  close(): void {
    hostCall(SYS_close, this.listener.fd);
  }
}
