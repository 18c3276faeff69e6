// ByteQueue: received bytes as views of the packets that brought them, nothing copied; small ones are gathered, so that a peer
// which sends single bytes cannot make us keep a packet's buffer for each. OutOfOrder: pieces that wait for those before them.

import { EFAULT } from '../../abi/errno.ts';
import type { ByteSink } from '../endpoint.ts';
import { after, before, distance } from './seq.ts';

/** Smaller pieces are copied into a buffer of GATHER bytes. */
const SMALL = 512;
const GATHER = 4096;

export class ByteQueue {
  private readonly parts: Uint8Array[] = [];
  private first = 0;
  /** Bytes of the first part that are read. */
  private read = 0;
  length = 0;
  /** The last part is a view of this buffer's first `gathered` bytes from some offset on; more can be added behind. */
  private gather: Uint8Array | null = null;
  private gathered = 0;

  append(bytes: Uint8Array): void {
    const n = bytes.length;
    if (n === 0) return;
    this.length += n;
    if (n >= SMALL) {
      this.gather = null;
      this.parts.push(bytes);
      return;
    }
    let { gather } = this;
    const last = this.parts.length - 1;
    if (gather !== null && gather.length - this.gathered >= n && last >= this.first) {
      gather.set(bytes, this.gathered);
      const part = this.parts[last]!;
      this.gathered += n;
      this.parts[last] = gather.subarray(part.byteOffset - gather.byteOffset, this.gathered);
      return;
    }
    if (gather === null || gather.length - this.gathered < n) {
      gather = this.gather = new Uint8Array(last >= this.first ? GATHER : SMALL);
      this.gathered = 0;
    }
    gather.set(bytes, this.gathered);
    this.parts.push(gather.subarray(this.gathered, this.gathered + n));
    this.gathered += n;
  }

  /** All of another queue, which is empty then. */
  appendAll(other: ByteQueue): void {
    for (let i = other.first; i < other.parts.length; i++) {
      const part = other.parts[i]!;
      this.append(i === other.first && other.read > 0 ? part.subarray(other.read) : part);
    }
    other.clear();
  }

  /** Moves up to `max` bytes to a sink, and forgets them; how many, or -EFAULT when there are none. */
  take(to: ByteSink, max: number): number {
    let done = 0;
    while (done < max && this.first < this.parts.length) {
      const part = this.parts[this.first]!;
      const want = Math.min(part.length - this.read, max - done);
      const moved = to.put(part, this.read, want);
      if (moved > 0) {
        done += moved;
        this.skip(moved);
      }
      if (moved < want) return done > 0 ? done : moved < 0 ? moved : -EFAULT;
    }
    return done;
  }

  /** As take, from `skip` bytes on, and keeps them. */
  peek(to: ByteSink, max: number, skip: number): number {
    let done = 0;
    let left = skip;
    for (let i = this.first; i < this.parts.length && done < max; i++) {
      const part = this.parts[i]!;
      const begin = i === this.first ? this.read : 0;
      const size = part.length - begin;
      if (left >= size) {
        left -= size;
        continue;
      }
      const want = Math.min(size - left, max - done);
      const moved = to.put(part, begin + left, want);
      left = 0;
      if (moved > 0) done += moved;
      if (moved < want) return done > 0 ? done : moved < 0 ? moved : -EFAULT;
    }
    return done;
  }

  /** Forgets the oldest `n` bytes. */
  skip(n: number): void {
    this.length -= n;
    let left = n;
    while (left > 0) {
      const rest = this.parts[this.first]!.length - this.read;
      if (left < rest) {
        this.read += left;
        break;
      }
      left -= rest;
      this.parts[this.first] = NONE;
      this.first++;
      this.read = 0;
    }
    if (this.first === this.parts.length) {
      this.parts.length = 0;
      this.first = 0;
      if (this.gathered > GATHER / 2) this.gather = null;
    } else if (this.first >= 64 && this.first * 2 >= this.parts.length) {
      this.parts.splice(0, this.first);
      this.first = 0;
    }
  }

  /** Forgets the newest bytes: `n` stay. */
  cut(n: number): void {
    let size = -this.read;
    let i = this.first;
    while (i < this.parts.length && size + this.parts[i]!.length < n) size += this.parts[i++]!.length;
    if (i < this.parts.length) {
      this.parts[i] = this.parts[i]!.subarray(0, n - size);
      this.parts.length = i + (n - size > 0 ? 1 : 0);
    }
    this.length = n;
    this.gather = null;
  }

  /** The byte at `offset`. */
  at(offset: number): number {
    let left = offset + this.read;
    for (let i = this.first; i < this.parts.length; i++) {
      const part = this.parts[i]!;
      if (left < part.length) return part[left]!;
      left -= part.length;
    }
    return 0;
  }

  clear(): void {
    this.parts.length = 0;
    this.first = 0;
    this.read = 0;
    this.length = 0;
    this.gather = null;
    this.gathered = 0;
  }
}

const NONE = new Uint8Array(0);

/** A run of bytes that came early. */
class Run {
  seq: number;
  end: number;
  readonly bytes = new ByteQueue();

