// Whether a file of the host may be mapped for execution, without mapping it so: this process makes nothing executable.

import { SIZEOF_STATFS, ST_NOEXEC, STATFS_F_FLAGS } from '../abi/fs/statfs.ts';
import { MAP_PRIVATE, PROT_READ } from '../abi/memory/mman.ts';
import { SYS_fstatfs, SYS_mmap, SYS_munmap } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

const PAGE = 4096;
const buffer = HostBuffer.alloc(SIZEOF_STATFS);

/** True when the descriptor's file can be mapped at all, and its mount is not noexec (statfs(2)). */
export function mapsExecutable(fd: number): boolean {
  const at = hostCall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at < 0) return false;
  hostCall(SYS_munmap, at, PAGE);
  return (
    hostCall(SYS_fstatfs, fd, buffer.addr) === 0 &&
    (buffer.view.getUint32(STATFS_F_FLAGS, true) & ST_NOEXEC) === 0
  );
}
