// Page faults: finding or making the page behind an address and telling the stub about it.
//
// A resolved page is in one of these states (flags of pagetable.ts):
//   PRESENT|ANON          own page; WRITE when its only reference is ours and the mapping is writable
//   PRESENT               page of a file's cache; WRITE only in shared, writable mappings
// and MAPPED once the stub has it. Neighbours are brought in with it: the host's faults inside a mapped range cost us
// nothing, ours cost a round trip. Read-only mappings of host files need no page at all (direct.ts).

import { EFAULT, ENOMEM } from '../../abi/errno.ts';
import { PROT_EXEC, PROT_WRITE } from '../../abi/memory/mman.ts';
import { BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGKILL, SIGSEGV } from '../../abi/signal/signal.ts';
import { PAGE_SIZE, pageDown } from '../base/page.ts';
import { ACCESS_EXEC, ACCESS_WRITE, GUEST_TOP } from '../platform/platform.ts';
import { mapSoon } from './ahead.ts';
import { isDirect, mapDirect } from './direct.ts';
import type { MemoryManager } from './mm.ts';
import {
  addFilePage,
  addPages,
  bringIn,
  copyFilePages,
  fileError,
  IMAGE_COW,
  isImageData,
  mapPresent,
} from './pages.ts';
import { LEAF_PAGES, type Leaf, PTE_ANON, PTE_MAPPED, PTE_PRESENT, PTE_WRITE } from './pagetable.ts';
import { growStack } from './stack.ts';
import { hostProt, VM_SHARED, type Vma } from './vma.ts';
import { anonWindow, fileWindow } from './window.ts';

const SLOT = LEAF_PAGES - 1;
/** Pages around a fault that are mapped along when they are present already, or made writable with it. */
const AROUND = 64;
/** Faults at one page that found nothing to do, before the guest gets a SIGSEGV rather than another round. */
const MAX_SPURIOUS = 512;
/** Pages that one write copies, at the least and at the most: to copy a page costs a thirtieth of what a fault costs. */
const COW_MIN = 8;
const COW_MAX = 64;

/** An anonymous window so large was preceded by others that were used up. */
const POPULATE_MIN = 128;
/** Faults at one page of a direct mapping before it is copied. */
const DIRECT_TRIES = 8;

/** From resolve: the page was there with all rights already. */
const NOTHING = 1;

/** 0 when the access may go on; else -EFAULT with mm.faultSig and mm.faultCode set. */
export function handleFault(mm: MemoryManager, addr: number, access: number, bus: boolean): number {
  if (!(addr >= 0 && addr < GUEST_TOP)) return fail(mm, SIGSEGV, SEGV_MAPERR);
  mm.boundHostMappings();
  const vma = mm.vmas.find(addr) ?? growStack(mm, addr);
  if (vma === null) return fail(mm, SIGSEGV, SEGV_MAPERR);
  let write = (access & ACCESS_WRITE) !== 0;
  if (
    vma.prot === 0 ||
    (write && (vma.prot & PROT_WRITE) === 0) ||
    ((access & ACCESS_EXEC) !== 0 && (vma.prot & PROT_EXEC) === 0)
  )
    return fail(mm, SIGSEGV, SEGV_ACCERR);
  const page = pageDown(addr);
  // The host may report a write as a read. A read that goes on faulting where all is well was one.
  if (page === mm.spuriousPage && mm.spuriousCount >= 2 && (vma.prot & PROT_WRITE) !== 0) write = true;
  // The host's file became shorter behind our back: its cache answers, as for read(2).
  const r = bus && isDirect(vma, page / PAGE_SIZE) ? mapCopy(mm, vma, page) : resolve(mm, vma, page, write);
  if (r === 0) {
    mm.spuriousCount = 0;
    if (mm.soon.length > 0) mapSoon(mm);
    return 0;
  }
  if (r === NOTHING) return spurious(mm, vma, page);
  if (r === -ENOMEM) return fail(mm, SIGKILL, 0);
  return fail(mm, SIGBUS, BUS_ADRERR);
}

function fail(mm: MemoryManager, sig: number, code: number): number {
  mm.faultSig = sig;
  mm.faultCode = code;
  return -EFAULT;
}

/** Usually another thread was here first. Maps the page once more, a bounded number of times. */
function spurious(mm: MemoryManager, vma: Vma, page: number): number {
  if (page !== mm.spuriousPage) {
    mm.spuriousPage = page;
    mm.spuriousCount = 0;
  }
  if (++mm.spuriousCount > MAX_SPURIOUS) {
    mm.spuriousCount = 0;
    return fail(mm, SIGSEGV, SEGV_ACCERR);
  }
  const pn = page / PAGE_SIZE;
  if ((mm.pt.flagsAt(pn) & PTE_MAPPED) === 0) {
    if (mm.spuriousCount < DIRECT_TRIES) return 0;
    return mapCopy(mm, vma, page) < 0 ? fail(mm, SIGBUS, BUS_ADRERR) : 0;
  }
  const leaf = mm.pt.find(pn)!;
  const i = pn & SLOT;
  const prot = (leaf.flags[i]! & PTE_WRITE) !== 0 ? vma.prot : vma.prot & ~PROT_WRITE;
  mm.mapHost(page, leaf.frames[i]!, 1, hostProt(prot));
  return 0;
}

