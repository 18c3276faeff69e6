// The ptrace platform: portable, slow, and the reference for correctness. Guest threads are tracees of the Sentry's one
// thread; PTRACE_SYSEMU turns every system call into a stop. One wait4 covers all of them, and host readiness too: a
// waker process sleeps in epoll_wait on the Sentry's behalf and stops itself when something is ready, so there is no
// race between looking at descriptors and sleeping.

import { EINTR, ESRCH } from '../../../abi/errno.ts';
import { MSG_CMSG_CLOEXEC, MSG_DONTWAIT } from '../../../abi/net/socket.ts';
import { PTRACE_EVENT_STOP, PTRACE_SYSEMU } from '../../../abi/process/ptrace.ts';
import {
  encodeSigaction,
  SA_NOCLDSTOP,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SIG_DFL,
  SIGBUS,
  SIGCHLD,
  SIGKILL,
  SIGSEGV,
  SIGTRAP,
  SIZEOF_SIGACTION,
} from '../../../abi/signal/signal.ts';
import {
  SYS_clone,
  SYS_close,
  SYS_kill,
  SYS_munmap,
  SYS_recvmsg,
  SYS_rt_sigaction,
} from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { fdOfMessage, layFdMessage, sendFd, socketPair } from '../../../host/fd_passing.ts';
import {
  ptraceGetregs,
  ptraceGetXstate,
  ptraceHasPendingSignal,
  ptraceInterrupt,
  ptraceResume,
  ptraceSiginfo,
  siginfo,
  waitAny,
  waitFor,
  waitStatus,
} from '../../../host/ptrace.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  type AddressSpace,
  type Context,
  EV_DEAD,
  EV_FAULT,
  EV_KICK,
  EV_SYSCALL,
  EV_TRAP,
  GUEST_TOP,
  type Platform,
} from '../platform.ts';
import { refused } from '../refused.ts';
import { RIP } from '../regs.ts';
import { Donations, type StubTable } from '../stub/donations.ts';
import { hostGettimeAddr } from '../stub/host_vdso.ts';
import { endProcesses } from '../stub/reap.ts';
import { accessOf } from './access.ts';
import { PtraceAddressSpace } from './address_space.ts';
import { Affinity } from './affinity.ts';
import { PtraceContext, xstateBuffer } from './context.ts';
import { threadCpuNs } from './cpu_time.ts';
import { HostThread } from './host_thread.ts';
import { spawnStub, spawnWaker } from './spawn.ts';
import {
  MESSAGE_ADDR,
  ORDERS_PAGES,
  PROCESS_FLAGS,
  STUB,
  STUB_SOCKET_FD,
  type StubImage,
  THREAD_FLAGS,
} from './stub.image.ts';

const SYSCALL_STOP = SIGTRAP | 0x80;
/** How many events may pass between looks at the waker while guest threads keep the Sentry busy. */
const WAKER_LOOK_EVERY = 64;
/** Emptied stub processes that are kept, and the most threads that one of them may have: nobody's limit counts them. */
const POOL_SIZE = 8;
const THREADS_KEPT = 4;

/** Every stop of a tracee would send us SIGCHLD as well, which nobody reads: SA_NOCLDSTOP saves that. */
function quietStops(): void {
  const action = HostBuffer.alloc(SIZEOF_SIGACTION);
  encodeSigaction(action.view, 0, {
    handler: SIG_DFL,
    flags: SA_NOCLDSTOP,
    restorer: 0,
    maskLo: 0,
    maskHi: 0,
  });
  hostCall(SYS_rt_sigaction, SIGCHLD, action.addr, 0, 8);
}

