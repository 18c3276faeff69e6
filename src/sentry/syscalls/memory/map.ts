// mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), remap_file_pages(2).

import {
  EACCES,
  EAGAIN,
  EBADF,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from '../../../abi/errno.ts';
import { F_SEAL_FUTURE_WRITE, F_SEAL_WRITE, O_PATH } from '../../../abi/fs/fcntl.ts';
import { MS_NOEXEC } from '../../../abi/fs/mount.ts';
import {
  MAP_32BIT,
  MAP_ANONYMOUS,
  MAP_DENYWRITE,
  MAP_EXECUTABLE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_STACK,
  MAP_SYNC,
  MAP_TYPE,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../../abi/memory/mman.ts';
import { CAP_IPC_LOCK } from '../../../abi/process/capability.ts';
import { READ_IMPLIES_EXEC } from '../../../abi/process/personality.ts';
import { RLIMIT_MEMLOCK } from '../../../abi/process/resource.ts';
import {
  SYS_brk,
  SYS_mmap,
  SYS_mprotect,
  SYS_mremap,
  SYS_munmap,
  SYS_remap_file_pages,
} from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { pageDown, pageOffset, pageUp } from '../../base/page.ts';
import type { Task } from '../../kernel/task/task.ts';
import { Remap } from '../../mm/mremap.ts';
import { beginProtect } from '../../mm/protect.ts';
import type { File } from '../../vfs/file.ts';
import { ADDR, FD, FLAGS, MMAP_FLAGS, OFF, PROT, SIZE } from '../kinds.ts';
import { sys } from '../row.ts';
import { bringInQuietly } from './bring_in.ts';
import { workInProgress, workOn } from './mapping_work.ts';

const PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC;
/** Flags that MAP_SHARED_VALIDATE accepts (LEGACY_MAP_MASK and what every file supports). */
const VALIDATED =
  MAP_SHARED |
  MAP_PRIVATE |
  MAP_FIXED |
  MAP_ANONYMOUS |
  MAP_DENYWRITE |
  MAP_EXECUTABLE |
  MAP_GROWSDOWN |
  MAP_LOCKED |
  MAP_NORESERVE |
  MAP_POPULATE |
  MAP_NONBLOCK |
  MAP_STACK |
  MAP_32BIT |
  MAP_FIXED_NOREPLACE |
  MAP_SHARED_VALIDATE;

/** Notes on the address space whether its caller is bound by RLIMIT_MEMLOCK; false when it may lock nothing at all. */
export function noteLockRight(t: Task): boolean {
  t.mm.ipcLock = t.cred.capable(CAP_IPC_LOCK);
  return t.mm.ipcLock || t.rlimit(RLIMIT_MEMLOCK) > 0;
}

/** Implements mmap(2). */
function mmap(
  t: Task,
  addr: number,
  len: number,
  protBits: number,
  flags: number,
  fd: number,
  off: number,
): number {
  if (t.call.active) return bringInQuietly(t, 0);
  if (pageOffset(off) !== 0) return -EINVAL;
  const anonymous = (flags & MAP_ANONYMOUS) !== 0;
  let file: File | null = null;
  if (!anonymous) {
    file = t.fds.get(fd);
    if (file === null || (file.flags & O_PATH) !== 0) return -EBADF;
  } else if ((flags & MAP_HUGETLB) !== 0) {
    // As a system with no huge pages reserved.
    countUnsupported('mmap MAP_HUGETLB');
    return -ENOMEM;
  }
  if (len === 0) return -EINVAL;
  if (len < 0) return -ENOMEM;
  const type = flags & MAP_TYPE;
  if (type !== MAP_SHARED && type !== MAP_PRIVATE && type !== MAP_SHARED_VALIDATE) return -EINVAL;
  if (off < 0 || off + len > Number.MAX_SAFE_INTEGER) return anonymous ? -EINVAL : -EOVERFLOW;
  let prot = protBits & PROT_ALL;
  const readImpliesExec = (t.personality & READ_IMPLIES_EXEC) !== 0 && (prot & PROT_READ) !== 0;
  if (!noteLockRight(t) && (flags & MAP_LOCKED) !== 0) return -EPERM;
  if (anonymous) {
    if (readImpliesExec) prot |= PROT_EXEC;
    if (type === MAP_SHARED_VALIDATE) return -EINVAL;
    if (type === MAP_SHARED && (flags & MAP_GROWSDOWN) !== 0) return -EINVAL;
    const name = type === MAP_SHARED ? '/dev/zero (deleted)' : '';
    const at = t.mm.mmap(addr, len, prot, flags, null, null, 0, name);
    return at < 0 ? at : bringInQuietly(t, at);
  }
  return mapFile(t, addr, len, prot, flags, file!, off / 4096, readImpliesExec);
}

function mapFile(
  t: Task,
  addr: number,
  len: number,
  protBits: number,
  flags: number,
  file: File,
  pgoff: number,
  readImpliesExec: boolean,
): number {
  let prot = protBits;
  let maxProt = PROT_ALL;
  const shared = (flags & MAP_TYPE) !== MAP_PRIVATE;
  if ((flags & MAP_TYPE) === MAP_SHARED_VALIDATE) {
    if ((flags & (MAP_SYNC | ~VALIDATED)) !== 0) return -EOPNOTSUPP;
  }
  const noexec = file.path !== null && (file.path.mount.flags & MS_NOEXEC) !== 0;
  if (readImpliesExec && !noexec) prot |= PROT_EXEC;
  if (shared) {
    if ((prot & PROT_WRITE) !== 0 && !file.writable) return -EACCES;
    if (!file.writable || !file.mapsWrites) maxProt &= ~PROT_WRITE;
    if ((file.inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) maxProt &= ~PROT_WRITE;
  }
  if (!file.readable) return -EACCES;
  if (noexec) {
    if ((prot & PROT_EXEC) !== 0) return -EPERM;
    maxProt &= ~PROT_EXEC;
  }
  const source = file.mmap(t, prot, flags);
  if (typeof source === 'number') return source;
  const bad = file.mayMap(pgoff, pageUp(len) / 4096);
  if (bad < 0) return bad;
  if ((flags & MAP_GROWSDOWN) !== 0) return -EINVAL;
  const all = shared ? flags | MAP_SHARED : flags;
  const at = t.mm.mmap(addr, len, prot, all, file, source, pgoff, '', maxProt);
  // What the file's cache has of code and constants will be used.
  if (at < 0) return at;
  t.mm.mapSoon(at);
  return bringInQuietly(t, at);
}

/** Implements munmap(2). */
function munmap(t: Task, addr: number, len: number): number {
  return t.mm.munmap(addr, len);
}

/** Implements mprotect(2). */
export function mprotect(t: Task, addr: number, len: number, prot: number): number {
  const begun = workInProgress(t);
  if (begun !== null) return workOn(t, begun);
  const exec = (t.personality & READ_IMPLIES_EXEC) !== 0 && (prot & PROT_READ) !== 0 ? PROT_EXEC : 0;
  const work = beginProtect(t.mm, addr, len, prot | exec);
  return typeof work === 'number' ? work : workOn(t, work);
}

/** Implements mremap(2). */
function mremap(
  t: Task,
  addr: number,
  oldLen: number,
  newLen: number,
  flags: number,
  newAddr: number,
): number {
  const begun = workInProgress(t);
  if (begun === null && t.call.active) return bringInQuietly(t, 0);
  noteLockRight(t);
  const r = workOn(t, begun ?? new Remap(t.mm, addr, oldLen, newLen, flags, newAddr));
  return r < 0 ? r : bringInQuietly(t, r);
}

/** Implements brk(2): the break after the call. */
function brk(t: Task, addr: number): number {
  if (t.call.active) return bringInQuietly(t, 0);
  noteLockRight(t);
  return bringInQuietly(t, t.mm.brk(addr));
}

/** Implements remap_file_pages(2) as Linux does since 4.0: by an ordinary mapping in place. */
function remap_file_pages(
  t: Task,
  addr: number,
  size: number,
  prot: number,
  pgoff: number,
  flags: number,
): number {
  if (t.call.active) return bringInQuietly(t, 0);
  if (prot !== 0) return -EINVAL;
  if (!(addr >= 0) || !(size > 0) || !(pgoff >= 0)) return -EINVAL;
  const start = pageDown(addr);
  const len = pageUp(size);
  const v = t.mm.vmaAt(start);
  if (v === null || !v.shared || v.source === null || start + len > v.end) return -EINVAL;
  const keep = MAP_SHARED | MAP_FIXED | MAP_POPULATE | (flags & MAP_NONBLOCK);
  if (pgoff + len / 4096 > Number.MAX_SAFE_INTEGER / 4096) return -EINVAL;
  const source = v.source;
  const file = v.file;
  // The new mapping replaces the one whose file it takes over: hold that file meanwhile.
  file?.ref();
  const r = t.mm.mmap(start, len, v.prot, keep, file, source, pgoff, v.name, v.maxProt);
  file?.unref();
  return r < 0 ? (r === -EAGAIN || r === -ENODEV ? r : -EINVAL) : bringInQuietly(t, 0);
}

const MREMAP_KIND = FLAGS('flags', [
  ['MREMAP_MAYMOVE', MREMAP_MAYMOVE],
  ['MREMAP_FIXED', MREMAP_FIXED],
  ['MREMAP_DONTUNMAP', MREMAP_DONTUNMAP],
]);

export const rows = [
  sys(SYS_mmap, [ADDR, SIZE, PROT, MMAP_FLAGS, FD, OFF], mmap, 'no huge pages'),
  sys(SYS_munmap, [ADDR, SIZE], munmap),
  sys(SYS_mprotect, [ADDR, SIZE, PROT], mprotect),
  sys(SYS_mremap, [ADDR, SIZE, SIZE, MREMAP_KIND, ADDR], mremap),
  sys(SYS_brk, [ADDR], brk),
  sys(SYS_remap_file_pages, [ADDR, SIZE, PROT, SIZE, MMAP_FLAGS], remap_file_pages),
];
