// Signal frames: struct rt_sigframe as Linux lays it out on x86-64 (arch/x86/kernel/signal_64.c), and rt_sigreturn(2).
//
//   high   xstate area, 64-byte aligned: XSAVE image, sw_reserved at 464, FP_XSTATE_MAGIC2 behind it
//          siginfo      @312  128 bytes
//          ucontext     @8    304 bytes: flags, link, stack_t, sigcontext @48, mask @304
//   rsp -> pretcode     @0    the handler's return address: sa_restorer
//
// rsp + 8 is a multiple of 16, as after a call instruction.

import {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FP_XSTATE_MAGIC2_SIZE,
  FPSTATE_SW_RESERVED,
  FPX_SW_BYTES_EXTENDED_SIZE,
  FPX_SW_BYTES_MAGIC1,
  FPX_SW_BYTES_XFEATURES,
  FPX_SW_BYTES_XSTATE_SIZE,
  SIGCONTEXT_CR2,
  SIGCONTEXT_CS,
  SIGCONTEXT_EFLAGS,
  SIGCONTEXT_ERR,
  SIGCONTEXT_FPSTATE,
  SIGCONTEXT_OLDMASK,
  SIGCONTEXT_R8,
  SIGCONTEXT_R9,
  SIGCONTEXT_R10,
  SIGCONTEXT_R11,
  SIGCONTEXT_R12,
  SIGCONTEXT_R13,
  SIGCONTEXT_R14,
  SIGCONTEXT_R15,
  SIGCONTEXT_RAX,
  SIGCONTEXT_RBP,
  SIGCONTEXT_RBX,
  SIGCONTEXT_RCX,
  SIGCONTEXT_RDI,
  SIGCONTEXT_RDX,
  SIGCONTEXT_RIP,
  SIGCONTEXT_RSI,
  SIGCONTEXT_RSP,
  SIGCONTEXT_SS,
  SIGCONTEXT_TRAPNO,
  SIZEOF_FPSTATE,
  SIZEOF_UCONTEXT,
  UC_FP_XSTATE,
  UC_SIGCONTEXT_SS,
  UC_STRICT_RESTORE_SS,
  UCONTEXT_UC_FLAGS,
  UCONTEXT_UC_MCONTEXT,
  UCONTEXT_UC_SIGMASK,
  UCONTEXT_UC_STACK,
  XFEATURE_MASK_FP,
  XFEATURE_MASK_SSE,
  XSTATE_XSTATE_HDR_XFEATURES,
} from '../../../abi/signal/sigcontext.ts';
import { SIZEOF_SIGINFO } from '../../../abi/signal/siginfo.ts';
import {
  SA_ONSTACK,
  SA_RESTORER,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
} from '../../../abi/signal/signal.ts';
import { getU64, putU64 } from '../../../abi/u64.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { GUEST_TOP } from '../../platform/platform.ts';
import {
  CS,
  EFLAGS,
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
  type Regs,
  RIP,
  RSI,
  RSP,
  SS,
  USER_CS,
  USER32_CS,
} from '../../platform/regs.ts';
import type { Task } from '../task/task.ts';
import { encodeSigInfo, type SigInfo } from './siginfo.ts';
import type { SigAction, TaskSignals } from './state.ts';

/** Bytes below rsp that a leaf function may use without moving it (the ABI's red zone). */
const RED_ZONE = 128;
const FRAME_UC = 8;
const FRAME_INFO = FRAME_UC + SIZEOF_UCONTEXT;
const FRAME_SIZE = FRAME_INFO + SIZEOF_SIGINFO;
const FRAME_SC = FRAME_UC + UCONTEXT_UC_MCONTEXT;
const FRAME_MASK = FRAME_UC + UCONTEXT_UC_SIGMASK;
/** Where an XSAVE header starts and ends in the image. */
const XSTATE_HEADER_END = SIZEOF_FPSTATE + 64;
/** What XRSTOR and FXRSTOR want of an address. Since 5.14, Linux uses them on the frame itself and copies no longer. */
const XSTATE_ALIGN = 64;
const FXSTATE_ALIGN = 16;
const MXCSR_OFFSET = 24;
const MXCSR_VALID = 0xffff;
/** What a fresh FPU has. */
const FCW_INIT = 0x37f;
const MXCSR_INIT = 0x1f80;
/** AC OF DF TF SF ZF AF PF CF RF: the flags that rt_sigreturn takes from the frame. */
const EFLAGS_RESTORED = 0x50dd5;
/** DF, TF and RF are clear when a handler starts. */
const EFLAGS_CLEARED = 0x400 | 0x100 | 0x10000;
const USER_DS = 0x2b;

