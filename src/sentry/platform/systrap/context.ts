// SystrapContext: a guest thread's registers, on the Sentry's side only, and the slot of the host thread that runs them.

import { EAGAIN, ENOSYS } from '../../../abi/errno.ts';
import { SYS_tgkill } from '../../../abi/syscall.ts';
import { hostCall3 } from '../../../host/syscall.ts';
import { processCpuNs, threadCpuNs } from '../../../host/threads.ts';
import { answer, type HandOver } from '../handover/handover.ts';
import {
  H_NUMBER,
  H_SEQ,
  H_STATE,
  STATE_CALL,
  STATE_DONE,
  STATE_EVENT,
  STATE_PARK,
  STATE_RUN,
  STATE_SAVE,
  STATE_TRAP,
  STATE_TRAPPED,
} from '../handover/line.ts';
import { AT_START } from '../handover/placement.ts';
import type { Handed } from '../handover/thread.ts';
import { type AddressSpace, type Context, EV_DEAD, EV_KICK, EV_SYSCALL } from '../platform.ts';
import { CS, EFLAGS, ORIG_RAX, RAX, RCX, REGS_SIZE, Regs, type RegsSource, RIP, SS } from '../regs.ts';
import type { SystrapAddressSpace } from './address_space.ts';
import { leavePadding, readSignal } from './host_signal.ts';
import {
  CODE_SIZE,
  H_SIG,
  SIG_ANSWERED,
  SITE_FALLBACK,
  SITE_SIZE,
  SITES_ADDR,
  SITES_END,
  STUB_BASE,
} from './layout.ts';
import type { HostProcess, SlotUser } from './process.ts';
import type { HostSlot } from './slot.ts';
import { SIG_KICK, type StubImage } from './stub.image.ts';

/** Processor exceptions, in the frame's trap number. */
const _X86_TRAP_PF = 14;
/** Page-fault error code: a write, an instruction fetch. */
const _PF_WRITE = 2;
const _PF_INSTR = 16;

/** Index of rip in struct sigcontext. */
const RIP_GREG = 16;
/** How long the Sentry waits for a thread that only has a trap to make. */
const FRAME_LIMIT_NS = 1e9;

const TWO32 = 0x1_0000_0000;

/** What guest threads need of their platform. */
export interface ContextHost {
  readonly handover: HandOver<SystrapContext>;
  /** Words that nobody reports in, for who has no host thread. */
  readonly control: Int32Array;
  readonly stub: StubImage;
  readonly xstateSize: number;
  readonly movesXstate: boolean;
  readonly initialXstate: Uint8Array;
  patchedSites: number;
  runOrders(process: HostProcess): number;
}

export class SystrapContext implements Context, Handed, RegsSource, SlotUser {
  readonly regs: Regs = new Regs(new ArrayBuffer(REGS_SIZE), 0);
  readonly platform: ContextHost;
  private readonly handover: HandOver<SystrapContext>;
  owner: unknown = null;
  event = 0;
  sig = 0;
  sigCode = 0;
  faultAddr = 0;
  faultAccess = 0;
  running = false;
  /** It waits for its turn to run; when its slice was looked at, and how long it had run when its turn came. */
  queued = false;
  sinceNs = 0;
  sinceCpuNs = 0;
  /** Its number in the ring of ready threads. */
  private readonly number: number;
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
  /** Extended state that was sent last in the slot of a patched call, for the case that it is not taken. */
  private sentXstate: Uint8Array | null = null;
  private kickedAtStart = false;
  private released = false;

  constructor(platform: ContextHost) {
    this.platform = platform;
    this.handover = platform.handover;
    this.words = platform.control;
    this.number = platform.handover.ring.enter(this);
    this.regs.set(CS, 0x33);
    this.regs.set(SS, 0x2b);
    this.regs.set(EFLAGS, 0x202);
  }

  get hostTid(): number {
    return this.slot === null ? 0 : this.slot.tid;
  }

  prepare(as: AddressSpace): number {
    const { process } = as as SystrapAddressSpace;
    if (this.process !== process) this.bind(process);
    return this.slot === null ? -EAGAIN : 0;
  }

  resume(as: AddressSpace): void {
    const { process } = as as SystrapAddressSpace;
    if (this.process !== process) this.bind(process);
    // Other threads run: what it has changed holds now, and not when its turn comes.
    if (process.orders.count > 0) this.platform.runOrders(process);
    if (this.slot === null || process.broken !== 0) {
      this.event = EV_DEAD;
      this.handover.post(this);
      return;
    }
    this.running = true;
    if (this.handover.admits(this)) this.start(this.slot);
    else this.queued = true;
  }

