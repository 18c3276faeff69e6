// Splice: two stream endpoints joined, as -p does it: bytes, half-close and resets go from each to the other. One buffer's worth waits in
// between for each direction, no more: who does not read holds up who writes.

import { EAGAIN } from '../../abi/errno.ts';
import { SHUT_WR } from '../../abi/net/socket.ts';
import type { ByteSink, ByteSource, EndpointOwner, StreamEndpoint } from '../../net/endpoint.ts';
import { type Account, kernelMemory } from '../../sentry/base/charge.ts';
import { Timer, type TimerTarget, type TimeSource } from '../../sentry/base/time.ts';

const BUFFER_SIZE = 64 * 1024;
const SPLICE_BYTES = 2 * BUFFER_SIZE + 2048;
/** Turns of one run: others want to go on too. */
const MOST_TURNS = 16;

/** What is on the way in one direction: both a sink of what is received and a source of what is sent. */
class Way implements ByteSink, ByteSource {
  private readonly buffer = new Uint8Array(BUFFER_SIZE);
  private start = 0;
  private end = 0;
  /** The sender has ended, and the receiver was told. */
  ended = false;
  done = false;
  private filling = false;

  /** Room while it is filled, bytes while it is emptied. */
  get remaining(): number {
    return this.filling ? BUFFER_SIZE - this.end : this.end - this.start;
  }

  get empty(): boolean {
    return this.start === this.end;
  }

  fill(): this {
    this.filling = true;
    if (this.empty) this.start = this.end = 0;
    return this;
  }

  drain(): this {
    this.filling = false;
    return this;
  }

  put(src: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, BUFFER_SIZE - this.end);
    this.buffer.set(src.subarray(off, off + n), this.end);
    this.end += n;
    return n;
  }

  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.end - this.start);
    dst.set(this.buffer.subarray(this.start, this.start + n), off);
    this.start += n;
    return n;
  }

  rewind(n: number): void {
    this.start -= n;
  }
}

export interface SpliceOwner {
  spliceEnded(splice: Splice): void;
}

export class Splice implements EndpointOwner, TimerTarget {
  private readonly owner: SpliceOwner;
  private readonly time: TimeSource;
  private readonly a: StreamEndpoint;
  private readonly b: StreamEndpoint;
  private readonly toB = new Way();
  private readonly toA = new Way();
  /** An endpoint must not be called back from where it tells something: it is in the next moment. */
  private readonly soon: Timer = new Timer(this);
  private readonly account: Account;
  private over = false;
  /** b is still being connected. */
  private connecting: boolean;

  /** `b` may be on its way to be connected. Ask `fits` first. */
  constructor(
    owner: SpliceOwner,
    time: TimeSource,
    a: StreamEndpoint,
    b: StreamEndpoint,
    connecting: boolean,
  ) {
    this.owner = owner;
    this.time = time;
    this.a = a;
    this.b = b;
    this.connecting = connecting;
    this.account = kernelMemory.take(SPLICE_BYTES);
    a.owner = this;
    b.owner = this;
  }

  static get fits(): boolean {
    return kernelMemory.fits(SPLICE_BYTES);
  }

  endpointReady(): void {
    if (!this.over && !this.soon.armed) this.time.arm(this.soon, 0);
  }

  onTimer(): void {
    this.run();
  }

  /** Moves what can be moved. */
  run(): void {
    if (this.over) return;
    if (this.connecting) {
      const error = this.b.takeError();
      if (error !== 0) {
        this.end(true);
        return;
      }
      if (this.b.poll() === 0) return;
      this.connecting = false;
    }
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const there = this.move(this.a, this.toB, this.b);
      if (this.over) return;
      const back = this.move(this.b, this.toA, this.a);
      if (this.over) return;
      if (!there && !back) return;
    }
    if (!this.soon.armed) this.time.arm(this.soon, 0);
  }

  /** True when something moved. */
  private move(from: StreamEndpoint, way: Way, to: StreamEndpoint): boolean {
    let moved = false;
    if (way.empty && !way.ended) {
      const n = from.receive(way.fill(), 0, 0);
      if (n === 0) way.ended = true;
      else if (n < 0 && n !== -EAGAIN) {
        this.end(true);
        return false;
      }
      moved = n > 0 || n === 0;
    }
    if (!way.empty) {
      const n = to.send(way.drain(), 0);
      if (n < 0 && n !== -EAGAIN) {
        this.end(true);
        return false;
      }
      moved ||= n > 0;
    }
    if (way.ended && way.empty && !way.done) {
      way.done = true;
      to.shutdown(SHUT_WR);
      if (this.toA.done && this.toB.done) this.end(false);
    }
    return moved;
  }

  /** Both are closed; `reset`: one of them was, and the other is told so. */
  end(reset: boolean): void {
    if (this.over) return;
    this.over = true;
    this.time.cancel(this.soon);
    this.a.close(reset ? 0 : -1);
    this.b.close(reset ? 0 : -1);
    kernelMemory.give(this.account, SPLICE_BYTES);
    this.owner.spliceEnded(this);
  }
}
