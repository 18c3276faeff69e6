// mremap(2): resizing in place, moving, and duplicating shared mappings (old size 0).

import { EFAULT, EINVAL, ENOMEM } from '../../abi/errno.ts';
import { MAP_SHARED, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from '../../abi/memory/mman.ts';
import { PAGE_SIZE, pageOffset, pageUp } from '../base/page.ts';
import { GUEST_TOP } from '../platform/platform.ts';
import type { MemoryManager } from './mm.ts';
import { freePlace, mayExpand, mayLock, munmap } from './mmap.ts';
import { mapPresent } from './pages.ts';
import { LEAF_PAGES } from './pagetable.ts';
import { account, insert, isolate, merge, unmapRange } from './region.ts';
import { LEAF_WORK, MORE } from './slices.ts';
import { guardStart } from './stack.ts';
import { Strip } from './strip.ts';
import { VM_LOCKED, VM_LOCKONFAULT, VM_SHARED, VM_SPECIAL, Vma } from './vma.ts';

/** Orders that a move may spend on mapping its pages at once. */
const MAX_REMAP_ORDERS = 256;
const KNOWN = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

/** mremap(2) in one go: the new address or -errno. */
export function mremap(
  mm: MemoryManager,
  addr: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddr: number,
): number {
  return new Remap(mm, addr, oldLength, newLength, flags, newAddr).step(Number.POSITIVE_INFINITY);
}

/**
 * One mremap(2). When many pages move, they are taken from the stub slice by slice first, then all move at once, so that
 * nobody ever sees them in two places, and slice by slice some are mapped at the new one.
 */
export class Remap {
  private readonly mm: MemoryManager;
  private readonly addr: number;
  private readonly oldLength: number;
  private readonly newLength: number;
  private readonly flags: number;
  private readonly newAddr: number;
  private strip: Strip | null = null;
  private place: Place | null = null;
  private result = 0;
  /** What the call brings in afterwards (MemoryManager.toBringIn). */
  private dueFrom = 0;
  private dueTo = 0;

  constructor(
    mm: MemoryManager,
    addr: number,
    oldLength: number,
    newLength: number,
    flags: number,
    newAddr: number,
  ) {
    this.mm = mm;
    this.addr = addr;
    this.oldLength = oldLength;
    this.newLength = newLength;
    this.flags = flags;
    this.newAddr = newAddr;
  }

  /** Goes on until `pages` are done: MORE, or the result of the call. */
  step(pages: number): number {
    const { mm } = this;
    if (this.place === null) {
      if (this.strip !== null && this.strip.step(pages) === MORE) return MORE;
      moved = null;
      bare = this.strip?.bare ?? false;
      const most = this.strip === null ? pages : Number.POSITIVE_INFINITY;
      const r = remap(mm, this.addr, this.oldLength, this.newLength, this.flags, this.newAddr, most);
      if (r === MORE) {
        this.strip = new Strip(mm, this.addr, this.addr + pageUp(this.oldLength));
        return MORE;
      }
      if (r < 0 || moved === null) return r;
      this.result = r;
      this.place = moved;
      moved = null;
      this.dueFrom = mm.dueFrom;
      this.dueTo = mm.dueTo;
      mm.takeDue();
      if (this.strip !== null) return MORE;
    }
    if (this.place.step(pages) === MORE) return MORE;
    if (this.dueFrom < this.dueTo) mm.toBringIn(this.dueFrom, this.dueTo);
    return this.result;
  }
}

/** For remap(): the stub has nothing of what moves any more. */
let bare = false;
/** Where the pages are that the last remap() has moved, if it has. */
let moved: Place | null = null;

/** The new place of pages that moved: the stub is told of them, as far as that takes few orders. */
class Place {
  private readonly mm: MemoryManager;
  private readonly vma: Vma;
  private readonly first: number;
  private readonly last: number;
  private readonly keys: readonly number[];
  private next = 0;
  private orders = 0;

  constructor(mm: MemoryManager, vma: Vma, start: number, end: number) {
    this.mm = mm;
    this.vma = vma;
    this.first = start / PAGE_SIZE;
    this.last = end / PAGE_SIZE;
    this.keys = vma.prot === 0 ? [] : mm.pt.keys(this.first, this.last);
  }

  /** Goes on until `pages` are done: MORE or 0. */
  step(pages: number): number {
    const { mm, keys } = this;
    let left = pages;
    // What is in too many pieces comes back by faults.
    while (this.next < keys.length && this.orders <= MAX_REMAP_ORDERS) {
      if (left <= 0) return MORE;
      const key = keys[this.next++]!;
      const leaf = mm.pt.leaves.get(key);
      if (leaf === undefined) continue;
      left -= LEAF_WORK + leaf.count;
      const base = key * LEAF_PAGES;
      const lo = Math.max(0, this.first - base);
      this.orders += mapPresent(mm, this.vma, leaf, base, lo, Math.min(LEAF_PAGES, this.last - base));
    }
    return 0;
  }
}

/** mremap(2), or MORE when more than `most` pages would move; nothing has changed then. */
function remap(
  mm: MemoryManager,
  addr: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddr: number,
  most: number,
): number {
  const move = (flags & MREMAP_MAYMOVE) !== 0;
  const fixed = (flags & MREMAP_FIXED) !== 0;
  const keep = (flags & MREMAP_DONTUNMAP) !== 0;
  if ((flags & ~KNOWN) !== 0 || (fixed && !move)) return -EINVAL;
  if (keep && (!move || oldLength !== newLength)) return -EINVAL;
  if (!(addr >= 0 && addr < GUEST_TOP)) return -EFAULT;
  if (pageOffset(addr) !== 0) return -EINVAL;
  if (newLength === 0 || !(oldLength >= 0)) return -EINVAL;
  if (!(newLength > 0 && newLength <= GUEST_TOP) || oldLength > GUEST_TOP) return -ENOMEM;
  let oldLen = pageUp(oldLength);
  const newLen = pageUp(newLength);
  if (mm.vmas.find(addr) === null) return -EFAULT;

  if (fixed || keep) {
    if (Strip.worthwhile(mm, addr, addr + Math.min(oldLen, newLen), most)) return MORE;
    if (fixed) {
      if (!(newAddr >= 0 && newAddr + newLen <= GUEST_TOP) || pageOffset(newAddr) !== 0) return -EINVAL;
      if (newAddr < addr + oldLen && addr < newAddr + newLen) return -EINVAL;
      if (!mm.vmas.hasRoom(4)) return -ENOMEM;
      const r = munmap(mm, newAddr, newLen);
      if (r < 0) return r;
    }
    if (oldLen > newLen) {
      const r = munmap(mm, addr + newLen, oldLen - newLen);
      if (r < 0) return r;
      oldLen = newLen;
    }
    const v = resizable(mm, addr, oldLen, newLen, keep);
    if (typeof v === 'number') return v;
    if (keep && mayExpand(mm, v.prot, v.flags, newLen / PAGE_SIZE) < 0) return -ENOMEM;
    const at = fixed ? newAddr : freePlace(mm, newAddr, newLen, (v.flags & VM_SHARED) !== 0 ? MAP_SHARED : 0);
    if (at < 0) return at;
    return moveTo(mm, v, addr, oldLen, at, newLen, keep);
  }
  if (oldLen >= newLen) {
    if (oldLen > newLen) {
      const r = munmap(mm, addr + newLen, oldLen - newLen);
      if (r < 0) return r;
    }
    return addr;
  }
  const v = resizable(mm, addr, oldLen, newLen, false);
  if (typeof v === 'number') return v;
  if (oldLen > 0 && addr + oldLen === v.end && expand(mm, v, newLen - oldLen)) return addr;
  if (!move) return -ENOMEM;
  if (Strip.worthwhile(mm, addr, addr + oldLen, most)) return MORE;
  const at = freePlace(mm, 0, newLen, (v.flags & VM_SHARED) !== 0 ? MAP_SHARED : 0);
  if (at < 0) return at;
  return moveTo(mm, v, addr, oldLen, at, newLen, false);
}

/** The mapping at `addr` if it may be resized or moved so (vma_to_resize in Linux), or -errno. */
function resizable(
  mm: MemoryManager,
  addr: number,
  oldLen: number,
  newLen: number,
  keep: boolean,
): Vma | number {
  const v = mm.vmas.find(addr);
  if (v === null) return -EFAULT;
  if (oldLen === 0 && (v.flags & VM_SHARED) === 0) return -EINVAL;
  if (keep && (v.flags & VM_SPECIAL) !== 0) return -EINVAL;
  if (oldLen > v.end - addr) return -EFAULT;
  if (newLen === oldLen) return v;
  if ((v.flags & VM_SPECIAL) !== 0) return -EFAULT;
  const more = (newLen - oldLen) / PAGE_SIZE;
  if ((v.flags & VM_LOCKED) !== 0) {
    const r = mayLock(mm, more);
    if (r < 0) return r;
  }
  if (more > 0 && v.source === null && more > mm.memfile.limitPages) return -ENOMEM;
  return mayExpand(mm, v.prot, v.flags, more) < 0 ? -ENOMEM : v;
}

/** Lets a mapping grow upwards by `len` bytes when they are free. */
function expand(mm: MemoryManager, v: Vma, len: number): boolean {
  const end = v.end + len;
  if (end > GUEST_TOP) return false;
  const i = mm.vmas.indexAbove(v.end);
  if (i < mm.vmas.length && guardStart(mm.vmas.at(i)) < end) return false;
  const from = v.end;
  v.end = end;
  account(mm, v.prot, v.flags, len / PAGE_SIZE, 1);
  if (mm.totalPages > mm.peakTotalPages) mm.peakTotalPages = mm.totalPages;
  const locked = (v.flags & (VM_LOCKED | VM_LOCKONFAULT)) === VM_LOCKED;
  merge(mm, from, end);
  if (locked) mm.toBringIn(from, end);
  return true;
}

/** Makes the mapping at `to` and moves the pages there; the old place is unmapped, or left empty with `keep`. */
function moveTo(
  mm: MemoryManager,
  v: Vma,
  from: number,
  oldLen: number,
  to: number,
  newLen: number,
  keep: boolean,
): number {
  if (!mm.vmas.hasRoom(3)) return -ENOMEM;
  const pgoff = v.source === null ? 0 : v.indexAt(from);
  const fresh = new Vma(to, to + newLen, v.prot, v.maxProt, v.flags, v.source, pgoff, v.file, v.name);
  const locked = (v.flags & (VM_LOCKED | VM_LOCKONFAULT)) === VM_LOCKED;
  insert(mm, fresh);
  if (oldLen > 0) movePages(mm, from, to, oldLen);
  if (oldLen > 0 && !keep) unmapRange(mm, from, from + oldLen);
  if (keep && (v.flags & VM_LOCKED) !== 0) {
    const i = isolate(mm, from, from + oldLen);
    if (i >= 0) {
      const old = mm.vmas.at(i);
      account(mm, old.prot, old.flags, old.pages, -1);
      old.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
      account(mm, old.prot, old.flags, old.pages, 1);
    }
  }
  if (mm.totalPages > mm.peakTotalPages) mm.peakTotalPages = mm.totalPages;
  if (locked) mm.toBringIn(to, to + newLen);
  return to;
}

/** Moves page-table entries. */
function movePages(mm: MemoryManager, from: number, to: number, len: number): void {
  const first = from / PAGE_SIZE;
  const last = first + len / PAGE_SIZE;
  if (!mm.pt.any(first, last)) return;
  mm.tlb.flush();
  mm.unmapHost(from, len);
  // A thread that still wrote through the old place would write to a page that is somewhere else now.
  mm.as.flush();
  mm.pt.move(first, last, (to - from) / PAGE_SIZE, bare);
  moved = new Place(mm, mm.vmas.find(to)!, to, to + len);
}