  constructor(seq: number) {
    this.seq = seq;
    this.end = seq;
  }
}

/** More holes than this are not kept: newer pieces are dropped and come again. */
const MOST_RUNS = 1024;

export class OutOfOrder {
  /** Ordered, none touches the next. */
  private readonly runs: Run[] = [];
  length = 0;
  /** The FIN came, at this sequence number. */
  fin = false;
  finSeq = 0;
  /** The run that changed last: its block goes first (RFC 2018, section 4). */
  private newest: Run | null = null;
  private readonly recent: Run[] = [];

  get count(): number {
    return this.runs.length;
  }

  /**
   * Adds bytes [seq, seq + bytes.length). Bytes that are new; 0 when all were there; -1 when there is no room for another run.
   */
  insert(seq: number, piece: ByteQueue): number {
    const end = (seq + piece.length) | 0;
    const { runs } = this;
    // The first run that ends at or behind seq.
    let i = runs.length;
    while (i > 0 && !before(runs[i - 1]!.end, seq)) i--;
    const run = runs[i];
    if (run === undefined || before(end, run.seq)) {
      if (runs.length >= MOST_RUNS) return -1;
      const fresh = new Run(seq);
      fresh.bytes.appendAll(piece);
      fresh.end = end;
      runs.splice(i, 0, fresh);
      this.length += fresh.bytes.length;
      this.touch(fresh);
      return fresh.bytes.length;
    }
    this.touch(run);
    if (!before(seq, run.seq) && !after(end, run.end)) return 0;
    const had = this.length;
    if (before(seq, run.seq)) {
      // In front: what run has stays, the new piece is cut to what is missing. Bytes beyond its end come after.
      const whole = new ByteQueue();
      const lead = distance(run.seq, seq);
      const tail = after(end, run.end) ? distance(end, run.end) : 0;
      let rest: ByteQueue | null = null;
      if (tail > 0) {
        rest = new ByteQueue();
        copyInto(piece, rest, piece.length - tail, tail);
      }
      piece.cut(lead);
      whole.appendAll(piece);
      whole.appendAll(run.bytes);
      if (rest !== null) whole.appendAll(rest);
      run.bytes.appendAll(whole);
      run.seq = seq;
      if (tail > 0) run.end = end;
      this.length += lead + tail;
    } else {
      const known = distance(run.end, seq);
      piece.skip(known);
      this.length += piece.length;
      run.bytes.appendAll(piece);
      run.end = end;
    }
    this.join(i);
    return this.length - had;
  }

  /** Run i may reach those behind it now. */
  private join(i: number): void {
    const run = this.runs[i]!;
    let n = 0;
    for (;;) {
      const next = this.runs[i + 1 + n];
      if (next === undefined || before(run.end, next.seq)) break;
      n++;
      const double = Math.min(distance(run.end, next.seq), next.bytes.length);
      this.length -= double;
      next.bytes.skip(double);
      if (after(next.end, run.end)) run.end = next.end;
      run.bytes.appendAll(next.bytes);
      this.untouch(next);
    }
    if (n > 0) this.runs.splice(i + 1, n);
  }

  /** Moves the run that begins at or before `seq` to `to`; the bytes moved. */
  pull(seq: number, to: ByteQueue): number {
    const run = this.runs[0];
    if (run === undefined || after(run.seq, seq)) return 0;
    this.runs.shift();
    this.untouch(run);
    this.length -= run.bytes.length;
    const known = Math.min(distance(seq, run.seq), run.bytes.length);
    run.bytes.skip(known);
    const n = run.bytes.length;
    to.appendAll(run.bytes);
    return n;
  }

  /** SACK blocks, the newest first; how many of at most `most`. */
  blocks(into: Int32Array, from: number, most: number): number {
    let n = from;
    for (let i = this.recent.length - 1; i >= 0 && n < most; i--, n++) {
      into[n * 2] = this.recent[i]!.seq;
      into[n * 2 + 1] = this.recent[i]!.end;
    }
    return n;
  }

  private touch(run: Run): void {
    if (this.newest === run) return;
    this.newest = run;
    const at = this.recent.indexOf(run);
    if (at >= 0) this.recent.splice(at, 1);
    else if (this.recent.length >= 4) this.recent.shift();
    this.recent.push(run);
  }

  private untouch(run: Run): void {
    const at = this.recent.indexOf(run);
    if (at >= 0) this.recent.splice(at, 1);
    if (this.newest === run) this.newest = this.recent[this.recent.length - 1] ?? null;
  }

  clear(): void {
    this.runs.length = 0;
    this.recent.length = 0;
    this.newest = null;
    this.length = 0;
    this.fin = false;
  }
}

/** A sink that appends to a queue: bytes stay views. */
class QueueSink implements ByteSink {
  readonly remaining = Number.MAX_SAFE_INTEGER;
  private readonly to: ByteQueue;

  constructor(to: ByteQueue) {
    this.to = to;
  }

  put(src: Uint8Array, off: number, len: number): number {
    this.to.append(src.subarray(off, off + len));
    return len;
  }
}

function copyInto(from: ByteQueue, to: ByteQueue, skip: number, n: number): void {
  from.peek(new QueueSink(to), n, skip);
}
