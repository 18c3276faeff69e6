// The CPUs that this process was started with; a platform may keep it to one of them later on.

import { readFileSync } from 'node:fs';
import { SYS_sched_getaffinity } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

const MASK_SIZE = 1024;

function allowed(): Uint8Array {
  const mask = HostBuffer.alloc(MASK_SIZE);
  const size = hostCall(SYS_sched_getaffinity, 0, MASK_SIZE, mask.addr);
  return mask.u8.subarray(0, Math.max(0, size));
}

/** Bit n: CPU n is among them. Empty when the host does not say. */
export const hostAffinity: Uint8Array = allowed();

function highest(): number {
  for (let i = 8 * hostAffinity.length - 1; i >= 0; i--)
    if ((hostAffinity[i >> 3]! & (1 << (i & 7))) !== 0) return i;
  return -1;
}

/** The highest number among them; -1 when the host does not say. */
export const highestCpu: number = highest();

/** How many CPUs the host numbers, those included that this process may not use. */
export function hostCpus(): number {
  let online = 0;
  try {
    online =
      Number(readFileSync('/sys/devices/system/cpu/online', 'latin1').match(/(\d+)\n?$/)?.[1] ?? -1) + 1;
  } catch {
    // No /sys: then there are those that are allowed.
  }
  return Math.max(online, highestCpu + 1, 1);
}