  /** It is this thread's turn to run. */
  takeTurn(): void {
    const process = this.process!;
    this.queued = false;
    if (process.orders.count > 0) this.platform.runOrders(process);
    if (process.broken === 0) {
      this.start(this.slot!);
      return;
    }
    this.running = false;
    this.event = EV_DEAD;
    this.handover.post(this);
  }

  private start(slot: HostSlot): void {
    this.handover.entering(this);
    if (!slot.starting) this.sendOff(slot);
  }

  /** Lets the thread go on with the registers. */
  private sendOff(slot: HostSlot): void {
    const { regs } = this;
    if ((slot.patched || slot.trapped) && !regs.changed && this.pendingXstate === null) {
      slot.storeResult(regs);
      this.signal(slot, STATE_DONE);
      return;
    }
    regs.fill();
    if (slot.patched) {
      if (!slot.resumesPlainly(regs) || (this.pendingXstate !== null && !this.platform.movesXstate)) {
        // The way back of a patched call is not enough: a trap makes a signal frame first (see collect).
        slot.starting = true;
        this.signal(slot, STATE_TRAP);
        return;
      }
      slot.setPatchedXstate(this.pendingXstate);
      this.sentXstate = this.pendingXstate;
      this.pendingXstate = null;
    }
    if (this.pendingXstate !== null) {
      slot.setXstate(this.pendingXstate, this.platform.xstateSize);
      this.pendingXstate = null;
    }
    slot.store(regs);
    this.signal(slot, STATE_RUN);
  }

  /** Sets the state that the thread waits for, and wakes it. */
  private signal(slot: HostSlot, state: number): void {
    slot.parked = false;
    answer(slot, state);
  }

  /** RegsSource: what the call did not bring along. */
  fillRegs(regs: Regs): void {
    const slot = this.slot!;
    slot.loadRest(regs);
    if (!slot.patched && slot.usesGs) this.leaveSite();
  }

  /** A call that trapped in its site, for want of a slot in gs, shows where the program made it. */
  private leaveSite(): void {
    const { regs } = this;
    const rip = regs.get(RIP);
    if (rip < SITES_ADDR || rip >= SITES_END) return;
    const inSite = (rip - SITES_ADDR) % SITE_SIZE;
    const ret = inSite > SITE_FALLBACK ? this.process!.sites!.returnAddress(rip - inSite) : 0;
    if (ret === 0) return;
    regs.words[2 * RIP] = regs.words[2 * RCX] = ret | 0;
    regs.words[2 * RIP + 1] = regs.words[2 * RCX + 1] = Math.floor(ret / TWO32);
  }

  /** Has a thread that stands in a patched call make a signal frame, and waits for it. False when it does not. */
  private materialise(slot: HostSlot): boolean {
    this.regs.fill();
    this.regs.changed = true;
    if (this.process!.broken !== 0) return false;
    slot.parked = false;
    this.handover.ask(slot, STATE_TRAP, FRAME_LIMIT_NS);
    const state = Atomics.load(this.words, this.stateAt);
    if ((state === STATE_EVENT || state === STATE_TRAPPED) && slot.locateFrame()) return true;
    this.process!.end();
    return false;
  }

  /**
   * Has a thread that stands in a patched call put its extended state into the slot, and waits for it. False when the
   * process is dead, or a late kick came first: then there is a signal frame that has it.
   */
  private saveXstate(slot: HostSlot): boolean {
    if (this.process!.broken !== 0) return false;
    slot.parked = false;
    this.handover.ask(slot, STATE_SAVE, FRAME_LIMIT_NS);
    const state = Atomics.load(this.words, this.stateAt);
    if (state === STATE_CALL) return true;
    this.regs.fill();
    this.regs.changed = true;
    if (state !== STATE_EVENT || !slot.locateFrame()) this.process!.end();
    return false;
  }

  /** The thread will not go on soon: it need not spin for it. */
  park(): void {
    const slot = this.slot;
    if (slot === null || this.running || slot.parked || slot.starting) return;
    slot.parked = true;
    const state = Atomics.load(this.words, this.stateAt);
    if ((state & 1) !== 0) Atomics.compareExchange(this.words, this.stateAt, state, STATE_PARK);
    // It will sleep, and be woken.
    this.handover.placement.weighing.wakes++;
  }

  restart(): boolean {
    const slot = this.slot!;
    if (this.running || slot.starting || !slot.trapped) return false;
    this.regs.fill();
    if (!slot.wipe(this.platform.initialXstate)) return false;
    slot.words[slot.at + H_NUMBER / 4] = this.number + 1;
    this.regs.changed = true;
    this.pendingXstate = null;
    return true;
  }

