// The context of the kernel's own file-system work: building the first tree, tests. Root's credentials, no memory.

import { EFAULT } from '../../abi/errno.ts';
import { type Cred, credFor } from '../base/cred.ts';
import type { Io } from '../base/io.ts';
import type { TimeSource } from '../base/time.ts';
import type { UserMemory } from '../base/usermem.ts';
import type { VfsContext } from './context.ts';
import { FdTable } from './fdtable.ts';
import { FsContext } from './fscontext.ts';
import type { Path } from './path.ts';

/** A guest memory in which every address is bad. */
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
  copyInString(): string | number {
    return -EFAULT;
  }
  io(): Io {
    throw new Error('the kernel context has no guest memory');
  }
  iovec(): Io | number {
    return -EFAULT;
  }
}

export class KernelContext implements VfsContext {
  cred: Cred;
  readonly fs: FsContext;
  readonly fds: FdTable = new FdTable();
  readonly mem: UserMemory = new NoMemory();
  readonly time: TimeSource;
  readonly tid = 1;
  readonly tgid = 1;
  /** Signals that were raised, for tests. */
  readonly raised: number[] = [];

  constructor(time: TimeSource, root: Path, cred: Cred = credFor(0, 0)) {
    this.time = time;
    this.cred = cred;
    this.fs = new FsContext(root, root, 0);
  }

  rlimit(_resource: number): number {
    return Number.POSITIVE_INFINITY;
  }

  raise(sig: number): void {
    this.raised.push(sig);
  }
}
