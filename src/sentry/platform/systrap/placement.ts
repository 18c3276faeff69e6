// Where Sentry and guest threads run, and whether they may spin for each other. Two modes:
//
//   free   a cpu is idle besides ours: nobody is pinned; the Sentry and a thread hand over by spinning on two cpus
//   home   others want the cpus too: a spinner would wait for somebody who is not running, so nobody spins, and the
//          Sentry and the threads that call it often share one cpu, where a wake-up is a plain switch
//
// From free to home: spins that end without an event. Back: the host's idle time (second number of /proc/uptime).

import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from '../../../abi/fcntl.ts';
import {
  SYS_close,
  SYS_getcpu,
  SYS_openat,
  SYS_pread64,
  SYS_sched_getaffinity,
  SYS_sched_setaffinity,
} from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { monotonicNs } from '../../../host/clock.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { HostSlot } from './slot.ts';

const MASK_SIZE = 128;
/** How often the host's idle time is asked for while at home. */
const IDLE_LOOK_NS = 50_000_000;
/** Idle share of one cpu that makes spinning worth while. */
const IDLE_SHARE = 0.5;
/** Spins in a row, hits counted against misses, that end the free mode. */
const MISS_LIMIT = 24;
const MISS_COST = 4;
/** A run longer than this while others run too makes a thread a computing one, which may leave home. */
const LONG_RUN_NS = 1_000_000;
/** A run shorter than this counts towards coming home. */
const SHORT_RUN_NS = 50_000;
const SHORT_RUNS_TO_COME_HOME = 32;

export class Placement {
  readonly cpus: number;
  /** True in the mode `free`. */
  free: boolean;
  private readonly all = HostBuffer.alloc(MASK_SIZE);
  private readonly home = HostBuffer.alloc(MASK_SIZE);
  private readonly text = HostBuffer.alloc(128);
  private readonly uptimeFd: number;
  private misses = 0;
  private idleSec = 0;
  private idleAtNs = 0;
  private lastScanNs = 0;

  constructor() {
    const size = hostCall(SYS_sched_getaffinity, 0, MASK_SIZE, this.all.addr);
    this.cpus = size > 0 ? countBits(this.all.u8) : 1;
    this.uptimeFd = this.open('/proc/uptime');
    this.free = this.cpus > 1 && this.runnable() <= this.cpus;
    this.sampleIdle();
  }

  /** The first stub was started, with the cpus that we were started with. */
  begin(): void {
    if (!this.free) this.goHome();
  }

  /** A thread is about to enter user mode, one of `running`. */
  entering(slot: HostSlot, running: readonly { readonly slot: HostSlot | null }[]): void {
    if (slot.home === this.free) this.place(slot, !this.free);
    if (this.free || running.length <= 1) {
      slot.resumedNs = 0;
      return;
    }
    const now = monotonicNs();
    slot.resumedNs = now;
    if (now - this.lastScanNs < LONG_RUN_NS) return;
    this.lastScanNs = now;
    for (const { slot: s } of running) {
      if (s === null || !s.home || s.away) continue;
      if (s.resumedNs === 0) s.resumedNs = now;
      else if (now - s.resumedNs > LONG_RUN_NS) {
        s.away = true;
        s.shortRuns = 0;
        hostCall(SYS_sched_setaffinity, s.tid, MASK_SIZE, this.all.addr);
      }
    }
  }

  /** A thread came back from user mode. */
  left(slot: HostSlot): void {
    if (!slot.away || this.free) return;
    const run = monotonicNs() - slot.resumedNs;
    if (run >= SHORT_RUN_NS) slot.shortRuns = 0;
    else if (++slot.shortRuns >= SHORT_RUNS_TO_COME_HOME) this.place(slot, true);
  }

  /** A spin ended with an event. */
  hit(): void {
    if (this.misses > 0) this.misses--;
  }

  /** A spin ended without: the thread computes, or has no cpu. */
  miss(): void {
    this.misses += MISS_COST;
    if (this.misses < MISS_LIMIT) return;
    this.misses = 0;
    this.free = false;
    this.sampleIdle();
    this.goHome();
  }

  /** At home: looks from time to time whether the host has become idle. */
  look(): void {
    if (this.free || this.cpus < 2) return;
    const now = monotonicNs();
    if (now - this.idleAtNs < IDLE_LOOK_NS) return;
    const before = this.idleSec;
    const since = (now - this.idleAtNs) / 1e9;
    this.sampleIdle();
    if (this.idleSec - before < since * IDLE_SHARE) return;
    this.free = true;
    hostCall(SYS_sched_setaffinity, 0, MASK_SIZE, this.all.addr);
  }

  private goHome(): void {
    hostCall(SYS_getcpu, this.text.addr, 0, 0);
    const cpu = this.text.view.getUint32(0, true);
    this.home.u8.fill(0);
    this.home.u8[cpu >> 3] = 1 << (cpu & 7);
    hostCall(SYS_sched_setaffinity, 0, MASK_SIZE, this.home.addr);
  }

  private place(slot: HostSlot, home: boolean): void {
    slot.home = home;
    slot.away = false;
    slot.shortRuns = 0;
    hostCall(SYS_sched_setaffinity, slot.tid, MASK_SIZE, home ? this.home.addr : this.all.addr);
  }

  private open(name: string): number {
    this.text.putString(name);
    return hostCall(SYS_openat, AT_FDCWD, this.text.addr, O_RDONLY | O_CLOEXEC, 0);
  }

  private read(fd: number): string {
    const n = fd < 0 ? 0 : hostCall(SYS_pread64, fd, this.text.addr, 127, 0);
    return n <= 0 ? '' : String.fromCharCode(...this.text.u8.subarray(0, n));
  }

  private sampleIdle(): void {
    this.idleAtNs = monotonicNs();
    this.idleSec = Number(this.read(this.uptimeFd).split(' ')[1] ?? 0) || 0;
  }

  /** Threads that have or want a cpu at this moment, ours included: /proc/loadavg, "1.00 1.00 1.00 2/345 678". */
  private runnable(): number {
    const fd = this.open('/proc/loadavg');
    const [, n] = /(\d+)\/\d+/.exec(this.read(fd)) ?? [];
    hostCall(SYS_close, fd);
    return n === undefined ? 1 : Number(n);
  }
}

function countBits(bytes: Uint8Array): number {
  let n = 0;
  for (let b of bytes) for (; b !== 0; b >>= 1) n += b & 1;
  return n;
}
