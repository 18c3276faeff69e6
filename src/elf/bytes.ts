/** Collects little-endian fields. */
export class ByteWriter {
  private readonly data: number[] = [];

  get length(): number {
    return this.data.length;
  }

  u8(...values: readonly number[]): this {
    for (const value of values) this.data.push(value & 0xff);
    return this;
  }

  u16(...values: readonly number[]): this {
    for (const value of values) this.u8(value, value >>> 8);
    return this;
  }

  u32(...values: readonly number[]): this {
    for (const value of values) this.u16(value, value >>> 16);
    return this;
  }

  /** Non-negative and exact, so at most 2^53 - 1. */
  u64(...values: readonly number[]): this {
    for (const value of values) {
      if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not an exact u64`);
      this.u32(value % 2 ** 32, Math.floor(value / 2 ** 32));
    }
    return this;
  }

  raw(bytes: Uint8Array): this {
    for (const value of bytes) this.data.push(value);
    return this;
  }

  padTo(length: number): this {
    while (this.data.length < length) this.data.push(0);
    return this;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.data);
  }
}

/** `value` rounded up to a multiple of `unit`; safe for addresses, which do not fit in 32 bits. */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