export class PtracePlatform implements Platform, StubTable {
  readonly name = 'ptrace';
  readonly patchesCalls = false;
  readonly int80IsSyscall = true;
  /** The host keeps the bases of its threads. */
  readonly fsgsbase = true;
  readonly accessOf = accessOf;
  private readonly hasHostVdso: boolean;
  readonly xstateSize: number;
  readonly xcr0Lo: number;
  readonly initialXstate: Uint8Array;
  private readonly stub: StubImage;
  private readonly ordersPage: Int32Array;
  /** Where the template receives descriptors: our end, and its message in the memory file. */
  private readonly socket: number;
  private readonly message: { readonly view: DataView; readonly off: number };
  /** The host let the stubs have the filter that stands behind ptrace. */
  readonly filtered: boolean;
  private readonly wakerPid: number;
  private wakerRunning = false;
  /** A pristine stub that is only ever cloned. */
  private readonly template: HostThread;
  private readonly contexts = new Map<number, PtraceContext>();
  /** Events that a synchronous wait ran into, or that never needed the host. */
  private readonly posted: PtraceContext[] = [];
  /** Emptied processes whose threads are all idle. */
  private readonly pool: PtraceAddressSpace[] = [];
  private readonly affinity: Affinity;
  readonly donations = new Donations(this);
  /** Address spaces in use. */
  private readonly spaces: Set<PtraceAddressSpace> = new Set();
  private sinceWaker = 0;

  /**
   * Starts the template stub and the waker. `pollerFd` is the epoll descriptor whose readiness ends a wait.
   * Throws an Error that names the failing step when the host does not allow ptrace.
   */
  constructor(memfile: MemoryFile, pollerFd: number) {
    const frame = memfile.alloc(ORDERS_PAGES + 1);
    if (frame < 0) throw refused('ptrace', 'no memory for the orders page', frame);
    const off = memfile.byteOffset(frame);
    this.ordersPage = memfile.i32(frame).subarray(off / 4, off / 4 + ORDERS_PAGES * 1024);
    this.stub = { ...STUB, elf: STUB.elf.slice() };
    const fields = new DataView(this.stub.elf.buffer);
    putU64(fields, STUB.ordersAt, frame * 4096);
    putU64(fields, STUB.messageAt, (frame + ORDERS_PAGES) * 4096);
    const words = memfile.i32(frame + ORDERS_PAGES);
    this.message = { view: new DataView(words.buffer), off: memfile.byteOffset(frame + ORDERS_PAGES) };
    quietStops();
    this.affinity = new Affinity();
    const pair = socketPair();
    if (typeof pair === 'number') throw refused('ptrace', 'no sockets', pair);
    const [ours, theirs] = pair;
    this.socket = ours;
    const { thread, hasVdso, filter } = spawnStub(this.stub, memfile.fd, theirs);
    hostCall(SYS_close, theirs);
    this.template = thread;
    this.hasHostVdso = hasVdso;
    this.filtered = filter === 0;
    this.wakerPid = spawnWaker(this.stub, pollerFd);
    const size = ptraceGetXstate(this.template.tid, xstateBuffer);
    if (size < 576) throw new Error(`ptrace platform: no extended state (${size})`);
    this.xstateSize = size;
    this.initialXstate = xstateBuffer.u8.slice(0, size);
    this.xcr0Lo = xstateBuffer.view.getUint32(464, true);
  }

  newAddressSpace(): AddressSpace | number {
    const pooled = this.pool.pop();
    if (pooled !== undefined) return this.use(new PtraceAddressSpace(this, pooled.pid, pooled.idle));
    const thread = this.cloneProcess();
    return typeof thread === 'number' ? thread : this.use(new PtraceAddressSpace(this, thread.pid, [thread]));
  }

  private use(space: PtraceAddressSpace): PtraceAddressSpace {
    this.spaces.add(space);
    return space;
  }

  hostGettime(): number {
    return this.hasHostVdso ? hostGettimeAddr() : 0;
  }

  get mapsFiles(): boolean {
    return !this.donations.refused;
  }

