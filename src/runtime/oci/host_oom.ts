// A container whose first program was killed for want of memory ends by the host's own hand: engines look for that in the container's
// group (memory.events, or the event of memory.oom_control), and would not hear of what happened inside.

import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** More than the host's counters are behind. */
const ENOUGH_BYTES = 64 * 2 ** 20;

export class HostOom {
  private readonly limit: number;
  /** memory.usage_in_bytes; -1 with version 2. */
  private readonly usage: number;

  private constructor(limit: number, usage: number) {
    this.limit = limit;
    this.usage = usage;
  }

  /** Opens what it needs later, when nothing can be opened any more; null where no group of the container's counts memory. */
  static open(dirs: readonly string[]): HostOom | null {
    for (const dir of dirs) {
      const v2 = HostOom.file(dir, 'memory.max', 'r+');
      if (v2 >= 0) return new HostOom(v2, -1);
      const v1 = HostOom.file(dir, 'memory.limit_in_bytes', 'r+');
      if (v1 < 0) continue;
      const usage = HostOom.file(dir, 'memory.usage_in_bytes', 'r');
      if (usage >= 0) return new HostOom(v1, usage);
      closeSync(v1);
    }
    return null;
  }

  private static file(dir: string, name: string, how: 'r' | 'r+'): number {
    try {
      return openSync(join(dir, name), how);
    } catch {
      return -1;
    }
  }

  /** Has the host kill this process, the last one of its group. Where it does not, all goes on. */
  strike(): void {
    try {
      if (this.usage < 0) {
        writeSync(this.limit, '0');
        return;
      }
      const text = Buffer.alloc(32);
      const n = readSync(this.usage, text, 0, text.length, 0);
      writeSync(this.limit, text.subarray(0, n));
      Buffer.allocUnsafe(ENOUGH_BYTES).fill(1);
    } catch {
      // The host keeps its limit.
    }
  }
}
