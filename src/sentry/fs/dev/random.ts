// Random bytes for the guest.

import { EFAULT, EINVAL, EPERM } from '../../../abi/errno.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { randomFill } from '../../../host/random.ts';
import type { Io } from '../../base/io.ts';
import { SCRATCH_SIZE, scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';

/** ioctl requests of random(4). */
const RNDGETENTCNT = 0x80045200;
const RNDADDTOENTCNT = 0x40045201;
const RNDADDENTROPY = 0x40085203;
const RNDZAPENTCNT = 0x5204;
const RNDCLEARPOOL = 0x5206;
const RNDRESEEDCRNG = 0x5207;
/** What Linux >= 5.18 reports: the pool is full for ever. */
export const ENTROPY_BITS = 256;

/** Moves `io.remaining` random bytes to the cursor: getrandom(2), reads of urandom(4). Bytes moved, or -EFAULT. */
export function randomPut(io: Io): number {
  let total = 0;
  while (io.remaining > 0) {
    const n = Math.min(io.remaining, SCRATCH_SIZE);
    randomFill(scratch, 0, n);
    const moved = io.put(scratch, 0, n);
    if (moved < 0) return total > 0 ? total : moved;
    total += moved;
    if (moved < n) break;
  }
  return total;
}

/** /dev/random and /dev/urandom: random(4). */
export class RandomFile extends File {
  override get seekable(): boolean {
    return true;
  }

  override lseek(): number {
    return 0;
  }

  override pread(_ctx: VfsContext, io: Io): number {
    return randomPut(io);
  }

  /** Bytes written are read and forgotten: the host's generator needs none of ours. */
  override pwrite(_ctx: VfsContext, io: Io): number {
    let total = 0;
    while (io.remaining > 0) {
      const n = io.take(scratch, 0, Math.min(io.remaining, SCRATCH_SIZE));
      if (n <= 0) return total > 0 ? total : -EFAULT;
      total += n;
    }
    return total;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    switch (cmd) {
      case RNDGETENTCNT:
        scratchView.setInt32(0, ENTROPY_BITS, true);
        return ctx.mem.copyOutExact(arg, scratch, 0, 4);
      case RNDADDTOENTCNT:
      case RNDADDENTROPY:
      case RNDZAPENTCNT:
      case RNDCLEARPOOL:
      case RNDRESEEDCRNG:
        // The pool is the host's: nobody in here may touch it.
        return ctx.cred.capable(CAP_SYS_ADMIN) && cmd === RNDRESEEDCRNG ? 0 : -EPERM;
      default:
        return -EINVAL;
    }
  }
}
