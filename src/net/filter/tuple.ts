// Tuple: what one direction of a connection looks like. An echo has its identifier in the place of both ports.

import type { IpAddress } from '../address.ts';

export class Tuple {
  readonly protocol: number;
  readonly src: IpAddress;
  readonly sport: number;
  readonly dst: IpAddress;
  readonly dport: number;

  constructor(protocol: number, src: IpAddress, sport: number, dst: IpAddress, dport: number) {
    this.protocol = protocol;
    this.src = src;
    this.sport = sport;
    this.dst = dst;
    this.dport = dport;
  }

  get key(): string {
    const { src, dst } = this;
    const ends = `${this.protocol},${src.w3},${this.sport},${dst.w3},${this.dport}`;
    return src.isV4 ? ends : `${ends},${src.w0},${src.w1},${src.w2},${dst.w0},${dst.w1},${dst.w2}`;
  }

  get inverse(): Tuple {
    return new Tuple(this.protocol, this.dst, this.dport, this.src, this.sport);
  }
}
