// VdsoPages: the VDSO image and its parameter page as one mappable object, and the clock that keeps the page true.
//
//   tsc    the page holds a line through the counter, measured anew once a second while guest code runs (heartbeat.ts)
//   vdso   the page holds the address of the host's code and our zero: nothing to keep true
//   call   the page says that there is nothing to read
//
// tsc is left for good when the host no longer tells time by the counter, vdso while the host's code makes system calls
// itself. Monotonic time goes on from where it was: our zero moves when tsc is left, the other two read the same clock.

import { MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ } from '../../../abi/memory/mman.ts';
import { CLOCK_MONOTONIC } from '../../../abi/time/time.ts';
import { hostClockSec, lastNsec } from '../../../host/clock.ts';
import { cpuid } from '../../../host/cpuid.ts';
import { highestCpu } from '../../../host/cpus.ts';
import { clockSource } from '../../../host/tsc.ts';
import { KernelIo } from '../../base/io.ts';
import { log } from '../../base/log.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { PageCache } from '../../memfile/pagecache.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import { PARAM_CPU_USABLE, PARAM_HOST_USABLE, PARAM_TSC_USABLE, ParamPage } from '../../vdso/params.ts';
import { VDSO_IMAGE, VDSO_IMAGE_SIZE } from '../../vdso/vdso.image.ts';
import { type ClockChoice, type ClockWay, type HostCode, WAY_CALL, WAY_TSC, WAY_VDSO } from './clock_way.ts';
import type { Timekeeper } from './timekeeper.ts';
import { TscClock } from './tsc_clock.ts';

const FIRST_RECALIBRATION_NS = 50_000_000;
const RECALIBRATION_NS = 1_000_000_000;
/** So many system calls of the host's code within a second, and it is not asked for a while: each time twice as long. */
const FALLBACKS = 16;
const FALLBACK_SPAN_NS = 1e9;
const RETRY_NS = 10e9;
const LONGEST_RETRY_NS = 1800e9;

const TIME_FLAGS: Readonly<Record<ClockWay, number>> = {
  [WAY_TSC]: PARAM_TSC_USABLE,
  [WAY_VDSO]: PARAM_HOST_USABLE,
  [WAY_CALL]: 0,
};

export class VdsoPages {
  private readonly cache: PageCache;
  private readonly page: ParamPage;
  private readonly time: Timekeeper;
  private readonly host: HostCode | null;
  /** Where stubs have the host's clock_gettime; 0 when it is not called, or has not been needed so far. */
  private hostGettime: number;
  way: ClockWay;
  /** The host's code may be running in guests: its system calls are told apart from the guests'. */
  asksHost = false;
  private readonly clock: TscClock | null;
  /** When the line is to be measured again. */
  private dueNs = Number.POSITIVE_INFINITY;
  private fallbacks = 0;
  private fallbacksSinceNs = 0;
  private retryNs = 0;
  private retryAfterNs = RETRY_NS;
  private cpuFlag: number;

  private constructor(
    memfile: MemoryFile,
    time: Timekeeper,
    cache: PageCache,
    numCpu: number,
    choice: ClockChoice,
  ) {
    this.cache = cache;
    this.time = time;
    this.host = choice.host;
    this.hostGettime = choice.way === WAY_VDSO ? choice.host!.hostGettime() : 0;
    this.way = choice.way;
    const frame = cache.getPage(VDSO_IMAGE_SIZE / PAGE_SIZE, true);
    const at = memfile.byteOffset(frame) / 4;
    this.page = new ParamPage(memfile.i32(frame).subarray(at, at + PAGE_SIZE / 4));
    this.cpuFlag = this.way !== WAY_CALL && hostCpusAreGuests(numCpu) ? PARAM_CPU_USABLE : 0;
    this.clock = this.way === WAY_TSC ? new TscClock(time.bootNs) : null;
    if (this.clock !== null) {
      time.useTsc(this.clock);
      this.dueNs = time.monotonicNs() + FIRST_RECALIBRATION_NS;
    }
    log(`clocks: ${choice.way} (${choice.reason})`);
    this.publish();
  }