  processDied(): void {
    this.event = EV_DEAD;
    this.handover.post(this);
  }

  /** It did not come back: its process ends. */
  end(): void {
    this.process?.end();
  }

  interrupt(): void {
    const slot = this.slot;
    if (!this.running || slot === null) return;
    if (this.queued) {
      this.handover.unqueue(this);
      this.event = EV_KICK;
      this.handover.post(this);
      return;
    }
    if (slot.starting) {
      this.kickedAtStart = true;
      return;
    }
    // An event that is there already comes first, and would leave the kick for the next run.
    if ((Atomics.load(this.words, this.stateAt) & 1) !== 0 || !this.handover.kicked(this)) return;
    hostCall3(SYS_tgkill, slot.pid, slot.tid, SIG_KICK);
  }

  /**
   * The slot's state says that an event is there. Reads it; false when there is none to deliver and the thread was sent
   * on its way again, or its process was ended, which posts a death for each of its contexts.
   */
  collect(): boolean {
    const slot = this.slot!;
    const state = Atomics.load(this.words, this.stateAt);
    if (slot.starting) return this.started(slot, state);
    if (state === STATE_CALL && slot.usesGs) {
      slot.atCall(true);
      return this.call(slot);
    }
    if (state === STATE_TRAPPED) {
      slot.atCall(false);
      this.call(slot);
      const process = this.process!;
      const { sites, patchTarget } = process;
      if (sites !== null && patchTarget !== null && sites.wantsLook())
        if (sites.trapped(patchTarget, this.regs.int(ORIG_RAX), this.regs.get(RIP)))
          this.platform.patchedSites++;
      return true;
    }
    const { frame, patched, trapped } = slot;
    if (state !== STATE_EVENT || !slot.locateFrame()) return this.forged();
    // Nothing that the handler does for an honest guest faults, and kicks within it use the frame that was there.
    if (slot.frame !== slot.topFrame) return this.forged();
    const sig = this.words[slot.at + H_SIG / 4]!;
    if (sig === SIG_KICK || sig === SIG_ANSWERED)
      return this.kickCame(slot, frame, patched, trapped, sig === SIG_ANSWERED);
    slot.load(this.regs);
    this.regs.source = null;
    this.regs.changed = true;
    readSignal(this, slot, this.process!, this.platform.stub.patched);
    return true;
  }

  /** No honest thread reports this. */
  private forged(): boolean {
    this.process!.end();
    return false;
  }

  /** A new thread, or one that was told to trap, has a signal frame now. No honest one is in a patched call then. */
  private started(slot: HostSlot, state: number): boolean {
    if (state === STATE_CALL || !slot.locateFrame() || !slot.noteTop()) return this.forged();
    slot.starting = false;
    if (!this.kickedAtStart) return this.sendOn(slot);
    this.kickedAtStart = false;
    this.event = EV_KICK;
    return true;
  }

  private sendOn(slot: HostSlot): boolean {
    this.sendOff(slot);
    return false;
  }

  /** A system call, patched or trapped; its other registers stay where they are until somebody asks. */
  private call(slot: HostSlot): boolean {
    const { regs } = this;
    slot.loadCall(regs);
    const r = regs.words;
    r[2 * RAX] = -ENOSYS;
    r[2 * RAX + 1] = -1;
    regs.source = this;
    regs.changed = false;
    this.event = EV_SYSCALL;
    return true;
  }

