// madvise(2), msync(2), mincore(2), mlock(2) and its kin.

import { EACCES, EBUSY, EFAULT, EINVAL, EIO, ENOMEM, EPERM } from '../../../abi/errno.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from '../../../abi/fs/falloc.ts';
import {
  MADV_HWPOISON,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_REMOVE,
  MADV_SOFT_OFFLINE,
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  MLOCK_ONFAULT,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  PROT_WRITE,
} from '../../../abi/memory/mman.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { RLIMIT_MEMLOCK } from '../../../abi/process/resource.ts';
import {
  SYS_madvise,
  SYS_mincore,
  SYS_mlock,
  SYS_mlock2,
  SYS_mlockall,
  SYS_msync,
  SYS_munlock,
  SYS_munlockall,
} from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { PAGE_SIZE, pageDown, pageOffset, pageUp } from '../../base/page.ts';
import { scratch } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import { PageCache } from '../../memfile/pagecache.ts';
import { advise, knownAdvice, lockedPagesIn, residency, setAllLocked, setLocked } from '../../mm/advise.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import { populateSliceFor } from '../../mm/populate.ts';
import { VM_LOCKED, VM_LOCKONFAULT, VM_SHARED } from '../../mm/vma.ts';
import { GUEST_TOP } from '../../platform/platform.ts';
import type { File } from '../../vfs/file.ts';
import { ADDR, FLAGS, INT, MADVICE, OUT_BUF, SIZE } from '../kinds.ts';
import { sys } from '../row.ts';
import { bringInAll, bringInMapped, inSlices } from './bring_in.ts';
import { noteLockRight } from './map.ts';

/** Pages of one slice of mincore. */
const MINCORE_STEP = 4096;

/** Implements madvise(2). */
function madvise(t: Task, addr: number, len: number, advice: number): number {
  return madviseOn(t, t.mm, addr, len, advice);
}

/** madvise(2) on any address space. */
export function madviseOn(t: Task, mm: MemoryManager, addr: number, len: number, advice: number): number {
  if (advice === MADV_HWPOISON || advice === MADV_SOFT_OFFLINE) {
    if (!t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
    countUnsupported('madvise MADV_HWPOISON');
    return -EINVAL;
  }
  if (!knownAdvice(advice) && advice !== MADV_REMOVE) {
    // MADV_MERGEABLE and _COLLAPSE as a kernel without KSM and huge pages; unknown ones as every kernel.
    countUnsupported(`madvise ${advice}`);
    return -EINVAL;
  }
  if (!(addr >= 0) || pageOffset(addr) !== 0 || !(len >= 0)) return -EINVAL;
  if (len === 0) return 0;
  const end = addr + pageUp(len);
  if (end > GUEST_TOP) return -ENOMEM;
  if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE) {
    const write = advice === MADV_POPULATE_WRITE;
    const from = t.call.active ? t.call.a : addr;
    return inSlices(t, from, end, 0, (_mm, at, to) => populateSliceFor(mm, at, to, write));
  }
  return advice === MADV_REMOVE ? removePages(t, mm, addr, end) : advise(mm, addr, end, advice);
}

/** MADV_REMOVE: frees the range in the files behind shared, writable mappings. */
function removePages(t: Task, mm: MemoryManager, start: number, end: number): number {
  for (let at = start; at < end; ) {
    const v = mm.vmaAt(at);
    if (v === null) return -ENOMEM;
    if ((v.flags & VM_LOCKED) !== 0 || v.source === null) return -EINVAL;
    if ((v.flags & VM_SHARED) === 0 || (v.maxProt & PROT_WRITE) === 0) return -EACCES;
    const to = Math.min(v.end, end);
    const off = v.indexAt(at) * PAGE_SIZE;
    let r = -EINVAL;
    if (v.file !== null) {
      const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      r = (v.file as File).inode.fallocate(t, mode, off, to - at, 0);
    } else if (v.source instanceof PageCache) r = v.source.punchHole(off, to - at);
    if (r < 0) return r;
    at = to;
  }
  return 0;
}

/** Implements msync(2). */
function msync(t: Task, addr: number, len: number, flags: number): number {
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0 || !(addr >= 0) || pageOffset(addr) !== 0)
    return -EINVAL;
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  if (!(len >= 0) || addr + len > GUEST_TOP) return -ENOMEM;
  const end = addr + pageUp(len);
  let gap = false;
  const vmas = t.mm.vmas;
  for (let at = addr; at < end; ) {
    const i = vmas.indexAbove(at);
    if (i === vmas.length || vmas.at(i).start >= end) {
      gap = true;
      break;
    }
    const v = vmas.at(i);
    if (v.start > at) gap = true;
    const from = Math.max(at, v.start);
    const to = Math.min(v.end, end);
    if ((flags & MS_INVALIDATE) !== 0 && (v.flags & VM_LOCKED) !== 0) return -EBUSY;
    if ((flags & MS_SYNC) !== 0 && (v.flags & VM_SHARED) !== 0 && v.source !== null) {
      if (v.source.sync(v.indexAt(from), (to - from) / PAGE_SIZE) < 0) return -EIO;
    }
    at = to;
  }
  return gap ? -ENOMEM : 0;
}