/** Pairs of an offset in sigcontext and a register. Flat: signals are delivered without allocating. */
const SC_REGS: readonly number[] = [
  ...[SIGCONTEXT_R8, R8],
  ...[SIGCONTEXT_R9, R9],
  ...[SIGCONTEXT_R10, R10],
  ...[SIGCONTEXT_R11, R11],
  ...[SIGCONTEXT_R12, R12],
  ...[SIGCONTEXT_R13, R13],
  ...[SIGCONTEXT_R14, R14],
  ...[SIGCONTEXT_R15, R15],
  ...[SIGCONTEXT_RDI, RDI],
  ...[SIGCONTEXT_RSI, RSI],
  ...[SIGCONTEXT_RBP, RBP],
  ...[SIGCONTEXT_RBX, RBX],
  ...[SIGCONTEXT_RDX, RDX],
  ...[SIGCONTEXT_RAX, RAX],
  ...[SIGCONTEXT_RCX, RCX],
  ...[SIGCONTEXT_RSP, RSP],
  ...[SIGCONTEXT_RIP, RIP],
];

function putReg(off: number, regs: Regs, r: number): void {
  scratchView.setUint32(off, regs.int(r), true);
  scratchView.setUint32(off + 4, regs.high(r), true);
}

/** True when `sp` is on the thread's alternate stack (on_sig_stack in Linux). */
export function onAltStack(s: TaskSignals, sp: number): boolean {
  if (s.altSize === 0 || (s.altFlags & SS_AUTODISARM) !== 0) return false;
  return sp > s.altSp && sp - s.altSp <= s.altSize;
}

/** Builds the frame for a handler and aims the registers at it; false when the stack cannot take it. */
export function pushSignalFrame(t: Task, info: SigInfo, action: SigAction): boolean {
  if ((action.flags & SA_RESTORER) === 0) return false;
  const s = t.signals;
  const regs = t.ctx.regs;
  const oldSp = regs.get(RSP);
  const platform = t.kernel.platform;
  const xsize = platform.xstateSize;

  let sp = oldSp - RED_ZONE;
  const nested = onAltStack(s, oldSp);
  const useAlt = (action.flags & SA_ONSTACK) !== 0 && s.altSize !== 0;
  let entering = false;
  if (useAlt && !nested) {
    sp = s.altSp + s.altSize;
    entering = true;
  }
  sp -= xsize + FP_XSTATE_MAGIC2_SIZE;
  const fp = sp - (((sp % 64) + 64) % 64);
  sp = fp - FRAME_SIZE;
  const frame = sp - (((sp % 16) + 16) % 16) - 8;
  // A frame that would leave the alternate stack is not written anywhere.
  if ((nested || entering) && useAlt && !(frame > s.altSp && frame - s.altSp <= s.altSize)) return false;
  if (frame <= 0 || fp >= GUEST_TOP) return false;

  t.ctx.getXstate(scratch.subarray(0, xsize));
  scratch.fill(0, FPSTATE_SW_RESERVED, FPSTATE_SW_RESERVED + 48);
  const sw = FPSTATE_SW_RESERVED;
  scratchView.setUint32(sw + FPX_SW_BYTES_MAGIC1, FP_XSTATE_MAGIC1, true);
  scratchView.setUint32(sw + FPX_SW_BYTES_EXTENDED_SIZE, xsize + FP_XSTATE_MAGIC2_SIZE, true);
  scratchView.setUint32(sw + FPX_SW_BYTES_XFEATURES, platform.xcr0Lo, true);
  scratchView.setUint32(sw + FPX_SW_BYTES_XSTATE_SIZE, xsize, true);
  const xfeatures = scratchView.getUint32(XSTATE_XSTATE_HDR_XFEATURES, true);
  scratchView.setUint32(XSTATE_XSTATE_HDR_XFEATURES, xfeatures | XFEATURE_MASK_FP | XFEATURE_MASK_SSE, true);
  scratchView.setUint32(xsize, FP_XSTATE_MAGIC2, true);
  if (t.mm.copyOutExact(fp, scratch, 0, xsize + FP_XSTATE_MAGIC2_SIZE) !== 0) return false;

  scratch.fill(0, 0, FRAME_SIZE);
  putU64(scratchView, 0, action.restorer);
  const ucFlags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
  scratchView.setUint32(FRAME_UC + UCONTEXT_UC_FLAGS, ucFlags, true);
  putU64(scratchView, FRAME_UC + UCONTEXT_UC_STACK, s.altSp);
  scratchView.setUint32(
    FRAME_UC + UCONTEXT_UC_STACK + 8,
    s.altSize === 0 ? s.altFlags | SS_DISABLE : s.altFlags,
    true,
  );
  putU64(scratchView, FRAME_UC + UCONTEXT_UC_STACK + 16, s.altSize);
  for (let i = 0; i < SC_REGS.length; i += 2) putReg(FRAME_SC + SC_REGS[i]!, regs, SC_REGS[i + 1]!);
  putReg(FRAME_SC + SIGCONTEXT_EFLAGS, regs, EFLAGS);
  scratchView.setUint16(FRAME_SC + SIGCONTEXT_CS, regs.int(CS), true);
  scratchView.setUint16(FRAME_SC + SIGCONTEXT_SS, regs.int(SS), true);
  putU64(scratchView, FRAME_SC + SIGCONTEXT_ERR, t.trapErr);
  putU64(scratchView, FRAME_SC + SIGCONTEXT_TRAPNO, t.trapNo);
  putU64(scratchView, FRAME_SC + SIGCONTEXT_CR2, t.trapAddr);
  putU64(scratchView, FRAME_SC + SIGCONTEXT_FPSTATE, fp);
  const maskLo = s.hasSaved ? s.savedLo : s.maskLo;
  const maskHi = s.hasSaved ? s.savedHi : s.maskHi;
  scratchView.setUint32(FRAME_SC + SIGCONTEXT_OLDMASK, maskLo, true);
  scratchView.setUint32(FRAME_SC + SIGCONTEXT_OLDMASK + 4, maskHi, true);
  scratchView.setUint32(FRAME_MASK, maskLo, true);
  scratchView.setUint32(FRAME_MASK + 4, maskHi, true);
  encodeSigInfo(scratch, scratchView, FRAME_INFO, info);
  if (t.mm.copyOutExact(frame, scratch, 0, FRAME_SIZE) !== 0) return false;

  if ((s.altFlags & SS_AUTODISARM) !== 0) disarmAltStack(s);
  regs.set(RDI, info.signo);
  regs.set(RAX, 0);
  regs.set(RSI, frame + FRAME_INFO);
  regs.set(RDX, frame + FRAME_UC);
  regs.set(RIP, action.handler);
  regs.set(RSP, frame);
  regs.set(CS, USER_CS);
  regs.set(SS, USER_DS);
  regs.setWords(EFLAGS, regs.int(EFLAGS) & ~EFLAGS_CLEARED, 0);
  regs.set(ORIG_RAX, -1);
  return true;
}

