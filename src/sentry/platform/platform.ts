// The platform: runs guest instructions natively and hands control back at every system call, fault and kick.
// Three implementations: ptrace/ (portable reference), systrap/, kvm/. The kernel knows only this file.

import type { DonatedFile } from '../memfile/mappable.ts';
import type { Regs } from './regs.ts';

/** Why a context came back. */
export const EV_SYSCALL = 1;
/** A memory access that the guest's mappings do not allow: faultAddr, faultAccess, sig, sigCode are set. */
export const EV_FAULT = 2;
/** A synchronous trap of the guest's own making: SIGFPE, SIGILL, SIGTRAP, ... in sig, sigCode, faultAddr. */
export const EV_TRAP = 3;
/** The kernel asked for it with interrupt(). */
export const EV_KICK = 4;
/** The host thread died (killed from outside): the guest process is gone. */
export const EV_DEAD = 5;

/** What a fault tried, as far as the host tells. */
export const ACCESS_READ = 1;
export const ACCESS_WRITE = 2;
export const ACCESS_EXEC = 4;

/** A guest address space as the host holds it: one stub process. Guest-visible VMAs live in mm. */
export interface AddressSpace {
  /**
   * Maps `pages` consecutive frames of the memory file at `addr` (replacing what is there) with PROT_* `prot`.
   * Orders are queued; they take effect before any context of this address space next enters user mode. With `populate`
   * the host enters all pages at once: they will all be touched.
   */
  map(addr: number, frame: number, pages: number, prot: number, populate?: boolean): void;
  /**
   * Maps `pages` pages of a host file from page `index` on, privately and without the right to write. False, and nothing
   * is queued, when the stub cannot have the file.
   */
  mapFile(addr: number, file: DonatedFile, index: number, pages: number, prot: number): boolean;
  /** Removes whatever is mapped in the range. With `now`, running threads lose it before the call returns. */
  unmap(addr: number, len: number): void;
  /** Changes protection of a range that is mapped throughout: hosts stop at the first hole. */
  protect(addr: number, len: number, prot: number): void;
  /**
   * Makes queued orders effective for threads that run right now. Called before a frame that was unmapped or
   * write-protected is reused or relied upon: when it returns, all orders are done, or no thread of the address space
   * runs any more.
   */
  flush(): void;
  /**
   * For platforms that rewrite system call instructions: mm sets it when the address space is new. Null when it needs the
   * range of the jump table, and no text is patched any more: the table goes.
   */
  patchTarget?: PatchTarget | null;
  /**
   * execve(2): the program in this space, which has never run, takes the place of the one in `old`, which has one thread,
   * stopped, and no fewer rights. True when it goes on in the host process of `old`, where nothing is mapped any more:
   * then the thread's context is as after detach(), and `old` as after release(). False when nothing was done.
   */
  succeed?(old: AddressSpace): boolean;
  /** Ends the stub process. Contexts were released before. */
  release(): void;
}

/** One guest thread's registers and the host thread that runs them. One per task. */
export interface Context {
  readonly regs: Regs;
  /** Free for the kernel: the task. */
  owner: unknown;
  event: number;
  sig: number;
  sigCode: number;
  faultAddr: number;
  faultAccess: number;
  /**
   * Takes the host thread that runs in `as` will need, so that resume() does not fail for want of one; 0 or -EAGAIN.
   * The kernel asks for new threads; without it resume() takes one itself.
   */
  prepare(as: AddressSpace): number;
  /** Enters user mode in `as` with regs; the next event comes from Platform.wait(). */
  resume(as: AddressSpace): void;
  /** Makes a running context come back with EV_KICK (or whatever event comes first). Harmless when it is not running. */
  interrupt(): void;
  /** True between resume() and its event. */
  readonly running: boolean;
  /** Copies the extended state (XSAVE layout, platform.xstateSize bytes) out of the stopped context. */
  getXstate(to: Uint8Array): void;
  /** Sets the extended state of the stopped context; the kernel has validated the header. */
  setXstate(from: Uint8Array): void;
  /** Host thread id, for affinity and accounting; 0 when none yet. */
  readonly hostTid: number;
  /** User and system CPU time of the guest in ns, as far as the platform can tell. */
  cpuTimeNs(): number;
  /** Leaves the address space that it last ran in, before exec releases that one. Its extended state is lost. */
  detach(): void;
  release(): void;
}

/** Guest addresses are below this; the stub lives above. */
export const GUEST_TOP = 0x7fff_f000_0000;

/**
 * Where a platform that rewrites system call instructions keeps its jump table: just below the shadow memory of address
 * sanitizers (0x7fff8000). Address spaces of such a platform have it mapped read-only from the start; mm keeps the range
 * free of anything else, or gives the table up.
 */
export const PATCH_TABLE_ADDR = 0x7ffe_0000;
export const PATCH_TABLE_SIZE = 0x1_0000;

/** What a platform needs of mm in order to rewrite system call instructions. See mm/patches.ts. */
export interface PatchTarget {
  /** Fills `to` with guest bytes at `addr`; false when not all of them are there. */
  readText(addr: number, to: Uint8Array): boolean;
  /**
   * Puts `bytes` at `addr` into a private copy of the page that only execution sees (reads by other means, core dumps
   * and the file itself keep the original), replacing the page at once for all threads. False when that cannot be.
   */
  patchText(addr: number, bytes: Uint8Array): boolean;
  /** Where page 0 of the file that is mapped at `addr` is mapped, at most some mappings below; -1 when it is not. */
  imageStart(addr: number): number;
}

export interface Platform {
  readonly name: string;
  /** Bytes of the extended state that getXstate moves, and the XCR0 mask it is laid out by. */
  readonly xstateSize: number;
  readonly xcr0Lo: number;
  /** System call instructions are rewritten: the range of the jump table is taken. */
  readonly patchesCalls: boolean;
  /** True when int 0x80 arrives as EV_SYSCALL too: the kernel then looks at the instruction. */
  readonly int80IsSyscall: boolean;
  /** Programs may use rdfsbase and its like: the host offers them, and the platform can follow. */
  readonly fsgsbase: boolean;
  /** What the instruction `code` tried; null when faultAccess is exact already. See ptrace/access.ts. */
  readonly accessOf: ((code: Uint8Array, length: number, atDestination: boolean) => number) | null;
  /** Address of the host's own __vdso_clock_gettime in every address space; 0 when they do not have it. */
  hostGettime(): number;
  /** AddressSpace.mapFile() may succeed. */
  readonly mapsFiles: boolean;
  newAddressSpace(): AddressSpace | number;
  newContext(): Context;
  /**
   * Waits for the next event: a context that came back, or null when host events are ready (the kernel then polls its
   * HostPoller) . With `block` false it only looks.
   */
  wait(block: boolean): Context | null;
  /** The sandbox is quiet: what is kept ready for new processes is given back, but for a little. */
  trim(): void;
  /** What it counted since its start, by name: for reports. */
  stats(): Record<string, number>;
  /** Its host processes, for tests and reports. */
  pids(): number[];
  shutdown(): void;
}
