// VdsoPages: the VDSO image and its parameter page as one mappable object, and the clock that keeps the page true.

import { MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ } from '../../abi/mman.ts';
import { cpuid } from '../../host/cpuid.ts';
import { highestCpu } from '../../host/cpus.ts';
import { tscUsable } from '../../host/tsc.ts';
import { KernelIo } from '../base/io.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { Timer, type TimerTarget } from '../base/time.ts';
import type { MemoryFile } from '../memfile/memfile.ts';
import { PageCache } from '../memfile/pagecache.ts';
import type { MemoryManager } from '../mm/mm.ts';
import { PARAM_CPU_USABLE, PARAM_TSC_USABLE, writeParams } from '../vdso/params.ts';
import { VDSO_IMAGE, VDSO_IMAGE_SIZE } from '../vdso/vdso.image.ts';
import type { Timekeeper } from './timekeeper.ts';
import { TscClock } from './tsc_clock.ts';

const FIRST_RECALIBRATION_NS = 50_000_000;
const RECALIBRATION_NS = 1_000_000_000;

export class VdsoPages implements TimerTarget {
  private readonly cache: PageCache;
  private readonly params: Int32Array;
  private readonly time: Timekeeper;
  /** Null when the host's time-stamp counter cannot be trusted: the VDSO then makes system calls. */
  private readonly clock: TscClock | null;
  private readonly timer: Timer;

  private constructor(memfile: MemoryFile, time: Timekeeper, cache: PageCache, numCpu: number) {
    this.cache = cache;
    this.time = time;
    this.timer = new Timer(this);
    const frame = cache.getPage(VDSO_IMAGE_SIZE / PAGE_SIZE, true);
    const at = memfile.byteOffset(frame) / 4;
    this.params = memfile.i32(frame).subarray(at, at + PAGE_SIZE / 4);
    const flags = PARAM_TSC_USABLE | (hostCpusAreGuests(numCpu) ? PARAM_CPU_USABLE : 0);
    this.clock = tscUsable() ? new TscClock(time.bootHostNs, flags) : null;
    if (this.clock === null) return;
    time.useTsc(this.clock);
    writeParams(this.params, this.clock.params);
    time.arm(this.timer, time.monotonicNs() + FIRST_RECALIBRATION_NS);
  }

  /** Builds the image in the memory file, for guests that see `numCpu` CPUs; -ENOMEM. */
  static create(memfile: MemoryFile, time: Timekeeper, numCpu: number): VdsoPages | number {
    const size = VDSO_IMAGE_SIZE + PAGE_SIZE;
    const cache = new PageCache(memfile, size);
    const image = new Uint8Array(size);
    image.set(VDSO_IMAGE);
    const written = cache.write(new KernelIo(image), 0, size);
    return written < 0 ? written : new VdsoPages(memfile, time, cache, numCpu);
  }

  /** Maps both into a new address space; the address of the image (AT_SYSINFO_EHDR), or -errno. */
  map(mm: MemoryManager): number {
    // Reserve room for both, then put the image and the page into it: the image finds the page by its distance.
    const at = mm.mmap(
      0,
      VDSO_IMAGE_SIZE + PAGE_SIZE,
      PROT_READ,
      MAP_SHARED,
      null,
      this.cache,
      0,
      '[vvar]',
      PROT_READ,
    );
    if (at < 0) return at;
    const prot = PROT_READ | PROT_EXEC;
    return mm.mmap(at, VDSO_IMAGE_SIZE, prot, MAP_PRIVATE | MAP_FIXED, null, this.cache, 0, '[vdso]');
  }

  /** A thread shall run on certain CPUs only: which one it is on, the kernel says from now on. */
  cpusChosen(): void {
    const { clock } = this;
    if (clock === null || (clock.params.flags & PARAM_CPU_USABLE) === 0) return;
    clock.params.flags &= ~PARAM_CPU_USABLE;
    writeParams(this.params, clock.params);
  }

  onTimer(timer: Timer, nowNs: number): void {
    this.clock!.recalibrate();
    this.time.realtimeSec();
    writeParams(this.params, this.clock!.params);
    this.time.arm(timer, nowNs + RECALIBRATION_NS);
  }
}

/** CPUID.80000001:EDX: rdtscp, which reads the number that Linux keeps in TSC_AUX. */
const CPUID_RDTSCP = 1 << 27;

/** Every CPU that the host may run us on has the number of one that the guest sees. */
function hostCpusAreGuests(numCpu: number): boolean {
  return highestCpu >= 0 && highestCpu < numCpu && (cpuid(0x8000_0001, 0)[3]! & CPUID_RDTSCP) !== 0;
}
