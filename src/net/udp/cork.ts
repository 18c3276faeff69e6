// Corked: a datagram that is being put together by several sends: UDP_CORK, MSG_MORE (udp(7), send(2)).

import { DatagramInfo } from '../endpoint.ts';
import type { NetMemory } from '../memory.ts';

/** A piece beside its bytes. */
const PIECE_BYTES = 128;

export class Corked<Path> {
  /** Where the first send went: all of it goes there. */
  readonly path: Path;
  readonly port: number;
  readonly info = new DatagramInfo();
  private readonly pieces: Uint8Array[] = [];
  length = 0;
  private readonly memory: NetMemory;

  constructor(path: Path, port: number, info: DatagramInfo, memory: NetMemory) {
    this.path = path;
    this.port = port;
    this.info.ttl = info.ttl;
    this.info.tos = info.tos;
    this.info.options = info.options;
    this.info.segment = info.segment;
    this.memory = memory;
  }

  /** False when nobody pays for more. */
  add(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    const cost = bytes.length + PIECE_BYTES;
    if (!this.memory.fits(cost)) return false;
    this.memory.take(cost);
    this.pieces.push(bytes);
    this.length += bytes.length;
    return true;
  }

  /** All of it in one piece; the parts are not paid for any more. */
  take(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.drop();
    return all;
  }

  drop(): void {
    for (const piece of this.pieces) this.memory.give(piece.length + PIECE_BYTES);
    this.pieces.length = 0;
    this.length = 0;
  }
}
