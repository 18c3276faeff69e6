// HostSlot: one guest thread of a stub process and the slot through which it and the Sentry talk (layout.ts draws it).
// The guest can write every byte of the slot at any time, so nothing in it is believed: offsets are checked before use
// and kept on this side, states are compared with what is possible, and registers are copied once.

import {
  FPSTATE_SW_RESERVED,
  FPX_SW_BYTES_XFEATURES,
  FPX_SW_BYTES_XSTATE_SIZE,
  SIZEOF_FPX_SW_BYTES,
  UC_FP_XSTATE,
  UC_SIGCONTEXT_SS,
  UC_STRICT_RESTORE_SS,
  UCONTEXT_UC_FLAGS,
  UCONTEXT_UC_SIGMASK,
  UCONTEXT_UC_STACK,
} from '../../../abi/signal/sigcontext.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { H_ASLEEP, H_R8, H_R9, H_R10, H_RAX, H_RDI, H_RDX, H_RSI, H_SEQ } from '../handover/line.ts';
import { AT_START } from '../handover/placement.ts';
import {
  CS,
  EFLAGS,
  GS_BASE,
  ORIG_RAX,
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  REGS_SIZE,
  Regs,
  RIP,
  RSI,
  RSP,
  SS,
  USER_CS,
  USER32_CS,
} from '../regs.ts';
import type { Bases } from './bases.ts';
import {
  FRAME_GREGS,
  FRAME_INFO,
  FRAME_SIZE,
  FRAME_UC,
  H_ALTSTACK,
  H_FLAGS,
  H_FRAME,
  H_LOAD,
  H_SELF,
  HEADER_SIZE,
  PATCHED_FRAME,
  SLOT_SIZE,
  SLOTS_ADDR,
  XSTATE_AT,
} from './layout.ts';
import { SlotBases } from './slot_bases.ts';
import { PATCHED_FLAGS, RUN_MASK_HIGH, RUN_MASK_LOW } from './stub.image.ts';

/** Indices of struct sigcontext in u64: registers 0 to 17, then selectors, error, trap number, mask, cr2, fpstate. */
const G_SELECTORS = 18;
export const G_ERR = 19;
export const G_TRAPNO = 20;
const G_FPSTATE = 23;
/** Signal stacks end this far below the slot's end, so that rsp, rounded down to a slot, is always this one. */
const STACK_GAP = 64;

const USER_DS = 0x2b;
const EFLAGS_TF = 0x100;
/** What programs have in their flags: CF, PF, AF, ZF, SF, DF, OF, AC and ID. */
const USER_FLAGS = 0x24_0cd5;
const TWO32 = 0x1_0000_0000;
const SLOTS_HIGH = Math.floor(SLOTS_ADDR / TWO32) | 0;

/** Registers with nothing in them but the address that sendToTrap() sets. */
const nothing = new Regs(new ArrayBuffer(REGS_SIZE), 0);
nothing.set(EFLAGS, PATCHED_FLAGS);

export class HostSlot {
  readonly pid: number;
  tid = 0;
  /** Address of the slot in the stub. */
  readonly addr: number;
  /** The chunk of the memory file that holds it, the slot's first word and byte there, and its host address. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly hostAddr: number;
  /** Offset of the checked rt_sigframe in the slot; -1 when there is none. */
  frame = -1;
  /** Where the host puts the frame of a signal that interrupts guest code: always at the same place. */
  topFrame = -1;
  /** Until the first trap of a new thread, which is none of the guest's. */
  starting = true;
  /** The Sentry told the thread not to spin. */
  parked = false;
  /** The thread stands in a patched call: its registers are in the slot, and there is no signal frame. */
  patched = false;
  /** Its registers that were sent include extended state in the slot. */
  loadsXstate = false;
  /** The thread stands in the handler for a call that trapped: a result alone may be its answer. */
  trapped = false;
  /** How long the thread had run when it became idle; -1 when its own clock was not read. */
  idleCpuNs = 0;
  /** Number of the last patched call that was seen. */
  seq = 0;
  /** The Sentry keeps gs for patched calls, which find the slot through it; the guest's own base is 0 then. */
  readonly usesGs: boolean;
  readonly bases: SlotBases;
  /** Placement: where it may run (placement.ts), when it last ran, and short runs since. */
  place = AT_START;
  resumedNs = 0;
  shortRuns = 0;