  /** Builds the image in the memory file, for guests that see `numCpu` CPUs; -ENOMEM. */
  static create(
    memfile: MemoryFile,
    time: Timekeeper,
    numCpu: number,
    choice: ClockChoice,
  ): VdsoPages | number {
    const size = VDSO_IMAGE_SIZE + PAGE_SIZE;
    const cache = new PageCache(memfile, size);
    const image = new Uint8Array(size);
    image.set(VDSO_IMAGE);
    const written = cache.write(new KernelIo(image), 0, size);
    return written < 0 ? written : new VdsoPages(memfile, time, cache, numCpu, choice);
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
    if (this.cpuFlag === 0) return;
    this.cpuFlag = 0;
    this.publish();
  }

  /** Guest code runs: measures the line when that is due. When it wants to be called again, our monotonic ns. */
  beat(nowNs: number): number {
    if (this.way !== WAY_TSC || nowNs < this.dueNs || this.leftByHost()) return this.dueNs;
    this.clock!.recalibrate(() => this.page.lock());
    this.publish();
    this.dueNs = nowNs + RECALIBRATION_NS;
    return this.dueNs;
  }

  /** No guest code runs, and nobody reads a clock, until resume(). */
  rest(): void {
    if (this.way === WAY_TSC) this.clock!.rest();
  }

  resume(): void {
    if (this.way !== WAY_TSC) return;
    this.clock!.resume();
    if (this.leftByHost()) return;
    this.publish();
    this.dueNs = this.clock!.monotonicNs() + RECALIBRATION_NS;
  }

  /** The host's code made a system call: perhaps this host has nothing that it could read in user space. */
  fellBack(): void {
    if (this.way !== WAY_VDSO) return;
    const nowNs = this.time.monotonicNs();
    if (nowNs - this.fallbacksSinceNs > FALLBACK_SPAN_NS) {
      this.fallbacksSinceNs = nowNs;
      this.fallbacks = 0;
    }
    if (++this.fallbacks < FALLBACKS) return;
    this.retryNs = nowNs + this.retryAfterNs;
    this.retryAfterNs = Math.min(2 * this.retryAfterNs, LONGEST_RETRY_NS);
    this.turn(WAY_CALL, "the host's vDSO makes system calls");
  }

  /** A guest made a system call to read a clock: perhaps it need not any more. */
  called(): void {
    if (this.way !== WAY_CALL || this.hostGettime === 0 || this.time.monotonicNs() < this.retryNs) return;
    this.turn(WAY_VDSO, 'once more');
  }

  /** The host tells time by something else now: so do we, and monotonic time goes on from the last reading. */
  private leftByHost(): boolean {
    const source = clockSource();
    if (source === '' || source === 'tsc') return false;
    // Whoever reads the line from here on reads again when we are done: so nobody has read more than we do now.
    this.page.lock();
    const sec = hostClockSec(CLOCK_MONOTONIC);
    const hostNs = BigInt(sec) * 1_000_000_000n + BigInt(lastNsec());
    const bootNs = hostNs - this.clock!.exactNs();
    this.time.useTsc(null);
    this.time.bootNs = bootNs;
    this.dueNs = Number.POSITIVE_INFINITY;
    // Looked for only now: most hosts keep to their clock source, and every start would pay for it.
    this.hostGettime = this.host?.hostGettime() ?? 0;
    this.turn(this.hostGettime !== 0 ? WAY_VDSO : WAY_CALL, `clock source ${source}`);
    return true;
  }

  private turn(way: ClockWay, why: string): void {
    log(`clocks: ${this.way} -> ${way} (${why})`);
    this.way = way;
    this.fallbacks = 0;
    this.publish();
  }

  private publish(): void {
    const { page, time } = this;
    if (this.way === WAY_VDSO) this.asksHost = true;
    page.lock();
    if (this.way === WAY_TSC) {
      // The host's counter may have run ahead, and our zero moved.
      if (this.clock!.bootNs !== time.bootNs) time.bootNs = this.clock!.bootNs;
      page.setLine(this.clock!.line);
    }
    page.setHost(this.hostGettime, time.bootSec, time.bootNsec);
    page.setFlags(TIME_FLAGS[this.way] | this.cpuFlag);
    page.publish();
  }
}

/** CPUID.80000001:EDX: rdtscp, which reads the number that Linux keeps in TSC_AUX. */
const CPUID_RDTSCP = 1 << 27;

/** Every CPU that the host may run us on has the number of one that the guest sees. */
function hostCpusAreGuests(numCpu: number): boolean {
  return highestCpu >= 0 && highestCpu < numCpu && (cpuid(0x8000_0001, 0)[3]! & CPUID_RDTSCP) !== 0;
}
