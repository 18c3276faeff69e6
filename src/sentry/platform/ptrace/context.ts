// PtraceContext: a guest thread's registers, and the host thread that runs them while it has one.

import { EAGAIN, EIO } from '../../../abi/errno.ts';
import { PTRACE_SYSEMU } from '../../../abi/process/ptrace.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import {
  ptraceGetXstate,
  ptraceInterrupt,
  ptraceResume,
  ptraceSetregsResume,
  ptraceSetXstate,
} from '../../../host/ptrace.ts';
import { type AddressSpace, type Context, EV_DEAD } from '../platform.ts';
import {
  CS,
  DS,
  EFLAGS,
  ES,
  FS,
  FS_BASE,
  GS,
  GS_BASE,
  ORIG_RAX,
  REGS_SIZE,
  Regs,
  SS,
  USER_CS,
  USER32_CS,
} from '../regs.ts';
import type { PtraceAddressSpace } from './address_space.ts';
import type { HostThread } from './host_thread.ts';

/** Linux's bound for the bases that ptrace and arch_prctl set. */
const TASK_SIZE_MAX = 0x7fff_ffff_f000;

/** Bytes of host memory for one context's registers, reused through a free list. */
const freeBuffers: HostBuffer[] = [];

/** What guest threads need of their platform. */
export interface ContextHost {
  readonly xstateSize: number;
  readonly initialXstate: Uint8Array;
  /** Queues an event that did not come from the host. */
  post(ctx: PtraceContext): void;
  /** `ctx` is about to enter user mode; it came back, or will not; it is released. */
  entering(ctx: PtraceContext, thread: HostThread): void;
  left(ctx: PtraceContext): void;
  forget(ctx: PtraceContext): void;
  /** A host thread of the address space, or null; and back again. */
  takeThread(space: PtraceAddressSpace, ctx: PtraceContext): HostThread | null;
  giveBack(space: PtraceAddressSpace, thread: HostThread, running: boolean): void;
  threadCpuNs(space: PtraceAddressSpace, thread: HostThread): number;
  runOrders(space: PtraceAddressSpace, thread: HostThread | null): void;
}

export class PtraceContext implements Context {
  readonly regs: Regs;
  readonly platform: ContextHost;
  private readonly buffer: HostBuffer;
  owner: unknown = null;
  event = 0;
  sig = 0;
  sigCode = 0;
  faultAddr = 0;
  faultAccess = 0;
  running = false;
  /** A kick has stopped it, and the event that it had run into before is to come. */
  kicked = false;
  thread: HostThread | null = null;
  /** The address space that `thread` belongs to. */
  as: PtraceAddressSpace | null = null;
  /** Extended state to load before the next run: set while there is no thread. */
  private pendingXstate: Uint8Array | null = null;
  /** CPU time of threads that were given up. */
  cpuBaseNs = 0;
  private released = false;

  constructor(platform: ContextHost) {
    this.platform = platform;
    this.buffer = freeBuffers.pop() ?? HostBuffer.alloc(REGS_SIZE);
    this.buffer.u8.fill(0);
    this.regs = new Regs(this.buffer.buffer, 0);
    this.regs.set(CS, USER_CS);
    this.regs.set(SS, 0x2b);
    this.regs.set(EFLAGS, 0x202);
  }

  /** Host address of the registers. */
  get regsAddr(): number {
    return this.buffer.addr;
  }

  get hostTid(): number {
    return this.thread === null ? 0 : this.thread.tid;
  }

  prepare(as: AddressSpace): number {
    const space = as as PtraceAddressSpace;
    if (this.as !== space) this.bind(space);
    return this.thread === null ? -EAGAIN : 0;
  }

