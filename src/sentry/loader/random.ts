// Random numbers for address-space layout and AT_RANDOM, drawn from the host's generator in batches.

import { randomFillSync } from 'node:crypto';

const pool = new Uint32Array(64);
let used = pool.length;

/** 32 random bits. */
export function randomWord(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const w = pool[used]!;
  pool[used++] = 0;
  return w;
}

/** A random number of `bits` bits, at most 48. */
export function randomBits(bits: number): number {
  if (bits <= 32) return Math.floor(randomWord() / 2 ** (32 - bits));
  return Math.floor(randomWord() / 2 ** (64 - bits)) * 0x1_0000_0000 + randomWord();
}

/** Fills `to` with random bytes. */
export function randomBytes(to: Uint8Array): void {
  randomFillSync(to);
}