  constructor(pid: number, index: number, memfile: MemoryFile, frame: number, bases: Bases, usesGs: boolean) {
    this.pid = pid;
    this.addr = SLOTS_ADDR + index * SLOT_SIZE;
    this.usesGs = usesGs;
    this.words = memfile.i32(frame);
    this.bytes = memfile.u8(frame);
    this.at = memfile.byteOffset(frame) / 4;
    this.hostAddr = memfile.hostAddr(frame);
    this.bases = new SlotBases(this.words, this.at, this.addr, bases, usesGs);
    this.writeStack(this.at + H_ALTSTACK / 4);
    this.writeSelf();
  }

  /** stack_t of the signal stack at word `w`: address, flags, size. */
  private writeStack(w: number): void {
    const stack = this.addr + HEADER_SIZE;
    this.words[w] = stack | 0;
    this.words[w + 1] = Math.floor(stack / TWO32);
    this.words[w + 2] = 0;
    this.words[w + 4] = SLOT_SIZE - HEADER_SIZE - STACK_GAP;
    this.words[w + 5] = 0;
  }

  /** The slot's own address. */
  private writeSelf(): void {
    this.words[this.at + H_SELF / 4] = this.addr | 0;
    this.words[this.at + H_SELF / 4 + 1] = SLOTS_HIGH;
  }

  /** Makes the frame an honest one again, for the next context that uses the thread. */
  cleanFrame(): void {
    this.bases.reset();
    const uc = this.at + (this.frame + FRAME_UC) / 4;
    this.words[uc + UCONTEXT_UC_FLAGS / 4] = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    this.words[uc + UCONTEXT_UC_FLAGS / 4 + 1] = 0;
    this.writeStack(uc + UCONTEXT_UC_STACK / 4);
  }

  /** Wipes what the guest left in the slot of a thread that stands in the handler; false when its frame cannot be used. */
  wipe(initial: Uint8Array): boolean {
    if (this.frame !== this.topFrame || this.xstateAt(initial.length) < 0) return false;
    const frameEnd = this.frame + FRAME_SIZE;
    const xstate = this.xstateAt(initial.length) - 4 * this.at;
    const m = this.words;
    m.fill(0, this.at + H_RAX / 4, this.at + H_ASLEEP / 4);
    m.fill(0, this.at + H_ASLEEP / 4 + 1, this.at + this.frame / 4);
    m.fill(0, this.at + (this.frame + FRAME_INFO) / 4, this.at + frameEnd / 4);
    this.bytes.fill(0, 4 * this.at + frameEnd, 4 * this.at + xstate);
    // A word of the host's ends the extended state.
    this.bytes.fill(0, 4 * this.at + xstate + initial.length + 4, 4 * this.at + SLOT_SIZE);
    this.seq = 0;
    m[this.at + H_SEQ / 4] = 0;
    m[this.at + H_FRAME / 4] = (this.addr + this.frame) | 0;
    m[this.at + H_FRAME / 4 + 1] = SLOTS_HIGH;
    this.writeStack(this.at + H_ALTSTACK / 4);
    this.writeSelf();
    // Nobody knows what the guest had the stub do.
    this.bases.doubt();
    this.setXstate(initial, initial.length);
    this.cleanFrame();
    return true;
  }

  /**
   * Sends the thread, which sleeps in the handler, to `trapAddr` with nothing in its registers: the host's word, in the
   * form of a new frame, that its signal stack is the honest one. What the guest before left in the slot is wiped. False
   * when the frame cannot be used.
   */
  sendToTrap(trapAddr: number, initial: Uint8Array): boolean {
    if (!this.wipe(initial)) return false;
    nothing.set(RIP, trapAddr);
    this.store(nothing);
    return true;
  }

