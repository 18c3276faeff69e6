// The memory of this process's own JavaScript objects and buffers.

import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import { libcFunction } from './ffi.ts';
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

/** The launcher's --expose-gc: a context of its own for gc, as above, would cost what the collection gives back. */
type CollectAll = (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** From this version on V8 gives the pages of new objects back; before, such a collection takes more than it gives. */
const V8_SHRINKS = 12;
/** Above this the collection would take too long: 30 ms or so for as much. */
const MAX_HEAP = 64 * 2 ** 20;

let mallocTrim: ((pad: number) => number) | null = null;

/** Gives the host back what V8 and libc have in reserve: for a process that will not need it soon. */
export function releaseMemory(): void {
  const { gc } = globalThis as unknown as { gc?: CollectAll };
  const shrinks = Number(process.versions.v8.split('.')[0]) >= V8_SHRINKS;
  if (gc !== undefined && shrinks && process.memoryUsage().heapTotal < MAX_HEAP)
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  try {
    mallocTrim ??= libcFunction('int malloc_trim(size_t pad)');
  } catch {
    mallocTrim = () => 0; // Another libc than glibc.
  }
  mallocTrim(0);
}
