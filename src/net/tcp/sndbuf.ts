// SendBuffer: the bytes between the oldest that is not acknowledged and the newest that the program gave, in chunks of at
// most 64 KiB. Segments are views of chunks, so bytes are written once and never moved: a chunk only grows at its end.

import { EFAULT } from '../../abi/errno.ts';
import type { ByteSource } from '../endpoint.ts';
import type { Packet } from '../packet.ts';

export const CHUNK_SIZE = 65536;
const LEAST_CHUNK = 2048;

export class SendBuffer {
  private readonly chunks: Uint8Array[] = [];
  /** The first chunk in use; those before it are gone. */
  private first = 0;
  /** Bytes of the first chunk that are acknowledged. */
  private skipped = 0;
  /** Bytes of the last chunk that are written. */
  private filled = 0;
  /** Bytes kept. */
  length = 0;
  // Where the last look-up ended: the next segment usually begins there.
  private hintChunk = 0;
  private hintOffset = 0;

  /** Takes up to `max` bytes; how many, or -EFAULT when there are none. */
  append(from: ByteSource, max: number): number {
    let done = 0;
    while (done < max) {
      const want = Math.min(from.remaining, max - done);
      if (want === 0) break;
      let last = this.chunks.length > this.first ? this.chunks[this.chunks.length - 1]! : undefined;
      if (last === undefined || this.filled === last.length) {
        // unsafe: every byte is written before a segment shows it.
        const size = Math.min(CHUNK_SIZE, Math.max(LEAST_CHUNK, want));
        last = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
        this.chunks.push(last);
        this.filled = 0;
      }
      const room = Math.min(want, last.length - this.filled);
      const moved = from.take(last, this.filled, room);
      if (moved > 0) {
        this.filled += moved;
        this.length += moved;
        done += moved;
      }
      if (moved < room) {
        if (done === 0) return moved < 0 ? moved : -EFAULT;
        break;
      }
    }
    return done;
  }

  /** Forgets the oldest `n` bytes. */
  drop(n: number): void {
    const last = this.chunks.length > 0 ? this.chunks[this.chunks.length - 1]! : NONE;
    if (n === this.length && last.length > LEAST_CHUNK) {
      // An idle connection keeps no large chunk.
      this.clear();
      return;
    }
    this.length -= n;
    let left = n;
    while (left > 0) {
      const chunk = this.chunks[this.first]!;
      const isLast = this.first === this.chunks.length - 1;
      const used = (isLast ? this.filled : chunk.length) - this.skipped;
      if (left < used || (left === used && isLast && this.filled < chunk.length)) {
        this.skipped += left;
        break;
      }
      left -= used;
      this.chunks[this.first] = NONE;
      this.first++;
      this.skipped = 0;
    }
    this.hintOffset -= n;
    if (this.hintOffset < 0) {
      this.hintChunk = this.first;
      this.hintOffset = -this.skipped;
    }
    if (this.first === this.chunks.length) {
      this.chunks.length = 0;
      this.first = 0;
      this.hintChunk = 0;
      this.hintOffset = 0;
      this.skipped = 0;
      this.filled = 0;
    } else if (this.first >= 32 && this.first * 2 >= this.chunks.length) {
      this.chunks.splice(0, this.first);
      this.hintChunk = Math.max(0, this.hintChunk - this.first);
      this.first = 0;
    }
  }

  /** Adds views of bytes [offset, offset + n) to a packet. */
  show(packet: Packet, offset: number, n: number): void {
    let at = this.first;
    // Offset from the oldest byte at which chunk `at` begins.
    let begin = -this.skipped;
    if (this.hintOffset <= offset && this.hintChunk >= at) {
      at = this.hintChunk;
      begin = this.hintOffset;
    }
    let left = n;
    let from = offset;
    while (left > 0) {
      const chunk = this.chunks[at]!;
      const within = from - begin;
      if (within >= chunk.length) {
        begin += chunk.length;
        at++;
        continue;
      }
      const size = Math.min(left, chunk.length - within);
      packet.append(chunk.subarray(within, within + size));
      left -= size;
      from += size;
    }
    this.hintChunk = at;
    this.hintOffset = begin;
  }

  clear(): void {
    this.chunks.length = 0;
    this.first = 0;
    this.skipped = 0;
    this.filled = 0;
    this.length = 0;
    this.hintChunk = 0;
    this.hintOffset = 0;
  }
}

const NONE = new Uint8Array(0);