  /** Finds the frame that the thread reported; false when no honest thread could have reported it. */
  locateFrame(): boolean {
    const w = this.at + H_FRAME / 4;
    this.frame = -1;
    this.patched = false;
    this.trapped = false;
    if (this.words[w + 1] !== SLOTS_HIGH) return false;
    const off = SLOTS_HIGH * TWO32 + (this.words[w]! >>> 0) - this.addr;
    if (off < HEADER_SIZE || off + FRAME_SIZE > SLOT_SIZE || off % 8 !== 0) return false;
    this.frame = off;
    return true;
  }

  /** A frame of a thread that ran nothing of the guest's, or stood in a patched call: where all of its frames will be. */
  noteTop(): boolean {
    if (this.topFrame < 0) this.topFrame = this.frame;
    return this.frame === this.topFrame;
  }

  /** The thread reports a call: patched, or from the handler, where its frame can only be the topmost. */
  atCall(patched: boolean): void {
    this.patched = patched;
    this.trapped = !patched;
    this.loadsXstate = false;
    this.frame = patched ? PATCHED_FRAME : this.topFrame;
    if (patched) this.seq = this.words[this.at + H_SEQ / 4]!;
  }

  /** Copies number and arguments of a call from the header into `regs`. */
  loadCall(regs: Regs): void {
    const m = this.words;
    const r = regs.words;
    const h = this.at;
    r[2 * ORIG_RAX] = m[h + H_RAX / 4]!;
    r[2 * ORIG_RAX + 1] = m[h + H_RAX / 4 + 1]!;
    r[2 * RDI] = m[h + H_RDI / 4]!;
    r[2 * RDI + 1] = m[h + H_RDI / 4 + 1]!;
    r[2 * RSI] = m[h + H_RSI / 4]!;
    r[2 * RSI + 1] = m[h + H_RSI / 4 + 1]!;
    r[2 * RDX] = m[h + H_RDX / 4]!;
    r[2 * RDX + 1] = m[h + H_RDX / 4 + 1]!;
    r[2 * R10] = m[h + H_R10 / 4]!;
    r[2 * R10 + 1] = m[h + H_R10 / 4 + 1]!;
    r[2 * R8] = m[h + H_R8 / 4]!;
    r[2 * R8 + 1] = m[h + H_R8 / 4 + 1]!;
    r[2 * R9] = m[h + H_R9 / 4]!;
    r[2 * R9 + 1] = m[h + H_R9 / 4 + 1]!;
  }

  /** The result of a call, where the thread takes it from. */
  storeResult(regs: Regs): void {
    this.words[this.at + H_RAX / 4] = regs.words[2 * RAX]!;
    this.words[this.at + H_RAX / 4 + 1] = regs.words[2 * RAX + 1]!;
  }

  /** Word index of the frame's registers. */
  get gregs(): number {
    return this.at + (this.frame + FRAME_GREGS) / 4;
  }

  /** Copies the frame's registers into `regs`. */
  load(regs: Regs): void {
    const m = this.words;
    const r = regs.words;
    const f = this.gregs;
    r[2 * R8] = m[f]!;
    r[2 * R8 + 1] = m[f + 1]!;
    r[2 * R9] = m[f + 2]!;
    r[2 * R9 + 1] = m[f + 3]!;
    r[2 * R10] = m[f + 4]!;
    r[2 * R10 + 1] = m[f + 5]!;
    r[2 * RDI] = m[f + 16]!;
    r[2 * RDI + 1] = m[f + 17]!;
    r[2 * RSI] = m[f + 18]!;
    r[2 * RSI + 1] = m[f + 19]!;
    r[2 * RDX] = m[f + 24]!;
    r[2 * RDX + 1] = m[f + 25]!;
    r[2 * RAX] = m[f + 26]!;
    r[2 * RAX + 1] = m[f + 27]!;
    this.loadRest(regs);
  }

