// The queue of armed timers: a binary heap ordered by deadline. Each Timer knows its place (Timer.index), so that
// re-arming and cancelling cost O(log n) and allocate nothing.

import type { Timer } from '../../base/time.ts';

export class TimerHeap {
  private readonly heap: Timer[] = [];

  get size(): number {
    return this.heap.length;
  }

  /** The earliest deadline in ns; Infinity when nothing is armed. */
  get nextNs(): number {
    return this.heap.length === 0 ? Number.POSITIVE_INFINITY : this.heap[0]!.deadlineNs;
  }

  /** Arms or re-arms. */
  set(timer: Timer, deadlineNs: number): void {
    timer.deadlineNs = deadlineNs;
    if (timer.index < 0) {
      timer.index = this.heap.length;
      this.heap.push(timer);
      this.up(timer.index);
    } else {
      this.up(timer.index);
      this.down(timer.index);
    }
  }

  /** Disarms; harmless when not armed. */
  remove(timer: Timer): void {
    const at = timer.index;
    if (at < 0) return;
    timer.index = -1;
    const last = this.heap.pop()!;
    if (last === timer) return;
    this.heap[at] = last;
    last.index = at;
    this.up(at);
    this.down(last.index);
  }

  /** Takes out the earliest timer if its deadline is at or before `nowNs`; null otherwise. */
  popDue(nowNs: number): Timer | null {
    if (this.heap.length === 0) return null;
    const first = this.heap[0]!;
    if (first.deadlineNs > nowNs) return null;
    this.remove(first);
    return first;
  }

  private up(from: number): void {
    const heap = this.heap;
    const timer = heap[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const p = heap[parent]!;
      if (p.deadlineNs <= timer.deadlineNs) break;
      heap[at] = p;
      p.index = at;
      at = parent;
    }
    heap[at] = timer;
    timer.index = at;
  }

  private down(from: number): void {
    const heap = this.heap;
    const timer = heap[from]!;
    const n = heap.length;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= n) break;
      if (child + 1 < n && heap[child + 1]!.deadlineNs < heap[child]!.deadlineNs) child++;
      const c = heap[child]!;
      if (c.deadlineNs >= timer.deadlineNs) break;
      heap[at] = c;
      c.index = at;
      at = child;
    }
    heap[at] = timer;
    timer.index = at;
  }
}
