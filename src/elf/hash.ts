/** The System V ABI's symbol hash, which version definitions use too. */
export function sysvHash(name: string): number {
  let hash = 0;
  for (const byte of Buffer.from(name)) {
    hash = (hash << 4) + byte;
    const top = hash & 0xf000_0000;
    hash = (hash ^ (top >>> 24)) & 0x0fff_ffff;
  }
  return hash;
}

/** The hash of DT_GNU_HASH: h * 33 + c from 5381. */
export function gnuHash(name: string): number {
  let hash = 5381;
  for (const byte of Buffer.from(name)) hash = (Math.imul(hash, 33) + byte) >>> 0;
  return hash;
}
