// Co-scheduling. A wake-up that crosses cpus costs ten times one that does not, so the Sentry and the guest threads that
// call it often share one cpu (their home). A thread that computes while others want the Sentry is let off to any cpu;
// it comes home when it turns out to make many calls after all.

import { SYS_getcpu, SYS_sched_getaffinity, SYS_sched_setaffinity } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { monotonicNs } from '../../../host/clock.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { HostThread } from './host_thread.ts';

const MASK_SIZE = 128;
/** A run longer than this while others run too makes a thread a computing one. */
const LONG_RUN_NS = 1_000_000;
/** A run shorter than this counts towards coming home. */
const SHORT_RUN_NS = 50_000;
const SHORT_RUNS_TO_COME_HOME = 32;

export class Affinity {
  private readonly all = HostBuffer.alloc(MASK_SIZE);
  private readonly home = HostBuffer.alloc(MASK_SIZE);
  private readonly allSize: number;
  private readonly enabled: boolean;
  private readonly running = new Set<HostThread>();
  private lastScanNs = 0;

  constructor() {
    this.allSize = hostCall(SYS_sched_getaffinity, 0, MASK_SIZE, this.all.addr);
    const cpu = HostBuffer.alloc(16);
    hostCall(SYS_getcpu, cpu.addr, 0, 0);
    const n = cpu.view.getUint32(0, true);
    this.enabled = this.allSize > 0 && n < MASK_SIZE * 8;
    if (!this.enabled) return;
    this.home.u8[n >> 3] = 1 << (n & 7);
    // The Sentry's own thread; children that it spawns inherit the mask.
    hostCall(SYS_sched_setaffinity, 0, MASK_SIZE, this.home.addr);
  }

  /** Several guest threads are in user mode: events are likely to be waiting already. */
  get busy(): boolean {
    return this.running.size > 1;
  }

  /** `thread` is about to enter user mode. */
  entering(thread: HostThread): void {
    this.running.add(thread);
    if (this.running.size === 1 && thread.home) {
      thread.resumedNs = 0;
      return;
    }
    const now = monotonicNs();
    thread.resumedNs = now;
    if (this.enabled && now - this.lastScanNs > LONG_RUN_NS) this.scan(now);
  }

  /** `thread` came back from user mode. */
  left(thread: HostThread): void {
    this.running.delete(thread);
    if (thread.home || !this.enabled) return;
    const run = monotonicNs() - thread.resumedNs;
    if (run >= SHORT_RUN_NS) {
      thread.shortRuns = 0;
    } else if (++thread.shortRuns >= SHORT_RUNS_TO_COME_HOME) {
      thread.home = true;
      thread.shortRuns = 0;
      hostCall(SYS_sched_setaffinity, thread.tid, MASK_SIZE, this.home.addr);
    }
  }

  /** Lets threads that have computed for long off the home cpu. */
  private scan(now: number): void {
    this.lastScanNs = now;
    for (const t of this.running) {
      if (!t.home) continue;
      if (t.resumedNs === 0) t.resumedNs = now;
      else if (now - t.resumedNs > LONG_RUN_NS) {
        t.home = false;
        t.shortRuns = 0;
        hostCall(SYS_sched_setaffinity, t.tid, MASK_SIZE, this.all.addr);
      }
    }
  }
}
