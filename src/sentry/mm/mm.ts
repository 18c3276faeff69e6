// MemoryManager: one guest address space (struct mm_struct). This file holds its state and its face; behaviour lives by
// theme in the files it calls.
//
//   guest access --fault--> fault.ts --+--> pagetable.ts: page -> frame        (what we hold)
//   kernel access --tlb.ts--> user.ts -+--> AddressSpace: page -> frame        (what the stub has mapped)
//
// A stub mapping is always a subset of the page table, and of what direct.ts maps from host files: it may lack pages and
// rights, never have more.

import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import type { Io } from '../base/io.ts';
import type { UserMemory } from '../base/usermem.ts';
import type { DonatedFile, Mappable, MappingOwner } from '../memfile/mappable.ts';
import type { MemoryFile } from '../memfile/memfile.ts';
import { type AddressSpace, GUEST_TOP, type Platform } from '../platform/platform.ts';
import { mapAhead, mapSoon } from './ahead.ts';
import { compareExchange32, futexKey, load32, store32 } from './atomics.ts';
import { directFile } from './direct.ts';
import { handleFault } from './fault.ts';
import { ForkCopy } from './fork.ts';
import { brk, mmap, munmap } from './mmap.ts';
import { isImageData } from './pages.ts';
import { LEAF_BYTES, PageTable } from './pagetable.ts';
import { TextPatches } from './patches.ts';
import { protect } from './protect.ts';
import { letGo, unmapStub, zapAll, zapRange } from './region.ts';
import { LEAF_WORK, VMA_WORK } from './slices.ts';
import { chooseLayout, setStack } from './stack.ts';
import { Tlb } from './tlb.ts';
import * as user from './user.ts';
import { UserIo } from './userio.ts';
import { type MappedFile, VM_IMAGE, VM_SHARED, VMA_BYTES, type Vma, VmaList } from './vma.ts';

/** Where mm finds resource limits: RLIMIT_AS, DATA, STACK, MEMLOCK; Infinity for none. */
export interface MmLimits {
  soft(resource: number): number;
}

/** The host allows 65530 mappings per process (vm.max_map_count); an order adds two at most. */
const MAX_HOST_ORDERS = 24000;

/** Mappings that wait for the next fault: a program that maps more without touching any is no loader. */
const MAX_SOON = 64;

/** An address space without its mappings: its caches, and what the platform keeps for its stub. */
export const MM_BYTES: number = 28 * 1024;

export class MemoryManager implements UserMemory, MappingOwner {
  readonly memfile: MemoryFile;
  readonly platform: Platform;
  /** Limits of the process that uses it. A process that keeps its memory over prlimit changes the same object. */
  limits: MmLimits;
  readonly as: AddressSpace;
  /** Tasks that use it. */
  refs = 1;
  /** Threads of the host that tasks have left behind in the stub, and who answers for them (kernel/task/task_limit.ts). */
  spare = 0;
  spareOwner: unknown = null;
  private readonly payer: Account = kernelMemory.take(MM_BYTES);
  readonly vmas: VmaList = new VmaList();
  readonly pt: PageTable = new PageTable();
  readonly tlb: Tlb = new Tlb();
  readonly patches: TextPatches;
  /** The platform rewrites system calls in it, and has its table at PATCH_TABLE_ADDR. */
  patchable: boolean;
  private readonly userIo: UserIo;

  /** Pages in mappings: all, private writable ones, stacks, locked ones. */
  totalPages = 0;
  dataPages = 0;
  stackPages = 0;
  lockedPages = 0;
  peakTotalPages = 0;
  /** Pages in ranges that the stub has from host files. */
  directPages = 0;
  private peakRss = 0;
  /** VM_LOCKED and VM_LOCKONFAULT for mappings to come (mlockall MCL_FUTURE). */
  lockFuture = 0;
  /** What the call in progress is to bring in before it returns. */
  dueFrom = 0;
  dueTo = 0;
  /** The caller of the system call in progress has CAP_IPC_LOCK: RLIMIT_MEMLOCK does not bind. Set by syscalls. */
  ipcLock = false;

  /** Mappings are placed below this, downwards. */
  mmapBase = 0;
  /** Where setStack() puts the stack's end. */
  stackTop = 0;
  startBrk = 0;
  brkEnd = 0;
  /** Places that /proc/PID/{stat,cmdline,environ,auxv} and prctl(PR_SET_MM) speak of; the loader sets them. */
  startCode = 0;
  endCode = 0;
  startData = 0;
  endData = 0;
  startStack = 0;
  argStart = 0;
  argEnd = 0;
  envStart = 0;
  envEnd = 0;
  auxv: Uint8Array = new Uint8Array(0);

