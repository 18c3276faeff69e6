// What a signal of the host's means to a guest thread: a page fault for mm, a trap of the program's own making, a system
// call after all, or nothing that an honest guest did. The frame lies in the slot, where the guest could write: what it
// says is copied and decides about this guest alone.

import { ENOSYS } from '../../../abi/errno.ts';
import { SIGINFO_SI_ADDR, SIGINFO_SI_CODE } from '../../../abi/signal/siginfo.ts';
import {
  BUS_ADRERR,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SI_KERNEL,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
} from '../../../abi/signal/signal.ts';
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  type Context,
  EV_FAULT,
  EV_KICK,
  EV_SYSCALL,
  EV_TRAP,
  type PatchTarget,
} from '../platform.ts';
import { EFLAGS, ORIG_RAX, R11, RAX, RCX, type Regs, RIP } from '../regs.ts';
import { FRAME_INFO, H_SIG } from './layout.ts';
import { CALL_SIZE, type CallSites } from './sites.ts';
import { G_ERR, G_TRAPNO, type HostSlot } from './slot.ts';

/** Processor exceptions, in the frame's trap number. */
const X86_TRAP_PF = 14;
/** Page-fault error code: a write, an instruction fetch. */
const PF_WRITE = 2;
const PF_INSTR = 16;
const TWO32 = 0x1_0000_0000;

/** The process, as far as its patched calls are concerned. */
interface Patched {
  readonly sites: CallSites | null;
  readonly patchTarget: PatchTarget | null;
}

/**
 * Tells in `ctx` what the signal in the slot's frame is: its event, and what belongs to it. The registers are there
 * already. `entry` is the address at which patched calls look for their slot.
 */
export function readSignal(ctx: Context, slot: HostSlot, process: Patched, entry: number): void {
  const m = slot.words;
  const { regs } = ctx;
  const { sites } = process;
  const info = slot.at + (slot.frame + FRAME_INFO) / 4;
  const sig = m[slot.at + H_SIG / 4]!;
  const code = m[info + SIGINFO_SI_CODE / 4]!;
  regs.words[2 * ORIG_RAX] = -1;
  regs.words[2 * ORIG_RAX + 1] = -1;
  ctx.sig = sig;
  ctx.sigCode = code;
  ctx.faultAddr = m[info + SIGINFO_SI_ADDR / 4 + 1]! * TWO32 + (m[info + SIGINFO_SI_ADDR / 4]! >>> 0);
  // A kick, a signal that somebody on the host sent, or something that the guest made up; unless it is one of these.
  ctx.event = EV_KICK;
  switch (sig) {
    case SIGSEGV:
    case SIGBUS:
      if (code <= 0 || noSlotInGs(ctx, slot, sites, entry)) return;
      ctx.event = EV_TRAP;
      if (m[slot.gregs + 2 * G_TRAPNO] !== X86_TRAP_PF || !isPageFault(sig, code)) return;
      ctx.event = EV_FAULT;
      ctx.faultAccess = accessOf(m[slot.gregs + 2 * G_ERR]!);
      if (ctx.faultAccess === ACCESS_EXEC) leavePadding(regs, sites, ctx.faultAddr);
      return;
    case SIGILL:
      if (sites !== null && process.patchTarget !== null) {
        const at = regs.get(RIP);
        if (sites.isTail(process.patchTarget, at)) {
          callAt(ctx, at);
          return;
        }
      }
      if (code > 0) ctx.event = EV_TRAP;
      return;
    case SIGTRAP:
      if (code <= 0 || (sites !== null && steppedOverJump(ctx, sites))) return;
      ctx.event = EV_TRAP;
      return;
    case SIGFPE:
      if (code > 0) ctx.event = EV_TRAP;
      return;
    case SIGSYS:
      // int 0x80 and sysenter: as on a kernel without 32-bit calls, a general protection fault.
      ctx.sig = SIGSEGV;
      ctx.sigCode = SI_KERNEL;
      ctx.faultAddr = 0;
      ctx.event = EV_TRAP;
      if (regs.get(RIP) >= 2) regs.set(RIP, regs.get(RIP) - 2);
  }
}

function accessOf(error: number): number {
  if ((error & PF_INSTR) !== 0) return ACCESS_EXEC;
  return (error & PF_WRITE) !== 0 ? ACCESS_WRITE : ACCESS_READ;
}

/** A fault that mm can resolve; a bad entry into the vsyscall page, for one, is a page fault with another code. */
function isPageFault(sig: number, code: number): boolean {
  return sig === SIGSEGV ? code === SEGV_MAPERR || code === SEGV_ACCERR : code === BUS_ADRERR;
}

/**
 * A patched call looked for its slot through a gs of the guest's own, where nothing is (bases.ts): it becomes the call.
 * False when that is not what happened.
 */
function noSlotInGs(ctx: Context, slot: HostSlot, sites: CallSites | null, entry: number): boolean {
  const { regs } = ctx;
  if (!slot.usesGs || regs.get(RIP) !== entry) return false;
  const ret = sites?.returnAddress(regs.get(R11)) ?? 0;
  if (ret === 0) return false;
  regs.set(RCX, ret);
  regs.setWords(R11, regs.int(EFLAGS), 0);
  callAt(ctx, ret - CALL_SIZE);
  return true;
}

/** What came is the system call whose instruction is, or was, at `addr`. */
function callAt(ctx: Context, addr: number): void {
  const r = ctx.regs.words;
  ctx.regs.set(RIP, addr + CALL_SIZE);
  r[2 * ORIG_RAX] = r[2 * RAX]!;
  r[2 * ORIG_RAX + 1] = r[2 * RAX + 1]!;
  r[2 * RAX] = -ENOSYS;
  r[2 * RAX + 1] = -1;
  ctx.event = EV_SYSCALL;
}

/**
 * A program that steps itself (TF) has made one of our jumps. After the one that stands for `mov` and the call, the
 * registers become those after the `mov`, which is then what was stepped over; the one that stands for a call alone
 * becomes that call.
 */
function steppedOverJump(ctx: Context, sites: CallSites): boolean {
  const { regs } = ctx;
  const at = regs.get(RIP);
  const call = sites.jumps.get(at);
  if (call !== undefined) {
    callAt(ctx, call);
    return true;
  }
  const site = sites.siteAt(at);
  if (site === null) return false;
  ctx.faultAddr = site.ret - CALL_SIZE;
  regs.set(RIP, ctx.faultAddr);
  regs.set(RAX, site.nr);
  ctx.event = EV_TRAP;
  return true;
}

/**
 * Between the two jumps of a patched call there was no instruction, and there may be none when the thread goes on: it
 * goes back to the call, which means the same.
 */
export function leavePadding(regs: Regs, sites: CallSites | null, rip: number): void {
  const call = sites?.jumps.get(rip);
  if (call !== undefined) regs.set(RIP, call);
}
