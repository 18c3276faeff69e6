// SystrapAddressSpace: one guest address space, held by one stub process. Mapping orders queue here.

import { MAP_FIXED, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED } from '../../../abi/memory/mman.ts';
import { SYS_mmap, SYS_mprotect, SYS_munmap } from '../../../abi/syscall.ts';
import type { DonatedFile } from '../../memfile/mappable.ts';
import {
  type AddressSpace,
  GUEST_TOP,
  PATCH_TABLE_ADDR,
  PATCH_TABLE_SIZE,
  type PatchTarget,
} from '../platform.ts';
import { MEMFILE_FD } from './layout.ts';
import type { HostProcess } from './process.ts';

/** What address spaces need of their platform. */
export interface SpaceHost {
  readonly donations: { numberOf(file: DonatedFile): number };
  readonly pool: {
    recycle(process: HostProcess): void;
    takeOver(process: HostProcess, fresh: HostProcess): boolean;
  };
  runOrders(process: HostProcess): number;
}

export class SystrapAddressSpace implements AddressSpace {
  readonly platform: SpaceHost;
  process: HostProcess;
  released = false;

  constructor(platform: SpaceHost, process: HostProcess) {
    this.platform = platform;
    this.process = process;
  }

  /** Lets system call instructions be rewritten, or takes the table out; see PatchTarget. */
  set patchTarget(target: PatchTarget | null) {
    this.process.patchTarget = target;
    if (target !== null || !this.process.hasTable) return;
    this.process.hasTable = false;
    this.push(SYS_munmap, PATCH_TABLE_ADDR, PATCH_TABLE_SIZE, 0, 0, 0, 0);
  }

  map(addr: number, frame: number, pages: number, prot: number, populate = false): void {
    this.check(addr, pages * 4096);
    const flags = MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0);
    this.push(SYS_mmap, addr, pages * 4096, prot, flags, MEMFILE_FD, frame * 4096);
  }

  mapFile(addr: number, file: DonatedFile, index: number, pages: number, prot: number): boolean {
    this.check(addr, pages * 4096);
    const fd = this.platform.donations.numberOf(file);
    if (fd < 0) return false;
    this.push(SYS_mmap, addr, pages * 4096, prot, MAP_PRIVATE | MAP_FIXED, fd, index * 4096);
    return true;
  }

  unmap(addr: number, len: number): void {
    this.check(addr, len);
    if (!this.process.hasTable) {
      this.push(SYS_munmap, addr, len, 0, 0, 0, 0);
      return;
    }
    // The jump table lies in the guest's range and stays.
    const below = Math.min(addr + len, PATCH_TABLE_ADDR) - addr;
    const after = Math.max(addr, PATCH_TABLE_ADDR + PATCH_TABLE_SIZE);
    if (below > 0) this.push(SYS_munmap, addr, below, 0, 0, 0, 0);
    if (after < addr + len) this.push(SYS_munmap, after, addr + len - after, 0, 0, 0, 0);
  }

  protect(addr: number, len: number, prot: number): void {
    this.check(addr, len);
    this.push(SYS_mprotect, addr, len, prot, 0, 0, 0);
  }

  flush(): void {
    if (!this.released && this.process.orders.count > 0) this.platform.runOrders(this.process);
  }

  succeed(old: AddressSpace): boolean {
    const from = old as SystrapAddressSpace;
    if (from.released || !this.platform.pool.takeOver(from.process, this.process)) return false;
    this.process = from.process;
    from.released = true;
    return true;
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.platform.pool.recycle(this.process);
  }

  private push(nr: number, a: number, b: number, c: number, d: number, e: number, f: number): void {
    // The process may be another's by now.
    if (this.released) return;
    if (this.process.orders.full) this.flush();
    this.process.orders.push(nr, a, b, c, d, e, f);
  }

  /** The stub's own pages lie above GUEST_TOP: an order that reaches them would be a kernel bug. */
  private check(addr: number, len: number): void {
    if (addr < 0 || len <= 0 || addr + len > GUEST_TOP || addr % 4096 !== 0 || len % 4096 !== 0)
      throw new Error(`mapping order out of range: ${addr.toString(16)} +${len.toString(16)}`);
  }
}
