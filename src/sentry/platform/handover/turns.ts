// Turns: which contexts are in user mode when there are more than may be at once (run_queue.ts). A context that comes back
// from a call goes on until it has run for a slice; others wait for a place.

import { monotonicNs } from '../../../host/clock.ts';
import { threadCpuNs } from '../../../host/threads.ts';
import { RunQueue } from './run_queue.ts';
import type { Handed } from './thread.ts';

/** How long a context runs while others wait, as the host's scheduler has it. */
const SLICE_NS = 3_000_000;
/** How often that is looked at. */
export const SLICE_LOOK_MS = 10;
const SLICE_LOOK_NS = SLICE_LOOK_MS * 1e6;

export class Turns<C extends Handed> {
  private readonly running: readonly C[];
  private readonly queue: RunQueue<C>;
  private lookedNs = 0;

  /** At most `limit` are to be in `running`. */
  constructor(running: readonly C[], limit: number) {
    this.running = running;
    this.queue = new RunQueue(limit);
  }

  /** How many wait. */
  get waiting(): number {
    return this.queue.length;
  }

  /** May `ctx` run now? Else it waits. `goesOn`: it has just come back, and its event took no time. */
  admits(ctx: C, goesOn: boolean): boolean {
    const { queue } = this;
    const room = this.running.length < queue.limit;
    if (room && queue.length === 0) return true;
    const spent = goesOn && this.sliceIsOver(ctx, monotonicNs());
    if (room && goesOn && !spent) return true;
    queue.add(ctx, spent);
    return false;
  }

  /** `ctx` does not wait any more. */
  remove(ctx: C): void {
    this.queue.remove(ctx);
  }

  /** Those that wait and for which `test` holds. */
  those(test: (ctx: C) => boolean): C[] {
    return this.queue.filter(test);
  }

  /** Lets contexts run whose turn it is, and has those come back whose slice is over. */
  take(): void {
    const { queue, running } = this;
    const now = monotonicNs();
    while (running.length < queue.limit) {
      const ctx = queue.next();
      if (ctx === null) return;
      ctx.sinceNs = now;
      ctx.sinceCpuNs = threadCpuNs(ctx.slot!.pid, ctx.slot!.tid);
      ctx.takeTurn();
    }
    if (now - this.lookedNs < SLICE_LOOK_NS) return;
    this.lookedNs = now;
    for (const ctx of [...running]) if (this.sliceIsOver(ctx, now)) ctx.interrupt();
  }

  /** What it waits for the Sentry and for a cpu does not count. */
  private sliceIsOver(ctx: C, now: number): boolean {
    if (now - ctx.sinceNs < SLICE_LOOK_NS) return false;
    const over = threadCpuNs(ctx.slot!.pid, ctx.slot!.tid) - ctx.sinceCpuNs >= SLICE_NS;
    if (!over) ctx.sinceNs = now;
    return over;
  }
}
