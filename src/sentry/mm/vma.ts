// Vma: one mapping of an address space (struct vm_area_struct), and VmaList, the sorted list of them.

import { PROT_READ } from '../../abi/memory/mman.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import type { Mappable } from '../memfile/mappable.ts';

/** Flags of a Vma, named as in Linux where Linux has them. */
export const VM_SHARED = 0x1;
export const VM_GROWSDOWN = 0x2;
export const VM_LOCKED = 0x4;
export const VM_LOCKONFAULT = 0x8;
export const VM_NORESERVE = 0x10;
export const VM_DONTFORK = 0x20;
export const VM_WIPEONFORK = 0x40;
export const VM_DONTDUMP = 0x80;
export const VM_HUGEPAGE = 0x100;
export const VM_NOHUGEPAGE = 0x200;
export const VM_SEQ_READ = 0x400;
export const VM_RAND_READ = 0x800;
export const VM_MERGEABLE = 0x1000;
/** Of the kernel's making ([vdso], [vvar]): no resizing, no DONTNEED. */
export const VM_SPECIAL = 0x2000;
/** The file is a program or library, whose bytes do not change under it (MAP_DENYWRITE, a hint from loaders). */
export const VM_IMAGE = 0x4000;

/** What a mapping keeps of the file that it came from: mm sees only the reference; /proc reads the rest. */
export interface MappedFile {
  ref(): unknown;
  unref(): void;
}

/** Rights as the stub maps them: x86 cannot write or execute without reading. */
export function hostProt(prot: number): number {
  return prot === 0 ? 0 : prot | PROT_READ;
}

export class Vma {
  start: number;
  end: number;
  /** PROT_*. */
  prot: number;
  /** What mprotect may raise prot to. */
  maxProt: number;
  /** VM_*. */
  flags: number;
  /** What fills it; null for private anonymous memory. */
  source: Mappable | null;
  /** Page of `source` at start; 0 without a source. */
  pgoff: number;
  /** Held by reference; null for anonymous memory. */
  file: MappedFile | null;
  /** '[heap]', '[stack]', '[vdso]', '[anon:...]' or ''. */
  name: string;
  /** Pages to bring in at the next fault, and where the run of faults that this is based on would go on. */
  window = 0;
  nextFault = 0;
  /** The same for copies on write. Page numbers. */
  cowRun = 1;
  nextCow = 0;
  /** Pages that the stub may have from the host's file: in direct.ts. Empty when equal. */
  directFrom = 0;
  directTo = 0;
  /** Made by mmap(2) since the last fault: what its file has of it is mapped along with the next one. */
  fresh = false;

  constructor(
    start: number,
    end: number,
    prot: number,
    maxProt: number,
    flags: number,
    source: Mappable | null,
    pgoff: number,
    file: MappedFile | null,
    name: string,
  ) {
    this.start = start;
    this.end = end;
    this.prot = prot;
    this.maxProt = maxProt;
    this.flags = flags;
    this.source = source;
    this.pgoff = pgoff;
    this.file = file;
    this.name = name;
  }

  get shared(): boolean {
    return (this.flags & VM_SHARED) !== 0;
  }

  get pages(): number {
    return (this.end - this.start) / 4096;
  }

  /** Page of the source that belongs at `addr`. */
  indexAt(addr: number): number {
    return this.pgoff + (addr - this.start) / 4096;
  }

  /** True when a mapping with these attributes could continue this one at its end. */
  continuedBy(o: Vma): boolean {
    return (
      this.end === o.start &&
      this.prot === o.prot &&
      this.maxProt === o.maxProt &&
      this.flags === o.flags &&
      this.source === o.source &&
      this.file === o.file &&
      this.name === o.name &&
      (this.source === null || this.pgoff + this.pages === o.pgoff)
    );
  }
}

// Page numbers begin as 0 and become more than 31 bits: with the first that does, V8 has all mappings made so far change
// their layout when they are next touched, 3 us for each. So the first that does is this one.
const first = new Vma(0.5, 0.5, 0, 0, 0, null, 0.5, null, '');
first.nextFault = first.nextCow = first.directFrom = first.directTo = 0.5;

/** Sorted, disjoint mappings. Splitting and merging is up to the owner, which knows what a Vma holds. */
/** vm.max_map_count. */
export const MAX_MAP_COUNT = 65530;
/** A mapping, with a name. */
export const VMA_BYTES = 320;

export class VmaList {
  readonly list: Vma[] = [];
  private readonly payer: Account = kernelMemory.take(0);
  private last = 0;

  get length(): number {
    return this.list.length;
  }

  /** For `count` more. */
  hasRoom(count: number): boolean {
    return this.list.length + count <= MAX_MAP_COUNT && kernelMemory.fits(count * VMA_BYTES, this.payer);
  }

  at(i: number): Vma {
    return this.list[i]!;
  }

  /** Index of the first mapping that ends above `addr`; length when there is none. */
  indexAbove(addr: number): number {
    const list = this.list;
    const n = list.length;
    const hint = this.last;
    if (hint < n && list[hint]!.end > addr && (hint === 0 || list[hint - 1]!.end <= addr)) return hint;
    let lo = 0;
    let hi = n;
    while (lo < hi) {
      const mid = (lo + hi) >>> 1;
      if (list[mid]!.end > addr) hi = mid;
      else lo = mid + 1;
    }
    this.last = lo;
    return lo;
  }

  /** The mapping that contains `addr`, or null. */
  find(addr: number): Vma | null {
    const i = this.indexAbove(addr);
    if (i === this.list.length) return null;
    const v = this.list[i]!;
    return v.start <= addr ? v : null;
  }

  /** True when nothing is mapped in [start, end). */
  isFree(start: number, end: number): boolean {
    const i = this.indexAbove(start);
    return i === this.list.length || this.list[i]!.start >= end;
  }

  insertAt(i: number, v: Vma): void {
    kernelMemory.take(VMA_BYTES, this.payer);
    this.list.splice(i, 0, v);
  }

  removeAt(i: number, count: number): void {
    kernelMemory.give(this.payer, count * VMA_BYTES);
    this.list.splice(i, count);
  }
}
