// Patched call sites. shapes.ts says how one system call instruction can be rewritten; in the end there is a jump through
// table(n), which lies just under 2 GiB, where a 32-bit displacement reaches it, and points to the site's code:
//
//   site +0   lea r11, [site];  mov eax, nr (shape mov only);  jmp entry
//        +24  syscall;  jmp *[site + 56]         for threads whose gs is their own
//        +56  address after the call
//
// Shape mov: the last two bytes of the jump are fe 7f, which is no instruction: who jumps there, past the mov, or restarts
// the call by setting its address back by two, comes back with SIGILL, and that is taken as the system call that was
// there. Shape padding needs none of that: every instruction still begins where it did.
// Table and sites are one for all stubs, so that a fork keeps its patches.

import { PAGE_SIZE, pageDown } from '../../base/page.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { PATCH_TABLE_ADDR, PATCH_TABLE_SIZE, type PatchTarget } from '../platform.ts';
import {
  MAX_SITES,
  SITE_FALLBACK,
  SITE_RETURN,
  SITE_SIZE,
  SITES_ADDR,
  SITES_PAGES,
  TABLE_PAGES,
} from './layout.ts';
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

/** Traps of one address space. */
export class SiteTraps {
  /** Address of a jump in padding -> address of its call. */
  readonly jumps: Map<number, number> = new Map();
  /** Number of traps by address after the call. */
  readonly bySite: Map<number, number> = new Map();
  total = 0;

  clear(): void {
    this.bySite.clear();
    this.jumps.clear();
    this.total = 0;
  }
}

const text = new Uint8Array(JUMP_SIZE);
const textView = new DataView(text.buffer);
const page = new Uint8Array(PAGE_SIZE);

export class SiteTable {
  /** First frame of the table, then of the sites: consecutive. */
  readonly frame: number;
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private entry = 0;
  /** Sites by number of call and address after it. */
  private readonly known: Map<number, Map<number, number>> = new Map();
  count = 0;

  constructor(memfile: MemoryFile) {
    this.frame = memfile.alloc(TABLE_PAGES + SITES_PAGES);
    if (this.frame < 0) throw new Error('systrap platform: no memory for call sites');
    const chunk = memfile.u8(this.frame);
    const at = memfile.byteOffset(this.frame);
    this.bytes = chunk.subarray(at, at + (TABLE_PAGES + SITES_PAGES) * 4096);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  /** Where the common entry is. */
  setEntry(entry: number): void {
    this.entry = entry;
  }

  /** Shall this trap be looked at? */
  wantsLook(traps: SiteTraps): boolean {
    // Every fourth, but by no rhythm that a program's own loop could have too: else a place in it might never be seen.
    return ++traps.total <= LOOK_AT_FIRST || Math.imul(traps.total, GOLDEN) >>> 0 < 2 ** 32 / LOOK_AFTER;
  }

  /** The call before `ret` trapped with number `nr`: counts it, and patches it in time. True when patched now. */
  trapped(traps: SiteTraps, target: PatchTarget, nr: number, ret: number): boolean {
    const counts = traps.bySite;
    const before = counts.get(ret) ?? 0;
    if (before === GIVEN_UP || (before === 0 && counts.size >= MAX_COUNTED)) return false;
    const n = before + (traps.total <= LOOK_AT_FIRST ? 1 : LOOK_AFTER);
    counts.set(ret, n);
    if (n < TRAPS_BEFORE) return false;
    counts.set(ret, GIVEN_UP);
    const start = pageDown(ret - CALL_SIZE);
    if (!target.readText(start, page)) return false;
    const at = ret - CALL_SIZE - start;
    const plan = planPatch(page, at, nr);
    if (plan === null) return false;
    const site = this.site(plan.shape === 'mov' ? nr : ANY_NR, ret);
    if (site < 0) return false;
    if (plan.shape === 'padding') traps.jumps.set(start + plan.jumpAt, ret - CALL_SIZE);
    return target.patchText(start + plan.start, patchedBytes(page, at, plan, PATCH_TABLE_ADDR + 8 * site));
  }

  /** An invalid instruction at `addr`: is it the end of a patched call? */
  isTail(target: PatchTarget, addr: number): boolean {
    if (!target.readText(addr + CALL_SIZE - JUMP_SIZE, text)) return false;
    if (text[0] !== 0xff || text[1] !== 0x24 || text[2] !== 0x25) return false;
    const site = (textView.getUint32(3, true) - PATCH_TABLE_ADDR) / 8;
    if (!Number.isInteger(site) || site < 0 || site >= this.count) return false;
    return (
      Number(this.view.getBigUint64(PATCH_TABLE_SIZE + site * SITE_SIZE + SITE_RETURN, true)) === addr + 2
    );
  }

  /** Whose code begins at `addr`, for the shapes whose jump stands for the `mov` too: number, and address after the call. */
  siteAt(addr: number): { nr: number; ret: number } | null {
    const index = (addr - SITES_ADDR) / SITE_SIZE;
    if (!Number.isInteger(index) || index < 0 || index >= this.count) return null;
    const at = PATCH_TABLE_SIZE + index * SITE_SIZE;
    if (this.bytes[at + LEA_SIZE] !== MOV_EAX) return null;
    return {
      nr: this.view.getUint32(at + LEA_SIZE + 1, true),
      ret: Number(this.view.getBigUint64(at + SITE_RETURN, true)),
    };
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
    const index = this.count++;
    byAddr.set(ret, index);
    const at = PATCH_TABLE_SIZE + index * SITE_SIZE;
    const addr = SITES_ADDR + index * SITE_SIZE;
    this.bytes.set([0x4c, 0x8d, 0x1d], at); // lea r11, [rip - 7]
    this.view.setInt32(at + 3, -LEA_SIZE, true);
    let end = LEA_SIZE;
    if (nr !== ANY_NR) {
      this.bytes[at + end] = MOV_EAX;
      this.view.setUint32(at + end + 1, nr, true);
      end += 5;
    }
    this.bytes[at + end] = 0xe9; // jmp entry
    this.view.setInt32(at + end + 1, this.entry - (addr + end + 5), true);
    this.bytes.set([0x0f, 0x05, 0xff, 0x25], at + SITE_FALLBACK); // syscall; jmp [rip + n]
    this.view.setInt32(at + SITE_FALLBACK + 4, SITE_RETURN - (SITE_FALLBACK + 8), true);
    this.view.setBigUint64(at + SITE_RETURN, BigInt(ret), true);
    // The table's word last: nobody jumps through it before.
    this.view.setBigUint64(8 * index, BigInt(addr), true);
    return index;
  }
}