/**
 * Makes the page at `page` present, mapped, and with `write` writable; the mapping's rights were checked.
 * 0, NOTHING, or -ENOENT (beyond the end of the file), -EIO, -ENOMEM.
 */
export function resolve(mm: MemoryManager, vma: Vma, page: number, write: boolean): number {
  const pn = page / PAGE_SIZE;
  if (!write && vma.source !== null) {
    const again = isDirect(vma, pn);
    if (mapDirect(mm, vma, pn)) return again ? NOTHING : 0;
    if (again && (mm.pt.flagsAt(pn) & (PTE_ANON | PTE_MAPPED)) === 0) return mapCopy(mm, vma, page);
  }
  if (!mm.pt.mayMake(pn)) return -ENOMEM;
  const leaf = mm.pt.make(pn);
  const i = pn & SLOT;
  const flags = leaf.flags[i]!;
  if (flags === 0) {
    if (vma.source === null) return populateAnon(mm, vma, leaf, pn);
    if ((vma.flags & VM_SHARED) === 0 && (write || isImageData(vma))) return copyFilePages(mm, vma, leaf, pn);
    return mapFile(mm, vma, leaf, pn);
  }
  if (write && (flags & PTE_WRITE) === 0) {
    if ((vma.flags & VM_SHARED) !== 0) return allowSharedWrite(mm, vma, leaf, pn);
    if ((flags & PTE_ANON) === 0 || mm.memfile.refs(leaf.frames[i]!) > 1)
      return copyOnWrite(mm, vma, leaf, pn);
    if ((flags & PTE_MAPPED) !== 0) {
      allowWrite(mm, vma, leaf, pn);
      return 0;
    }
  }
  if ((flags & PTE_MAPPED) !== 0) return NOTHING;
  const lo = Math.max(i - (i % AROUND), vma.start / PAGE_SIZE - (pn - i));
  const hi = Math.min(i - (i % AROUND) + AROUND, vma.end / PAGE_SIZE - (pn - i));
  mapPresent(mm, vma, leaf, pn - i, lo, hi);
  return 0;
}

/** Private anonymous memory: zeroed frames for the window around the fault, one order for all of them. */
function populateAnon(mm: MemoryManager, vma: Vma, leaf: Leaf, pn: number): number {
  const window = anonWindow(vma, pn, leaf.count);
  const i = pn & SLOT;
  const base = pn - i;
  const from = Math.max(i - (i % window), vma.start / PAGE_SIZE - base);
  const to = Math.min(i - (i % window) + window, vma.end / PAGE_SIZE - base);
  let lo = i;
  let hi = i + 1;
  while (lo > from && leaf.flags[lo - 1] === 0) lo--;
  while (hi < to && leaf.flags[hi] === 0) hi++;
  let frame = mm.memfile.alloc(hi - lo);
  if (frame < 0) {
    lo = i;
    hi = i + 1;
    frame = mm.memfile.alloc(1);
    if (frame < 0) return -ENOMEM;
  }
  const flags = PTE_PRESENT | PTE_ANON | PTE_MAPPED | ((vma.prot & PROT_WRITE) !== 0 ? PTE_WRITE : 0);
  for (let s = lo; s < hi; s++) {
    leaf.frames[s] = frame + (s - lo);
    leaf.flags[s] = flags;
  }
  leaf.count += hi - lo;
  mm.pt.anonPages += hi - lo;
  vma.nextFault = base + hi;
  mm.mapHost((base + lo) * PAGE_SIZE, frame, hi - lo, hostProt(vma.prot), hi - lo >= POPULATE_MIN);
  return 0;
}

/** Pages of a file's cache: the one asked for, and around it those that are cheap to have. */
function mapFile(mm: MemoryManager, vma: Vma, leaf: Leaf, pn: number): number {
  const source = vma.source!;
  const base = pn - (pn & SLOT);
  const writable = (vma.flags & VM_SHARED) !== 0 && (vma.prot & PROT_WRITE) !== 0;
  const first = vma.start / PAGE_SIZE;
  const frame = source.getPage(vma.pgoff + pn - first, writable);
  if (frame < 0) return fileError(frame);
  addFilePage(mm, leaf, pn - base, frame, writable);
  const window = fileWindow(vma);
  const i = pn - base;
  const lo = Math.max(i - (i % window), first - base);
  const hi = Math.min(i - (i % window) + window, vma.end / PAGE_SIZE - base);
  addPages(mm, vma, leaf, base, lo, hi, writable, false);
  vma.nextFault = base + hi;
  mapPresent(mm, vma, leaf, base, lo, hi);
  return 0;
}

