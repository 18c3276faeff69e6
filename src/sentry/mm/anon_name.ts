// Names of anonymous memory: PR_SET_VMA of prctl(2).

import { EBADF, ENOMEM } from '../../abi/errno.ts';
import type { MemoryManager } from './mm.ts';
import { isolate, merge } from './region.ts';

/** Names a kernel gives; a name of the program's own does not replace them. */
const OWN = /^\[(heap|stack|vdso|vvar)/;

/**
 * Names the anonymous mappings of an aligned range; null takes the name away. -EBADF at a file's mapping, -ENOMEM when
 * parts were not mapped; what came before is named all the same.
 */
export function setAnonName(mm: MemoryManager, start: number, end: number, name: string | null): number {
  let i = isolate(mm, start, end);
  if (i < 0) return i;
  let at = start;
  let result = 0;
  for (; i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const v = mm.vmas.at(i);
    if (v.start > at) result = -ENOMEM;
    at = v.end;
    if (v.file !== null) {
      result = -EBADF;
      break;
    }
    if (OWN.test(v.name)) continue;
    v.name = name === null ? '' : v.source === null ? `[anon:${name}]` : `[anon_shmem:${name}]`;
  }
  merge(mm, start, end);
  return result !== 0 || at >= end ? result : -ENOMEM;
}
