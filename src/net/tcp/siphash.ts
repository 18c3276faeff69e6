// SipHash-2-4 (Aumasson, Bernstein: SipHash, 2012) in 32-bit halves, for what has to agree with other machines: cookies of Fast
// Open are the same behind one name whoever of several servers made them, Linux or us (TCP_FASTOPEN_KEY).

/** The hash; 64 bits as two words. */
export class SipHash {
  low = 0;
  high = 0;
  // v0 to v3, low word and high word in turn.
  private readonly v = new Int32Array(8);

  /** v[a] += v[b]. */
  private add(a: number, b: number): void {
    const { v } = this;
    const low = (v[a]! >>> 0) + (v[b]! >>> 0);
    v[a + 1] = v[a + 1]! + v[b + 1]! + (low > 0xffffffff ? 1 : 0);
    v[a] = low;
  }

  /** v[a] = rotl(v[a], n) ^ v[b], 0 < n < 32. */
  private mix(a: number, n: number, b: number): void {
    const { v } = this;
    const low = v[a]!;
    const high = v[a + 1]!;
    v[a] = ((low << n) | (high >>> (32 - n))) ^ v[b]!;
    v[a + 1] = ((high << n) | (low >>> (32 - n))) ^ v[b + 1]!;
  }

  /** v[a] = rotl(v[a], 32). */
  private turn(a: number): void {
    const { v } = this;
    const low = v[a]!;
    v[a] = v[a + 1]!;
    v[a + 1] = low;
  }

  private round(): void {
    this.add(0, 2);
    this.mix(2, 13, 0);
    this.turn(0);
    this.add(4, 6);
    this.mix(6, 16, 4);
    this.add(0, 6);
    this.mix(6, 21, 0);
    this.add(4, 2);
    this.mix(2, 17, 4);
    this.turn(4);
  }

  private word(low: number, high: number): void {
    const { v } = this;
    v[6]! ^= low;
    v[7]! ^= high;
    this.round();
    this.round();
    v[0]! ^= low;
    v[1]! ^= high;
  }

  /** Hashes `bytes`, of which there are a multiple of eight, with the 16 bytes of a key at key[at..]. */
  hash(bytes: DataView, size: number, key: DataView, at: number): void {
    const { v } = this;
    for (let i = 0; i < 4; i++) v[i] = v[i + 4] = key.getInt32(at + 4 * i, true);
    v[0]! ^= 0x70736575;
    v[1]! ^= 0x736f6d65;
    v[2]! ^= 0x6e646f6d;
    v[3]! ^= 0x646f7261;
    v[4]! ^= 0x6e657261;
    v[5]! ^= 0x6c796765;
    v[6]! ^= 0x79746573;
    v[7]! ^= 0x74656462;
    for (let i = 0; i < size; i += 8) this.word(bytes.getInt32(i, true), bytes.getInt32(i + 4, true));
    this.word(0, size << 24);
    v[4]! ^= 0xff;
    for (let i = 0; i < 4; i++) this.round();
    this.low = v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
    this.high = v[1]! ^ v[3]! ^ v[5]! ^ v[7]!;
  }
}
