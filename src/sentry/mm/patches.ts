// TextPatches: pages of program text that the stub runs in a version of their own, because the platform rewrote system
// call instructions in them. The page table keeps the original frame, so that whoever reads the memory by other means
// (the kernel, /proc/PID/mem, a fork) sees the program as it is. A patched page lasts until the stub's mapping of it
// changes for any reason.

import { PROT_EXEC, PROT_WRITE } from '../../abi/memory/mman.ts';
import { PAGE_SIZE, pageDown, pageOffset } from '../base/page.ts';
import type { PatchTarget } from '../platform/platform.ts';
import { isDirect } from './direct.ts';
import type { MemoryManager } from './mm.ts';
import { bringIn } from './pages.ts';
import { LEAF_PAGES, PTE_MAPPED, PTE_PRESENT, PTE_WRITE } from './pagetable.ts';
import { hostProt, VM_SHARED } from './vma.ts';

/** Pages that may be patched at once: each costs a frame. */
const MAX_PAGES = 1024;
/** Mappings of an image that may lie below its text. */
const IMAGE_MAPPINGS = 16;

export class TextPatches implements PatchTarget {
  private readonly mm: MemoryManager;
  /** Page number -> frame of the patched version; the reference is ours. */
  private readonly frames: Map<number, number> = new Map();

  constructor(mm: MemoryManager) {
    this.mm = mm;
  }

  get size(): number {
    return this.frames.size;
  }

  /** PatchTarget: the bytes as execution sees them, within one page. */
  readText(addr: number, to: Uint8Array): boolean {
    const { mm } = this;
    const at = pageOffset(addr);
    if (addr < 0 || at + to.length > PAGE_SIZE) return false;
    const frame = this.frames.get((addr - at) / PAGE_SIZE);
    if (frame === undefined) return mm.copyInExact(addr, to, 0, to.length) === 0;
    const off = mm.memfile.byteOffset(frame) + at;
    to.set(mm.memfile.u8(frame).subarray(off, off + to.length));
    return true;
  }

  /** PatchTarget: every patch makes a new version of the page, so that running threads see all of it or nothing. */
  patchText(addr: number, bytes: Uint8Array): boolean {
    const { mm } = this;
    const page = pageDown(addr);
    const at = addr - page;
    const pn = page / PAGE_SIZE;
    const vma = mm.vmas.find(addr);
    if (vma === null || at + bytes.length > PAGE_SIZE) return false;
    if ((vma.prot & (PROT_EXEC | PROT_WRITE)) !== PROT_EXEC) return false;
    if ((vma.flags & VM_SHARED) !== 0 && (vma.maxProt & PROT_WRITE) !== 0) return false;
    if (isDirect(vma, pn) && bringIn(mm, vma, pn) < 0) return false;
    const leaf = mm.pt.find(pn);
    if (leaf === null) return false;
    const slot = pn & (LEAF_PAGES - 1);
    // The stub has it by the page table, or from the host's file.
    const state = leaf.flags[slot]! & (PTE_PRESENT | PTE_MAPPED | PTE_WRITE);
    const direct = state === PTE_PRESENT && isDirect(vma, pn);
    if (!direct && state !== (PTE_PRESENT | PTE_MAPPED)) return false;
    const old = this.frames.get(pn);
    if (old === undefined && this.frames.size >= MAX_PAGES) return false;
    const frame = mm.memfile.alloc(1);
    if (frame < 0) return false;
    mm.memfile.copy(frame, old ?? leaf.frames[slot]!);
    mm.memfile.u8(frame).set(bytes, mm.memfile.byteOffset(frame) + at);
    this.frames.set(pn, frame);
    mm.hostOrders++;
    mm.as.map(page, frame, 1, hostProt(vma.prot));
    if (old !== undefined) {
      mm.as.flush();
      mm.memfile.unref(old);
    }
    return true;
  }

  /** PatchTarget. */
  imageStart(addr: number): number {
    const { vmas } = this.mm;
    const source = vmas.find(addr)?.source ?? null;
    if (source === null) return -1;
    const last = vmas.indexAbove(addr);
    for (let i = last; i >= 0 && i > last - IMAGE_MAPPINGS; i--) {
      const vma = vmas.at(i);
      if (vma.source === source && vma.pgoff === 0) return vma.start;
    }
    return -1;
  }

  /** An order that replaces or removes the stub's mapping of pages [first, end) is queued: their patches are over. */
  replaced(first: number, end: number): void {
    let flushed = false;
    for (const [pn, frame] of this.frames) {
      if (pn < first || pn >= end) continue;
      if (!flushed) this.mm.as.flush();
      flushed = true;
      this.frames.delete(pn);
      this.mm.memfile.unref(frame);
    }
  }

  /** Pages [first, end) are about to become writable: what was patched leaves the stub and comes back by a fault. */
  unpatch(first: number, end: number): void {
    for (const pn of this.frames.keys()) {
      if (pn < first || pn >= end) continue;
      this.mm.as.unmap(pn * PAGE_SIZE, PAGE_SIZE);
      const leaf = this.mm.pt.find(pn);
      if (leaf !== null) leaf.flags[pn & (LEAF_PAGES - 1)]! &= ~PTE_MAPPED;
    }
    this.replaced(first, end);
  }

  /** The address space is gone. */
  release(): void {
    for (const frame of this.frames.values()) this.mm.memfile.unref(frame);
    this.frames.clear();
  }
}
