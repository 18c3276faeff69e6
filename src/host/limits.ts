// Resource limits of this process: getrlimit(2).

import { RLIM64_INFINITY, RLIMIT_NOFILE } from '../abi/process/resource.ts';
import { SYS_prlimit64 } from '../abi/syscall.ts';
import { getU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

const SOFT = 0;
const HARD = 8;
const limit = HostBuffer.alloc(16);

function read(resource: number, which: number): number {
  if (hostCall(SYS_prlimit64, 0, resource, 0, limit.addr) < 0) return Number.POSITIVE_INFINITY;
  const value = getU64(limit.view, which);
  return value >= RLIM64_INFINITY ? Number.POSITIVE_INFINITY : value;
}

/** The soft limit in the resource's own unit; Infinity for none, or when the host does not say. */
export function hostLimit(resource: number): number {
  return read(resource, SOFT);
}

/** The hard limit, likewise. */
export function hostHardLimit(resource: number): number {
  return read(resource, HARD);
}

/** Makes the soft limit as high as this process may. */
export function raiseHostLimit(resource: number): void {
  if (hostCall(SYS_prlimit64, 0, resource, 0, limit.addr) < 0) return;
  limit.u8.copyWithin(SOFT, HARD, HARD + 8);
  hostCall(SYS_prlimit64, 0, resource, limit.addr, 0);
}

/** Descriptors that this process may have. Node.js raises the soft limit when it starts. */
export const maxHostFiles: number = hostLimit(RLIMIT_NOFILE);
