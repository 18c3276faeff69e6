// Orders: system calls that the Sentry has a stub make on itself, batched in the page that every stub sees read-only.
// Only one list is in flight at a time: the Sentry waits for its end.

/** A record: the number and six arguments as u64, and one more. */
export const ORDER_SIZE = 64;

const WORDS = ORDER_SIZE / 4;
const TWO32 = 0x1_0000_0000;

/** A list of pending orders of one address space. Grows to MAX; the owner runs it before that. */
export class OrderList {
  count = 0;
  /** nr and six arguments per order, as numbers. */
  readonly slots: Float64Array;
  readonly max: number;

  constructor(max: number) {
    this.max = max;
    this.slots = new Float64Array(max * 7);
  }

  get full(): boolean {
    return this.count === this.max;
  }

  push(nr: number, a: number, b: number, c: number, d: number, e: number, f: number): void {
    const s = this.slots;
    const i = this.count++ * 7;
    s[i] = nr;
    s[i + 1] = a;
    s[i + 2] = b;
    s[i + 3] = c;
    s[i + 4] = d;
    s[i + 5] = e;
    s[i + 6] = f;
  }

  /** Writes the list to the orders page. */
  writeTo(page: Int32Array): void {
    const s = this.slots;
    for (let i = 0; i < this.count; i++) {
      for (let j = 0; j < 7; j++) {
        const v = s[i * 7 + j]!;
        page[i * WORDS + 2 * j] = v | 0;
        page[i * WORDS + 2 * j + 1] = Math.floor(v / TWO32) | 0;
      }
    }
  }
}
