// ProcessPool: stub processes whose guests are gone, emptied for the next ones: that is what makes fork and exec cheap. A
// process is kept only when it is certain that nothing of the guest before is left in it, neither to be read nor to act.

import { SYS_munmap } from '../../../abi/syscall.ts';
import { STATE_RUN } from '../handover/line.ts';
import type { HostThread } from '../handover/thread.ts';
import { GUEST_TOP, PATCH_TABLE_ADDR, PATCH_TABLE_SIZE } from '../platform.ts';
import type { HostProcess } from './process.ts';
import { sleepsInHandler } from './proof.ts';
import type { StubImage } from './stub.image.ts';

/** Emptied processes that are kept, and the most threads that one of them may have: nobody's limit counts them. */
const POOL_SIZE = 16;
const THREADS_KEPT = 4;
/** How long a thread may take for one trap. */
const CLEANSE_LIMIT_NS = 100e6;

/** What the pool needs of the platform. */
export interface PoolHost {
  readonly stub: StubImage;
  readonly patchesCalls: boolean;
  readonly initialXstate: Uint8Array;
  readonly handover: {
    readonly placement: { bringHome(thread: HostThread): void };
    ask(thread: HostThread, state: number, limitNs: number): boolean;
  };
  runOrders(process: HostProcess): number;
}

export class ProcessPool {
  private readonly platform: PoolHost;
  private readonly kept: HostProcess[] = [];

  constructor(platform: PoolHost) {
    this.platform = platform;
  }

  /** A process that nobody has used yet. */
  add(process: HostProcess): void {
    process.pristine = true;
    this.kept.push(process);
  }

  /** A process without a guest; undefined when there is none. */
  take(): HostProcess | undefined {
    let process = this.kept.pop();
    while (process !== undefined && process.broken !== 0) process = this.kept.pop();
    return process;
  }

  /** The sandbox is quiet: ends all but one. */
  trim(): void {
    for (const process of this.kept.slice(1)) process.end();
  }

  /** The process is dead. */
  forget(process: HostProcess): void {
    const i = this.kept.indexOf(process);
    if (i >= 0) this.kept.splice(i, 1);
  }

  /** The guest of `process` is gone: it is kept, or ended. */
  recycle(process: HostProcess): void {
    const whole = process.hasTable === this.platform.patchesCalls && process.idle.length === process.threads;
    const few = this.kept.length < POOL_SIZE && process.threads <= THREADS_KEPT;
    if (few && process.broken === 0 && whole && this.empty(process)) this.add(process);
    else process.end();
  }

  /**
   * The guest of `process` is to become another program, whose mappings `fresh` was told of: the process goes on with that, and
   * `fresh` is kept, which it never used. False when nothing was done. The one before has no fewer rights: if a thread of it does
   * not stand where it says, it may only do to the next what it might by ptrace(2). What it left behind goes all the same.
   */
  takeOver(process: HostProcess, fresh: HostProcess): boolean {
    if (process.broken !== 0 || fresh.broken !== 0 || !fresh.pristine || this.kept.length >= POOL_SIZE)
      return false;
    if (process.hasTable !== this.platform.patchesCalls || fresh.hasTable !== process.hasTable) return false;
    const user = process.onlyUser;
    if (user === null || !user.restart()) return false;
    process.patchTarget = fresh.patchTarget;
    process.sites?.clear();
    process.wipeUnusedSlots();
    this.unmapAll(process);
    fresh.moveOrders(process);
    fresh.patchTarget = null;
    this.add(fresh);
    this.platform.runOrders(process);
    return true;
  }

  private empty(process: HostProcess): boolean {
    process.patchTarget = null;
    process.sites?.clear();
    this.unmapAll(process);
    this.platform.runOrders(process);
    // With a process that died its pages are gone.
    if (process.broken !== 0) return false;
    process.ordersPage.fill(0);
    process.wipeUnusedSlots();
    return this.cleanseThreads(process);
  }

  private unmapAll(process: HostProcess): void {
    // After what is queued: pages of the process's own may be among it, which stay.
    if (this.platform.patchesCalls) {
      // All but the jump table.
      const after = PATCH_TABLE_ADDR + PATCH_TABLE_SIZE;
      process.order(SYS_munmap, 0, PATCH_TABLE_ADDR, 0, 0, 0, 0);
      process.order(SYS_munmap, after, GUEST_TOP - after, 0, 0, 0, 0);
    } else process.order(SYS_munmap, 0, GUEST_TOP, 0, 0, 0, 0);
  }

  /** Each thread sleeps in the handler, and makes one trap with nothing in its registers. */
  private cleanseThreads(process: HostProcess): boolean {
    const { platform } = this;
    // All of them first: one that still ran could spoil the slot of another that was cleansed already.
    for (const slot of process.idle)
      if (slot.starting || !sleepsInHandler(slot, platform.stub.sleepAddr)) return false;
    for (const slot of process.idle) {
      if (!slot.sendToTrap(platform.stub.trapAddr, platform.initialXstate)) return false;
      platform.handover.placement.bringHome(slot);
      if (!platform.handover.ask(slot, STATE_RUN, CLEANSE_LIMIT_NS) || !slot.locateFrame() || !slot.noteTop())
        return false;
    }
    return true;
  }
}