  /** Why handleFault() refused: the signal and its si_code. */
  faultSig = 0;
  faultCode = 0;
  /** The page of faults that found nothing to do, and how many in a row. */
  spuriousPage = -1;
  spuriousCount = 0;

  /** Where mappings are that shall be mapped with the next fault. */
  readonly soon: number[] = [];

  /** Orders given since the stub was last empty: each may have cost the host up to two mappings. */
  hostOrders = 0;

  /** Orders to map frames since the beginning: has any page been mapped since then? */
  mapOrders = 0;

  /** Identity of a futex: the pair (futexObject, futexOffset), set by futexKey(). */
  futexObject: object = this;
  futexOffset = 0;

  constructor(
    memfile: MemoryFile,
    platform: Platform,
    limits: MmLimits,
    as: AddressSpace | number = platform.newAddressSpace(),
  ) {
    if (typeof as === 'number') throw new Error(`no address space: ${as}; use MemoryManager.create`);
    this.memfile = memfile;
    this.platform = platform;
    this.limits = limits;
    this.as = as;
    this.userIo = new UserIo(this);
    this.patches = new TextPatches(this);
    this.patchable = platform.patchesCalls;
    if (this.patchable) as.patchTarget = this.patches;
    chooseLayout(this, true);
  }

  /** An empty address space; -errno when the platform has no more. */
  static create(
    memfile: MemoryFile,
    platform: Platform,
    limits: MmLimits,
    randomize = true,
  ): MemoryManager | number {
    const as = platform.newAddressSpace();
    if (typeof as === 'number') return as;
    const mm = new MemoryManager(memfile, platform, limits, as);
    if (!randomize) chooseLayout(mm, false);
    return mm;
  }

  /** One more task uses it (CLONE_VM). */
  ref(): this {
    this.refs++;
    return this;
  }

  /** A task no longer uses it; the last one ends the stub and frees everything. Its context was released before. */
  release(): void {
    if (--this.refs > 0) return;
    kernelMemory.give(this.payer, MM_BYTES);
    this.as.release();
    this.patches.release();
    this.tlb.flush();
    zapAll(this);
    const gone = this.vmas.list.slice();
    this.vmas.removeAt(0, gone.length);
    for (const v of gone) if (v.source !== null || v.file !== null) letGo(this, v);
    this.totalPages = this.dataPages = this.stackPages = this.lockedPages = this.directPages = 0;
  }

  /** The program here takes the place of the one in `old`; see AddressSpace.succeed(). */
  succeed(old: MemoryManager): boolean {
    return old.refs === 1 && this.as.succeed?.(old.as) === true;
  }

  /** Bytes of the kernel's memory that a copy of it takes. */
  get copyBytes(): number {
    return MM_BYTES + this.vmas.length * VMA_BYTES + this.pt.leaves.size * LEAF_BYTES;
  }

  /** What it takes to copy it: see slices.ts. */
  get copyWork(): number {
    const { pt, vmas } = this;
    return pt.anonPages + pt.filePages + pt.leaves.size * LEAF_WORK + vmas.length * VMA_WORK;
  }

  /** fork(2)'s copy, with one user; the platform's error. */
  fork(): MemoryManager | number {
    const copy = this.beginFork();
    if (typeof copy === 'number') return copy;
    copy.step(Number.POSITIVE_INFINITY);
    return copy.child;
  }

  /** The same in steps. */
  beginFork(): ForkCopy | number {
    const as = this.platform.newAddressSpace();
    if (typeof as === 'number') return as;
    return new ForkCopy(this, new MemoryManager(this.memfile, this.platform, this.limits, as));
  }

  /** Has the stub map what is present of all mappings before the guest faults. */
  mapAhead(): void {
    for (let i = 0; i < this.vmas.length; i++) mapAhead(this, this.vmas.at(i));
  }

  /**
   * The same for the new mapping at `addr` of a file, at the next fault: then one exchange with the stub serves all of
   * them. At once for the data of a library, which the dynamic linker maps last, and writes to next; and for what is no
   * part of a library and only read: who maps it looks at it.
   */
  mapSoon(addr: number): void {
    const v = this.vmas.find(addr);
    if (v === null || this.soon.length >= MAX_SOON) return;
    v.fresh = true;
    this.soon.push(addr);
    if (isImageData(v) || ((v.flags & VM_IMAGE) === 0 && directFile(this, v) !== null)) mapSoon(this);
  }