/** Has the stub map the cache's page in place of the host file's. */
function mapCopy(mm: MemoryManager, vma: Vma, page: number): number {
  const pn = page / PAGE_SIZE;
  const r = bringIn(mm, vma, pn);
  if (r < 0) return r;
  const leaf = mm.pt.find(pn)!;
  leaf.flags[pn & SLOT]! |= PTE_MAPPED;
  mm.mapHost(page, leaf.frames[pn & SLOT]!, 1, hostProt(vma.prot & ~PROT_WRITE));
  return 0;
}

/**
 * A write to a page that others hold too: copies it with some of its kind behind it, more while writes go upwards. Of a
 * file that may change under the mapping only the page itself: what somebody else writes to the others must still show.
 */
function copyOnWrite(mm: MemoryManager, vma: Vma, leaf: Leaf, pn: number): number {
  const memfile = mm.memfile;
  const i = pn & SLOT;
  const base = pn - i;
  const anon = leaf.flags[i]! & PTE_ANON;
  if (anon === 0) vma.cowRun = isImageData(vma) ? IMAGE_COW : 1;
  else vma.cowRun = pn === vma.nextCow ? Math.min(vma.cowRun * 2, COW_MAX) : COW_MIN;
  const end = Math.min(i + vma.cowRun, LEAF_PAGES, vma.end / PAGE_SIZE - base);
  let hi = i + 1;
  while (
    hi < end &&
    (leaf.flags[hi]! & (PTE_PRESENT | PTE_ANON | PTE_WRITE)) === (PTE_PRESENT | anon) &&
    memfile.refs(leaf.frames[hi]!) > 1
  )
    hi++;
  let frame = memfile.allocToOverwrite(hi - i);
  if (frame < 0) {
    hi = i + 1;
    frame = memfile.allocToOverwrite(1);
    if (frame < 0) return -ENOMEM;
  }
  vma.nextCow = base + hi;
  copyRuns(mm, leaf, i, hi, frame);
  mm.mapHost(pn * PAGE_SIZE, frame, hi - i, hostProt(vma.prot), true);
  // Threads that run now must leave the old page before it is given up and before the new one is written.
  mm.as.flush();
  for (let s = i; s < hi; s++) {
    const old = leaf.frames[s]!;
    mm.tlb.drop(base + s);
    if ((leaf.flags[s]! & PTE_ANON) === 0) {
      mm.pt.filePages--;
      mm.pt.anonPages++;
    }
    leaf.frames[s] = frame + (s - i);
    leaf.flags[s] = PTE_PRESENT | PTE_ANON | PTE_MAPPED | PTE_WRITE;
    memfile.unref(old);
  }
  return 0;
}

/** Copies the pages of slots [lo, hi) to consecutive frames from `frame` on, those that lie together in one go. */
function copyRuns(mm: MemoryManager, leaf: Leaf, lo: number, hi: number, frame: number): void {
  const { memfile } = mm;
  const { frames } = leaf;
  let s = lo;
  while (s < hi) {
    const from = frames[s]!;
    const chunk = memfile.u8(from);
    let run = 1;
    while (s + run < hi && frames[s + run] === from + run && memfile.u8(from + run) === chunk) run++;
    memfile.copy(frame + (s - lo), from, run);
    s += run;
  }
}

/** The other holders of a page are gone: it, and its neighbours in the same state, become writable in place. */
function allowWrite(mm: MemoryManager, vma: Vma, leaf: Leaf, pn: number): void {
  const i = pn & SLOT;
  const base = pn - i;
  const from = Math.max(0, i - AROUND, vma.start / PAGE_SIZE - base);
  const to = Math.min(LEAF_PAGES, i + AROUND, vma.end / PAGE_SIZE - base);
  const state = PTE_PRESENT | PTE_ANON | PTE_MAPPED;
  let lo = i;
  let hi = i + 1;
  while (lo > from && leaf.flags[lo - 1] === state && mm.memfile.refs(leaf.frames[lo - 1]!) === 1) lo--;
  while (hi < to && leaf.flags[hi] === state && mm.memfile.refs(leaf.frames[hi]!) === 1) hi++;
  for (let s = lo; s < hi; s++) leaf.flags[s] = state | PTE_WRITE;
  mm.protectHost((base + lo) * PAGE_SIZE, (hi - lo) * PAGE_SIZE, hostProt(vma.prot));
}

function allowSharedWrite(mm: MemoryManager, vma: Vma, leaf: Leaf, pn: number): number {
  const r = vma.source!.getPage(vma.pgoff + pn - vma.start / PAGE_SIZE, true);
  if (r < 0) return fileError(r);
  const i = pn & SLOT;
  leaf.flags[i]! |= PTE_WRITE | PTE_MAPPED;
  mm.mapHost(pn * PAGE_SIZE, leaf.frames[i]!, 1, hostProt(vma.prot));
  return 0;
}
