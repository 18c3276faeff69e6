// Mappings of host memory objects into this process.

import { MAP_NORESERVE, MAP_SHARED, PROT_READ, PROT_WRITE } from '../abi/memory/mman.ts';
import { SYS_mmap } from '../abi/syscall.ts';
import { viewMemory } from './ffi.ts';
import { hostCall } from './syscall.ts';

export interface SharedMapping {
  readonly addr: number;
  readonly buffer: ArrayBuffer;
}

/** Bytes that views of shared mappings cover: V8 counts them as if they were this process's own. */
export let sharedBytes = 0;

/**
 * Maps `len` bytes of `fd` from `off` shared, readable and writable; or -errno. Pages appear as they are touched. The
 * buffer covers the first `visible` bytes: V8 collects garbage when it hears of some tens of MiB.
 */
export function mapShared(fd: number, off: number, len: number, visible = len): SharedMapping | number {
  const addr = hostCall(SYS_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, off);
  if (addr < 0) return addr;
  sharedBytes += visible;
  return { addr, buffer: viewMemory(addr, visible) };
}

/** A buffer over the first `len` bytes of a mapping in place of its earlier, shorter one, which stays usable. */
export function widenShared(addr: number, before: number, len: number): ArrayBuffer {
  sharedBytes += len - before;
  return viewMemory(addr, len);
}