/** Implements mincore(2). */
function mincore(t: Task, addr: number, len: number, vec: number): number {
  if (!(addr >= 0) || pageOffset(addr) !== 0) return -EINVAL;
  if (!(len >= 0) || addr + len > GUEST_TOP) return -ENOMEM;
  const pages = pageUp(len) / PAGE_SIZE;
  const done = t.call.active ? t.call.done : 0;
  const n = Math.min(pages - done, MINCORE_STEP);
  const r = residency(t.mm, addr + done * PAGE_SIZE, n, scratch);
  if (r < 0) return r;
  if (t.mm.copyOutExact(vec + done, scratch, 0, n) !== 0) return -EFAULT;
  if (done + n >= pages) return 0;
  t.call.done = done + n;
  return t.giveWay();
}

function lock(t: Task, addr: number, len: number, flags: number): number {
  if (t.call.active) return bringInAll(t, 0);
  if (!noteLockRight(t)) return -EPERM;
  if (!(addr >= 0) || !(len >= 0)) return len < 0 ? -EINVAL : -ENOMEM;
  const start = pageDown(addr);
  const end = pageUp(addr + len);
  if (end > GUEST_TOP) return -ENOMEM;
  if (end === start) return 0;
  if (!t.mm.ipcLock) {
    const more = (end - start) / PAGE_SIZE - lockedPagesIn(t.mm, start, end);
    if ((t.mm.lockedPages + more) * PAGE_SIZE > t.rlimit(RLIMIT_MEMLOCK)) return -ENOMEM;
  }
  const r = setLocked(t.mm, start, end, flags);
  return r < 0 ? r : bringInAll(t, 0);
}

/** Implements mlock(2). */
function mlock(t: Task, addr: number, len: number): number {
  return lock(t, addr, len, VM_LOCKED);
}

/** Implements mlock2(2). */
function mlock2(t: Task, addr: number, len: number, flags: number): number {
  if ((flags & ~MLOCK_ONFAULT) !== 0) return -EINVAL;
  return lock(t, addr, len, flags === 0 ? VM_LOCKED : VM_LOCKED | VM_LOCKONFAULT);
}

/** Implements munlock(2). */
function munlock(t: Task, addr: number, len: number): number {
  if (!(addr >= 0) || !(len >= 0)) return len < 0 ? -EINVAL : -ENOMEM;
  const start = pageDown(addr);
  const end = pageUp(addr + len);
  if (end > GUEST_TOP) return -ENOMEM;
  return end === start ? 0 : setLocked(t.mm, start, end, 0);
}

/** Implements mlockall(2). */
function mlockall(t: Task, flags: number): number {
  if (t.call.active) return bringInMapped(t);
  if (flags === 0 || flags === MCL_ONFAULT || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0)
    return -EINVAL;
  const mm = t.mm;
  if (!noteLockRight(t)) return -EPERM;
  const tooMuch = mm.totalPages * PAGE_SIZE > t.rlimit(RLIMIT_MEMLOCK);
  if ((flags & MCL_CURRENT) !== 0 && !mm.ipcLock && tooMuch) return -ENOMEM;
  const how = (flags & MCL_ONFAULT) !== 0 ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED;
  mm.lockFuture = (flags & MCL_FUTURE) !== 0 ? how : 0;
  if ((flags & MCL_CURRENT) !== 0) setAllLocked(mm, how);
  return bringInMapped(t);
}

/** Implements munlockall(2). */
function munlockall(t: Task): number {
  t.mm.lockFuture = 0;
  setAllLocked(t.mm, 0);
  return 0;
}

const MSYNC_FLAGS = FLAGS('flags', [
  ['MS_ASYNC', MS_ASYNC],
  ['MS_INVALIDATE', MS_INVALIDATE],
  ['MS_SYNC', MS_SYNC],
]);
const MCL_FLAGS = FLAGS('flags', [
  ['MCL_CURRENT', MCL_CURRENT],
  ['MCL_FUTURE', MCL_FUTURE],
  ['MCL_ONFAULT', MCL_ONFAULT],
]);

export const rows = [
  sys(SYS_madvise, [ADDR, SIZE, MADVICE], madvise, 'no KSM, no huge pages; MADV_FREE frees at once'),
  sys(SYS_msync, [ADDR, SIZE, MSYNC_FLAGS], msync),
  sys(SYS_mincore, [ADDR, SIZE, OUT_BUF], mincore),
  sys(SYS_mlock, [ADDR, SIZE], mlock),
  sys(SYS_mlock2, [ADDR, SIZE, INT], mlock2),
  sys(SYS_munlock, [ADDR, SIZE], munlock),
  sys(SYS_mlockall, [MCL_FLAGS], mlockall),
  sys(SYS_munlockall, [], munlockall),
];
