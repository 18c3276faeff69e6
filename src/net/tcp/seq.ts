// Sequence numbers: 32 bits that wrap (RFC 9293, section 3.4), kept as signed numbers, which V8 stores without allocating.

/** a comes before b. */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** a comes behind b. */
export function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

/** low <= x <= high. */
export function between(x: number, low: number, high: number): boolean {
  return ((high - low) >>> 0) - ((x - low) >>> 0) >= 0;
}

/** How far a is behind b; negative when before. */
export function distance(a: number, b: number): number {
  return (a - b) | 0;
}

/** n behind a. */
export function advance(a: number, n: number): number {
  return (a + n) | 0;
}

/** The later one. */
export function latest(a: number, b: number): number {
  return ((a - b) | 0) > 0 ? a : b;
}
