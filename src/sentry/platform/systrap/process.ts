// HostProcess: one stub process. Its first thread, the mapper, waits in a call that the Sentry has not answered yet;
// an answer is the number of orders to carry out. Guest threads live in slots. An address space owns one process at a
// time; emptied processes are kept for the next one.

import { EINTR, ESRCH } from '../../../abi/errno.ts';
import { MAP_FIXED, MAP_SHARED, PROT_READ, PROT_WRITE } from '../../../abi/memory/mman.ts';
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from '../../../abi/process/sched.ts';
import { __WALL, WNOHANG } from '../../../abi/process/wait.ts';
import { SIGKILL } from '../../../abi/signal/signal.ts';
import {
  SYS_clone,
  SYS_close,
  SYS_kill,
  SYS_mmap,
  SYS_pidfd_open,
  SYS_ppoll,
  SYS_wait4,
} from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import type { PatchTarget } from '../platform.ts';
import { OrderList } from '../stub/orders.ts';
import {
  MAX_ORDERS,
  MAX_SLOTS,
  MEMFILE_FD,
  ORDERS_ADDR,
  ORDERS_PAGES,
  SLOT_PAGES,
  SLOT_SIZE,
  SLOTS_ADDR,
  SLOTS_PER_BLOCK,
} from './layout.ts';
import { CallSites } from './sites.ts';
import { HostSlot } from './slot.ts';
import type { StubImage } from './stub.image.ts';

const THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

const pollFd = HostBuffer.alloc(8);

/** What processes need of their platform. */
export interface ProcessHost {
  readonly memfile: MemoryFile;
  readonly stub: StubImage;
  readonly patchesCalls: boolean;
  /** Where processes without threads read their orders. */
  readonly ordersPage: Int32Array;
  /** Has the platform told of the end of a process. */
  watchProcess(pidfd: number, pid: number): void;
  runOrders(process: HostProcess): number;
  forgetProcess(process: HostProcess): void;
}

/** A guest thread that has one of the slots. */
export interface SlotUser {
  /** The process is dead. */
  processDied(): void;
  /** Its thread is to run another program, with nothing left of this one; false when that cannot be from where it stands. */
  restart(): boolean;
}

export class HostProcess {
  readonly platform: ProcessHost;
  readonly pid: number;
  readonly pidfd: number;
  /** The mapper's call that waits for an answer. */
  idLow = 0;
  idHigh = 0;
  readonly orders: OrderList = new OrderList(MAX_ORDERS);
  /** Where its mapper reads orders: the template's page at first. */
  ordersPage: Int32Array;
  private ordersFrame = -1;
  /** Threads that no context uses. */
  readonly idle: HostSlot[] = [];
  /** Guest threads, idle or not. */
  threads = 0;
  /** First frame of each block of slots. */
  private readonly blocks: number[] = [];
  /** The jump table of patched calls is mapped. */
  hasTable: boolean;
  /** The cpu that the mapper is pinned to; -1 for none. */
  mapperCpu = -1;
  /** 0, or why the process must not run guest code again: -errno. */
  broken = 0;
  /** Nothing was mapped in it for the address space that has it. */
  pristine = true;

  constructor(platform: ProcessHost, pid: number) {
    this.platform = platform;
    this.pid = pid;
    this.ordersPage = platform.ordersPage;
    this.hasTable = platform.patchesCalls;
    this.sites = platform.patchesCalls ? new CallSites(this, platform.memfile, platform.stub.patched) : null;
    this.pidfd = hostCall(SYS_pidfd_open, pid, 0);
    if (this.pidfd < 0) {
      this.broken = this.pidfd;
      return;
    }
    platform.watchProcess(this.pidfd, pid);
  }

  /** Queues an order. */
  order(nr: number, a: number, b: number, c: number, d: number, e: number, f: number): void {
    if (this.orders.full) this.platform.runOrders(this);
    this.orders.push(nr, a, b, c, d, e, f);
  }

  /** Gives what is queued to another process. */
  moveOrders(to: HostProcess): void {
    const { count, slots } = this.orders;
    for (let i = 0; i < 7 * count; i += 7)
      to.order(
        slots[i]!,
        slots[i + 1]!,
        slots[i + 2]!,
        slots[i + 3]!,
        slots[i + 4]!,
        slots[i + 5]!,
        slots[i + 6]!,
      );
    this.orders.count = 0;
  }

  /** An idle thread, or a new one; null when the host refuses. */
  takeSlot(): HostSlot | null {
    return this.idle.pop() ?? this.newSlot();
  }

