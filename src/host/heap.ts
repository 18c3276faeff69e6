// The memory of this process's own JavaScript objects and buffers.

import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import { sharedBytes } from './memory.ts';

let loaded: typeof import('node:v8') | null = null;

/** node:v8, which takes 2 ms to load and which short programs never need. */
function v8(): typeof import('node:v8') {
  loaded ??= createRequire(import.meta.filename)('node:v8') as typeof import('node:v8');
  return loaded;
}

/** Bytes in use: objects, and buffers outside V8's heap but not guest memory. Garbage counts until it is collected. */
export function heapUsed(): number {
  const s = v8().getHeapStatistics();
  return s.used_heap_size + Math.max(0, s.external_memory - sharedBytes);
}

/** Bytes of objects above which V8 ends the process. */
export function heapLimit(): number {
  return v8().getHeapStatistics().heap_size_limit;
}

let gc: (() => void) | null = null;

/** Collects all garbage now: some milliseconds for every ten megabytes that are alive. */
export function collectHeap(): void {
  if (gc === null) {
    v8().setFlagsFromString('--expose-gc');
    gc = runInNewContext('gc') as () => void;
  }
  gc();
}
