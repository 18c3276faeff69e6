// The systrap platform: guest threads run natively under a seccomp filter that turns every system call into a signal,
// whose handler, in the stub, hands the thread over through shared memory (../handover). ptrace is not used.

import { EAGAIN, ESRCH } from '../../../abi/errno.ts';
import { CLONE_FILES, CLONE_PARENT } from '../../../abi/process/sched.ts';
import { __WALL } from '../../../abi/process/wait.ts';
import { SIGCHLD, SIGKILL } from '../../../abi/signal/signal.ts';
import { SYS_clone, SYS_close, SYS_kill, SYS_wait4 } from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { receiveFd, socketPair } from '../../../host/fd_passing.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { HandOver } from '../handover/handover.ts';
import { HostWait } from '../handover/host_wait.ts';
import type { AddressSpace, Context, Platform } from '../platform.ts';
import { refused } from '../refused.ts';
import { Donations, type StubTable } from '../stub/donations.ts';
import { hostGettimeAddr } from '../stub/host_vdso.ts';
import { startProgram } from '../stub/program.ts';
import { endProcesses } from '../stub/reap.ts';
import { SystrapAddressSpace } from './address_space.ts';
import type { Bases } from './bases.ts';
import { SystrapContext } from './context.ts';
import { chooseBases } from './features.ts';
import { C_XSTATE, EVENT_FD, IMAGE_FD, MEMFILE_FD, ORDERS_PAGES, REPORT_FD, XSTATE_ROOM } from './layout.ts';
import { Mappers } from './mappers.ts';
import { ProcessPool } from './pool.ts';
import { HostProcess } from './process.ts';
import type { HostSlot } from './slot.ts';
import { STUBS, type StubImage } from './stub.image.ts';

/** How long the Sentry spins, and waits at most, for the first thread of all. */
const START_SPIN_NS = 200_000;
const START_LIMIT_NS = 2e9;

export interface SystrapOptions {
  /** Rewrite system call instructions to jumps, in address spaces that have a PatchTarget. */
  readonly patchCalls?: boolean;
  /** How stubs deal with fs and gs; by default as the host allows. */
  readonly bases?: Bases;
  /** Guest threads that may run at once; by default some per cpu. */
  readonly runLimit?: number;
}

export class SystrapPlatform implements Platform, StubTable {
  readonly name = 'systrap';
  /** int 0x80 comes back as a fault. */
  readonly patchesCalls: boolean;
  readonly int80IsSyscall = false;
  readonly fsgsbase: boolean;
  /** Faults are exact: nobody need look at the instruction. */
  readonly accessOf = null;
  private readonly hasHostVdso: boolean;
  readonly xstateSize: number;
  readonly xcr0Lo: number;
  /** Slots have room for it outside of signal frames. */
  readonly movesXstate: boolean;
  readonly initialXstate: Uint8Array;
  readonly memfile: MemoryFile;
  /** The control page, read-only in every stub. */
  readonly control: Int32Array;
  private readonly controlAt: number;
  private readonly host: HostWait;
  readonly handover: HandOver<SystrapContext>;
  private readonly mappers: Mappers;
  /** A pristine process that is only ever cloned. */
  private readonly template: HostProcess;
  private readonly processes = new Map<number, HostProcess>();
  readonly pool = new ProcessPool(this);
  readonly donations = new Donations(this);
  readonly stub: StubImage;
  /** Call sites patched so far. */
  patchedSites = 0;
  /** Where the template, and processes without threads, read their orders. */
  readonly ordersPage: Int32Array;

  /**
   * Starts the template stub and one process of it. `pollerFd` is the epoll descriptor whose readiness ends a wait.
   * Throws an Error that names the failing step when the host does not allow it.
   */
  constructor(memfile: MemoryFile, pollerFd: number, options: SystrapOptions = {}) {
    this.memfile = memfile;
    this.patchesCalls = options.patchCalls === true;
    this.stub = STUBS[options.bases ?? chooseBases()];
    this.fsgsbase = this.stub.bases === 'read';
    const frame = memfile.alloc(1 + ORDERS_PAGES);
    if (frame < 0) throw refused('systrap', 'no memory for the control page', frame);
    this.control = memfile.i32(frame);
    this.controlAt = memfile.byteOffset(frame) / 4;
    const orders = this.controlAt + 1024;
    this.ordersPage = this.control.subarray(orders, orders + ORDERS_PAGES * 1024);
    const died = (pid: number): void => this.processDied(pid);
    this.host = new HostWait(pollerFd, died, (step, r) => {
      throw refused('systrap', `${step} failed`, r);
    });
    this.handover = new HandOver(memfile, this.control, this.controlAt, this.host, options.runLimit);
    const { placement, ring } = this.handover;

    const elf = this.stub.elf.slice();
    const fields = new DataView(elf.buffer);
    putU64(fields, this.stub.controlAt, frame * 4096);
    putU64(fields, this.stub.ringAt, ring.frame * 4096);
    const pair = socketPair();
    if (typeof pair === 'number') throw refused('systrap', 'socketpair', pair);
    const [ours, theirs] = pair;
    const fds = [
      [memfile.fd, MEMFILE_FD] as const,
      [this.host.eventFd, EVENT_FD] as const,
      [theirs, REPORT_FD] as const,
    ];
    const pid = must('the stub', startProgram(elf, 'vedette-stub', fds, IMAGE_FD));
    try {
      hostCall(SYS_close, theirs);
      const fd = must('a seccomp filter with notifications', receiveFd(ours));
      hostCall(SYS_close, ours);
      this.mappers = new Mappers(fd, placement);
      this.template = new HostProcess(this, pid);
      must('pidfd_open', this.template.pidfd);
      must('the stub', this.mappers.begin(this.template));
      this.hasHostVdso = this.mappers.reported(3) > this.mappers.reported(2);
      this.processes.set(pid, this.template);

      // One process and thread tell the layout of the host's signal frames, and wait in the pool.
      const first = this.cloneProcess();
      if (typeof first === 'number') throw refused('systrap', 'no stub process', first);
      const slot = first.takeSlot();
      if (slot === null) throw refused('systrap', 'no guest thread', -EAGAIN);
      if (!this.awaitStart(slot)) throw new Error('systrap platform: a guest thread did not start');
      const layout = slot.locateFrame() && slot.noteTop() ? slot.xstateLayout() : null;
      if (layout === null || layout[0] < 576 || slot.xstateAt(layout[0] + 4) < 0)
        throw new Error('systrap platform: signal frames of an unknown layout');
      [this.xstateSize, this.xcr0Lo] = layout;
      this.movesXstate = this.xstateSize <= XSTATE_ROOM;
      this.control[this.controlAt + C_XSTATE / 4] = this.xcr0Lo;
      const area = slot.xstateAt(this.xstateSize);
      this.initialXstate = slot.bytes.slice(area, area + this.xstateSize);
      slot.starting = false;
      first.idle.push(slot);
      this.pool.add(first);
      placement.begin();
    } catch (error) {
      hostCall(SYS_kill, pid, SIGKILL);
      hostCall(SYS_wait4, pid, 0, __WALL, 0);
      for (const process of this.processes.values()) process.end();
      throw error;
    }
  }

