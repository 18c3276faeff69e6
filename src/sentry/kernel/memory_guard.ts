// MemoryGuard: a bound on the kernel's own memory. Descriptors, mappings, inodes, queues and tasks are objects of this
// process's heap, which V8 does not let grow without end: it would end the kernel. Each kind has its limits, but not
// their sum. So the loop looks at the heap now and then; when it is too large even after a collection, the process
// that seems to hold most is killed, as Linux's out-of-memory killer does, and at last the sandbox.

import { SIGKILL } from '../../abi/signal.ts';
import { collectHeap, heapLimit, heapUsed } from '../../host/heap.ts';
import { log } from '../base/log.ts';
import type { Kernel } from './kernel.ts';
import type { ThreadGroup } from './threadgroup.ts';

const MIB = 2 ** 20;
/** Least budget: what ordinary programs need, whatever memory the guest is given. */
const MIN_BUDGET = 256 * MIB;
/** Most of V8's limit that is used: a collection needs room, and time. */
const HEAP_SHARE = 0.5;
/** Looks that find a killed process still there before the next one is chosen. */
const PATIENCE = 4;
/** Processes that are killed before the sandbox is given up: what they held is not theirs alone. */
const MAX_KILLS = 8;

export class MemoryGuard {
  private readonly kernel: Kernel;
  /** Bytes that may be alive. */
  readonly budget: number;
  /** Bytes in use at which to look closer. */
  private nextLook: number;
  private victim: ThreadGroup | null = null;
  private waited = 0;
  private kills = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.budget = Math.min(Math.max(MIN_BUDGET, kernel.totalMemBytes / 2), heapLimit() * HEAP_SHARE);
    this.nextLook = this.budget;
  }

  /** Called every few hundred events: about a microsecond unless memory is short. */
  look(): void {
    if (heapUsed() < this.nextLook) return;
    collectHeap();
    const alive = heapUsed();
    // Collections are rare: each time, at least a sixteenth of the budget has been allocated.
    this.nextLook = Math.max(this.budget, alive + this.budget / 16);
    if (alive < this.budget) {
      this.victim = null;
      this.kills = 0;
      return;
    }
    this.nextLook = alive;
    this.relieve(alive);
  }

  private relieve(alive: number): void {
    if (this.victim !== null && !this.victim.dead && ++this.waited < PATIENCE) return;
    const k = this.kernel;
    const init = k.initGroup;
    const victim = this.kills < MAX_KILLS ? this.largest() : init;
    if (victim === null) return;
    this.victim = victim;
    this.waited = 0;
    this.kills++;
    const text = `${Math.round(alive / MIB)} MiB of ${Math.round(this.budget / MIB)} MiB`;
    log(`out of kernel memory (${text}): killing process ${victim.tgid}`);
    k.signals.beginGroupExit(victim, SIGKILL);
  }

  /** The process that seems to hold most of the kernel's objects; init only when it is alone. */
  private largest(): ThreadGroup | null {
    const init = this.kernel.initGroup;
    let best: ThreadGroup | null = null;
    let most = -1;
    for (const g of this.kernel.pids.groups()) {
      if (g.dead || g.exiting || g === init) continue;
      const n = weight(g);
      if (n > most) {
        most = n;
        best = g;
      }
    }
    return best ?? init;
  }
}

/** A rough count of kernel objects. */
function weight(g: ThreadGroup): number {
  const t = g.anyThread();
  if (t === null) return 0;
  return t.fds.length + t.mm.vmas.length + 8 * (g.threads.size + g.children.size) + g.posixTimers.size;
}