  /** The program wants the range of the platform's table for itself: its system calls are left as they are from now on. */
  giveUpPatches(): void {
    this.patches.unpatch(0, GUEST_TOP / 4096);
    this.patchable = false;
    this.as.patchTarget = null;
  }

  /** Pages of [from, to) are to be there when the call in progress returns: takeDue() tells its handler. */
  toBringIn(from: number, to: number): void {
    this.dueFrom = from;
    this.dueTo = to;
  }

  /** Forgets the range once its handler has seen it. */
  takeDue(): void {
    this.dueFrom = 0;
    this.dueTo = 0;
  }

  /** Has the stub map pages; see AddressSpace. */
  mapHost(addr: number, frame: number, pages: number, prot: number, populate = false): void {
    this.hostOrders++;
    this.mapOrders++;
    this.as.map(addr, frame, pages, prot, populate);
    if (this.patches.size > 0) this.patches.replaced(addr / 4096, addr / 4096 + pages);
  }

  /** Has the stub map pages of a host file; false when it cannot have them. */
  mapHostFile(addr: number, file: DonatedFile, index: number, pages: number, prot: number): boolean {
    if (!this.as.mapFile(addr, file, index, pages, prot)) return false;
    this.hostOrders++;
    if (this.patches.size > 0) this.patches.replaced(addr / 4096, addr / 4096 + pages);
    return true;
  }

  /** Has the stub unmap a range. */
  unmapHost(addr: number, len: number): void {
    this.as.unmap(addr, len);
    if (this.patches.size > 0) this.patches.replaced(addr / 4096, (addr + len) / 4096);
  }

  protectHost(addr: number, len: number, prot: number): void {
    this.hostOrders++;
    this.as.protect(addr, len, prot);
    if ((prot & PROT_WRITE) !== 0 && this.patches.size > 0)
      this.patches.unpatch(addr / 4096, (addr + len) / 4096);
  }

  /**
   * Empties the stub when its mappings may come near the host's limit; faults bring back what is in use. Called where
   * no page is between two states.
   */
  boundHostMappings(): void {
    if (this.hostOrders < MAX_HOST_ORDERS) return;
    this.hostOrders = 0;
    unmapStub(this, 0, GUEST_TOP);
  }

  get rssPages(): number {
    return this.pt.anonPages + this.rssFilePages;
  }

  /** A page that the kernel read from a direct mapping would count twice, but for the bound. */
  get rssFilePages(): number {
    return Math.min(this.pt.filePages + this.directPages, this.totalPages - this.pt.anonPages);
  }

  get peakRssPages(): number {
    return this.noteRss();
  }

  /** Brings the peak of the resident pages up to date; called before pages go. */
  noteRss(): number {
    if (this.rssPages > this.peakRss) this.peakRss = this.rssPages;
    return this.peakRss;
  }

  /**
   * Maps `len` bytes at `addr` (a hint without MAP_FIXED): the address, or -errno as mmap(2). `file` and `source` are
   * null for anonymous memory; references are taken. `maxProt` bounds later mprotect calls.
   */
  mmap(
    addr: number,
    len: number,
    prot: number,
    flags: number,
    file: MappedFile | null = null,
    source: Mappable | null = null,
    pgoff = 0,
    name = '',
    maxProt = 7,
  ): number {
    return mmap(this, addr, len, prot, flags, file, source, pgoff, name, maxProt);
  }

  munmap(addr: number, len: number): number {
    return munmap(this, addr, len);
  }

  mprotect(addr: number, len: number, prot: number): number {
    return protect(this, addr, len, prot);
  }

  /** Puts the start of the heap at `start`. */
  setBrk(start: number): void {
    this.startBrk = start;
    this.brkEnd = start;
  }

  /** brk(2): the break after the call, which is unchanged when `addr` cannot be had. */
  brk(addr: number): number {
    return brk(this, addr);
  }

  /** Maps the initial stack of `len` bytes below stackTop; returns stackTop or -errno. */
  setStack(len: number, prot: number): number {
    return setStack(this, len, prot);
  }

  /** With `bus`, the host had a mapping and not the page. 0 when the guest may go on; else -EFAULT, with faultSig and faultCode telling the signal. */
  handleFault(addr: number, access: number, bus = false): number {
    return handleFault(this, addr, access, bus);
  }

  /** MappingOwner: pages of a file went away (truncation, hole punching). */
  invalidatePages(source: Mappable, first: number, count: number, copies: boolean): void {
    for (let i = 0; i < this.vmas.length; i++) {
      const v = this.vmas.at(i);
      if (v.source !== source) continue;
      const lo = Math.max(v.pgoff, first);
      const hi = Math.min(v.pgoff + v.pages, first + count);
      if (lo >= hi) continue;
      const start = v.start + (lo - v.pgoff) * 4096;
      const end = v.start + (hi - v.pgoff) * 4096;
      if (copies || (v.flags & VM_SHARED) !== 0) zapRange(this, start, end);
      else this.zapCachePages(start, end);
    }
  }

