// MemoryGuard: what happens when memory is short, as Linux's out-of-memory killer does: who holds most is killed, and it is
// said who that was.
//
// Guest memory is short when its last pages are touched (memfile/frames.ts). The kernel's own memory is JavaScript objects,
// which V8 does not let grow without end: it would end the kernel. What guests can make it keep is counted and refused
// (base/charge.ts, docs/limits.md); for what is left the loop looks at the heap now and then.

import { SIGKILL } from '../../abi/signal/signal.ts';
import { collectHeap, heapLimit, heapUsed } from '../../host/heap.ts';
import { type Account, fileMemory, kernelMemory } from '../base/charge.ts';
import { log } from '../base/log.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { LEAF_BYTES } from '../mm/pagetable.ts';
import { FILE_BYTES } from '../vfs/file.ts';
import type { Kernel } from './kernel.ts';
import { TASK_BYTES } from './task/task.ts';
import type { ThreadGroup } from './task/threadgroup.ts';

const MIB = 2 ** 20;
/** Least budget: what ordinary programs need, whatever memory the guest is given. */
const MIN_BUDGET = 256 * MIB;
/** Most of V8's limit that is used: a collection needs room, and time. */
const HEAP_SHARE = 0.5;
/** What guests may have counted, of that budget and of their memory: estimates may be wrong. */
const COUNTED_SHARE = 0.75;
const MEMORY_SHARE = 3 / 8;
/** What files may have of guest memory: with the kernel's part, less than all of it, or killing would not help. */
const FILES_SHARE = 1 / 2;
/** Looks that find a killed process still there before the next one is chosen. */
const PATIENCE = 4;
/** Processes that are killed before the sandbox is given up: what they held is not theirs alone. */
const MAX_KILLS = 8;
/** Nobody is killed for less, as long as others only might need it. */
const LEAST_GAIN = 4 * MIB;
/** Never killed for memory: OOM_SCORE_ADJ_MIN. */
const SPARED = -1000;

/** What guests may have counted. V8, which takes time to be asked, may lower it later on. */
export function setLimits(totalMemBytes: number): void {
  const budget = Math.max(MIN_BUDGET, totalMemBytes / 2);
  kernelMemory.limit = Math.min(budget * COUNTED_SHARE, totalMemBytes * MEMORY_SHARE);
  fileMemory.limit = totalMemBytes * FILES_SHARE;
}

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
    kernelMemory.limit = Math.min(kernelMemory.limit, this.budget * COUNTED_SHARE);
  }

  /** Called every few hundred events: about a microsecond unless memory is short. */
  look(): void {
    if (heapUsed() < this.nextLook) return;
    collectHeap();
    const alive = heapUsed();
    // Collections are rare: each time, at least a sixteenth of the budget has been allocated.
    this.nextLook = Math.max(this.budget, alive + this.budget / 16);
    if (alive < this.budget) {
      this.kills = 0;
      return;
    }
    this.nextLook = alive;
    this.relieve(alive);
  }

  private relieve(alive: number): void {
    if (this.dying && ++this.waited < PATIENCE) return;
    const init = this.kernel.initGroup;
    const victim = this.kills < MAX_KILLS ? this.largest(null) : init;
    if (victim === null) return;
    this.kills++;
    this.kill(victim, `the kernel keeps ${mib(alive)} of ${mib(this.budget)} for the sandbox`);
  }

  /** Who was chosen last has yet to die. */
  private get dying(): boolean {
    return this.victim !== null && !this.victim.dead;
  }

  /** The last pages of guest memory were touched: makes room, unless somebody is about to. */
  pagesShort(): void {
    if (this.dying || !this.kernel.memfile.tight) return;
    const victim = this.largest(null);
    // The only process may use what there is.
    if (victim === null || (victim === this.kernel.initGroup && this.isAlone(victim))) return;
    if (holds(victim) < LEAST_GAIN) return;
    this.kill(victim, `${mib(this.kernel.totalMemBytes)} of memory are used up`);
  }

  /**
   * A page that `g` has touched cannot be had: true when another process dies for it, and the access may be tried again.
   * Otherwise `g` has to go.
   */
  pageRefused(g: ThreadGroup, payer: Account): boolean {
    if (this.dying) return this.victim !== g;
    // Without memory for its tables it is its user who holds too much, else everybody is asked.
    const ownFault = !kernelMemory.fits(LEAF_BYTES - kernelMemory.slack, payer);
    const victim = this.largest(ownFault ? payer : null) ?? g;
    const why = ownFault ? 'its user makes the kernel keep too much' : 'all memory is used up';
    this.kill(victim, why);
    return victim !== g;
  }

  private isAlone(g: ThreadGroup): boolean {
    return this.kernel.liveTasks === g.live;
  }

  private kill(victim: ThreadGroup, why: string): void {
    const t = victim.anyThread();
    const who = t === null ? '' : ` (${t.name}, user ${t.cred.uid})`;
    const text = `out of memory: ${why}: killing process ${victim.tgid}${who}, which holds ${mib(holds(victim))}`;
    this.victim = victim;
    this.waited = 0;
    this.kernel.oomKills++;
    log(text);
    this.kernel.onOutOfMemory(text, victim);
    this.kernel.signals.beginGroupExit(victim, SIGKILL);
  }

  /** The process that holds most, of those that `payer` pays for when given; init only when there is no other. */
  private largest(payer: Account | null): ThreadGroup | null {
    const init = this.kernel.initGroup;
    let best: ThreadGroup | null = null;
    let most = -1;
    for (const g of this.kernel.pids.groups()) {
      if (g.dead || g.exiting || g === init || g.oomScoreAdj === SPARED) continue;
      if (payer !== null && g.anyThread()?.user !== payer) continue;
      const n = holds(g);
      if (n > most) {
        most = n;
        best = g;
      }
    }
    // Init, when it alone holds more than all that could be killed in its place together with it.
    if (best === null) return payer === null || init?.anyThread()?.user === payer ? init : null;
    return init !== null && payer === null && !init.exiting && holds(init) > most * INIT_WEIGHT ? init : best;
  }
}

/** How much more than the largest of the others init has to hold before it goes, and everything with it. */
const INIT_WEIGHT = 8;

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

/** Bytes that would be free without the process: its memory, and objects of the kernel. */
function holds(g: ThreadGroup): number {
  const t = g.anyThread();
  if (t === null) return 0;
  const { mm } = t;
  let files = 0;
  let pages = mm.pt.anonPages + mm.pt.filePages;
  // Files without a name last as long as they are open.
  for (let fd = 0; fd < t.fds.length; fd++) {
    const inode = t.fds.get(fd)?.inode;
    if (inode === undefined) continue;
    files++;
    if (inode.nlink === 0 && inode.pages !== null) pages += inode.pages.pages;
  }
  return pages * PAGE_SIZE + mm.copyBytes + t.fds.bytes + files * FILE_BYTES + g.threads.size * TASK_BYTES;
}
