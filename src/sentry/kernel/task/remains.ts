// What a dead thread has instead of its memory, files and handlers: one of each for all of them, so that a zombie, which
// keeps its number and its wait status until somebody waits for it, keeps little else.

import { MemoryManager } from '../../mm/mm.ts';
import type { AddressSpace } from '../../platform/platform.ts';
import { FdTable } from '../../vfs/fdtable.ts';
import type { Kernel } from '../kernel.ts';
import { SignalHandlers } from '../signal/state.ts';
import { defaultLimits } from './rlimits.ts';
import type { Task } from './task.ts';

/** An address space that no thread can enter. */
class Nowhere implements AddressSpace {
  map(): void {}

  mapFile(): boolean {
    return false;
  }

  unmap(): void {}
  protect(): void {}
  flush(): void {}
  release(): void {}
}

export class Remains {
  private readonly mm: MemoryManager;
  private readonly fds: FdTable = new FdTable();
  readonly handlers: SignalHandlers = new SignalHandlers();

  constructor(k: Kernel) {
    this.mm = new MemoryManager(k.memfile, k.platform, defaultLimits(), new Nowhere());
  }

  /** `t` is dead, and has given everything back. */
  replace(t: Task): void {
    t.mm = this.mm;
    t.fds = this.fds;
    if (t.seccomp !== null) t.seccomp.chain = null;
  }
}