  /**
   * A kick. `frame`, `patched` and `trapped` are the slot's of the event before, whose answer the thread may not have
   * taken yet.
   */
  private kickCame(
    slot: HostSlot,
    frame: number,
    patched: boolean,
    trapped: boolean,
    afterAnswer: boolean,
  ): boolean {
    const m = this.words;
    const rip = m[slot.gregs + 2 * RIP_GREG + 1]! * TWO32 + (m[slot.gregs + 2 * RIP_GREG]! >>> 0);
    const { stub } = this.platform;
    const now = slot.frame;
    let answered = afterAnswer;
    if (answered) {
      // Its frame is that of the event before, which the registers that were sent go into.
    } else if (slot.usesGs && rip >= SITES_ADDR && rip < SITES_END) {
      // On the way to the report, or to the fallback's trap: that comes first.
      if ((rip - SITES_ADDR) % SITE_SIZE <= SITE_FALLBACK) return this.goOn(slot, frame, patched, trapped);
    } else if (slot.usesGs && rip >= stub.patched && rip < stub.patchedSaved)
      return this.goOn(slot, frame, patched, trapped);
    else if (slot.usesGs && rip >= stub.patchedSaved && rip < stub.patchedEnd) {
      if (m[slot.at + H_SEQ / 4] !== slot.seq) {
        // Reported, and nobody has seen it.
        slot.atCall(true);
        this.call(slot);
        this.regs.fill();
        this.regs.changed = true;
        slot.patched = false;
        slot.frame = now;
        return true;
      }
      answered = true;
    }
    if (answered) {
      // On the way back: the registers are those that were sent, and go into this frame next time.
      slot.bases.doubt();
      slot.frame = frame;
      slot.patched = patched;
      this.regs.fill();
      if (patched && slot.loadsXstate) this.pendingXstate = this.sentXstate;
      slot.patched = false;
      slot.frame = now;
      // At the very last instruction of the way back the kick's frame replaced the call's: rip is in rcx already.
      const at = this.regs.get(RIP);
      if (at >= STUB_BASE && at < STUB_BASE + CODE_SIZE)
        this.regs.setWords(RIP, this.regs.int(RCX), this.regs.high(RCX));
    } else {
      slot.load(this.regs);
      this.regs.source = null;
      this.regs.words[2 * ORIG_RAX] = -1;
      this.regs.words[2 * ORIG_RAX + 1] = -1;
      if (slot.usesGs) this.leaveSite();
      leavePadding(this.regs, this.process!.sites, rip);
    }
    this.regs.changed = true;
    this.event = EV_KICK;
    return true;
  }

  /** Sends the thread on as it is, on its way from the event before. */
  private goOn(slot: HostSlot, frame: number, patched: boolean, trapped: boolean): boolean {
    slot.frame = frame;
    slot.patched = patched;
    slot.trapped = trapped;
    slot.bases.keep();
    this.signal(slot, STATE_RUN);
    return false;
  }

  getXstate(to: Uint8Array): void {
    const size = this.platform.xstateSize;
    if (this.slot?.patched === true && this.pendingXstate === null && !this.slot.starting) {
      if (!this.platform.movesXstate) this.materialise(this.slot);
      else if (this.saveXstate(this.slot)) {
        this.slot.getPatchedXstate(to, size);
        return;
      }
    }
    const initial = this.pendingXstate ?? this.platform.initialXstate;
    if (this.slot === null || this.slot.starting || this.pendingXstate !== null)
      to.set(initial.subarray(0, size));
    else this.slot.getXstate(to, size, initial);
  }

  setXstate(from: Uint8Array): void {
    const size = this.platform.xstateSize;
    if (this.slot === null || this.slot.starting || this.slot.patched)
      this.pendingXstate = from.slice(0, size);
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
    this.pendingXstate = null;
    this.handover.ring.leave(this.number);
    this.handover.forget(this);
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
    if (this.queued) this.handover.unqueue(this);
    if (slot === null || process === null) {
      this.process = null;
      return;
    }
    if (process.broken === 0) {
      const ns = this.hostCpuNs();
      this.cpuBaseNs += ns;
      slot.idleCpuNs = process.threads === 1 ? -1 : ns;
    }
    this.regs.fill();
    if (!this.running && slot.patched && !slot.starting && process.broken === 0) this.materialise(slot);
    this.park();
    const { running } = this;
    if (running) {
      this.running = false;
      this.handover.left(this);
    }
    // It leaves a process that is dead: to hear of that would be its end somewhere else.
    if (process.broken !== 0) this.handover.forget(this);
    this.slot = null;
    this.process = null;
    this.words = this.platform.control;
    process.removeContext(this);
    if (running) {
      // Nobody may use the thread again before it has come back, and nobody waits for that.
      hostCall3(SYS_tgkill, slot.pid, slot.tid, SIG_KICK);
      return;
    }
    if (process.broken === 0) process.idle.push(slot);
  }

  private bind(process: HostProcess): void {
    this.unbind();
    const slot = process.takeSlot();
    if (slot === null) return;
    this.process = process;
    this.slot = slot;
    process.addContext(this);
    this.words = slot.words;
    this.stateAt = slot.at + H_STATE / 4;
    slot.words[slot.at + H_NUMBER / 4] = this.number + 1;
    slot.trapped = false;
    slot.place = AT_START;
    if (!slot.starting) slot.cleanFrame();
    // A thread's own clock stands still while nobody uses it, and to read it costs a file of /proc.
    this.cpuBaseNs -= process.threads > 1 && slot.idleCpuNs >= 0 ? slot.idleCpuNs : this.hostCpuNs();
    if (this.pendingXstate === null) this.pendingXstate = this.platform.initialXstate;
  }
}