  hostGettime(): number {
    return this.hasHostVdso ? hostGettimeAddr() : 0;
  }

  get mapsFiles(): boolean {
    return !this.donations.refused;
  }

  /** StubTable: the template's mapper gets the descriptor, and with it all processes. */
  giveFd(fd: number): number {
    return this.mappers.giveFd(this.template, fd);
  }

  closeFds(numbers: readonly number[]): void {
    for (const process of this.processes.values()) if (process.orders.count > 0) this.runOrders(process);
    for (const fd of numbers) this.template.orders.push(SYS_close, fd, 0, 0, 0, 0, 0);
    this.runOrders(this.template);
  }

  newAddressSpace(): AddressSpace | number {
    const process = this.pool.take();
    if (process !== undefined) return new SystrapAddressSpace(this, process);
    const made = this.cloneProcess();
    return typeof made === 'number' ? made : new SystrapAddressSpace(this, made);
  }

  newContext(): Context {
    return new SystrapContext(this);
  }

  wait(block: boolean): Context | null {
    return this.handover.wait(block);
  }

  /** HostWait tells of the end of this process. */
  watchProcess(pidfd: number, pid: number): void {
    this.host.watchProcess(pidfd, pid);
  }

  private processDied(pid: number): void {
    const process = this.processes.get(pid);
    if (process === undefined) return;
    if (process === this.template) throw new Error('systrap platform: the template stub died');
    process.reap();
  }

  /** The process is dead: so are the contexts that have a thread of it. */
  forgetProcess(process: HostProcess): void {
    this.processes.delete(process.pid);
    this.mappers.forget(process.pid);
    this.pool.forget(process);
    this.handover.forgetRuns((ctx) => ctx.process === process);
  }

  /**
   * Carries out the queued orders of `process`; result of the last one, or -errno of the one that failed. When this returns,
   * all of them are done, or no thread of the process runs any more: it may have mapped what the Sentry is about to give
   * to others.
   */
  runOrders(process: HostProcess): number {
    process.pristine = false;
    const r = this.mappers.run(process);
    if (process.broken !== 0) process.end();
    return r;
  }

  private cloneProcess(): HostProcess | number {
    // CLONE_PARENT: the new process is the Sentry's child, which is told of its death and reaps it. CLONE_FILES: all have
    // the descriptors of donated files.
    this.template.orders.push(SYS_clone, CLONE_PARENT | CLONE_FILES | SIGCHLD, 0, 0, 0, 0, 0);
    const pid = this.runOrders(this.template);
    if (pid <= 0) return pid < 0 ? pid : -ESRCH;
    const process = new HostProcess(this, pid);
    const r = this.mappers.begin(process);
    if (r < 0) {
      process.end();
      return r;
    }
    this.processes.set(pid, process);
    return process;
  }

  /** The first thread's report: soon there where cpus are idle, but where none is, it waits for the one that we spin on. */
  private awaitStart(slot: HostSlot): boolean {
    return (
      this.handover.spinForReport(slot, START_SPIN_NS) || this.handover.awaitReport(slot, START_LIMIT_NS)
    );
  }

  trim(): void {
    this.pool.trim();
  }

  /** All stub processes, for tests and reports. */
  pids(): number[] {
    return [...this.processes.keys()];
  }

  stats(): Record<string, number> {
    return {
      ...this.handover.stats(),
      'exchanges with mappers': this.mappers.exchanges,
      'mapping orders': this.mappers.orders,
      'patched call sites': this.patchedSites,
    };
  }

  shutdown(): void {
    endProcesses(this.processes.keys());
    this.mappers.close();
    this.host.close();
  }
}

function must(step: string, r: number): number {
  if (r < 0) throw refused('systrap', `${step} failed`, r);
  return r;
}
