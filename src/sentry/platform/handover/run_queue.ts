// RunQueue: guest threads that could run, but wait for their turn. The host is never given more than `limit` of them at
// once: it would serve hundreds in turns of milliseconds each, and the Sentry, one among them, so late that all wait for
// it. Who runs goes on through its system calls until its slice is over.
//
// Threads that were woken or are new go before those whose slice is over; of these one comes after at most so many of
// the others.

/** Threads that were woken, for one that was not, as long as there are both. */
const WOKEN_FIRST = 3;

export class RunQueue<T> {
  readonly limit: number;
  private readonly woken: T[] = [];
  private readonly spent: T[] = [];
  private streak = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get length(): number {
    return this.woken.length + this.spent.length;
  }

  /** Adds a thread; `spent`: it has had its slice. */
  add(thread: T, spent: boolean): void {
    (spent ? this.spent : this.woken).push(thread);
  }

  /** Takes out the thread whose turn it is. */
  next(): T | null {
    const spent = this.woken.length === 0 || (this.streak >= WOKEN_FIRST && this.spent.length > 0);
    this.streak = spent ? 0 : this.streak + 1;
    return (spent ? this.spent : this.woken).shift() ?? null;
  }

  /** Takes out this one; false when it is not there. */
  remove(thread: T): boolean {
    for (const list of [this.woken, this.spent]) {
      const i = list.indexOf(thread);
      if (i < 0) continue;
      list.splice(i, 1);
      return true;
    }
    return false;
  }

  /** Those that wait and for which `test` holds. */
  filter(test: (thread: T) => boolean): T[] {
    return [...this.woken, ...this.spent].filter(test);
  }
}