  resume(as: AddressSpace): void {
    const space = as as PtraceAddressSpace;
    if (this.as !== space) this.bind(space);
    const thread = this.thread;
    if (thread !== null && space.orders.count > 0) this.platform.runOrders(space, thread);
    if (thread === null || space.broken !== 0) {
      this.event = EV_DEAD;
      this.platform.post(this);
      return;
    }
    // What the guest may not choose: orig_rax, which would make the host restart a system call, and code and stack
    // segments other than the usual. Its data segments are as it loaded them, and the host checks them.
    const r = this.regs.words;
    r[2 * ORIG_RAX] = -1;
    r[2 * ORIG_RAX + 1] = -1;
    if (r[2 * CS] !== USER32_CS) r[2 * CS] = USER_CS;
    r[2 * SS] = 0x2b;
    this.running = true;
    this.platform.entering(this, thread);
    let err = ptraceSetregsResume(thread.tid, this.buffer.addr, PTRACE_SYSEMU);
    // wrfsbase takes any canonical address, ptrace only those of user space; a null selector may have any privilege level,
    // for ptrace only 0 or 3. It sets registers in order, so that all before the bases are in place now, and the thread
    // itself still has what it loaded.
    if (err === -EIO && (this.hasKernelBase() || this.hasOddSelector()))
      err = ptraceResume(thread.tid, PTRACE_SYSEMU);
    if (err < 0) {
      this.running = false;
      this.platform.left(this);
      this.event = EV_DEAD;
      this.platform.post(this);
    }
  }

  /** True when the guest put an address above user space into its fs or gs base. */
  private hasKernelBase(): boolean {
    for (const r of [FS_BASE, GS_BASE]) {
      const base = this.regs.get(r);
      if (base < 0 || base >= TASK_SIZE_MAX) return true;
    }
    return false;
  }

  /** True when the guest loaded a null selector that ptrace does not take. */
  private hasOddSelector(): boolean {
    for (const r of [DS, ES, FS, GS]) {
      const selector = this.regs.int(r);
      if (selector === 1 || selector === 2) return true;
    }
    return false;
  }

  interrupt(): void {
    if (this.running && this.thread !== null) ptraceInterrupt(this.thread.tid);
  }

  getXstate(to: Uint8Array): void {
    const size = this.platform.xstateSize;
    if (this.thread === null) {
      to.set((this.pendingXstate ?? this.platform.initialXstate).subarray(0, size));
      return;
    }
    ptraceGetXstate(this.thread.tid, xstateBuffer);
    to.set(xstateBuffer.u8.subarray(0, size));
  }

  setXstate(from: Uint8Array): void {
    if (this.thread === null) {
      this.pendingXstate = from.slice(0, this.platform.xstateSize);
      return;
    }
    xstateBuffer.u8.set(from.subarray(0, this.platform.xstateSize));
    ptraceSetXstate(this.thread.tid, xstateBuffer, this.platform.xstateSize);
  }

  cpuTimeNs(): number {
    return (
      this.cpuBaseNs +
      (this.thread === null || this.as === null ? 0 : this.platform.threadCpuNs(this.as, this.thread))
    );
  }

  detach(): void {
    this.unbind();
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.unbind();
    this.platform.forget(this);
    freeBuffers.push(this.buffer);
  }

  /** Gives the host thread back to its address space. */
  private unbind(): void {
    if (this.thread !== null && this.as !== null) {
      this.cpuBaseNs += this.platform.threadCpuNs(this.as, this.thread);
      this.platform.giveBack(this.as, this.thread, this.running);
      this.running = false;
    }
    this.thread = null;
    this.as = null;
  }

  private bind(space: PtraceAddressSpace): void {
    this.unbind();
    this.thread = this.platform.takeThread(space, this);
    if (this.thread === null) return;
    this.as = space;
    this.cpuBaseNs -= this.platform.threadCpuNs(space, this.thread);
    const x = this.pendingXstate ?? this.platform.initialXstate;
    this.pendingXstate = null;
    xstateBuffer.u8.set(x);
    ptraceSetXstate(this.thread.tid, xstateBuffer, this.platform.xstateSize);
  }
}

/** Room for any XSAVE area that current processors have (AMX's is 11 KiB). */
export const xstateBuffer: HostBuffer = HostBuffer.alloc(16384);
