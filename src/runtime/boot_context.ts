// BootContext: who makes file-system calls before the first task exists: the kernel itself, as root, or the user that the
// sandbox will run as.

import { EFAULT } from '../abi/errno.ts';
import type { Cred } from '../sentry/base/cred.ts';
import { type Io, KernelIo } from '../sentry/base/io.ts';
import type { TimeSource } from '../sentry/base/time.ts';
import type { UserMemory } from '../sentry/base/usermem.ts';
import type { VfsContext } from '../sentry/vfs/context.ts';
import { FdTable } from '../sentry/vfs/fdtable.ts';
import { FsContext } from '../sentry/vfs/fscontext.ts';
import type { Path } from '../sentry/vfs/path.ts';

/** There is no guest memory yet: every access faults. */
class NoMemory implements UserMemory {
  copyIn(): number {
    return -EFAULT;
  }
  copyOut(): number {
    return -EFAULT;
  }
  copyInExact(): number {
    return -EFAULT;
  }
  copyOutExact(): number {
    return -EFAULT;
  }
  zeroOut(): number {
    return -EFAULT;
  }
  copyInString(): number {
    return -EFAULT;
  }
  io(): Io {
    return new KernelIo(new Uint8Array(0));
  }
  iovec(): number {
    return -EFAULT;
  }
}

export class BootContext implements VfsContext {
  cred: Cred;
  readonly time: TimeSource;
  readonly fds: FdTable = new FdTable();
  readonly mem: UserMemory = new NoMemory();
  readonly tid = 0;
  readonly tgid = 0;
  private place: FsContext | null = null;

  constructor(cred: Cred, time: TimeSource) {
    this.cred = cred;
    this.time = time;
  }

  get fs(): FsContext {
    if (this.place === null) throw new Error('boot: no root is mounted yet');
    return this.place;
  }

  /** The root is mounted: paths can be walked from here on. */
  setRoot(root: Path): void {
    this.place = new FsContext(root, root, 0o022);
  }

  /** The same place as another user. */
  as(cred: Cred): BootContext {
    const c = new BootContext(cred, this.time);
    c.place = this.place;
    return c;
  }

  rlimit(): number {
    return Number.POSITIVE_INFINITY;
  }

  raise(): void {}
}