export function disarmAltStack(s: TaskSignals): void {
  s.altSp = 0;
  s.altSize = 0;
  s.altFlags = SS_DISABLE;
}

/**
 * Undoes a frame: implements rt_sigreturn(2). False when it is not a frame that a handler could have left; the caller
 * forces SIGSEGV.
 */
export function popSignalFrame(t: Task): boolean {
  const regs = t.ctx.regs;
  const s = t.signals;
  // The handler's ret took pretcode off the stack.
  const frame = regs.get(RSP) - 8;
  if (t.mm.copyInExact(frame, scratch, 0, FRAME_INFO) !== 0) return false;
  const rip = getU64(scratchView, FRAME_SC + SIGCONTEXT_RIP);
  const rsp = getU64(scratchView, FRAME_SC + SIGCONTEXT_RSP);
  const fp = getU64(scratchView, FRAME_SC + SIGCONTEXT_FPSTATE);
  s.hasSaved = false;
  s.setMask(scratchView.getUint32(FRAME_MASK, true), scratchView.getUint32(FRAME_MASK + 4, true));
  // Hostile registers end in SIGSEGV here; the host must never be asked to load a non-canonical address.
  if (rip >= 2 ** 47) return false;
  const cs = scratchView.getUint16(FRAME_SC + SIGCONTEXT_CS, true) | 3;
  if (cs !== USER_CS && cs !== USER32_CS) return false;
  for (let i = 0; i < SC_REGS.length; i += 2) {
    const at = FRAME_SC + SC_REGS[i]!;
    regs.setWords(SC_REGS[i + 1]!, scratchView.getUint32(at, true), scratchView.getUint32(at + 4, true));
  }
  const flags = scratchView.getUint32(FRAME_SC + SIGCONTEXT_EFLAGS, true);
  regs.setWords(EFLAGS, (regs.int(EFLAGS) & ~EFLAGS_RESTORED) | (flags & EFLAGS_RESTORED), 0);
  regs.set(CS, cs);
  regs.set(SS, USER_DS);
  regs.set(ORIG_RAX, -1);
  const altSp = getU64(scratchView, FRAME_UC + UCONTEXT_UC_STACK);
  const altFlags = scratchView.getUint32(FRAME_UC + UCONTEXT_UC_STACK + 8, true);
  const altSize = getU64(scratchView, FRAME_UC + UCONTEXT_UC_STACK + 16);
  if (!restoreXstate(t, fp)) return false;
  // As in Linux, a stack_t that sigaltstack(2) would refuse is left alone.
  setAltStack(s, rsp, altSp, altFlags, altSize, 0);
  return true;
}

