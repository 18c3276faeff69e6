/** Collects little-endian fields. */
export class ByteWriter {
  private data = new Uint8Array(1024);
  private size = 0;

  get length(): number {
    return this.size;
  }

  u8(...values: readonly number[]): this {
    const at = this.extend(values.length);
    for (let i = 0; i < values.length; i++) this.data[at + i] = values[i]!;
    return this;
  }

  u16(...values: readonly number[]): this {
    for (const value of values) {
      const at = this.extend(2);
      this.data[at] = value;
      this.data[at + 1] = value >>> 8;
    }
    return this;
  }

  u32(...values: readonly number[]): this {
    for (const value of values) {
      const at = this.extend(4);
      for (let i = 0; i < 4; i++) this.data[at + i] = value >>> (8 * i);
    }
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
    const at = this.extend(bytes.length);
    this.data.set(bytes, at);
    return this;
  }

  padTo(length: number): this {
    if (length > this.size) this.extend(length - this.size);
    return this;
  }

  finish(): Uint8Array {
    return this.data.slice(0, this.size);
  }

  /** Appends `count` zero bytes; offset of the first. */
  private extend(count: number): number {
    const at = this.size;
    this.size += count;
    if (this.size > this.data.length) {
      const larger = new Uint8Array(Math.max(this.size, 2 * this.data.length));
      larger.set(this.data);
      this.data = larger;
    }
    return at;
  }
}

/** `value` rounded up to a multiple of `unit`; safe for addresses, which do not fit in 32 bits. */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