  /** StubTable: the template receives a copy. */
  giveFd(fd: number): number {
    const sent = sendFd(this.socket, fd);
    if (sent < 0) return sent;
    const { view, off } = this.message;
    layFdMessage(view, off, MESSAGE_ADDR);
    const p = this.ordersPage;
    p.fill(0, 0, 16);
    p[0] = SYS_recvmsg;
    p[2] = STUB_SOCKET_FD;
    p[4] = MESSAGE_ADDR | 0;
    p[5] = Math.floor(MESSAGE_ADDR / 2 ** 32);
    p[6] = MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    const r = this.template.runOrder(this.stub);
    return r < 0 ? r : fdOfMessage(view, off);
  }

  closeFds(numbers: readonly number[]): void {
    for (const space of this.spaces) space.flush();
    const p = this.ordersPage;
    for (const fd of numbers) {
      p.fill(0, 0, 16);
      p[0] = SYS_close;
      p[2] = fd;
      this.template.runOrder(this.stub);
    }
  }

  newContext(): Context {
    return new PtraceContext(this);
  }

  /** Queues an event that did not come from a wait. */
  post(ctx: PtraceContext): void {
    if (!this.posted.includes(ctx)) this.posted.push(ctx);
  }

  wait(block: boolean): Context | null {
    if (++this.sinceWaker >= WAKER_LOOK_EVERY) {
      this.sinceWaker = 0;
      if (!this.wakerRunning || waitFor(this.wakerPid, false) === this.wakerPid) {
        this.wakerRunning = false;
        return null;
      }
    }
    if (this.posted.length > 0) return this.posted.shift()!;
    // With several threads running, everything that has stopped is collected before anything is resumed: wait4 favours
    // the youngest tracee, and one that calls often would starve the others.
    if (this.affinity.busy && this.collect()) return this.posted.shift()!;
    for (;;) {
      if (!this.wakerRunning) {
        // The kernel looked at its descriptors since the waker stopped; from here on the waker looks.
        ptraceResume(this.wakerPid);
        this.wakerRunning = true;
      }
      const tid = waitAny(block);
      if (tid === 0) return null;
      if (tid === -EINTR) continue;
      if (tid < 0) throw new Error(`ptrace platform: wait4 failed (${tid})`);
      if (tid === this.wakerPid) {
        this.wakerRunning = false;
        return null;
      }
      const ctx = this.contexts.get(tid);
      if (ctx === undefined) continue; // the end of a stub that was released
      if (this.came(ctx, waitStatus())) return ctx;
    }
  }

  /** Posts the events of all threads that have stopped; true when there is something to deliver. */
  private collect(): boolean {
    for (;;) {
      const tid = waitAny(false);
      if (tid <= 0) break;
      if (tid === this.wakerPid) {
        this.wakerRunning = false;
        continue;
      }
      const ctx = this.contexts.get(tid);
      if (ctx !== undefined && this.came(ctx, waitStatus())) this.post(ctx);
    }
    return this.posted.length > 0;
  }

  /**
   * The host told something of a context's thread; true for an event. Of one that does not run it is its death: a parked
   * call would wait, and hold what it has, for who never goes on.
   */
  private came(ctx: PtraceContext, status: number): boolean {
    if (ctx.running || (status & 0xff) !== 0x7f) return this.stopped(ctx, status);
    return false;
  }

