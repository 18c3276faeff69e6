// Random bytes: the host's getrandom(2), read ahead into a pool whose bytes are wiped as they are used.

import { EINTR } from '../abi/errno.ts';
import { SYS_getrandom } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

const POOL_SIZE = 4096;
const TWO32 = 0x1_0000_0000;

const pool = HostBuffer.alloc(POOL_SIZE);
let used = POOL_SIZE;
const word = new Uint8Array(4);
const wordView = new DataView(word.buffer);

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
export function randomFill(dst: Uint8Array, off = 0, len: number = dst.length - off): void {
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

/** 32 random bits. */
export function randomWord(): number {
  randomFill(word);
  return wordView.getUint32(0, true);
}

/** A random number of `bits` bits, at most 53. */
export function randomBits(bits: number): number {
  if (bits <= 32) return Math.floor(randomWord() / 2 ** (32 - bits));
  return Math.floor(randomWord() / 2 ** (64 - bits)) * TWO32 + randomWord();
}