  /** Copies what loadCall() leaves out. A patched call does not save what every call destroys. */
  loadRest(regs: Regs): void {
    const m = this.words;
    const r = regs.words;
    const f = this.gregs;
    r[2 * R12] = m[f + 8]!;
    r[2 * R12 + 1] = m[f + 9]!;
    r[2 * R13] = m[f + 10]!;
    r[2 * R13 + 1] = m[f + 11]!;
    r[2 * R14] = m[f + 12]!;
    r[2 * R14 + 1] = m[f + 13]!;
    r[2 * R15] = m[f + 14]!;
    r[2 * R15 + 1] = m[f + 15]!;
    r[2 * RBP] = m[f + 20]!;
    r[2 * RBP + 1] = m[f + 21]!;
    r[2 * RBX] = m[f + 22]!;
    r[2 * RBX + 1] = m[f + 23]!;
    r[2 * RSP] = m[f + 30]!;
    r[2 * RSP + 1] = m[f + 31]!;
    r[2 * RIP] = m[f + 32]!;
    r[2 * RIP + 1] = m[f + 33]!;
    if (this.patched) {
      r[2 * RCX] = r[2 * RIP]!;
      r[2 * RCX + 1] = r[2 * RIP + 1]!;
      r[2 * R11] = PATCHED_FLAGS;
      r[2 * R11 + 1] = 0;
      r[2 * EFLAGS] = PATCHED_FLAGS | (m[this.at + H_FLAGS / 4]! & USER_FLAGS);
      r[2 * CS] = USER_CS;
    } else {
      r[2 * RCX] = m[f + 28]!;
      r[2 * RCX + 1] = m[f + 29]!;
      r[2 * R11] = m[f + 6]!;
      r[2 * R11 + 1] = m[f + 7]!;
      r[2 * EFLAGS] = m[f + 34]!;
      r[2 * CS] = (m[f + 2 * G_SELECTORS]! & 0xffff) === USER32_CS ? USER32_CS : USER_CS;
    }
    r[2 * EFLAGS + 1] = 0;
    r[2 * CS + 1] = 0;
    r[2 * SS] = USER_DS;
    this.bases.load(r);
  }

  /** Copies `regs` into the frame, with selectors and signal mask as guest code has them. */
  store(regs: Regs): void {
    const m = this.words;
    const r = regs.words;
    const f = this.gregs;
    m[f] = r[2 * R8]!;
    m[f + 1] = r[2 * R8 + 1]!;
    m[f + 2] = r[2 * R9]!;
    m[f + 3] = r[2 * R9 + 1]!;
    m[f + 4] = r[2 * R10]!;
    m[f + 5] = r[2 * R10 + 1]!;
    m[f + 6] = r[2 * R11]!;
    m[f + 7] = r[2 * R11 + 1]!;
    m[f + 8] = r[2 * R12]!;
    m[f + 9] = r[2 * R12 + 1]!;
    m[f + 10] = r[2 * R13]!;
    m[f + 11] = r[2 * R13 + 1]!;
    m[f + 12] = r[2 * R14]!;
    m[f + 13] = r[2 * R14 + 1]!;
    m[f + 14] = r[2 * R15]!;
    m[f + 15] = r[2 * R15 + 1]!;
    m[f + 16] = r[2 * RDI]!;
    m[f + 17] = r[2 * RDI + 1]!;
    m[f + 18] = r[2 * RSI]!;
    m[f + 19] = r[2 * RSI + 1]!;
    m[f + 20] = r[2 * RBP]!;
    m[f + 21] = r[2 * RBP + 1]!;
    m[f + 22] = r[2 * RBX]!;
    m[f + 23] = r[2 * RBX + 1]!;
    m[f + 24] = r[2 * RDX]!;
    m[f + 25] = r[2 * RDX + 1]!;
    m[f + 26] = r[2 * RAX]!;
    m[f + 27] = r[2 * RAX + 1]!;
    m[f + 28] = r[2 * RCX]!;
    m[f + 29] = r[2 * RCX + 1]!;
    m[f + 30] = r[2 * RSP]!;
    m[f + 31] = r[2 * RSP + 1]!;
    m[f + 32] = r[2 * RIP]!;
    m[f + 33] = r[2 * RIP + 1]!;
    m[f + 34] = r[2 * EFLAGS]!;
    m[f + 35] = 0;
    // u16 cs, gs, fs, ss. Guests may run in the host's 32-bit segment, whose calls the filter catches as well.
    m[f + 2 * G_SELECTORS] = r[2 * CS] === USER32_CS ? USER32_CS : USER_CS;
    m[f + 2 * G_SELECTORS + 1] = USER_DS << 16;
    const mask = this.at + (this.frame + FRAME_UC + UCONTEXT_UC_SIGMASK) / 4;
    m[mask] = RUN_MASK_LOW;
    m[mask + 1] = RUN_MASK_HIGH;
    this.bases.store(r);
  }