  /** MappingOwner: what the stub has from the host's file goes, and comes back from the cache. */
  leaveHostFile(source: Mappable): void {
    let some = false;
    for (let i = 0; i < this.vmas.length; i++) {
      const v = this.vmas.at(i);
      if (v.source !== source || v.directFrom === v.directTo) continue;
      unmapStub(this, v.directFrom * 4096, v.directTo * 4096);
      some = true;
    }
    if (some) this.as.flush();
  }

  /** Drops pages of the cache in a private mapping and keeps copies. */
  private zapCachePages(start: number, end: number): void {
    for (let a = start; a < end; a += 4096) {
      const f = this.pt.flagsAt(a / 4096);
      if (f === 0) {
        // Nothing in this leaf from here on to its end is common: step over absent leaves whole.
        if (this.pt.find(a / 4096) === null) a = Math.floor(a / 0x20_0000) * 0x20_0000 + 0x20_0000 - 4096;
      } else if ((f & 2) === 0) zapRange(this, a, a + 4096);
    }
  }

  copyIn(addr: number, dst: Uint8Array, off: number, len: number): number {
    return user.copyIn(this, addr, dst, off, len);
  }

  copyOut(addr: number, src: Uint8Array, off: number, len: number): number {
    return user.copyOut(this, addr, src, off, len);
  }

  copyInExact(addr: number, dst: Uint8Array, off: number, len: number): number {
    return user.copyInExact(this, addr, dst, off, len);
  }

  copyOutExact(addr: number, src: Uint8Array, off: number, len: number): number {
    return user.copyOutExact(this, addr, src, off, len);
  }

  zeroOut(addr: number, len: number): number {
    return user.zeroOut(this, addr, len);
  }

  copyInString(addr: number, max: number): string | number {
    return user.copyInString(this, addr, max);
  }

  io(addr: number, len: number): Io {
    return this.userIo.aim(addr, len);
  }

  iovec(addr: number, count: number): Io | number {
    return this.userIo.aimVector(addr, count);
  }

  /** The parts of the vector that iovec() last aimed at, for a call that goes on later. */
  keepVector(): Float64Array {
    return this.userIo.parts();
  }

  /** The shared Io aimed at those parts. */
  keptVector(parts: Float64Array): Io {
    return this.userIo.aimParts(parts);
  }

  /** Another address space's memory (process_vm_readv, ptrace): as copyIn, with this mm's own protections. */
  readRemote(addr: number, dst: Uint8Array, off: number, len: number): number {
    return user.copyIn(this, addr, dst, off, len);
  }

  writeRemote(addr: number, src: Uint8Array, off: number, len: number): number {
    return user.copyOut(this, addr, src, off, len);
  }

  /** Reads an aligned int32 with Atomics; ATOMIC_FAULT when the page is bad. */
  atomicLoad32(addr: number): number {
    return load32(this, addr);
  }

  /** Writes an aligned int32 with Atomics; 0 or -EFAULT. */
  atomicStore32(addr: number, value: number): number {
    return store32(this, addr, value);
  }

  /** Replaces `expected` by `value`; the int32 that was there (success when equal to expected), or ATOMIC_FAULT. */
  atomicCompareExchange32(addr: number, expected: number, value: number): number {
    return compareExchange32(this, addr, expected, value);
  }

  /**
   * Sets futexObject and futexOffset, the identity of the futex word at `addr` (4-byte aligned, the caller checks):
   *   `shared` false: (this mm, addr)
   *   memory of one's own: (this mm, addr with a mark), so that the two do not meet, as on Linux
   *   pages of a file or of shared memory: (the Mappable, byte offset in it), equal in every process that maps it
   * 0; -EFAULT when nothing readable, or a page of one's own that is read-only, is mapped (checked for `shared` only).
   */
  futexKey(addr: number, shared: boolean): number {
    return futexKey(this, addr, shared);
  }

  /** Counts new pages; -ENOMEM when RLIMIT_AS or RLIMIT_DATA forbid them. */
  get addressSpaceBytes(): number {
    return this.totalPages * 4096;
  }

  /** The mapping at an address, or null. */
  vmaAt(addr: number): Vma | null {
    return addr >= 0 && addr < GUEST_TOP ? this.vmas.find(addr) : null;
  }
}
