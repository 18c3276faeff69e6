// signalfd(2): pending signals of the reader as a file. Signals belong to the kernel layer: syscalls/signals/signalfd.ts
// subclasses this with a way to look at and take them.

import { EAGAIN, EFAULT, EINVAL } from '../../../abi/errno.ts';
import { POLLIN } from '../../../abi/events/poll.ts';
import { O_RDWR } from '../../../abi/fs/fcntl.ts';
import { SIZEOF_SIGNALFD_SIGINFO } from '../../../abi/signal/signalfd.ts';
import type { Io } from '../../base/io.ts';
import { scratch } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';

export abstract class SignalFile extends File {
  /** Signals that the file reads: bit n-1 stands for signal n. */
  maskLo: number;
  maskHi: number;

  constructor(inode: Inode, flags: number, maskLo: number, maskHi: number) {
    super(inode, O_RDWR | flags);
    this.maskLo = maskLo;
    this.maskHi = maskHi;
  }

  /** True when a signal of the set is pending for whoever polls. */
  protected abstract hasPending(): boolean;
  /** Takes one signal of the set that is pending for the reader and writes it to scratch; false when there is none. */
  protected abstract takePending(ctx: VfsContext): boolean;

  override read(ctx: VfsContext, io: Io): number {
    if (io.remaining < SIZEOF_SIGNALFD_SIGINFO) return -EINVAL;
    let done = 0;
    while (io.remaining >= SIZEOF_SIGNALFD_SIGINFO && this.takePending(ctx)) {
      if (io.put(scratch, 0, SIZEOF_SIGNALFD_SIGINFO) !== SIZEOF_SIGNALFD_SIGINFO)
        return done === 0 ? -EFAULT : done;
      done += SIZEOF_SIGNALFD_SIGINFO;
    }
    return done === 0 ? -EAGAIN : done;
  }

  override write(): number {
    return -EINVAL;
  }

  override poll(): number {
    return this.hasPending() ? POLLIN : 0;
  }

  override fdinfo(): string {
    const hex = (n: number): string => n.toString(16).padStart(8, '0');
    return `sigmask:\t${hex(this.maskHi)}${hex(this.maskLo)}\n`;
  }

  override describe(): string {
    return 'anon_inode:[signalfd]';
  }
}
