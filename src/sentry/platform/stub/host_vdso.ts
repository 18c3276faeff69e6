// The host's own vDSO in the stubs: the code that reads the host's clocks in user space, and the pages [vvar] that it
// reads. The template moves both above GUEST_TOP before it unmaps everything else, and every stub inherits them.
//
//   ... [vvar] [vvar_vclock]   r--   as many mappings and pages as this kernel has; right below, where the code looks
//   HOST_VDSO_ADDR   [vdso]    r-x

import { MREMAP_FIXED, MREMAP_MAYMOVE } from '../../../abi/memory/mman.ts';
import { AT_EXECFN, AT_SYSINFO_EHDR } from '../../../abi/process/auxvec.ts';
import { SYS_mremap } from '../../../abi/syscall.ts';
import {
  type Assembler,
  EAX,
  ECX,
  imm,
  mem,
  R8,
  R9,
  R10,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBX,
  RCX,
  RDI,
  RDX,
  type Reg,
  RSI,
  RSP,
} from '../../../asm/index.ts';
import { SIZEOF_EHDR } from '../../../elf/constants.ts';
import { dynamicSymbol, sizeOfObject } from '../../../elf/symbols.ts';
import { hostVdsoAddr, hostVdsoBytes } from '../../../host/auxv.ts';
import { GUEST_TOP } from '../platform.ts';

/** Where stubs have the host's vDSO, if they have it. */
export const HOST_VDSO_ADDR: number = GUEST_TOP + 0x200_0000;
/** [vvar] mappings are no larger; kernels so far have 4 to 6 pages. */
const MOST_PAGES = 16;
/**
 * Neither the stack nor the old place may be so near the new one, since what is there goes. The host places them at
 * random in 16 GiB or more: one start in ten thousands does without.
 */
const ROOM = 0x4_0000;

/**
 * Emits the move, for the start of a template: rsp is as the host set it. Then r13 and r14 are the bounds of what is
 * kept, both HOST_VDSO_ADDR when it is nothing. Changes all registers but rsp, makes calls of mremap only.
 *
 * Linux moves such a mapping as a whole or not at all, so its size is found by trying, from large to small: newer
 * kernels move several at once. Only the stack may be something else right below, and is left alone.
 */
export function emitKeepVdso(a: Assembler): void {
  a.mov(R13, imm(HOST_VDSO_ADDR)).mov(R14, R13);
  const unlessNear = (addr: Reg): void => {
    a.mov(RAX, addr)
      .sub(RAX, R13)
      .add(RAX, imm(ROOM))
      .cmp(RAX, imm(2 * ROOM))
      .jb('vdsoNone');
  };
  unlessNear(RSP);
  // Above rsp: argc, argv, 0, environment, 0, auxiliary vector. rbx: the vDSO; r15: the end of the stack's contents.
  a.xor(EAX, EAX).mov(RBX, RAX).mov(R15, RAX);
  a.mov(RSI, RSP).mov(RAX, mem(RSI, 0)).add(RAX, imm(2)).shl(RAX, imm(3)).add(RSI, RAX);
  a.label('vdsoEnv').mov(RAX, mem(RSI, 0)).add(RSI, imm(8)).test(RAX, RAX).jne('vdsoEnv');
  a.label('vdsoAux').mov(RAX, mem(RSI, 0)).test(RAX, RAX).je('vdsoAuxEnd');
  a.cmp(RAX, imm(AT_SYSINFO_EHDR)).jne('vdsoNotEhdr').mov(RBX, mem(RSI, 8)).label('vdsoNotEhdr');
  a.cmp(RAX, imm(AT_EXECFN)).jne('vdsoNotName').mov(R15, mem(RSI, 8)).label('vdsoNotName');
  a.add(RSI, imm(16)).jmp('vdsoAux');
  a.label('vdsoAuxEnd').test(RBX, RBX).je('vdsoNone').test(R15, R15).je('vdsoNone');
  unlessNear(RBX);

  // rdi, rsi: the old range; r8: its new place.
  const move = (): void => {
    a.mov(R8, RDI).sub(R8, RBX).add(R8, R14).mov(RDX, RSI);
    a.mov(R10, imm(MREMAP_MAYMOVE | MREMAP_FIXED))
      .mov(EAX, imm(SYS_mremap))
      .syscall();
    a.cmp(RAX, R8);
  };
  // r12: the end of the mapping that is looked for; r9: its size as tried.
  a.mov(R12, RBX);
  a.label('vdsoBelow').mov(R9, imm(MOST_PAGES * 4096));
  a.label('vdsoTry').mov(RDI, R12).sub(RDI, R9);
  a.cmp(RDI, R15).ja('vdsoApart').cmp(R15, R12).jb('vdsoLess').label('vdsoApart');
  a.mov(RSI, R9);
  move();
  a.jne('vdsoLess').mov(R13, R8).mov(R12, RDI).jmp('vdsoBelow');
  a.label('vdsoLess').sub(R9, imm(4096)).jne('vdsoTry');
  // Without [vvar] the code is of no use. Its mapping ends with the page of its last section header: e_shoff, e_shnum.
  a.cmp(R12, RBX).je('vdsoNone');
  a.mov(RSI, mem(RBX, 40)).mov(ECX, mem(RBX, 60)).and(ECX, imm(0xffff)).shl(RCX, imm(6));
  a.add(RSI, RCX).add(RSI, imm(4095)).and(RSI, imm(-4096)).mov(RDI, RBX);
  move();
  a.jne('vdsoNone').add(R14, RSI).jmp('vdsoKept');
  // What has moved already is unmapped with all the rest.
  a.label('vdsoNone').mov(R13, imm(HOST_VDSO_ADDR)).mov(R14, R13);
  a.label('vdsoKept');
}

/** Where in the host's vDSO its clock_gettime is; 0 when there is none. */
export function hostGettimeOffset(): number {
  if (hostVdsoAddr() === 0) return 0;
  const size = sizeOfObject(hostVdsoBytes(SIZEOF_EHDR));
  return size === 0 ? 0 : dynamicSymbol(hostVdsoBytes(size), '__vdso_clock_gettime');
}

/** Address of the host's clock_gettime in stubs that have its vDSO; 0 when there is none. */
export function hostGettimeAddr(): number {
  const offset = hostGettimeOffset();
  return offset === 0 ? 0 : HOST_VDSO_ADDR + offset;
}
