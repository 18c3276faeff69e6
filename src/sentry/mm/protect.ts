// mprotect(2): rights of mappings, and of the pages that the stub has mapped.

import { EACCES, EINVAL, ENOMEM } from '../../abi/errno.ts';
import { PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM, PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE, pageOffset, pageUp } from '../base/page.ts';
import { GUEST_TOP } from '../platform/platform.ts';
import { hostProt } from './fault.ts';
import type { MemoryManager } from './mm.ts';
import { mayExpand } from './mmap.ts';
import { LEAF_PAGES, PTE_ANON, PTE_MAPPED, PTE_PRESENT, PTE_WRITE } from './pagetable.ts';
import { account, isData, isolate, merge, unmapStub } from './region.ts';
import { VM_GROWSDOWN, VM_SHARED, type Vma } from './vma.ts';

const PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC;
/** Orders for one mapping. */
const MAX_ORDERS = 256;
const GROWS = PROT_GROWSDOWN | PROT_GROWSUP;

/** mprotect(2). Ranges before a failing mapping keep their new rights, as in Linux. */
export function protect(mm: MemoryManager, addr: number, length: number, protBits: number): number {
  if ((protBits & GROWS) === GROWS || pageOffset(addr) !== 0) return -EINVAL;
  if (length === 0) return 0;
  if (!(length > 0) || !(addr >= 0) || addr + length > GUEST_TOP) return -ENOMEM;
  if ((protBits & ~(PROT_ALL | PROT_SEM | GROWS)) !== 0) return -EINVAL;
  const prot = protBits & PROT_ALL;
  let start = addr;
  const end = addr + pageUp(length);
  const first = mm.vmas.find(start);
  if ((protBits & PROT_GROWSDOWN) !== 0) {
    const i = mm.vmas.indexAbove(start);
    if (i === mm.vmas.length || mm.vmas.at(i).start >= end) return -ENOMEM;
    if ((mm.vmas.at(i).flags & VM_GROWSDOWN) === 0) return -EINVAL;
    start = mm.vmas.at(i).start;
  } else if (first === null) return -ENOMEM;
  else if ((protBits & PROT_GROWSUP) !== 0) return -EINVAL;

  let at = start;
  let r = 0;
  let reduced = false;
  while (at < end) {
    const v = mm.vmas.find(at);
    if (v === null) {
      r = -ENOMEM;
      break;
    }
    const to = Math.min(v.end, end);
    if (v.prot !== prot) {
      if ((prot & ~v.maxProt) !== 0) {
        r = -EACCES;
        break;
      }
      if (
        !isData(v.prot, v.flags) &&
        isData(prot, v.flags) &&
        mayExpandData(mm, v, (to - at) / PAGE_SIZE) < 0
      ) {
        r = -ENOMEM;
        break;
      }
      const i = isolate(mm, at, to);
      if (i < 0) {
        r = i;
        break;
      }
      if ((v.prot & ~prot) !== 0) reduced = true;
      change(mm, mm.vmas.at(i), prot);
    }
    at = to;
  }
  merge(mm, start, Math.min(at, end));
  if (reduced) mm.as.flush();
  return r;
}

function mayExpandData(mm: MemoryManager, v: Vma, pages: number): number {
  // The pages count in RLIMIT_AS already.
  mm.totalPages -= pages;
  const r = mayExpand(mm, PROT_WRITE, v.flags, pages);
  mm.totalPages += pages;
  return r;
}

/** New rights for one whole mapping. */
function change(mm: MemoryManager, v: Vma, prot: number): void {
  if (v.directFrom !== v.directTo) {
    // They come back by faults, from wherever the new rights let them come.
    unmapStub(mm, v.start, v.end);
    mm.as.flush();
  }
  account(mm, v.prot, v.flags, v.pages, -1);
  v.prot = prot;
  account(mm, v.prot, v.flags, v.pages, 1);
  mm.tlb.flush();
  applyRights(mm, v);
}

/**
 * Brings the pages of a mapping in line with its rights: one order for each run of pages that end with equal rights.
 * A page that the stub lacks ends a run: the host's mprotect stops at the first hole.
 */
export function applyRights(mm: MemoryManager, v: Vma): void {
  const first = v.start / PAGE_SIZE;
  const last = v.end / PAGE_SIZE;
  const mayWrite = (v.prot & PROT_WRITE) !== 0;
  const priv = (v.flags & VM_SHARED) === 0;
  let runStart = -1;
  let runEnd = -1;
  let runWrite = false;
  let orders = 0;
  for (const key of mm.pt.keys(first, last)) {
    const leaf = mm.pt.leaves.get(key)!;
    const base = key * LEAF_PAGES;
    const to = Math.min(LEAF_PAGES, last - base);
    for (let i = Math.max(0, first - base); i < to; i++) {
      const f = leaf.flags[i]!;
      if ((f & PTE_PRESENT) === 0) continue;
      // A shared page becomes writable again at its next write, so that its cache learns of it.
      const write = mayWrite && priv && (f & PTE_ANON) !== 0 && mm.memfile.refs(leaf.frames[i]!) === 1;
      leaf.flags[i] = write ? f | PTE_WRITE : f & ~PTE_WRITE;
      if ((f & PTE_MAPPED) === 0) continue;
      if (runStart >= 0 && (runWrite !== write || runEnd !== base + i)) {
        if (++orders <= MAX_ORDERS) order(mm, v, runStart, runEnd, runWrite);
        runStart = -1;
      }
      if (runStart < 0) {
        runStart = base + i;
        runWrite = write;
      }
      runEnd = base + i + 1;
    }
  }
  // What is in too many pieces is taken from the stub whole and comes back by faults.
  if (orders > MAX_ORDERS) unmapStub(mm, v.start, v.end);
  else if (runStart >= 0) order(mm, v, runStart, runEnd, runWrite);
}

function order(mm: MemoryManager, v: Vma, from: number, to: number, write: boolean): void {
  const prot = hostProt(write ? v.prot : v.prot & ~PROT_WRITE);
  mm.protectHost(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
}
