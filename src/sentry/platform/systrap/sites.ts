// Patched call sites. shapes.ts says how one system call instruction can be rewritten; in the end there is a jump through
// table(n), which lies just under 2 GiB, where a 32-bit displacement reaches it, and points to the site's code:
//
//   site +0   lea r11, [site];  mov eax, nr (shape mov only);  jmp entry
//        +24  syscall;  mov rcx, [site + 56];  jmp rcx      for threads whose gs is their own
//        +56  address after the call
//
// Shape mov: the last two bytes of the jump are fe 7f, which is no instruction: who jumps there, past the mov, or restarts
// the call by setting its address back by two, comes back with SIGILL, and that is taken as the system call that was
// there. Shape padding needs none of that: every instruction still begins where it did.
// Table and sites are each process's own, since they tell where its code lies. Their pages come with the first site in
// them, and stay with the process when it is emptied.

import { MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ } from '../../../abi/memory/mman.ts';
import {
  SYS_clone,
  SYS_clone3,
  SYS_fork,
  SYS_mmap,
  SYS_rt_sigreturn,
  SYS_vfork,
} from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { isSignalFrame } from '../../../elf/eh_frame.ts';
import { PAGE_SIZE, pageDown } from '../../base/page.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { PATCH_TABLE_ADDR, type PatchTarget } from '../platform.ts';
import { MAX_SITES, MEMFILE_FD, SITE_FALLBACK, SITE_RETURN, SITE_SIZE, SITES_ADDR } from './layout.ts';
import { patchedBytes, planPatch } from './shapes.ts';

/** Bytes of `jmp *[disp32]`. */
const JUMP_SIZE = 7;
/** Of the syscall instruction. */
export const CALL_SIZE = 2;
/** A site's first instruction, and the opcode of its second one where it loads a number. */
const LEA_SIZE = 7;
const MOV_EAX = 0xb8;
/** In place of a number: whatever rax holds. */
const ANY_NR = -1;
/** Traps of one site before it is patched: to patch costs about what so many traps cost more than patched calls. */
export const TRAPS_BEFORE = 32;
/** Sites that are counted or given up, per address space. */
const MAX_COUNTED = 4096;
/** Of an address space's traps only some are looked at after the first: to look costs as much as a patched call. */
const LOOK_AT_FIRST = 256;
const LOOK_AFTER = 4;
/** 2 ** 32 over the golden ratio: its multiples spread evenly and repeat no period. */
const GOLDEN = 0x9e37_79b9;
const GIVEN_UP = 1e9;

/**
 * Calls for which a trap costs less than a patched call: the child gets the caller's extended state, which a signal frame
 * brings along, while a thread in a patched call has to be woken to save it.
 */
const NEEDS_FRAME: ReadonlySet<number> = new Set([SYS_clone, SYS_fork, SYS_vfork, SYS_clone3]);

const text = new Uint8Array(JUMP_SIZE);
const textView = new DataView(text.buffer);
const page = new Uint8Array(PAGE_SIZE);
const word = new Uint8Array(4);
const wordView = new DataView(word.buffer);

const SITES_PER_PAGE = PAGE_SIZE / SITE_SIZE;
const WORDS_PER_PAGE = PAGE_SIZE / 8;
const TWO32 = 2 ** 32;

/**
 * Unwinders know the return from a signal handler, [first, end), by its bytes, unless the image's unwind tables say what it
 * is: they look at those first. They ask for the byte before a return address.
 */
function knownByTable(target: PatchTarget, first: number, end: number): boolean {
  const image = target.imageStart(first);
  const read = (addr: number) => (target.readText(addr, word) ? wordView.getUint32(0, true) : -1);
  return image >= 0 && isSignalFrame(read, image, first - 1, end);
}

/** What sites need of their process. */
export interface SiteHost {
  /** Not 0: it runs no guest code again. */
  readonly broken: number;
  /** Queues a call for its mapper. */
  order(nr: number, a: number, b: number, c: number, d: number, e: number, f: number): void;
}

