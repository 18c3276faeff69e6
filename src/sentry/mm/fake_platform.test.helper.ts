// A platform without a host behind it: remembers what each stub would have mapped.

import type { DonatedFile } from '../memfile/mappable.ts';
import type { AddressSpace, Context, Platform } from '../platform/platform.ts';

const PAGE = 4096;

export interface FakePage {
  /** Of the memory file; for pages of a host file -1 - index. */
  frame: number;
  prot: number;
  file?: DonatedFile;
}

export class FakeAddressSpace implements AddressSpace {
  /** Page number -> what the stub has there. */
  readonly pages: Map<number, FakePage> = new Map();
  orders = 0;
  released = false;

  map(addr: number, frame: number, pages: number, prot: number): void {
    this.orders++;
    for (let i = 0; i < pages; i++) this.pages.set(addr / PAGE + i, { frame: frame + i, prot });
  }
  mapFile(addr: number, file: DonatedFile, index: number, pages: number, prot: number): boolean {
    if (file.hostFd() < 0) return false;
    this.orders++;
    for (let i = 0; i < pages; i++) this.pages.set(addr / PAGE + i, { frame: -1 - index - i, prot, file });
    return true;
  }
  unmap(addr: number, len: number): void {
    this.orders++;
    const end = (addr + len) / PAGE;
    if (len / PAGE < this.pages.size) for (let pn = addr / PAGE; pn < end; pn++) this.pages.delete(pn);
    else for (const pn of this.pages.keys()) if (pn >= addr / PAGE && pn < end) this.pages.delete(pn);
  }
  protect(addr: number, len: number, prot: number): void {
    this.orders++;
    const end = (addr + len) / PAGE;
    for (let pn = addr / PAGE; pn < end; pn++) {
      const p = this.pages.get(pn);
      // As the host's mprotect, which stops at a hole.
      if (p === undefined) throw new Error('protect over a hole');
      p.prot = prot;
    }
  }
  /** How many mappings a host would need for what is there. */
  hostMappings(): number {
    let n = 0;
    for (const [pn, p] of this.pages) {
      const before = this.pages.get(pn - 1);
      if (before === undefined || before.frame + 1 !== p.frame || before.prot !== p.prot) n++;
    }
    return n;
  }
  flush(): void {}
  release(): void {
    this.released = true;
    this.pages.clear();
  }
}

export class FakePlatform implements Platform {
  readonly name = 'fake';
  readonly xstateSize = 512;
  readonly xcr0Lo = 3;
  readonly patchesCalls = false;
  mapsFiles = true;
  hostGettime(): number {
    return 0;
  }
  readonly int80IsSyscall = false;
  readonly fsgsbase = true;
  readonly accessOf = null;
  newAddressSpace(): AddressSpace {
    return new FakeAddressSpace();
  }
  newContext(): Context {
    throw new Error('no contexts');
  }
  wait(): null {
    return null;
  }
  pids(): number[] {
    return [];
  }

  stats(): Record<string, number> {
    return {};
  }

  trim(): void {}
  shutdown(): void {}
}