  /**
   * Byte offset in `bytes` of the frame's XSAVE area of `size` bytes, or -1 when the frame's pointer leads out of the
   * slot: then the guest forged it and gets no extended state.
   */
  xstateAt(size: number): number {
    if (this.frame < 0 || this.patched) return -1;
    const p = this.gregs + 2 * G_FPSTATE;
    if (this.words[p + 1] !== SLOTS_HIGH) return -1;
    const off = SLOTS_HIGH * TWO32 + (this.words[p]! >>> 0) - this.addr;
    if (off < this.frame + FRAME_SIZE || off + size > SLOT_SIZE || off % 64 !== 0) return -1;
    return 4 * this.at + off;
  }

  getXstate(to: Uint8Array, size: number, initial: Uint8Array): void {
    const from = this.xstateAt(size);
    if (from < 0) to.set(initial);
    else to.set(this.bytes.subarray(from, from + size));
  }

  /** A thread in a patched call can go on with `regs` without a signal frame. */
  resumesPlainly(regs: Regs): boolean {
    const r = regs.words;
    return (
      r[2 * CS] === USER_CS &&
      (r[2 * EFLAGS]! & EFLAGS_TF) === 0 &&
      r[2 * GS_BASE] === 0 &&
      r[2 * GS_BASE + 1] === 0
    );
  }

  /** Extended state for a thread in a patched call to go on with; null for its own. */
  setPatchedXstate(from: Uint8Array | null): void {
    this.loadsXstate = from !== null;
    this.words[this.at + H_LOAD / 4] = from === null ? 0 : 1;
    if (from !== null) this.bytes.set(from, 4 * this.at + XSTATE_AT);
  }

  /** Extended state that a thread in a patched call has put into the slot. */
  getPatchedXstate(to: Uint8Array, size: number): void {
    const at = 4 * this.at + XSTATE_AT;
    to.set(this.bytes.subarray(at, at + size));
  }

  /** The software-reserved bytes stay: by them the host knows what to restore. */
  setXstate(from: Uint8Array, size: number): void {
    const to = this.xstateAt(size);
    if (to < 0) return;
    const end = FPSTATE_SW_RESERVED + SIZEOF_FPX_SW_BYTES;
    this.bytes.set(from.subarray(0, FPSTATE_SW_RESERVED), to);
    this.bytes.set(from.subarray(end, size), to + end);
  }

  /** What the first frame says of the host's XSAVE layout: [size, features], or null. */
  xstateLayout(): [number, number] | null {
    const at = this.xstateAt(576);
    if (at < 0) return null;
    const w = (at + FPSTATE_SW_RESERVED) / 4;
    const size = this.words[w + FPX_SW_BYTES_XSTATE_SIZE / 4]!;
    return [size, this.words[w + FPX_SW_BYTES_XFEATURES / 4]!];
  }
}
