// The cpuid instruction: what the processor offers, as far as its hypervisor lets it show.

import { HostBuffer } from './buffer.ts';
import { CPUID_CODE } from './cpuid.image.ts';
import { installCode, routine } from './ffi.ts';

const cpuidRoutine = routine(
  installCode(CPUID_CODE)('cpuid'),
  'void vedette_cpuid(uint32_t leaf, uint32_t sub, int64_t out)',
);
const out = HostBuffer.alloc(16);

/** The registers eax, ebx, ecx, edx after cpuid, as an array that the next call overwrites. */
export function cpuid(leaf: number, subleaf: number): Uint32Array {
  cpuidRoutine(leaf, subleaf, out.addr);
  return new Uint32Array(out.buffer, 0, 4);
}
