// The machine code of cpuid.ts.

import {
  Assembler,
  dword,
  EAX,
  EBX,
  ECX,
  EDI,
  EDX,
  ESI,
  type MachineCode,
  mem,
  R8,
  RBX,
  RDX,
} from '../asm/index.ts';

// void cpuid(leaf edi, subleaf esi, u32 out[4] rdx)
const code = new Assembler();
code.label('cpuid').push(RBX).mov(R8, RDX).mov(EAX, EDI).mov(ECX, ESI).cpuid();
code
  .mov(dword(mem(R8)), EAX)
  .mov(dword(mem(R8, 4)), EBX)
  .mov(dword(mem(R8, 8)), ECX);
code
  .mov(dword(mem(R8, 12)), EDX)
  .pop(RBX)
  .ret();
export const CPUID_CODE: MachineCode = code.image();
