// The entry of patched call sites: what the handler does, without a signal. A site's `mov $nr,%eax; syscall` became
// `jmp *table(n)`, the table leads to the site's 64 bytes here above, and they come here with
//
//   rax the number, r11 the site; rcx is free, as it is for the instruction itself; all else is the guest's.
//
// The thread's slot is in gs, which guests hardly ever use; one that does takes the site's own syscall instruction. The
// arithmetic flags are not kept: no compiler expects that of a system call.

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
} from '../../../abi/sigcontext.ts';
import { SYS_futex, SYS_getppid, SYS_write } from '../../../abi/syscall.ts';
import {
  type Assembler,
  dword,
  EAX,
  ECX,
  EDI,
  imm,
  type Mem,
  mem,
  qword,
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
  type Reg,
  RSI,
  RSP,
  rip,
} from '../../../asm/index.ts';
import {
  C_ASLEEP,
  C_SPINS,
  CONTROL_ADDR,
  EVENT_FD,
  H_ASLEEP,
  H_CALL,
  H_FRAME,
  H_FS_BASE,
  H_GS_BASE,
  H_PATCHED,
  H_SIG,
  H_STATE,
  MAX_SLOTS,
  PATCHED_FRAME,
  SIG_PATCHED,
  SITE_FALLBACK,
  SITE_RETURN,
  SLOT_SIZE,
  SLOTS_ADDR,
  STATE_EVENT,
  STATE_PARK,
  STATE_RUN,
  STATE_TRAP,
} from './layout.ts';

const FUTEX_WAIT = 0;
/** Interrupts on, the bit that is always one, and flags as after a comparison of equals. */
const FLAGS = 0x246;

/** Registers that are saved and restored in order, rbx apart. */
const KEPT: readonly (readonly [Reg, number])[] = [
  [R8, SIGCONTEXT_R8],
  [R9, SIGCONTEXT_R9],
  [R10, SIGCONTEXT_R10],
  [R12, SIGCONTEXT_R12],
  [R13, SIGCONTEXT_R13],
  [R14, SIGCONTEXT_R14],
  [R15, SIGCONTEXT_R15],
  [RDI, SIGCONTEXT_RDI],
  [RSI, SIGCONTEXT_RSI],
  [RBP, SIGCONTEXT_RBP],
  [RDX, SIGCONTEXT_RDX],
  [RAX, SIGCONTEXT_RAX],
  [RSP, SIGCONTEXT_RSP],
];

/**
 * Emits the entry. A kick that arrives between `patched` and `patchedSaved` is followed by the report at once; from
 * there to `patchedEnd` the registers are those of the slot.
 */
export function emitPatchedEntry(a: Assembler): void {
  const at = (slot: Reg, field: number): Mem => mem(slot, H_PATCHED + field);
  a.align(8).label('slotsFirst').u64(SLOTS_ADDR);
  a.label('slotsLast').u64(SLOTS_ADDR + (MAX_SLOTS - 1) * SLOT_SIZE);
  a.align(64).label('patched').rdgsbase(RCX);
  a.cmp(RCX, rip('slotsFirst')).jb('patchedNoSlot').cmp(RCX, rip('slotsLast')).ja('patchedNoSlot');
  a.test(ECX, imm(SLOT_SIZE - 1)).jne('patchedNoSlot');
  for (const [reg, field] of KEPT) a.mov(at(RCX, field), reg);
  a.mov(at(RCX, SIGCONTEXT_RBX), RBX).mov(RBX, RCX);
  a.mov(RAX, mem(R11, SITE_RETURN)).mov(at(RBX, SIGCONTEXT_RIP), RAX).mov(at(RBX, SIGCONTEXT_RCX), RAX);
  a.mov(qword(at(RBX, SIGCONTEXT_R11)), imm(FLAGS)).mov(qword(at(RBX, SIGCONTEXT_EFLAGS)), imm(FLAGS));
  a.rdfsbase(RAX).mov(mem(RBX, H_FS_BASE), RAX).mov(mem(RBX, H_GS_BASE), RBX);
  a.mov(dword(mem(RBX, H_SIG)), imm(SIG_PATCHED));
  a.lea(RAX, mem(RBX, PATCHED_FRAME)).mov(mem(RBX, H_FRAME), RAX);
  a.mov(R12, imm(CONTROL_ADDR)).mov(EAX, imm(STATE_EVENT));
  a.mov(dword(mem(RBX, H_CALL)), imm(1));
  a.label('patchedSaved').xchg(mem(RBX, H_STATE), EAX);
  a.cmp(dword(mem(R12, C_ASLEEP)), imm(0)).je('patchedSpin');
  a.mov(EAX, imm(SYS_write)).mov(EDI, imm(EVENT_FD)).lea(RSI, rip('one')).mov(RDX, imm(8)).syscall();
  a.label('patchedSpin').mov(ECX, mem(R12, C_SPINS));
  a.label('patchedAgain').mov(EAX, mem(RBX, H_STATE)).cmp(EAX, imm(STATE_RUN)).je('patchedResume');
  a.cmp(EAX, imm(STATE_TRAP)).je('patchedTrap');
  a.cmp(EAX, imm(STATE_PARK)).je('patchedSleep').test(ECX, ECX).je('patchedSleep');
  a.pause().dec(ECX).jmp('patchedAgain');
  a.label('patchedSleep').mov(EAX, imm(1)).xchg(mem(RBX, H_ASLEEP), EAX);
  a.label('patchedSleepAgain').mov(EAX, mem(RBX, H_STATE));
  a.cmp(EAX, imm(STATE_RUN)).je('patchedAwake').cmp(EAX, imm(STATE_TRAP)).je('patchedAwake');
  a.lea(RDI, mem(RBX, H_STATE)).mov(RSI, imm(FUTEX_WAIT)).mov(RDX, RAX).mov(R10, imm(0));
  a.mov(EAX, imm(SYS_futex)).syscall().jmp('patchedSleepAgain');
  a.label('patchedAwake')
    .mov(dword(mem(RBX, H_ASLEEP)), imm(0))
    .cmp(EAX, imm(STATE_TRAP))
    .je('patchedTrap');
  a.label('patchedResume').mov(RAX, mem(RBX, H_FS_BASE)).wrfsbase(RAX);
  a.mov(RAX, mem(RBX, H_GS_BASE)).wrgsbase(RAX);
  for (const [reg, field] of KEPT) a.mov(reg, at(RBX, field));
  a.mov(RCX, at(RBX, SIGCONTEXT_RIP)).mov(RBX, at(RBX, SIGCONTEXT_RBX)).jmp(RCX);
  a.label('patchedTrap').mov(EAX, imm(SYS_getppid)).syscall().ud2();
  a.label('patchedEnd');
  a.label('patchedNoSlot').add(R11, imm(SITE_FALLBACK)).jmp(R11);
}
