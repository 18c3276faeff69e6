// SlotBases: what fs and gs of a guest thread are, as its slot tells the stub and is told by it (bases.ts has the stub's
// half). Where the stub reads the bases it reports them with every event; where it cannot, they are what it was told last,
// or 0, as in every new thread and after a selector was loaded.
//
// With patched calls gs holds the slot while the guest's own base of gs is 0.

import { FS_BASE, GS_BASE } from '../regs.ts';
import type { Bases } from './bases.ts';
import { H_FS_BASE, H_GS_BASE, H_SELECTORS, H_SELF, H_SET, SELF_AT, SET_FS, SET_GS } from './layout.ts';

const TWO32 = 0x1_0000_0000;

/** A selector in fs or gs that is not null: one of the host's descriptors, as guests can make none. */
function isLoaded(selector: number): boolean {
  return (selector & 0xfffc) !== 0;
}

export class SlotBases {
  /** The slot's words, and its first one. */
  private readonly words: Int32Array;
  private readonly at: number;
  /** The stub cannot read the bases. */
  private readonly known: boolean;
  /** The Sentry keeps gs for patched calls. */
  private readonly usesGs: boolean;
  /** Halves of what gs is then: the slot's address, or by what gs:SELF_AT is its H_SELF. */
  private readonly ownLow: number;
  private readonly ownHigh: number;
  /** Known: what the thread has, in halves. */
  private fsNow = 0;
  private fsNowHigh = 0;
  private gsNow = 0;
  private gsNowHigh = 0;
  /** Known: the thread may not have carried out the last change. */
  private unsure = false;
  /** Read: gs is 0 by a selector that the guest has loaded, which stays as it is. */
  private gsIsLoaded = false;

  /** `addr` is the slot's address in the stub. */
  constructor(words: Int32Array, at: number, addr: number, bases: Bases, usesGs: boolean) {
    this.words = words;
    this.at = at;
    this.known = bases === 'known';
    this.usesGs = usesGs;
    const own = this.known ? addr + H_SELF - SELF_AT : addr;
    this.ownLow = own | 0;
    this.ownHigh = Math.floor(own / TWO32);
  }

  /** Another guest thread has the slot. */
  reset(): void {
    this.gsIsLoaded = false;
  }

  /** Nobody knows what bases the thread has: it did not get to setting them, or the guest had the stub do something. */
  doubt(): void {
    this.unsure = true;
  }

  /** The thread goes on without new registers: what was set last has been, and guest code may have changed it since. */
  keep(): void {
    this.words[this.at + H_SET / 4] = 0;
  }

  /** Copies the bases into `r`; where they are known, what is there still holds, but for selectors that were loaded. */
  load(r: Int32Array): void {
    if (this.known) this.loadSelectors(r);
    else this.loadReported(r);
  }

  private loadReported(r: Int32Array): void {
    const m = this.words;
    const h = this.at;
    r[2 * FS_BASE] = m[h + H_FS_BASE / 4]!;
    r[2 * FS_BASE + 1] = m[h + H_FS_BASE / 4 + 1]!;
    const low = m[h + H_GS_BASE / 4]!;
    const high = m[h + H_GS_BASE / 4 + 1]!;
    const own = this.usesGs && low === this.ownLow && high === this.ownHigh;
    this.gsIsLoaded = low === 0 && high === 0;
    r[2 * GS_BASE] = own ? 0 : low;
    r[2 * GS_BASE + 1] = own ? 0 : high;
  }

  /** The base of every descriptor is 0. */
  private loadSelectors(r: Int32Array): void {
    const m = this.words;
    const w = this.at + H_SELECTORS / 4;
    if (isLoaded(m[w]!)) r[2 * FS_BASE] = r[2 * FS_BASE + 1] = this.fsNow = this.fsNowHigh = 0;
    if (isLoaded(m[w + 1]!)) r[2 * GS_BASE] = r[2 * GS_BASE + 1] = this.gsNow = this.gsNowHigh = 0;
  }

  /** Has the thread go on with the bases in `r`. */
  store(r: Int32Array): void {
    if (this.known) {
      this.storeChanged(r);
      return;
    }
    const m = this.words;
    const h = this.at;
    m[h + H_FS_BASE / 4] = r[2 * FS_BASE]!;
    m[h + H_FS_BASE / 4 + 1] = r[2 * FS_BASE + 1]!;
    const own = this.usesGs && !this.gsIsLoaded && r[2 * GS_BASE] === 0 && r[2 * GS_BASE + 1] === 0;
    m[h + H_GS_BASE / 4] = own ? this.ownLow : r[2 * GS_BASE]!;
    m[h + H_GS_BASE / 4 + 1] = own ? this.ownHigh : r[2 * GS_BASE + 1]!;
  }

  /** Tells the stub which bases to set. A selector that the guest has loaded stays: its base is 0, and calls trap. */
  private storeChanged(r: Int32Array): void {
    const m = this.words;
    const h = this.at;
    const fs = r[2 * FS_BASE]!;
    const fsHigh = r[2 * FS_BASE + 1]!;
    let gs = r[2 * GS_BASE]!;
    let gsHigh = r[2 * GS_BASE + 1]!;
    if (this.usesGs && gs === 0 && gsHigh === 0 && !isLoaded(m[h + H_SELECTORS / 4 + 1]!)) {
      gs = this.ownLow;
      gsHigh = this.ownHigh;
    }
    let set = 0;
    // To set a base puts the null selector there.
    const fsStays = isLoaded(m[h + H_SELECTORS / 4]!) && fs === 0 && fsHigh === 0;
    const gsStays = isLoaded(m[h + H_SELECTORS / 4 + 1]!) && gs === 0 && gsHigh === 0;
    if (!fsStays && (this.unsure || fs !== this.fsNow || fsHigh !== this.fsNowHigh)) set = SET_FS;
    if (!gsStays && (this.unsure || gs !== this.gsNow || gsHigh !== this.gsNowHigh)) set |= SET_GS;
    this.unsure = false;
    m[h + H_SET / 4] = set;
    if (set === 0) return;
    m[h + H_FS_BASE / 4] = this.fsNow = fs;
    m[h + H_FS_BASE / 4 + 1] = this.fsNowHigh = fsHigh;
    m[h + H_GS_BASE / 4] = this.gsNow = gs;
    m[h + H_GS_BASE / 4 + 1] = this.gsNowHigh = gsHigh;
  }
}
