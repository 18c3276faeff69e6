// What the stub's code needs of the processor and the host, beyond what its start finds out by itself.

import { readFileSync } from 'node:fs';
import { cpuid } from '../../../host/cpuid.ts';

/** Auxiliary vector: AT_HWCAP2, and its bit for rdfsbase and friends in user mode (Linux 5.9). */
const AT_HWCAP2 = 26;
const HWCAP2_FSGSBASE = 2;

/** Reads this process's auxiliary vector for what the stub's code needs; null when all is there. */
export function missingFeature(): string | null {
  const auxv = readFileSync('/proc/self/auxv');
  for (let at = 0; at + 16 <= auxv.length; at += 16)
    if (auxv.readUInt32LE(at) === AT_HWCAP2 && (auxv.readUInt32LE(at + 8) & HWCAP2_FSGSBASE) !== 0)
      return null;
  return 'the host has no FSGSBASE in user mode (needs Linux 5.9 and a processor of 2013 or later)';
}

/** CPUID.7.0:EBX */
const CPUID_BMI2 = 1 << 8;
/** CPUID.80000001:ECX */
const CPUID_LAHF = 1;

/** The processor has the instructions that the entry of patched calls needs in order to keep the flags. */
export function canPatchCalls(): boolean {
  return (cpuid(7, 0)[1]! & CPUID_BMI2) !== 0 && (cpuid(0x8000_0001, 0)[2]! & CPUID_LAHF) !== 0;
}
