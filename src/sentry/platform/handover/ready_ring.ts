// ReadyRing: which of many running threads have an event. To look at every running thread's state costs some nanoseconds
// and a cache miss each; with hundreds of them, threads put their number into this ring when they report, and the Sentry
// looks only at those.
//
// One page, written by all guests: what it says is a hint. A number leads to a look at that context's
// state, nothing more; the Sentry looks at all of them whenever the ring may have lost one, and from time to time anyway.
//
//   word 0             how many numbers were ever put in (lock xadd)
//   words SIZE..       the number of each, plus one, and in the upper bits how often the ring was full before: so a word
//                      whose writer was interrupted on the way is not taken for one of a lap before

import type { MemoryFile } from '../../memfile/memfile.ts';
import { RING_LAP_SHIFT, RING_SHIFT, RING_SIZE } from './line.ts';

const MASK = RING_SIZE - 1;
const NUMBER_MASK = 2 ** RING_LAP_SHIFT - 1;
const LAP_MASK = 2 ** (32 - RING_LAP_SHIFT) - 1;
/** From so many running threads on the ring is used, and down to so few. */
const USE_FROM = 64;
const USE_TO = 32;

export class ReadyRing<T> {
  /** The page's frame. */
  readonly frame: number;
  private readonly words: Int32Array;
  private readonly at: number;
  /** Who has which number. */
  private readonly owners: (T | null)[] = [];
  private readonly free: number[] = [];
  /** Numbers taken so far, modulo 2 ** 32. */
  private head = 0;
  /** Threads are told to use it. */
  on = false;
  /** Somebody may be ready who is not in the ring: a look at all of them that finds nobody ends that. */
  unsure = false;

  constructor(memfile: MemoryFile) {
    this.frame = memfile.alloc(1);
    if (this.frame < 0) throw new Error('hand-over: no memory for the ring');
    this.words = memfile.i32(this.frame);
    this.at = memfile.byteOffset(this.frame) / 4;
  }

  /** A number for `owner`, as its slot names it. */
  enter(owner: T): number {
    const id = this.free.pop() ?? this.owners.length;
    this.owners[id] = owner;
    return id;
  }

  leave(id: number): void {
    this.owners[id] = null;
    this.free.push(id);
  }

  /** Whether to use the ring with `running` threads; true when that has changed, which the caller tells the threads. */
  decide(running: number): boolean {
    if (this.on ? running > USE_TO : running < USE_FROM) return false;
    this.on = !this.on;
    this.head = Atomics.load(this.words, this.at);
    this.unsure = true;
    return true;
  }

  /** The next that is said to be ready, or null: nobody, or nobody knows (`unsure`). */
  take(): T | null {
    const tail = Atomics.load(this.words, this.at);
    const n = (tail - this.head) | 0;
    if (n < 0 || n > RING_SIZE) {
      this.head = tail;
      this.unsure = true;
      return null;
    }
    for (let i = 0; i < n; i++) {
      const word = Atomics.load(this.words, this.at + RING_SIZE + (this.head & MASK));
      const lap = (this.head >>> RING_SHIFT) & LAP_MASK;
      this.head = (this.head + 1) | 0;
      const id = (word & NUMBER_MASK) - 1;
      if (word >>> RING_LAP_SHIFT !== lap || id < 0) {
        // Its writer has been interrupted; its state says already that it is ready.
        this.unsure = true;
        return null;
      }
      const owner = id < this.owners.length ? this.owners[id]! : null;
      if (owner !== null) return owner;
    }
    return null;
  }
}
