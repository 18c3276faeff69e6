// A platform without a host behind it: remembers what each stub would have mapped.

import type { AddressSpace, Context, Platform } from '../platform/platform.ts';

const PAGE = 4096;

export interface FakePage {
  frame: number;
  prot: number;
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
  unmap(addr: number, len: number): void {
    this.orders++;
    const end = (addr + len) / PAGE;
    for (const pn of this.pages.keys()) if (pn >= addr / PAGE && pn < end) this.pages.delete(pn);
  }
  protect(addr: number, len: number, prot: number): void {
    this.orders++;
    const end = (addr + len) / PAGE;
    for (const [pn, p] of this.pages) if (pn >= addr / PAGE && pn < end) p.prot = prot;
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
  readonly int80IsSyscall = false;
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
  shutdown(): void {}
}
