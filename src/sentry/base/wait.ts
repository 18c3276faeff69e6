// Wait queues: how a file, futex or timer tells those who watch it that something changed.
// A Waiter is an intrusive list node, so adding, removing and waking allocate nothing.

/** What a waiter's owner (a task, an epoll item, a host bridge) implements to hear of readiness. */
export interface Wakeable {
  /** Called once per wake with the events that became true (EPOLL* bits). Must not run guest code or block. */
  onReady(waiter: Waiter, events: number): void;
}

/** One registration on one WaitQueue. Plain fields, so that it can be saved. */
export class Waiter {
  readonly target: Wakeable;
  /** EPOLL* bits of interest; a wake with none of them is not delivered. */
  events: number;
  /** Free for the owner: a futex bitset, a poll index, an epoll key. */
  cookie: number;
  queue: WaitQueue | null = null;
  /** Who waits behind this one: of those that have it, a wake tells no more than one with somebody there. */
  wakesOne: WaitQueue | null = null;
  prev: Waiter | null = null;
  next: Waiter | null = null;

  constructor(target: Wakeable, events: number, cookie = 0) {
    this.target = target;
    this.events = events;
    this.cookie = cookie;
  }

  /** Takes this waiter off its queue; harmless when it is on none. */
  remove(): void {
    if (this.queue !== null) this.queue.remove(this);
  }
}

/** A FIFO of waiters. Whoever owns the state that they wait for calls wake() after every change. */
export class WaitQueue {
  head: Waiter | null = null;
  tail: Waiter | null = null;
  /** Where the wake that is under way continues; moved on when that waiter is removed meanwhile. */
  private cursor: Waiter | null = null;

  get empty(): boolean {
    return this.head === null;
  }

  add(w: Waiter): void {
    if (w.queue !== null) w.queue.remove(w);
    w.queue = this;
    w.prev = this.tail;
    w.next = null;
    if (this.tail === null) this.head = w;
    else this.tail.next = w;
    this.tail = w;
  }

  remove(w: Waiter): void {
    if (w.queue !== this) return;
    if (this.cursor === w) this.cursor = w.next;
    if (w.prev === null) this.head = w.next;
    else w.prev.next = w.next;
    if (w.next === null) this.tail = w.prev;
    else w.next.prev = w.prev;
    w.queue = null;
    w.prev = null;
    w.next = null;
  }

  /** Tells every waiter that watches one of `events`, of exclusive ones up to the first that helps; how many. */
  wake(events: number): number {
    let count = 0;
    const outer = this.cursor;
    let taken = false;
    let w = this.head;
    while (w !== null) {
      this.cursor = w.next;
      if ((w.events & events) !== 0 && !(taken && w.wakesOne !== null)) {
        count++;
        if (w.wakesOne !== null) taken = !w.wakesOne.empty;
        w.target.onReady(w, events);
      }
      w = this.cursor;
    }
    this.cursor = outer !== null && outer.queue === this ? outer : null;
    return count;
  }
}
