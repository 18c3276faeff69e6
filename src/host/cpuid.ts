// The cpuid instruction: what the processor offers, as far as its hypervisor lets it show.

import { Assembler, dword, EAX, EBX, ECX, EDI, EDX, ESI, mem, R8, RBX, RDX } from '../asm/index.ts';
import { HostBuffer } from './buffer.ts';
import { installCode, routine } from './ffi.ts';

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
const cpuidRoutine = routine(
  installCode(code)('cpuid'),
  'void vedette_cpuid(uint32_t leaf, uint32_t sub, int64_t out)',
);
const out = HostBuffer.alloc(16);

/** The registers eax, ebx, ecx, edx after cpuid, as an array that the next call overwrites. */
export function cpuid(leaf: number, subleaf: number): Uint32Array {
  cpuidRoutine(leaf, subleaf, out.addr);
  return new Uint32Array(out.buffer, 0, 4);
}
