// futex(2): wait queues in the kernel for words in guest memory. A word is named by what backs it: a file's or shared
// memory's object and offset, or the address space and address (MemoryManager.futexKey). Waiters are the tasks' own (Task.watch), so that a wake-up, a
// timeout, a signal and exit all leave the queue the same way.
//
// A wake is exact: the waiter leaves its queue and its task is marked (call.a = WOKEN) before the task runs, so the
// retried handler knows that it was counted, whatever else happened to it meanwhile.

import { FUTEX_BITSET_MATCH_ANY } from '../../../abi/ipc/futex.ts';
import { type Waiter, WaitQueue } from '../../base/wait.ts';
import { TASK_BLOCKED } from '../states.ts';
import type { Task } from '../task/task.ts';

/** In call.a of a futex waiter: a waker chose it. */
export const WOKEN = 1;

/** The waiters of one word. */
export class FutexQueue extends WaitQueue {
  private readonly table: FutexTable;
  readonly space: object;
  readonly offset: number;
  /** PI futexes: the task that the word names, as far as the kernel had to know. */
  owner: Task | null = null;

  constructor(table: FutexTable, space: object, offset: number) {
    super();
    this.table = table;
    this.space = space;
    this.offset = offset;
  }

  override remove(w: Waiter): void {
    super.remove(w);
    if (this.empty) this.table.drop(this);
  }

  override add(w: Waiter): void {
    super.add(w);
    this.table.keep(this);
  }
}

export class FutexTable {
  private readonly spaces: Map<object, Map<number, FutexQueue>> = new Map();

  /** The queue of a word if anybody waits. */
  find(space: object, offset: number): FutexQueue | null {
    return this.spaces.get(space)?.get(offset) ?? null;
  }

  /** The queue of a word to wait on. It enters the table with its first waiter and leaves it with the last. */
  queue(space: object, offset: number): FutexQueue {
    return this.find(space, offset) ?? new FutexQueue(this, space, offset);
  }

  keep(q: FutexQueue): void {
    let words = this.spaces.get(q.space);
    if (words === undefined) {
      words = new Map();
      this.spaces.set(q.space, words);
    }
    words.set(q.offset, q);
  }

  drop(q: FutexQueue): void {
    const words = this.spaces.get(q.space);
    if (words === undefined || words.get(q.offset) !== q) return;
    words.delete(q.offset);
    if (words.size === 0) this.spaces.delete(q.space);
  }

  /** Wakes up to `count` waiters whose bitset meets `bitset`; how many. */
  wake(space: object, offset: number, count: number, bitset = FUTEX_BITSET_MATCH_ANY): number {
    const q = this.find(space, offset);
    if (q === null) return 0;
    let woken = 0;
    let w = q.head;
    while (w !== null && woken < count) {
      const next: Waiter | null = w.next;
      if ((w.cookie & bitset) !== 0) {
        wakeOne(w);
        woken++;
      }
      w = next;
    }
    return woken;
  }

  /** Moves up to `count` waiters to another word's queue, behind its own; how many. */
  requeue(from: FutexQueue | null, space: object, offset: number, count: number): number {
    if (from === null || count <= 0) return 0;
    const to = this.queue(space, offset);
    if (to === from) return Math.min(count, length(from));
    let moved = 0;
    for (let w = from.head; w !== null && moved < count; w = from.head) {
      to.add(w);
      moved++;
    }
    return moved;
  }

  /** Every queue: what a dying owner of PI futexes looks through. */
  *all(): IterableIterator<FutexQueue> {
    for (const words of this.spaces.values()) yield* words.values();
  }

  get empty(): boolean {
    return this.spaces.size === 0;
  }
}

function length(q: FutexQueue): number {
  let n = 0;
  for (let w = q.head; w !== null; w = w.next) n++;
  return n;
}

/** Takes a waiter off its queue, marks its task as woken and makes it run. */
export function wakeOne(w: Waiter): void {
  const t = w.target as Task;
  w.remove();
  t.call.a = WOKEN;
  t.call.b = t.call.waiters.indexOf(w);
  if (t.state === TASK_BLOCKED) t.kernel.makeReady(t);
}
