// This process's auxiliary vector, getauxval(3): what the host tells of its processor and of itself. Needs no /proc.

import { AT_SYSINFO_EHDR } from '../abi/process/auxvec.ts';
import { libcFunction, viewMemory } from './ffi.ts';

const getauxval = libcFunction('int64_t getauxval(uint64_t type)');

/** The vector's value for an AT_* type; 0 where the host's kernel does not give one. */
export function hostAuxValue(type: number): number {
  return Number(getauxval(type));
}

/** Address of the vDSO that the host mapped into this process; 0 when it has none. */
export function hostVdsoAddr(): number {
  return hostAuxValue(AT_SYSINFO_EHDR);
}

/** The first `size` bytes of it. */
export function hostVdsoBytes(size: number): DataView {
  return new DataView(viewMemory(hostVdsoAddr(), size));
}