/** sigaltstack(2)'s rules; 0 or a positive errno-like code: 1 = EPERM, 2 = EINVAL, 3 = ENOMEM. */
export function setAltStack(
  s: TaskSignals,
  sp: number,
  ssSp: number,
  flags: number,
  size: number,
  minSize: number,
): number {
  if (onAltStack(s, sp)) return 1;
  const mode = (flags & ~SS_AUTODISARM) >>> 0;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return 2;
  if (mode === SS_DISABLE) {
    s.altSp = 0;
    s.altSize = 0;
    s.altFlags = flags;
    return 0;
  }
  if (size < minSize) return 3;
  s.altSp = ssSp;
  s.altSize = size;
  s.altFlags = flags;
  return 0;
}

/** Loads the extended state that a frame points to. Everything in it is the guest's word: checked, not believed. */
function restoreXstate(t: Task, fp: number): boolean {
  const platform = t.kernel.platform;
  const xsize = platform.xstateSize;
  if (fp === 0) {
    initialXstate(xsize);
    t.ctx.setXstate(scratch.subarray(0, xsize));
    return true;
  }
  if (fp % FXSTATE_ALIGN !== 0 || t.mm.copyInExact(fp, scratch, 0, SIZEOF_FPSTATE) !== 0) return false;
  const sw = FPSTATE_SW_RESERVED;
  let full =
    scratchView.getUint32(sw + FPX_SW_BYTES_MAGIC1, true) === FP_XSTATE_MAGIC1 &&
    scratchView.getUint32(sw + FPX_SW_BYTES_XSTATE_SIZE, true) === xsize &&
    scratchView.getUint32(sw + FPX_SW_BYTES_EXTENDED_SIZE, true) >= xsize;
  const allowed = scratchView.getUint32(sw + FPX_SW_BYTES_XFEATURES, true) & platform.xcr0Lo;
  if (full) {
    if (t.mm.copyInExact(fp, scratch, 0, xsize + FP_XSTATE_MAGIC2_SIZE) !== 0) return false;
    full = scratchView.getUint32(xsize, true) === FP_XSTATE_MAGIC2;
  }
  if (!full) {
    // Only the legacy FXSAVE area counts; the rest goes to its initial state.
    scratch.fill(0, SIZEOF_FPSTATE, xsize);
    scratchView.setUint32(XSTATE_XSTATE_HDR_XFEATURES, XFEATURE_MASK_FP | XFEATURE_MASK_SSE, true);
  } else {
    if (fp % XSTATE_ALIGN !== 0) return false;
    const xfeatures = scratchView.getUint32(XSTATE_XSTATE_HDR_XFEATURES, true);
    const high = scratchView.getUint32(XSTATE_XSTATE_HDR_XFEATURES + 4, true);
    if ((xfeatures & ~platform.xcr0Lo) !== 0 || high !== 0) return false;
    // XRSTOR faults when xcomp_bv or the word behind it is not zero, and does not look at the rest of the header.
    for (let i = SIZEOF_FPSTATE + 8; i < SIZEOF_FPSTATE + 24; i++) if (scratch[i] !== 0) return false;
    scratch.fill(0, SIZEOF_FPSTATE + 24, XSTATE_HEADER_END);
    scratchView.setUint32(XSTATE_XSTATE_HDR_XFEATURES, xfeatures & allowed, true);
  }
  if ((scratchView.getUint32(MXCSR_OFFSET, true) & ~MXCSR_VALID) !== 0) return false;
  scratch.fill(0, FPSTATE_SW_RESERVED, SIZEOF_FPSTATE);
  t.ctx.setXstate(scratch.subarray(0, xsize));
  return true;
}

/** Writes the state of a fresh FPU to scratch: what exec and a frame without fpstate give. */
export function initialXstate(xsize: number): void {
  scratch.fill(0, 0, xsize);
  scratchView.setUint16(0, FCW_INIT, true);
  scratchView.setUint32(MXCSR_OFFSET, MXCSR_INIT, true);
  scratchView.setUint32(XSTATE_XSTATE_HDR_XFEATURES, XFEATURE_MASK_FP | XFEATURE_MASK_SSE, true);
}
