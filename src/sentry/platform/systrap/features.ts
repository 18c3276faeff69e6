// What the processor and the host offer to the stub's code.

import { AT_HWCAP2, HWCAP2_FSGSBASE } from '../../../abi/process/auxvec.ts';
import { hostAuxValue } from '../../../host/auxv.ts';
import { cpuid } from '../../../host/cpuid.ts';
import type { Bases } from './bases.ts';

/** User mode may read and write the bases of fs and gs by rdfsbase and its like (Linux 5.9). */
export function hasFsgsbase(): boolean {
  return (hostAuxValue(AT_HWCAP2) & HWCAP2_FSGSBASE) !== 0;
}

/** Values of --fsgsbase. */
export const FSGSBASE_CHOICES = ['auto', 'on', 'off'] as const;

/**
 * The stub's shape for a choice of --fsgsbase; without one VEDETTE_FSGSBASE says it, which tests use. Throws an Error when
 * `on` is asked for and the host has none.
 */
export function chooseBases(choice: string = process.env.VEDETTE_FSGSBASE ?? 'auto'): Bases {
  if (choice === 'off') return 'known';
  if (hasFsgsbase()) return 'read';
  if (choice === 'on')
    throw new Error(
      'systrap platform: --fsgsbase=on: the host has none (Linux 5.9, a processor of 2013 or later)',
    );
  return 'known';
}

/** CPUID.7.0:EBX */
const CPUID_BMI2 = 1 << 8;
/** CPUID.80000001:ECX */
const CPUID_LAHF = 1;

/** The processor has the instructions that the entry of patched calls needs in order to keep the flags. */
export function canPatchCalls(): boolean {
  return (cpuid(7, 0)[1]! & CPUID_BMI2) !== 0 && (cpuid(0x8000_0001, 0)[2]! & CPUID_LAHF) !== 0;
}
