// The memory of this process's own JavaScript objects and buffers.

import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sharedBytes } from './memory.ts';

/** Bytes in use: objects, and buffers outside V8's heap but not guest memory. Garbage counts until it is collected. */
export function heapUsed(): number {
  const s = getHeapStatistics();
  return s.used_heap_size + Math.max(0, s.external_memory - sharedBytes);
}

/** Bytes of objects above which V8 ends the process. */
export function heapLimit(): number {
  return getHeapStatistics().heap_size_limit;
}

let gc: (() => void) | null = null;

/** Collects all garbage now: some milliseconds for every ten megabytes that are alive. */
export function collectHeap(): void {
  if (gc === null) {
    setFlagsFromString('--expose-gc');
    gc = runInNewContext('gc') as () => void;
  }
  gc();
}
