// PtraceAddressSpace: one stub process. Mapping orders queue here and run on one of its stopped threads.

import { MAP_FIXED, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED } from '../../../abi/memory/mman.ts';
import { SYS_mmap, SYS_mprotect, SYS_munmap } from '../../../abi/syscall.ts';
import type { DonatedFile } from '../../memfile/mappable.ts';
import { type AddressSpace, GUEST_TOP } from '../platform.ts';
import { OrderList } from '../stub/orders.ts';
import type { HostThread } from './host_thread.ts';
import { MAX_ORDERS, STUB_MEMFILE_FD } from './stub.image.ts';

/** What address spaces need of their platform. */
export interface SpaceHost {
  readonly donations: { numberOf(file: DonatedFile): number };
  runOrders(space: PtraceAddressSpace, thread: HostThread | null): void;
  releaseAddressSpace(space: PtraceAddressSpace): void;
}

export class PtraceAddressSpace implements AddressSpace {
  readonly platform: SpaceHost;
  readonly pid: number;
  /** Stopped threads that no context uses. */
  readonly idle: HostThread[];
  /** All host threads of the process, idle or not. */
  threads: number;
  readonly orders: OrderList = new OrderList(MAX_ORDERS);
  /** Set when a failed order means that the guest may see wrong memory: the process must not run again. */
  broken = 0;
  released = false;

  constructor(platform: SpaceHost, pid: number, idle: HostThread[]) {
    this.platform = platform;
    this.pid = pid;
    this.idle = idle;
    this.threads = idle.length;
  }

  map(addr: number, frame: number, pages: number, prot: number, populate = false): void {
    this.check(addr, pages * 4096);
    const flags = MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0);
    this.push(SYS_mmap, addr, pages * 4096, prot, flags, STUB_MEMFILE_FD, frame * 4096);
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
    this.push(SYS_munmap, addr, len, 0, 0, 0, 0);
  }

  protect(addr: number, len: number, prot: number): void {
    this.check(addr, len);
    this.push(SYS_mprotect, addr, len, prot, 0, 0, 0);
  }

  flush(): void {
    if (this.orders.count > 0) this.platform.runOrders(this, null);
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.platform.releaseAddressSpace(this);
  }

  private push(nr: number, a: number, b: number, c: number, d: number, e: number, f: number): void {
    // The process may be another's by now.
    if (this.released) return;
    if (this.orders.full) this.flush();
    this.orders.push(nr, a, b, c, d, e, f);
  }

  /** The stub's own pages lie above GUEST_TOP: an order that reaches them would be a kernel bug. */
  private check(addr: number, len: number): void {
    if (addr < 0 || len <= 0 || addr + len > GUEST_TOP || addr % 4096 !== 0 || len % 4096 !== 0)
      throw new Error(`mapping order out of range: ${addr.toString(16)} +${len.toString(16)}`);
  }
}
