/**
 * 64-bit integers in memory as JS numbers: exact within 2^53, rounded beyond. BigInt would cost an allocation per field.
 * What names something (inode and device numbers) must not be rounded and is a `U64`.
 */

/** An exact u64: a number below 2^53, a bigint from there on. So === and the keys of a Map compare values. */
export type U64 = number | bigint;

const TWO_32 = 0x1_0000_0000;
const TWO_64 = 0x1_0000_0000_0000_0000;

/** ~0UL as getU64 returns it (2^64); putU64 writes it back as all ones. */
export const U64_MAX = TWO_64;

/**
 * Writes the integer `n` as 64 bits, little-endian. Negative numbers are two's complement; 2^64 and more saturate to
 * all ones, so that ~0UL survives getU64 and putU64.
 */
export function putU64(view: DataView, off: number, n: number): void {
  const v = n >= TWO_64 ? -1 : n;
  // setUint32 takes its argument modulo 2^32, exactly, for any integer that a double holds.
  view.setUint32(off, v, true);
  view.setUint32(off + 4, Math.floor(v / TWO_32), true);
}

/** Reads an unsigned 64-bit integer. */
export function getU64(view: DataView, off: number): number {
  return view.getUint32(off + 4, true) * TWO_32 + view.getUint32(off, true);
}

/** Reads a signed 64-bit integer. */
export function getI64(view: DataView, off: number): number {
  return view.getInt32(off + 4, true) * TWO_32 + view.getUint32(off, true);
}

/** Reads an unsigned 64-bit integer exactly. */
export function getU64Exact(view: DataView, off: number): U64 {
  const high = view.getUint32(off + 4, true);
  return high < 0x20_0000 ? high * TWO_32 + view.getUint32(off, true) : view.getBigUint64(off, true);
}

/** Writes what getU64Exact reads. */
export function putU64Exact(view: DataView, off: number, n: U64): void {
  if (typeof n === 'number') putU64(view, off, n);
  else view.setBigUint64(off, n, true);
}
