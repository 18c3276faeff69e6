// Symbolic links, and what is neither file nor directory: devices, sockets and FIFOs.

import { EINVAL, ENXIO } from '../../../abi/errno.ts';
import { PATH_MAX } from '../../../abi/limits.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { trees } from '../../../host/trees.ts';
import { bytesToString } from '../../base/bytes.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { BindInode } from './bind_inode.ts';

/** The kernel's part of a FIFO or socket that was made inside, for as long as it exists. */
export const SPECIAL_BYTES = 1280;

const text = HostBuffer.alloc(PATH_MAX);

export class BindSymlink extends BindInode {
  override open(): number {
    return -EINVAL;
  }

  /** The text is the guest's to follow: the host never does. */
  override readlink(): string | number {
    const n = this.withFd((fd) => trees.readlink(fd, '', text));
    return n < 0 ? n : bytesToString(text.u8, 0, n);
  }
}

/** Those of the host are shown and never opened. FIFOs and sockets that were made inside join programs inside. */
export class BindSpecial extends BindInode {
  private payer: Account | null = null;

  /** It was made inside, and is kept for as long as it has a name. */
  keep(): void {
    this.payer = kernelMemory.take(SPECIAL_BYTES);
  }

  override get inert(): boolean {
    return this.payer === null;
  }

  override open(): number {
    return -ENXIO;
  }

  protected override get replaceable(): boolean {
    return this.payer === null && super.replaceable;
  }

  override close(): void {
    if (this.payer !== null) kernelMemory.give(this.payer, SPECIAL_BYTES);
    this.payer = null;
  }
}
