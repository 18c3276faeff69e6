// mmap(2), munmap(2), brk(2): limits, choice of the place, and the new mapping.

import { EAGAIN, EEXIST, EINVAL, ENOMEM, EPERM } from '../../abi/errno.ts';
import {
  MAP_32BIT,
  MAP_ANONYMOUS,
  MAP_DENYWRITE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_SHARED,
  MAP_STACK,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../abi/memory/mman.ts';
import { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK } from '../../abi/process/resource.ts';
import { PAGE_SIZE, pageDown, pageOffset, pageUp } from '../base/page.ts';
import type { Mappable } from '../memfile/mappable.ts';
import { PageCache } from '../memfile/pagecache.ts';
import { GUEST_TOP, PATCH_TABLE_ADDR, PATCH_TABLE_SIZE } from '../platform/platform.ts';
import type { MemoryManager } from './mm.ts';
import { populate } from './populate.ts';
import { insert, isData, unmapRange } from './region.ts';
import { guardStart, MMAP_MIN_ADDR, STACK_GUARD } from './stack.ts';
import {
  type MappedFile,
  VM_GROWSDOWN,
  VM_IMAGE,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_SHARED,
  Vma,
} from './vma.ts';

const PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC;
/** MAP_32BIT places mappings here, as Linux does. */
const LOW_START = 0x4000_0000;
const LOW_END = 0x8000_0000;

/** -ENOMEM when `pages` more pages with these attributes break RLIMIT_AS or RLIMIT_DATA (may_expand_vm in Linux). */
export function mayExpand(mm: MemoryManager, prot: number, vmFlags: number, pages: number): number {
  if ((mm.totalPages + pages) * PAGE_SIZE > mm.limits.soft(RLIMIT_AS)) return -ENOMEM;
  if (isData(prot, vmFlags) && (mm.dataPages + pages) * PAGE_SIZE > mm.limits.soft(RLIMIT_DATA))
    return -ENOMEM;
  return 0;
}

/** -EAGAIN when locking `pages` more pages breaks RLIMIT_MEMLOCK. */
export function mayLock(mm: MemoryManager, pages: number): number {
  if (mm.ipcLock) return 0;
  return (mm.lockedPages + pages) * PAGE_SIZE > mm.limits.soft(RLIMIT_MEMLOCK) ? -EAGAIN : 0;
}

/** Pages of a growing heap that are mapped before anybody asks. */
const HEAP_AHEAD = 64;

/** See MemoryManager.mmap. */
export function mmap(
  mm: MemoryManager,
  addr: number,
  length: number,
  prot: number,
  flags: number,
  file: MappedFile | null,
  source: Mappable | null,
  pgoff: number,
  name: string,
  maxProt: number,
): number {
  if (length === 0) return -EINVAL;
  if (!(length > 0 && length <= GUEST_TOP)) return -ENOMEM;
  const len = pageUp(length);
  const fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
  if (!mm.vmas.hasRoom(1)) return -ENOMEM;
  const at = fixed ? fixedPlace(mm, addr, len, flags) : freePlace(mm, addr, len, flags);
  if (at < 0) return at;
  const pages = len / PAGE_SIZE;
  const vmFlags = vmFlagsOf(mm, flags);
  const replaced = fixed ? mappedPages(mm, at, at + len) : 0;
  if (mayExpand(mm, prot & PROT_ALL, vmFlags, pages - replaced) < 0) return -ENOMEM;
  // OVERCOMMIT_GUESS: only what can never be there is refused.
  const counted =
    (vmFlags & VM_NORESERVE) === 0 && ((prot & PROT_WRITE) !== 0 || (vmFlags & VM_SHARED) !== 0);
  if (counted && source === null && pages > mm.memfile.limitPages) return -ENOMEM;
  if ((vmFlags & VM_LOCKED) !== 0 && mayLock(mm, pages) < 0) return -EAGAIN;
  if (replaced > 0) {
    const r = unmapRange(mm, at, at + len);
    if (r < 0) return r;
  }
  let backing = source;
  if (backing === null && (vmFlags & VM_SHARED) !== 0) {
    const memory = new PageCache(mm.memfile, len);
    memory.dropWhenUnmapped = true;
    backing = memory;
  }
  insert(
    mm,
    new Vma(
      at,
      at + len,
      prot & PROT_ALL,
      maxProt,
      vmFlags,
      backing,
      backing === null ? 0 : pgoff,
      file,
      name,
    ),
  );
  if (mm.totalPages > mm.peakTotalPages) mm.peakTotalPages = mm.totalPages;
  const eager =
    (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE ||
    (vmFlags & (VM_LOCKED | VM_LOCKONFAULT)) === VM_LOCKED;
  if (eager) mm.toBringIn(at, at + len);
  return at;
}

function vmFlagsOf(mm: MemoryManager, flags: number): number {
  let f = mm.lockFuture;
  if ((flags & MAP_SHARED) !== 0) f |= VM_SHARED;
  if ((flags & MAP_GROWSDOWN) !== 0) f |= VM_GROWSDOWN;
  if ((flags & MAP_LOCKED) !== 0) f |= VM_LOCKED;
  if ((flags & MAP_NORESERVE) !== 0) f |= VM_NORESERVE;
  if ((flags & MAP_STACK) !== 0) f |= VM_NOHUGEPAGE;
  if ((flags & (MAP_DENYWRITE | MAP_ANONYMOUS)) === MAP_DENYWRITE) f |= VM_IMAGE;
  // Lengths of shared memory are known and its pages stay where they are: nothing grows down there.
  return (flags & MAP_SHARED) !== 0 && (flags & MAP_ANONYMOUS) !== 0 ? f & ~VM_GROWSDOWN : f;
}

function mappedPages(mm: MemoryManager, start: number, end: number): number {
  let pages = 0;
  for (let i = mm.vmas.indexAbove(start); i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const v = mm.vmas.at(i);
    pages += (Math.min(v.end, end) - Math.max(v.start, start)) / PAGE_SIZE;
  }
  return pages;
}

function fixedPlace(mm: MemoryManager, addr: number, len: number, flags: number): number {
  if (addr < 0 || addr + len > GUEST_TOP) return -ENOMEM;
  if (pageOffset(addr) !== 0) return -EINVAL;
  if (addr < MMAP_MIN_ADDR) return -EPERM;
  if (isReserved(mm, addr, addr + len)) mm.giveUpPatches();
  if ((flags & MAP_FIXED_NOREPLACE) !== 0 && !mm.vmas.isFree(addr, addr + len)) return -EEXIST;
  return addr;
}

/** A free place of `len` bytes: at the hint when it is free, else the highest below mmapBase. -ENOMEM. */
export function freePlace(mm: MemoryManager, hint: number, len: number, flags: number): number {
  if ((flags & MAP_32BIT) !== 0)
    return lowestGap(mm, LOW_START, mm.patchable ? PATCH_TABLE_ADDR : LOW_END, len);
  if (hint > 0 && hint < GUEST_TOP) {
    const at = Math.max(pageDown(hint), MMAP_MIN_ADDR);
    if (at + len <= GUEST_TOP && fits(mm, at, at + len)) return at;
  }
  const at = highestGap(mm, len, (flags & MAP_GROWSDOWN) !== 0 ? STACK_GUARD : 0);
  return at >= 0 ? at : lowestGap(mm, mm.mmapBase, GUEST_TOP, len);
}

/** True when a platform that rewrites system calls has its table in [start, end). */
function isReserved(mm: MemoryManager, start: number, end: number): boolean {
  return mm.patchable && start < PATCH_TABLE_ADDR + PATCH_TABLE_SIZE && end > PATCH_TABLE_ADDR;
}

/** True when [start, end) is free and not in the guard gap of a stack above. */
function fits(mm: MemoryManager, start: number, end: number): boolean {
  if (isReserved(mm, start, end)) return false;
  const i = mm.vmas.indexAbove(start);
  return i === mm.vmas.length || guardStart(mm.vmas.at(i)) >= end;
}

function highestGap(mm: MemoryManager, len: number, below: number): number {
  const list = mm.vmas.list;
  let end = mm.mmapBase;
  let i = mm.vmas.indexAbove(end);
  if (i < list.length) end = Math.min(end, guardStart(list[i]!));
  for (i--; i >= 0; i--) {
    const v = list[i]!;
    if (end - v.end - below >= len) return end - len;
    end = Math.min(end, guardStart(v));
  }
  return end - MMAP_MIN_ADDR >= len ? end - len : -ENOMEM;
}

function lowestGap(mm: MemoryManager, from: number, to: number, len: number): number {
  const list = mm.vmas.list;
  let start = from;
  for (let i = mm.vmas.indexAbove(from); i < list.length; i++) {
    const v = list[i]!;
    if (Math.min(guardStart(v), to) - start >= len) return start;
    start = Math.max(start, v.end);
  }
  return to - start >= len ? start : -ENOMEM;
}

/** munmap(2): -EINVAL for an unaligned address or a bad length. */
export function munmap(mm: MemoryManager, addr: number, length: number): number {
  if (!(addr >= 0 && addr < GUEST_TOP) || pageOffset(addr) !== 0) return -EINVAL;
  if (!(length > 0 && length <= GUEST_TOP - addr)) return -EINVAL;
  return unmapRange(mm, addr, Math.min(addr + pageUp(length), GUEST_TOP));
}

/** See MemoryManager.brk. */
export function brk(mm: MemoryManager, addr: number): number {
  const old = mm.brkEnd;
  if (addr < mm.startBrk || addr >= GUEST_TOP) return old;
  const data = addr - mm.startBrk + (mm.endData - mm.startData);
  if (data > mm.limits.soft(RLIMIT_DATA)) return old;
  const from = pageUp(old);
  const to = pageUp(addr);
  if (to < from) {
    if (unmapRange(mm, to, from) < 0) return old;
  } else if (to > from) {
    const pages = (to - from) / PAGE_SIZE;
    const prot = PROT_READ | PROT_WRITE;
    if (!fits(mm, from, to) || !mm.vmas.hasRoom(1)) return old;
    if (mayExpand(mm, prot, 0, pages) < 0 || pages > mm.memfile.limitPages) return old;
    if ((mm.lockFuture & VM_LOCKED) !== 0 && mayLock(mm, pages) < 0) return old;
    insert(mm, new Vma(from, to, prot, PROT_ALL, mm.lockFuture, null, 0, null, '[heap]'));
    if (mm.totalPages > mm.peakTotalPages) mm.peakTotalPages = mm.totalPages;
    // A heap begins where it is used, and one that grows was used up to its end: it will be used from there.
    const used = from === pageUp(mm.startBrk) || mm.pt.flagsAt(from / PAGE_SIZE - 1) !== 0;
    if (mm.lockFuture === VM_LOCKED) mm.toBringIn(from, to);
    else if (used && pages <= HEAP_AHEAD) populate(mm, from, to);
  }
  mm.brkEnd = addr;
  return addr;
}
