// Mappings of host memory objects into this process.

import { MAP_NORESERVE, MAP_SHARED, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import { SYS_mmap, SYS_munmap } from '../abi/syscall.ts';
import { viewMemory } from './ffi.ts';
import { hostCall } from './syscall.ts';

export interface SharedMapping {
  readonly addr: number;
  readonly buffer: ArrayBuffer;
}

/** Bytes that views of shared mappings cover: V8 counts them as if they were this process's own. */
export let sharedBytes = 0;

/** Maps `len` bytes of `fd` from `off` shared, readable and writable; or -errno. Pages appear as they are touched. */
export function mapShared(fd: number, off: number, len: number): SharedMapping | number {
  const addr = hostCall(SYS_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, off);
  if (addr < 0) return addr;
  sharedBytes += len;
  return { addr, buffer: viewMemory(addr, len) };
}

/** Ends a mapping. Its ArrayBuffer must not be used again. */
export function unmapShared(m: SharedMapping): void {
  sharedBytes -= m.buffer.byteLength;
  hostCall(SYS_munmap, m.addr, m.buffer.byteLength);
}
