// The bases of fs and gs, and how a thread finds its slot: all in which the two shapes of the stub differ.
//
//   read    the host lets user mode read and write the bases (FSGSBASE). The stub reports them and sets them; gs is the
//           slot's address while the guest's own base is 0.
//   known   it does not. Then a guest changes a base only by a call, which the Sentry makes for it, or by loading a
//           selector, which the stub reports. So the Sentry knows both bases of each thread, and has the stub change
//           one (H_SET, arch_prctl) when the thread shall have another. gs is so that gs:SELF_AT is the slot's H_SELF,
//           which holds the slot's address.
//
// A gs that is the guest's own makes gs:SELF_AT any memory of the guest's. What lies there hardly ever looks like a slot's
// address; then the call traps, as it does when nothing lies there and the load faults (context.ts). With a base of 0, as
// after a selector was loaded, it is the first word of the jump table. A guest that makes it look like a slot's address
// has the entry write its registers there, which it could do itself.

import { ARCH_SET_FS, ARCH_SET_GS } from '../../../abi/process/prctl.ts';
import { SYS_arch_prctl } from '../../../abi/syscall.ts';
import {
  type Assembler,
  abs,
  dword,
  EAX,
  EDI,
  gs,
  imm,
  type Mem,
  mem,
  RAX,
  RBX,
  RCX,
  type Reg,
  RSI,
} from '../../../asm/index.ts';
import { H_FS_BASE, H_GS_BASE, H_SELECTORS, H_SELF, H_SET, SELF_AT, SET_FS, SET_GS } from './layout.ts';

/** Names of the shapes. */
export type Bases = 'read' | 'known';

/** Emits: rcx = what should be the slot's address. The flags are kept. */
export function emitSlot(a: Assembler, bases: Bases): void {
  if (bases === 'read') a.rdgsbase(RCX);
  else a.mov(RCX, gs(abs(SELF_AT)));
}

/** A word of the slot, wherever gs is the Sentry's. */
export function ofSlot(bases: Bases, offset: number): Mem {
  return gs(abs(bases === 'read' ? offset : SELF_AT - H_SELF + offset));
}

/** Emits: reports the bases in the slot at `slot`. rax is lost, the flags are kept. */
export function emitReportBases(a: Assembler, bases: Bases, slot: Reg): void {
  if (bases === 'read') {
    a.rdfsbase(RAX).mov(mem(slot, H_FS_BASE), RAX).rdgsbase(RAX).mov(mem(slot, H_GS_BASE), RAX);
    return;
  }
  a.movFromSeg(EAX, 'fs').mov(mem(slot, H_SELECTORS), EAX);
  a.movFromSeg(EAX, 'gs').mov(mem(slot, H_SELECTORS + 4), EAX);
}

/** Emits: sets the bases that the Sentry wants for the slot in rbx. rax, rcx, rdi, rsi, r11 and the flags are lost. */
export function emitSetBases(a: Assembler, bases: Bases): void {
  if (bases === 'read') {
    a.mov(RAX, mem(RBX, H_FS_BASE)).wrfsbase(RAX).mov(RAX, mem(RBX, H_GS_BASE)).wrgsbase(RAX);
    return;
  }
  const set = (bit: number, op: number, base: number): void => {
    const done = a.unique('baseSet');
    a.test(dword(mem(RBX, H_SET)), imm(bit)).je(done);
    a.mov(EAX, imm(SYS_arch_prctl)).mov(EDI, imm(op)).mov(RSI, mem(RBX, base)).syscall();
    a.label(done);
  };
  set(SET_FS, ARCH_SET_FS, H_FS_BASE);
  set(SET_GS, ARCH_SET_GS, H_GS_BASE);
}
