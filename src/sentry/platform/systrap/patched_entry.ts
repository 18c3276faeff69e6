// The entry of patched call sites: what the handler does, without a signal. A site's `mov $nr,%eax; syscall` became
// `jmp *table(n)`, the table leads to the site's 64 bytes here above, and they come here with
//
//   rax the number, r11 the site; rcx is free, as it is for the instruction itself; all else is the guest's.
//
// The thread's slot is in gs (bases.ts), which guests hardly ever use; one that does takes the site's own syscall
// instruction. Flags are kept, as compilers may expect of a system call (Rust's `preserves_flags`): until they are saved
// nothing may touch them. While it waits the thread keeps its registers where they are, rax, rcx and r11 apart, so that an answer that is
// only a result needs no more than one cache line. Any other answer is taken from the slot as a whole, extended state
// included: a signal frame of the host's, and its rt_sigreturn, would cost more than all the rest.

import {
  SIGCONTEXT_EFLAGS,
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
} from '../../../abi/signal/sigcontext.ts';
import { SYS_futex, SYS_getppid, SYS_write } from '../../../abi/syscall.ts';
import {
  AL,
  type Assembler,
  dword,
  EAX,
  ECX,
  EDI,
  EDX,
  imm,
  type Mem,
  mem,
  qword,
  R8,
  R9,
  R10,
  R11,
  R11D,
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
  type Reg,
  RSI,
  RSP,
  rip,
} from '../../../asm/index.ts';
import {
  C_SPINS,
  C_WANTS,
  H_ASLEEP,
  H_R8,
  H_R9,
  H_R10,
  H_RAX,
  H_RDI,
  H_RDX,
  H_RSI,
  H_SEQ,
  H_STATE,
  STATE_CALL,
  STATE_DONE,
  STATE_PARK,
  STATE_RUN,
  STATE_SAVE,
  STATE_TRAP,
  WANTS_WAKE,
} from '../handover/line.ts';
import { type Bases, emitReportBases, emitSetBases, emitSlot, ofSlot } from './bases.ts';
import {
  C_XSTATE,
  CONTROL_ADDR,
  EVENT_FD,
  H_FLAGS,
  H_LOAD,
  H_PATCHED,
  SITE_FALLBACK,
  SITE_RETURN,
  SLOTS_BASE,
  SLOTS_SHIFT,
  XSTATE_AT,
} from './layout.ts';
import { emitRing } from './ring_entry.ts';

const FUTEX_WAIT = 0;
/** In r11 after a patched call: interrupts on, and the bit that is always one. */
export const PATCHED_FLAGS = 0x202;
/** OF in the second byte of the flags: what makes 0x80 of it overflows as a signed byte. */
const OF_IN_BYTE = 0x08;

/** Arguments and number, in the header while the call is served. */
const OF_CALL: readonly (readonly [Reg, number])[] = [
  [RAX, H_RAX],
  [RDI, H_RDI],
  [RSI, H_RSI],
  [RDX, H_RDX],
  [R10, H_R10],
  [R8, H_R8],
  [R9, H_R9],
];

/** Registers that a call does not speak of. */
const KEPT: readonly (readonly [Reg, number])[] = [
  [RBX, SIGCONTEXT_RBX],
  [RBP, SIGCONTEXT_RBP],
  [RSP, SIGCONTEXT_RSP],
  [R12, SIGCONTEXT_R12],
  [R13, SIGCONTEXT_R13],
  [R14, SIGCONTEXT_R14],
  [R15, SIGCONTEXT_R15],
];

/** What an answer that sets all registers loads before the last ones. */
const RESUMED: readonly (readonly [Reg, number])[] = [
  [RAX, SIGCONTEXT_RAX],
  [RDI, SIGCONTEXT_RDI],
  [RSI, SIGCONTEXT_RSI],
  [RDX, SIGCONTEXT_RDX],
  [R10, SIGCONTEXT_R10],
  [R8, SIGCONTEXT_R8],
  [R9, SIGCONTEXT_R9],
  [R11, SIGCONTEXT_R11],
  ...KEPT.filter(([reg]) => reg !== RSP),
];

/**
 * Emits the entry. A kick that arrives between `patched` and `patchedSaved` is followed by the report at once; from
 * there to `patchedEnd` the registers are those of the slot.
 */
