// Mounter: who acts on the layers. As with Linux's overlayfs the caller's rights count for what is seen merged; the layers
// themselves are used with the rights of who mounted them (Documentation/filesystems/overlayfs, Permission model).

import { type Cred, credFor } from '../../base/cred.ts';
import type { TimeSource } from '../../base/time.ts';
import type { UserMemory } from '../../base/usermem.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { FdTable } from '../../vfs/fdtable.ts';
import type { FsContext } from '../../vfs/fscontext.ts';

export class Mounter implements VfsContext {
  readonly cred: Cred = credFor(0, 0);
  readonly fds: FdTable = new FdTable();
  readonly mem: UserMemory;
  readonly time: TimeSource;
  readonly tid = 0;
  readonly tgid = 0;
  private readonly from: VfsContext;

  constructor(from: VfsContext) {
    this.from = from;
    this.mem = from.mem;
    this.time = from.time;
  }

  get fs(): FsContext {
    return this.from.fs;
  }

  rlimit(): number {
    return Number.POSITIVE_INFINITY;
  }

  raise(): void {}
}