/** The call sites of one process: traps of those that are not patched yet, and the code of those that are. */
export class CallSites {
  private readonly process: SiteHost;
  private readonly memfile: MemoryFile;
  private readonly entry: number;
  /** Address of a jump in padding -> address of its call. */
  readonly jumps: Map<number, number> = new Map();
  /** Number of traps by address after the call. */
  private readonly traps: Map<number, number> = new Map();
  private total = 0;
  /** Frames of the pages of the table and of the sites, as far as there are any. */
  private readonly tableFrames: number[] = [];
  private readonly siteFrames: number[] = [];
  /** Sites by number of call and address after it. */
  private readonly known: Map<number, Map<number, number>> = new Map();
  private count = 0;

  /** `entry` is where all sites lead. */
  constructor(process: SiteHost, memfile: MemoryFile, entry: number) {
    this.process = process;
    this.memfile = memfile;
    this.entry = entry;
  }

  /** Another address space begins: nothing of the one before is left. */
  clear(): void {
    this.jumps.clear();
    this.traps.clear();
    this.known.clear();
    this.total = 0;
    this.count = 0;
    for (const frames of [this.tableFrames, this.siteFrames])
      for (const frame of frames) this.memfile.zeroPages(frame, 1);
  }

  /** The process is dead. */
  release(): void {
    for (const frames of [this.tableFrames, this.siteFrames]) {
      for (const frame of frames) this.memfile.unref(frame);
      frames.length = 0;
    }
    this.count = 0;
  }

  /** Shall this trap be looked at? */
  wantsLook(): boolean {
    // Every fourth, but by no rhythm that a program's own loop could have too: else a place in it might never be seen.
    return ++this.total <= LOOK_AT_FIRST || Math.imul(this.total, GOLDEN) >>> 0 < TWO32 / LOOK_AFTER;
  }

  /** The call before `ret` trapped with number `nr`: counts it, and patches it in time. True when patched now. */
  trapped(target: PatchTarget, nr: number, ret: number): boolean {
    const counts = this.traps;
    const before = counts.get(ret) ?? 0;
    if (before === GIVEN_UP || (before === 0 && counts.size >= MAX_COUNTED) || NEEDS_FRAME.has(nr))
      return false;
    const n = before + (this.total <= LOOK_AT_FIRST ? 1 : LOOK_AFTER);
    counts.set(ret, n);
    if (n < TRAPS_BEFORE) return false;
    counts.set(ret, GIVEN_UP);
    const start = pageDown(ret - CALL_SIZE);
    if (!target.readText(start, page)) return false;
    const at = ret - CALL_SIZE - start;
    const plan = planPatch(page, at, nr);
    if (plan === null || (nr === SYS_rt_sigreturn && !knownByTable(target, start + plan.start, ret)))
      return false;
    const site = this.site(plan.shape === 'mov' ? nr : ANY_NR, ret);
    if (site < 0) return false;
    if (plan.shape === 'padding') this.jumps.set(start + plan.jumpAt, ret - CALL_SIZE);
    return target.patchText(start + plan.start, patchedBytes(page, at, plan, PATCH_TABLE_ADDR + 8 * site));
  }

  /** An invalid instruction at `addr`: is it the end of a patched call? */
  isTail(target: PatchTarget, addr: number): boolean {
    if (!target.readText(addr + CALL_SIZE - JUMP_SIZE, text)) return false;
    if (text[0] !== 0xff || text[1] !== 0x24 || text[2] !== 0x25) return false;
    const site = (textView.getUint32(3, true) - PATCH_TABLE_ADDR) / 8;
    if (!Number.isInteger(site) || site < 0 || site >= this.count) return false;
    return this.returnOf(site) === addr + CALL_SIZE;
  }

  private returnOf(index: number): number {
    const frame = this.siteFrames[Math.floor(index / SITES_PER_PAGE)]!;
    const w = (this.memfile.byteOffset(frame) + (index % SITES_PER_PAGE) * SITE_SIZE + SITE_RETURN) / 4;
    const words = this.memfile.i32(frame);
    return words[w + 1]! * TWO32 + (words[w]! >>> 0);
  }

  /** Address after the call whose site's code begins at `addr`; 0 when none does. */
  returnAddress(addr: number): number {
    const index = (addr - SITES_ADDR) / SITE_SIZE;
    return Number.isInteger(index) && index >= 0 && index < this.count ? this.returnOf(index) : 0;
  }

