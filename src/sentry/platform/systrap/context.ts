// SystrapContext: a guest thread's registers, on the Sentry's side only, and the slot of the host thread that runs them.

import { AUDIT_ARCH_X86_64 } from '../../../abi/audit.ts';
import { ENOSYS } from '../../../abi/errno.ts';
import { FUTEX_WAKE } from '../../../abi/futex.ts';
import { SIGINFO_SI_ADDR, SIGINFO_SI_ARCH, SIGINFO_SI_CODE } from '../../../abi/siginfo.ts';
import {
  SI_KERNEL,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
  SYS_SECCOMP,
} from '../../../abi/signal.ts';
import { SYS_futex, SYS_tgkill } from '../../../abi/syscall.ts';
import { hostCall3 } from '../../../host/syscall.ts';
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
} from '../platform.ts';
import { CS, EFLAGS, ORIG_RAX, RAX, REGS_SIZE, Regs, RIP, SS } from '../regs.ts';
import { processCpuNs, threadCpuNs } from '../stub/cpu_time.ts';
import type { SystrapAddressSpace } from './address_space.ts';
import { FRAME_INFO, H_ASLEEP, H_SIG, H_STATE, STATE_EVENT, STATE_PARK, STATE_RUN } from './layout.ts';
import type { HostProcess } from './process.ts';
import { G_ERR, G_TRAPNO, type HostSlot } from './slot.ts';
import { SIG_KICK } from './stub.ts';
import type { SystrapPlatform } from './systrap.ts';

/** Processor exceptions, in the frame's trap number. */
const X86_TRAP_PF = 14;
/** Page-fault error code: a write, an instruction fetch. */
const PF_WRITE = 2;
const PF_INSTR = 16;

const TWO32 = 0x1_0000_0000;

export class SystrapContext implements Context {
  readonly regs: Regs = new Regs(new ArrayBuffer(REGS_SIZE), 0);
  readonly platform: SystrapPlatform;
  owner: unknown = null;
  event = 0;
  sig = 0;
  sigCode = 0;
  faultAddr = 0;
  faultAccess = 0;
  running = false;
  /** Place in the platform's list of running contexts. */
  runIndex = -1;
  slot: HostSlot | null = null;
  process: HostProcess | null = null;
  /** The slot's memory, for the scan: the word that says whether an event is there. */
  words: Int32Array;
  stateAt = 0;
  /** Extended state to load before the next run: set while there is no thread, or it has just started. */
  private pendingXstate: Uint8Array | null = null;
  private cpuBaseNs = 0;
  private cpuSeenNs = 0;
  private kickedAtStart = false;
  private released = false;

  constructor(platform: SystrapPlatform) {
    this.platform = platform;
    this.words = platform.control;
    this.regs.set(CS, 0x33);
    this.regs.set(SS, 0x2b);
    this.regs.set(EFLAGS, 0x202);
  }

  get hostTid(): number {
    return this.slot === null ? 0 : this.slot.tid;
  }

  resume(as: AddressSpace): void {
    const process = (as as SystrapAddressSpace).process;
    if (this.process !== process) this.bind(process);
    if (process.orders.count > 0) this.platform.runOrders(process);
    const slot = this.slot;
    if (slot === null || process.broken !== 0) {
      this.event = EV_DEAD;
      this.platform.post(this);
      return;
    }
    this.running = true;
    this.platform.entering(this);
    if (!slot.starting) this.sendOff(slot);
  }

  /** Lets the thread go on with the registers. */
  private sendOff(slot: HostSlot): void {
    if (this.pendingXstate !== null) {
      slot.setXstate(this.pendingXstate, this.platform.xstateSize);
      this.pendingXstate = null;
    }
    slot.store(this.regs);
    slot.parked = false;
    Atomics.store(this.words, this.stateAt, STATE_RUN);
    if (Atomics.load(this.words, slot.at + H_ASLEEP / 4) !== 0)
      hostCall3(SYS_futex, slot.hostAddr + H_STATE, FUTEX_WAKE, 1);
  }

  /** The thread will not go on soon: it need not spin for it. */
  park(): void {
    const slot = this.slot;
    if (slot === null || this.running || slot.parked) return;
    slot.parked = true;
    Atomics.compareExchange(this.words, this.stateAt, STATE_EVENT, STATE_PARK);
  }

  interrupt(): void {
    const slot = this.slot;
    if (!this.running || slot === null) return;
    if (slot.starting) {
      this.kickedAtStart = true;
      return;
    }
    // An event that is there already comes first, and would leave the kick for the next run.
    if (Atomics.load(this.words, this.stateAt) === STATE_EVENT) return;
    hostCall3(SYS_tgkill, slot.pid, slot.tid, SIG_KICK);
    this.platform.kicked(this);
  }

