// A keyed hash of a few words: HalfSipHash-2-4 (Aumasson, Bernstein: SipHash, 2012; the 32-bit variant). Tables, initial
// sequence numbers, ports and cookies are mixed with a secret by it, so that a peer can neither guess nor collide them.

import type { IpAddress } from '../address.ts';
import type { NetRandom } from '../transport.ts';

function rotl(x: number, n: number): number {
  return (x << n) | (x >>> (32 - n));
}

export class KeyedHash {
  private readonly k0: number;
  private readonly k1: number;
  private v0 = 0;
  private v1 = 0;
  private v2 = 0;
  private v3 = 0;
  private words = 0;

  constructor(random: NetRandom) {
    this.k0 = random.u32() | 0;
    this.k1 = random.u32() | 0;
  }

  private round(): void {
    let { v0, v1, v2, v3 } = this;
    v0 = (v0 + v1) | 0;
    v1 = rotl(v1, 5) ^ v0;
    v0 = rotl(v0, 16);
    v2 = (v2 + v3) | 0;
    v3 = rotl(v3, 8) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = rotl(v3, 7) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = rotl(v1, 13) ^ v2;
    v2 = rotl(v2, 16);
    this.v0 = v0;
    this.v1 = v1;
    this.v2 = v2;
    this.v3 = v3;
  }

  private begin(): void {
    this.v0 = this.k0;
    this.v1 = this.k1;
    this.v2 = 0x6c796765 ^ this.k0;
    this.v3 = 0x74656462 ^ this.k1;
    this.words = 0;
  }

  private word(m: number): void {
    this.v3 ^= m;
    this.round();
    this.round();
    this.v0 ^= m;
    this.words++;
  }

  private address(a: IpAddress): void {
    if (!a.isV4) {
      this.word(a.w0);
      this.word(a.w1);
      this.word(a.w2);
    }
    this.word(a.w3);
  }

  private end(): number {
    this.word(this.words << 26);
    this.v2 ^= 0xff;
    for (let i = 0; i < 4; i++) this.round();
    return this.v1 ^ this.v3;
  }

  /** Of a connection's four names. */
  flow(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    this.begin();
    this.address(local);
    this.address(remote);
    this.word((localPort << 16) | remotePort);
    return this.end();
  }

  /** Of two addresses, or of a connection and two words: for SYN cookies. */
  pair(local: IpAddress, remote: IpAddress, a = 0, b = 0, c = 0): number {
    this.begin();
    this.address(local);
    this.address(remote);
    this.word(a);
    this.word(b);
    this.word(c);
    return this.end();
  }
}