  /** Whose code begins at `addr`, for the shapes whose jump stands for the `mov` too: number, and address after the call. */
  siteAt(addr: number): { nr: number; ret: number } | null {
    const index = (addr - SITES_ADDR) / SITE_SIZE;
    if (!Number.isInteger(index) || index < 0 || index >= this.count) return null;
    const frame = this.siteFrames[Math.floor(index / SITES_PER_PAGE)]!;
    const at = this.memfile.byteOffset(frame) + (index % SITES_PER_PAGE) * SITE_SIZE;
    const bytes = this.memfile.u8(frame);
    if (bytes[at + LEA_SIZE] !== MOV_EAX) return null;
    const nr = new DataView(bytes.buffer, bytes.byteOffset + at + LEA_SIZE + 1, 4).getUint32(0, true);
    return { nr, ret: this.returnOf(index) };
  }

  /** Index of the site for this call and address, made when it is new; -1 when the table is full. */
  private site(nr: number, ret: number): number {
    let byAddr = this.known.get(nr);
    if (byAddr === undefined) {
      byAddr = new Map();
      this.known.set(nr, byAddr);
    }
    const old = byAddr.get(ret);
    if (old !== undefined) return old;
    if (this.count === MAX_SITES) return -1;
    const index = this.count;
    const tablePage = Math.floor(index / WORDS_PER_PAGE);
    const sitePage = Math.floor(index / SITES_PER_PAGE);
    const { tableFrames, siteFrames } = this;
    if (!this.needPage(tableFrames, tablePage, PATCH_TABLE_ADDR, PROT_READ)) return -1;
    if (!this.needPage(siteFrames, sitePage, SITES_ADDR, PROT_READ | PROT_EXEC)) return -1;
    this.count++;
    byAddr.set(ret, index);
    const addr = SITES_ADDR + index * SITE_SIZE;
    const code = new Uint8Array(SITE_SIZE);
    const view = new DataView(code.buffer);
    code.set([0x4c, 0x8d, 0x1d]); // lea r11, [rip - 7]
    view.setInt32(3, -LEA_SIZE, true);
    let end = LEA_SIZE;
    if (nr !== ANY_NR) {
      code[end] = MOV_EAX;
      view.setUint32(end + 1, nr, true);
      end += 5;
    }
    code[end] = 0xe9; // jmp entry
    view.setInt32(end + 1, this.entry - (addr + end + 5), true);
    code.set([0x0f, 0x05, 0x48, 0x8b, 0x0d], SITE_FALLBACK); // syscall; mov rcx, [rip + n]; jmp rcx
    view.setInt32(SITE_FALLBACK + 5, SITE_RETURN - (SITE_FALLBACK + 9), true);
    code.set([0xff, 0xe1], SITE_FALLBACK + 9);
    putU64(view, SITE_RETURN, ret);
    const frame = siteFrames[sitePage]!;
    this.memfile.u8(frame).set(code, this.memfile.byteOffset(frame) + (index % SITES_PER_PAGE) * SITE_SIZE);
    // The table's word last: nobody jumps through it before.
    putU64(view, 0, addr);
    const words = tableFrames[tablePage]!;
    const at = this.memfile.byteOffset(words) + (index % WORDS_PER_PAGE) * 8;
    this.memfile.u8(words).set(code.subarray(0, 8), at);
    return index;
  }

  /** Has the page `index` of the table or the sites, which begin at `base`, mapped; false without memory, or without a process. */
  private needPage(frames: number[], index: number, base: number, prot: number): boolean {
    if (index < frames.length) return true;
    if (this.process.broken !== 0) return false;
    const frame = this.memfile.alloc(1);
    if (frame < 0) return false;
    frames.push(frame);
    const flags = MAP_SHARED | MAP_FIXED;
    this.process.order(
      SYS_mmap,
      base + index * PAGE_SIZE,
      PAGE_SIZE,
      prot,
      flags,
      MEMFILE_FD,
      frame * PAGE_SIZE,
    );
    // To queue it may have carried out others, and ended the process.
    return this.process.broken === 0;
  }
}