  /**
   * The slot's state says that an event is there. Reads it; false when there is none to deliver and the thread was sent
   * on its way again.
   */
  collect(): boolean {
    const slot = this.slot!;
    if (!slot.locateFrame()) {
      // No honest thread reports such a frame: end the process, which posts a death for each of its contexts.
      this.process!.end();
      return false;
    }
    if (slot.starting) {
      slot.starting = false;
      if (!this.kickedAtStart) {
        this.sendOff(slot);
        return false;
      }
      this.kickedAtStart = false;
      this.event = EV_KICK;
      return true;
    }
    const m = slot.words;
    slot.load(this.regs);
    const info = slot.at + (slot.frame + FRAME_INFO) / 4;
    const sig = m[slot.at + H_SIG / 4]!;
    const code = m[info + SIGINFO_SI_CODE / 4]!;
    const r = this.regs.i32;
    if (
      sig === SIGSYS &&
      code === SYS_SECCOMP &&
      m[info + SIGINFO_SI_ARCH / 4]! >>> 0 === AUDIT_ARCH_X86_64
    ) {
      r[2 * ORIG_RAX] = r[2 * RAX]!;
      r[2 * ORIG_RAX + 1] = r[2 * RAX + 1]!;
      r[2 * RAX] = -ENOSYS;
      r[2 * RAX + 1] = -1;
      this.event = EV_SYSCALL;
      return true;
    }
    r[2 * ORIG_RAX] = -1;
    r[2 * ORIG_RAX + 1] = -1;
    this.sig = sig;
    this.sigCode = code;
    this.faultAddr = m[info + SIGINFO_SI_ADDR / 4 + 1]! * TWO32 + (m[info + SIGINFO_SI_ADDR / 4]! >>> 0);
    switch (sig) {
      case SIGSEGV:
      case SIGBUS:
        if (code <= 0) break;
        if (m[slot.gregs + 2 * G_TRAPNO] === X86_TRAP_PF) {
          const err = m[slot.gregs + 2 * G_ERR]!;
          this.faultAccess =
            (err & PF_INSTR) !== 0 ? ACCESS_EXEC : (err & PF_WRITE) !== 0 ? ACCESS_WRITE : ACCESS_READ;
          this.event = EV_FAULT;
        } else this.event = EV_TRAP;
        return true;
      case SIGFPE:
      case SIGILL:
      case SIGTRAP:
        if (code <= 0) break;
        this.event = EV_TRAP;
        return true;
      case SIGSYS:
        // int 0x80 and sysenter: as on a kernel without 32-bit calls, a general protection fault.
        this.sig = SIGSEGV;
        this.sigCode = SI_KERNEL;
        this.faultAddr = 0;
        this.event = EV_TRAP;
        if (this.regs.get(RIP) >= 2) this.regs.set(RIP, this.regs.get(RIP) - 2);
        return true;
    }
    // A kick, a signal that somebody on the host sent, or something that the guest made up.
    this.event = EV_KICK;
    return true;
  }

  getXstate(to: Uint8Array): void {
    const size = this.platform.xstateSize;
    const initial = this.pendingXstate ?? this.platform.initialXstate;
    if (this.slot === null || this.slot.starting || this.pendingXstate !== null)
      to.set(initial.subarray(0, size));
    else this.slot.getXstate(to, size, initial);
  }

  setXstate(from: Uint8Array): void {
    const size = this.platform.xstateSize;
    if (this.slot === null || this.slot.starting) this.pendingXstate = from.slice(0, size);
    else this.slot.setXstate(from, size);
  }

  cpuTimeNs(): number {
    // The two sources differ by the mapper's share: never let the sum go back.
    return (this.cpuSeenNs = Math.max(this.cpuSeenNs, this.cpuBaseNs + this.hostCpuNs()));
  }

  detach(): void {
    this.unbind();
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.unbind();
    this.platform.forget(this);
  }

  private hostCpuNs(): number {
    if (this.slot === null || this.process === null) return 0;
    if (this.process.threads === 1) return processCpuNs(this.process.pid);
    return threadCpuNs(this.process.pid, this.slot.tid);
  }

  /** Gives the host thread back to its process. */
  private unbind(): void {
    const slot = this.slot;
    const process = this.process;
    if (slot === null || process === null) {
      this.process = null;
      return;
    }
    if (process.broken === 0) this.cpuBaseNs += this.hostCpuNs();
    this.park();
    this.slot = null;
    this.process = null;
    if (this.running) {
      // Nobody may use the thread again before it has come back, and nobody waits for that.
      this.running = false;
      this.platform.left(this);
      hostCall3(SYS_tgkill, slot.pid, slot.tid, SIG_KICK);
      return;
    }
    if (process.broken === 0) process.idle.push(slot);
  }

  private bind(process: HostProcess): void {
    this.unbind();
    const slot = process.takeSlot();
    this.process = process;
    this.slot = slot;
    if (slot === null) return;
    this.words = slot.words;
    this.stateAt = slot.at + H_STATE / 4;
    if (!slot.starting) slot.cleanFrame();
    this.cpuBaseNs -= this.hostCpuNs();
    if (this.pendingXstate === null) this.pendingXstate = this.platform.initialXstate;
  }
}
