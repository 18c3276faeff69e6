// Stamps: when the bytes of a receive queue came, for SO_TIMESTAMP of streams: one for each segment, as long as somebody asks.

import { after } from './seq.ts';

/** Segments behind these share the stamp of the newest. */
const MOST = 256;

export class Stamps {
  private readonly ends: number[] = [];
  private readonly atNs: number[] = [];

  /** The bytes before `end` that have none came now. */
  add(end: number, nowNs: number): void {
    if (this.ends.length >= MOST) {
      this.ends.pop();
      this.atNs.pop();
    }
    this.ends.push(end);
    this.atNs.push(nowNs);
  }

  /** Of the byte before `seq`; 0 when nobody knows. Those of bytes before `read`, which are gone, are forgotten. */
  of(seq: number, read: number): number {
    let at = 0;
    while (at < this.ends.length && after(seq, this.ends[at]!)) at++;
    const found = this.atNs[at] ?? 0;
    let gone = 0;
    while (gone < this.ends.length && !after(this.ends[gone]!, read)) gone++;
    this.ends.splice(0, gone);
    this.atNs.splice(0, gone);
    return found;
  }
}