  private newSlot(): HostSlot | null {
    const index = this.threads;
    if (this.broken !== 0 || index >= MAX_SLOTS) return null;
    const block = Math.floor(index / SLOTS_PER_BLOCK);
    const inBlock = index % SLOTS_PER_BLOCK;
    if (block === this.blocks.length) {
      const frame = this.platform.memfile.alloc(SLOTS_PER_BLOCK * SLOT_PAGES);
      if (frame < 0) return null;
      this.blocks.push(frame);
      const size = SLOTS_PER_BLOCK * SLOT_SIZE;
      const at = SLOTS_ADDR + block * size;
      const flags = MAP_SHARED | MAP_FIXED;
      this.order(SYS_mmap, at, size, PROT_READ | PROT_WRITE, flags, MEMFILE_FD, frame * 4096);
    }
    if (this.ordersFrame < 0 && !this.takeOrdersPage()) return null;
    const slot = new HostSlot(
      this.pid,
      index,
      this.platform.memfile,
      this.blocks[block]! + inBlock * SLOT_PAGES,
      this.platform.stub.bases,
      this.platform.patchesCalls,
    );
    this.order(SYS_clone, THREAD_FLAGS, slot.addr + SLOT_SIZE - 16, 0, 0, 0, 0);
    slot.tid = this.platform.runOrders(this);
    if (slot.tid <= 0) return null;
    this.threads++;
    return slot;
  }

  /**
   * Before its first thread runs, the process gets orders in a page of its own: what others are told is not for its
   * guests to read. With that the queued orders are carried out. False when something failed.
   */
  private takeOrdersPage(): boolean {
    const { memfile } = this.platform;
    const frame = memfile.alloc(ORDERS_PAGES);
    if (frame < 0) return false;
    this.ordersFrame = frame;
    // The last order of the list: the mapper reads no more of the page that this replaces.
    const flags = MAP_SHARED | MAP_FIXED;
    this.order(SYS_mmap, ORDERS_ADDR, ORDERS_PAGES * 4096, PROT_READ, flags, MEMFILE_FD, frame * 4096);
    this.platform.runOrders(this);
    const at = memfile.byteOffset(frame) / 4;
    this.ordersPage = memfile.i32(frame).subarray(at, at + ORDERS_PAGES * 1024);
    return this.broken === 0;
  }

  /** Slots that no thread has yet, in blocks that are mapped: what a guest wrote there goes. */
  wipeUnusedSlots(): void {
    const { memfile } = this.platform;
    for (let i = this.threads; i < this.blocks.length * SLOTS_PER_BLOCK; i++) {
      const frame = this.blocks[Math.floor(i / SLOTS_PER_BLOCK)]! + (i % SLOTS_PER_BLOCK) * SLOT_PAGES;
      memfile.zeroPages(frame, SLOT_PAGES);
    }
  }

  private reaped = false;
  /** Contexts that have one of the slots: as long as there are any, the slots' memory is not given to others. */
  private readonly bound: Set<SlotUser> = new Set();
  /** The address space that it serves may have its calls patched. */
  patchTarget: PatchTarget | null = null;
  /** Its call sites; null when calls are left alone. */
  readonly sites: CallSites | null;

  /** Who has its thread, when it has a single one. */
  get onlyUser(): SlotUser | null {
    if (this.threads !== 1 || this.bound.size !== 1) return null;
    for (const user of this.bound) return user;
    return null;
  }

  /** A context takes a slot. */
  addContext(ctx: SlotUser): void {
    this.bound.add(ctx);
  }

  /** A context leaves its slot and looks at it no more. */
  removeContext(ctx: SlotUser): void {
    this.bound.delete(ctx);
    this.freeSlots();
  }

  private freeSlots(): void {
    if (!this.reaped || this.bound.size > 0) return;
    for (const frame of this.blocks) this.platform.memfile.unrefRun(frame, SLOTS_PER_BLOCK * SLOT_PAGES);
    this.blocks.length = 0;
  }

  /** Kills the process and waits until no thread of it can run: then its memory may be used again. */
  end(): void {
    if (this.reaped) return;
    hostCall(SYS_kill, this.pid, SIGKILL);
    if (this.pidfd >= 0) {
      pollFd.view.setInt32(0, this.pidfd, true);
      pollFd.view.setInt32(4, 1, true);
      while (hostCall(SYS_ppoll, pollFd.addr, 1, 0, 0, 8) === -EINTR);
    }
    this.reap();
  }

  /** The process is dead: frees what the Sentry holds for it. */
  reap(): void {
    if (this.reaped) return;
    this.reaped = true;
    if (this.broken === 0) this.broken = -ESRCH;
    hostCall(SYS_wait4, this.pid, 0, __WALL | WNOHANG, 0);
    if (this.pidfd >= 0) hostCall(SYS_close, this.pidfd);
    this.idle.length = 0;
    this.sites?.release();
    if (this.ordersFrame >= 0) this.platform.memfile.unrefRun(this.ordersFrame, ORDERS_PAGES);
    this.ordersFrame = -1;
    this.freeSlots();
    this.platform.forgetProcess(this);
    // Those that do not run too: a parked call would wait, and hold what it has, for who never goes on.
    for (const user of this.bound) user.processDied();
  }
}
