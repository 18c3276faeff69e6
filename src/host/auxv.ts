// This process's auxiliary vector, getauxval(3): what the host tells of its processor and of itself. Needs no /proc.

import { libcFunction } from './ffi.ts';

const getauxval = libcFunction('int64_t getauxval(uint64_t type)');

/** The vector's value for an AT_* type; 0 where the host's kernel does not give one. */
export function hostAuxValue(type: number): number {
  return Number(getauxval(type));
}