export function emitPatchedEntry(a: Assembler, bases: Bases): void {
  const at = (field: number): Mem => mem(RCX, H_PATCHED + field);
  const restoreFlags = (): Assembler => {
    a.mov(EAX, mem(RCX, H_FLAGS)).bswap(EAX).shr(EAX, imm(16));
    return a
      .and(AL, imm(OF_IN_BYTE))
      .add(AL, imm(0x80 - OF_IN_BYTE))
      .sahf();
  };
  a.align(64).label('patched');
  emitSlot(a, bases);
  a.rorx(RCX, RCX, SLOTS_SHIFT);
  a.lea(ECX, mem(RCX, -Math.floor(SLOTS_BASE / 2 ** SLOTS_SHIFT))).jrcxz('patchedSlot');
  a.lea(R11, mem(R11, SITE_FALLBACK)).jmp(R11);
  a.label('patchedSlot');
  emitSlot(a, bases);
  for (const [reg, offset] of OF_CALL) a.mov(mem(RCX, offset), reg);
  for (const [reg, field] of KEPT) a.mov(at(field), reg);
  // The guest's own stack has no room: leaf functions keep data below rsp. A signal that comes now goes to the signal stack.
  a.lea(RSP, mem(RCX, H_FLAGS + 8))
    .pushfq()
    .mov(RSP, at(SIGCONTEXT_RSP));
  a.mov(RAX, mem(R11, SITE_RETURN)).mov(at(SIGCONTEXT_RIP), RAX);
  emitReportBases(a, bases, RCX);
  a.mov(R11, imm(CONTROL_ADDR))
    .inc(dword(mem(RCX, H_SEQ)))
    .mov(EAX, imm(STATE_CALL));
  a.label('patchedSaved').xchg(mem(RCX, H_STATE), EAX);
  a.cmp(dword(mem(R11, C_WANTS)), imm(0)).jne('patchedWake');
  a.label('patchedSpin').mov(R11D, mem(R11, C_SPINS));
  a.label('patchedAgain').mov(EAX, mem(RCX, H_STATE)).cmp(EAX, imm(STATE_DONE)).jne('patchedOther');
  a.label('patchedDone');
  restoreFlags().mov(RAX, mem(RCX, H_RAX)).mov(RCX, at(SIGCONTEXT_RIP));
  a.mov(R11D, imm(PATCHED_FLAGS)).jmp(RCX);

  a.label('patchedOther').cmp(EAX, imm(STATE_CALL)).jne('patchedOrders');
  a.test(R11D, R11D).je('patchedSleep').pause().dec(R11D).jmp('patchedAgain');
  a.label('patchedOrders')
    .cmp(EAX, imm(STATE_RUN))
    .je('patchedResume')
    .cmp(EAX, imm(STATE_SAVE))
    .je('patchedSave')
    .cmp(EAX, imm(STATE_TRAP))
    .je('patchedTrap');
  a.label('patchedSleep').mov(EAX, imm(1)).xchg(mem(RCX, H_ASLEEP), EAX);
  a.label('patchedSleepAgain').mov(EAX, mem(RCX, H_STATE));
  a.cmp(EAX, imm(STATE_CALL)).je('patchedFutex').cmp(EAX, imm(STATE_PARK)).jne('patchedAwake');
  a.label('patchedFutex')
    .lea(RDI, mem(RCX, H_STATE))
    .mov(RSI, imm(FUTEX_WAIT))
    .mov(RDX, RAX)
    .mov(R10, imm(0));
  a.mov(EAX, imm(SYS_futex)).syscall();
  emitSlot(a, bases);
  a.jmp('patchedSleepAgain');
  a.label('patchedAwake')
    .mov(dword(mem(RCX, H_ASLEEP)), imm(0))
    .cmp(EAX, imm(STATE_TRAP))
    .je('patchedTrap')
    .cmp(EAX, imm(STATE_SAVE))
    .je('patchedSave');
  a.cmp(EAX, imm(STATE_RUN)).je('patchedResume');
  for (const [reg, offset] of OF_CALL) if (reg !== RAX) a.mov(reg, mem(RCX, offset));
  a.jmp('patchedDone');
  a.label('patchedWake');
  emitRing(a, RCX, R11, 'patchedRung');
  a.test(EAX, imm(WANTS_WAKE)).je('patchedWoken');
  a.mov(EAX, imm(SYS_write)).mov(EDI, imm(EVENT_FD)).lea(RSI, rip('one')).mov(RDX, imm(8));
  a.syscall();
  emitSlot(a, bases);
  a.label('patchedWoken');
  for (const [reg, offset] of OF_CALL) if (reg !== RAX) a.mov(reg, mem(RCX, offset));
  a.mov(R11, imm(CONTROL_ADDR)).jmp('patchedSpin');

  // Extended state into the slot: a report like that of the call.
  a.label('patchedSave').mov(R11, imm(CONTROL_ADDR)).mov(EAX, mem(R11, C_XSTATE)).mov(EDX, imm(0));
  a.xsave64(mem(RCX, XSTATE_AT)).mov(RDX, mem(RCX, H_RDX)).mov(EAX, imm(STATE_CALL)).jmp('patchedSaved');

  a.label('patchedResume').mov(RBX, RCX);
  emitSetBases(a, bases);
  a.cmp(dword(mem(RBX, H_LOAD)), imm(0)).je('patchedLoaded');
  a.mov(R11, imm(CONTROL_ADDR)).mov(EAX, mem(R11, C_XSTATE)).mov(EDX, imm(0)).xrstor64(mem(RBX, XSTATE_AT));
  a.label('patchedLoaded').mov(RCX, RBX);
  for (const [reg, field] of RESUMED) a.mov(reg, at(field));
  a.lea(RSP, at(SIGCONTEXT_EFLAGS)).popfq().mov(RSP, at(SIGCONTEXT_RSP)).mov(RCX, at(SIGCONTEXT_RCX));
  a.jmp(qword(ofSlot(bases, H_PATCHED + SIGCONTEXT_RIP)));
  a.label('patchedTrap').mov(EAX, imm(SYS_getppid)).syscall().ud2();
  a.label('patchedEnd');
}