  /** Turns a wait status into the context's event; false when the thread was sent on its way again. */
  private stopped(ctx: PtraceContext, status: number): boolean {
    const tid = ctx.thread!.tid;
    if ((status & 0xff) !== 0x7f) {
      this.dead(ctx);
      return true;
    }
    const sig = (status >> 8) & 0xff;
    if (sig === SYSCALL_STOP) {
      ctx.kicked = false;
      ctx.running = false;
      this.left(ctx);
      if (ptraceGetregs(tid, ctx.regsAddr) < 0) this.dead(ctx);
      else ctx.event = EV_SYSCALL;
      return true;
    }
    if (status >> 16 === PTRACE_EVENT_STOP) {
      // The stop comes before the signal of a trap that the thread has already run into. It runs no further before that
      // is delivered: then is the time to come back. A thread left here would take that for the end of its orders.
      if (ptraceHasPendingSignal(tid)) {
        ctx.kicked = true;
        ptraceResume(tid, PTRACE_SYSEMU);
        return false;
      }
      ctx.event = EV_KICK;
    } else if (!this.signalStop(ctx, sig)) {
      // A signal that some host process sent to the stub: the guest never sees it.
      if (ctx.kicked) ptraceInterrupt(tid);
      ptraceResume(tid, PTRACE_SYSEMU);
      return false;
    }
    ctx.kicked = false;
    ctx.running = false;
    this.left(ctx);
    if (ptraceGetregs(tid, ctx.regsAddr) < 0) {
      this.dead(ctx);
      return true;
    }
    if (ctx.event === EV_FAULT) {
      // x86 ptrace does not tell the access: an instruction fetch faults at rip; ACCERR on data is taken as a write,
      // since what may be read is mapped readable before the guest can touch it a second time.
      if (ctx.faultAddr === ctx.regs.get(RIP)) ctx.faultAccess = ACCESS_EXEC;
      else ctx.faultAccess = ctx.sigCode === SEGV_ACCERR ? ACCESS_WRITE : ACCESS_READ;
    }
    return true;
  }

  private signalStop(ctx: PtraceContext, sig: number): boolean {
    if (ptraceSiginfo(ctx.thread!.tid) < 0) return false;
    const code = siginfo.view.getInt32(8, true);
    if (code <= 0) return false;
    ctx.sig = sig;
    ctx.sigCode = code;
    ctx.faultAddr = siginfo.view.getInt32(20, true) * 0x1_0000_0000 + siginfo.view.getUint32(16, true);
    const pageFault = sig === SIGSEGV && (code === SEGV_MAPERR || code === SEGV_ACCERR);
    ctx.event = pageFault || (sig === SIGBUS && code === 2) ? EV_FAULT : EV_TRAP;
    return true;
  }

  private dead(ctx: PtraceContext): void {
    if (ctx.running) {
      ctx.running = false;
      this.left(ctx);
    }
    this.contexts.delete(ctx.thread!.tid);
    ctx.event = EV_DEAD;
  }

  entering(_ctx: PtraceContext, thread: HostThread): void {
    this.affinity.entering(thread);
  }

  left(ctx: PtraceContext): void {
    this.affinity.left(ctx.thread!);
  }

  /** A thread for a context in `space`: an idle one, or a new one. Null when the host refuses. */
  takeThread(space: PtraceAddressSpace, ctx: PtraceContext): HostThread | null {
    const thread = space.idle.pop() ?? this.cloneThread(space);
    if (thread !== null) this.contexts.set(thread.tid, ctx);
    return thread;
  }

  /** A context no longer needs its thread; it is stopped, or made to stop. */
  giveBack(space: PtraceAddressSpace, thread: HostThread, running: boolean): void {
    this.contexts.delete(thread.tid);
    if (running) {
      this.affinity.left(thread);
      if (!thread.halt()) return;
    }
    if (!space.released) space.idle.push(thread);
  }

  forget(ctx: PtraceContext): void {
    const i = this.posted.indexOf(ctx);
    if (i >= 0) this.posted.splice(i, 1);
  }

  /** Runs the queued orders of `space` on `thread`, or on any thread of it, stopping one when all run. */
  runOrders(space: PtraceAddressSpace, thread: HostThread | null): void {
    const list = space.orders;
    const stopped = thread ?? this.anyStopped(space);
    if (stopped === null) {
      // The host has killed the process. Its threads end one by one: the caller may go on when the last one has.
      list.count = 0;
      this.breakSpace(space, -ESRCH);
      return;
    }
    list.writeTo(this.ordersPage);
    const r = stopped.runOrders(this.stub, list.count);
    list.count = 0;
    if (r < 0) this.breakSpace(space, r);
  }

