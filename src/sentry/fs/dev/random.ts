// Random bytes for the guest: the host's getrandom(2), read ahead into a pool whose bytes are wiped as they are used.

import { CAP_SYS_ADMIN } from '../../../abi/capability.ts';
import { EFAULT, EINTR, EINVAL, EPERM } from '../../../abi/errno.ts';
import { SYS_getrandom } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';

const POOL_SIZE = 4096;
/** ioctl requests of random(4). */
const RNDGETENTCNT = 0x80045200;
const RNDADDTOENTCNT = 0x40045201;
const RNDADDENTROPY = 0x40085203;
const RNDZAPENTCNT = 0x5204;
const RNDCLEARPOOL = 0x5206;
const RNDRESEEDCRNG = 0x5207;
/** What Linux >= 5.18 reports: the pool is full for ever. */
export const ENTROPY_BITS = 256;

const pool = HostBuffer.alloc(POOL_SIZE);
let used = POOL_SIZE;

function refill(): void {
  let have = 0;
  while (have < POOL_SIZE) {
    const n = hostCall(SYS_getrandom, pool.addr + have, POOL_SIZE - have, 0);
    if (n > 0) have += n;
    else if (n !== -EINTR) throw new Error(`vedette: getrandom failed (${n})`);
  }
  used = 0;
}

/** Fills dst[off..off+len] with random bytes. */
export function randomFill(dst: Uint8Array, off: number, len: number): void {
  let done = 0;
  while (done < len) {
    if (used === POOL_SIZE) refill();
    const n = Math.min(len - done, POOL_SIZE - used);
    dst.set(pool.u8.subarray(used, used + n), off + done);
    pool.u8.fill(0, used, used + n);
    used += n;
    done += n;
  }
}

/** Moves `io.remaining` random bytes to the cursor: getrandom(2), reads of urandom(4). Bytes moved, or -EFAULT. */
export function randomPut(io: Io): number {
  let total = 0;
  while (io.remaining > 0) {
    if (used === POOL_SIZE) refill();
    const n = Math.min(io.remaining, POOL_SIZE - used);
    const moved = io.put(pool.u8, used, n);
    pool.u8.fill(0, used, used + n);
    used += n;
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
      const n = io.take(scratch, 0, Math.min(io.remaining, POOL_SIZE));
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
