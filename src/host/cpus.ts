// The CPUs that this process was started with; a platform may keep it to one of them later on.

import { SYS_sched_getaffinity } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

const MASK_SIZE = 1024;

function highest(): number {
  const mask = HostBuffer.alloc(MASK_SIZE);
  const size = hostCall(SYS_sched_getaffinity, 0, MASK_SIZE, mask.addr);
  for (let i = 8 * size - 1; i >= 0; i--) if ((mask.u8[i >> 3]! & (1 << (i & 7))) !== 0) return i;
  return -1;
}

/** The highest number among them; -1 when the host does not say. */
export const highestCpu: number = highest();