  /**
   * An order failed: what the stub has mapped is not what the Sentry believes, which is about to give frames to others.
   * None of its threads runs any more when this returns.
   */
  private breakSpace(space: PtraceAddressSpace, error: number): void {
    space.broken = error;
    for (const ctx of this.contexts.values()) {
      if (ctx.as !== space) continue;
      if (ctx.running) ctx.thread!.halt();
      this.dead(ctx);
      this.post(ctx);
    }
    hostCall(SYS_kill, space.pid, SIGKILL);
  }

  private anyStopped(space: PtraceAddressSpace): HostThread | null {
    if (space.idle.length > 0) return space.idle[space.idle.length - 1]!;
    let running: PtraceContext | null = null;
    for (const c of this.contexts.values()) {
      if (c.as !== space) continue;
      if (!c.running) return c.thread;
      running = c;
    }
    if (running === null) return null;
    // All threads run: stop one. Whatever event it comes back with is posted for the kernel.
    running.interrupt();
    for (;;) {
      if (waitFor(running.thread!.tid) < 0) return null;
      if (this.stopped(running, waitStatus())) break;
    }
    this.post(running);
    return running.event === EV_DEAD ? null : running.thread;
  }

  /**
   * An address space is given up. When all its threads are idle the process is emptied and kept for the next one: that
   * is what makes fork and exec cheap. Otherwise it is killed.
   */
  releaseAddressSpace(space: PtraceAddressSpace): void {
    this.spaces.delete(space);
    const few = this.pool.length < POOL_SIZE && space.threads <= THREADS_KEPT;
    if (few && space.broken === 0 && space.idle.length === space.threads) {
      space.orders.count = 0;
      space.orders.push(SYS_munmap, 0, GUEST_TOP, 0, 0, 0, 0);
      this.runOrders(space, null);
      if (space.broken === 0) {
        this.pool.push(space);
        return;
      }
    }
    hostCall(SYS_kill, space.pid, SIGKILL);
    // The zombie is reaped by a later wait4(-1); its tids are unknown by then and passed over.
  }

  private cloneProcess(): HostThread | number {
    const tid = this.cloneOn(this.template, PROCESS_FLAGS);
    return tid < 0 ? tid : new HostThread(tid, tid);
  }

  private cloneThread(space: PtraceAddressSpace): HostThread | null {
    const maker = this.anyStopped(space);
    if (maker === null) return null;
    const tid = this.cloneOn(maker, THREAD_FLAGS);
    if (tid < 0) return null;
    space.threads++;
    return new HostThread(space.pid, tid);
  }

  /** Has a stopped thread make clone(flags); the new thread is a stopped tracee when this returns its tid. */
  private cloneOn(maker: HostThread, flags: number): number {
    const p = this.ordersPage;
    p.fill(0, 0, 16);
    p[0] = SYS_clone;
    p[2] = flags;
    const tid = maker.runOrder(this.stub);
    if (tid < 0) return tid;
    // The child begins as a stopped tracee: CLONE_PTRACE attaches it as its maker was.
    return new HostThread(maker.pid, tid).waitForBirth() ? tid : -ESRCH;
  }

  threadCpuNs(space: PtraceAddressSpace, thread: HostThread): number {
    return threadCpuNs(thread, space.threads === 1);
  }

  trim(): void {
    for (const space of this.pool.splice(1)) hostCall(SYS_kill, space.pid, SIGKILL);
  }

  stats(): Record<string, number> {
    return {};
  }

  pids(): number[] {
    const spaces = [...this.spaces, ...this.pool];
    return [this.wakerPid, this.template.pid, ...spaces.map((space) => space.pid)];
  }

  shutdown(): void {
    const pids = [this.wakerPid, this.template.pid];
    for (const space of this.spaces) pids.push(space.pid);
    for (const space of this.pool) pids.push(space.pid);
    endProcesses(pids, true);
  }
}
