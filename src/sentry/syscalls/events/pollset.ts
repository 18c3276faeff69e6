// PollSet: the files that one poll(2) or select(2) call watches. The first look uses one shared set and allocates nothing;
// only a call that must wait gets a set of its own, which holds its files until the call ends.

import { POLLERR, POLLHUP, POLLNVAL } from '../../../abi/events/poll.ts';
import { BLOCKED } from '../../kernel/block.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { File } from '../../vfs/file.ts';
import { fdget } from '../fdget.ts';

const FIRST_SIZE = 64;

export class PollSet {
  count = 0;
  fds: Int32Array = new Int32Array(FIRST_SIZE);
  /** Events asked for; POLLERR and POLLHUP are always watched. */
  wanted: Int32Array = new Int32Array(FIRST_SIZE);
  /** Events found by the last scan. */
  found: Int32Array = new Int32Array(FIRST_SIZE);
  /** Held files by index; null for ignored and closed descriptors. Empty in the shared set. */
  private files: (File | null)[] = [];

  /** Empties the set and makes room for `n` entries. */
  reset(n: number): void {
    this.count = 0;
    if (n <= this.fds.length) return;
    this.fds = new Int32Array(n);
    this.wanted = new Int32Array(n);
    this.found = new Int32Array(n);
  }

  add(fd: number, wanted: number): void {
    const i = this.count++;
    this.fds[i] = fd;
    this.wanted[i] = wanted;
    this.found[i] = 0;
  }

  private file(t: Task, i: number): File | null {
    return this.files.length > 0 ? this.files[i]! : fdget(t, this.fds[i]!);
  }

  /** Looks at every file; how many entries have an event. Negative descriptors have none, closed ones POLLNVAL. */
  scan(t: Task): number {
    let ready = 0;
    for (let i = 0; i < this.count; i++) {
      let events = 0;
      if (this.fds[i]! >= 0) {
        const f = this.file(t, i);
        events = f === null ? POLLNVAL : f.poll() & (this.wanted[i]! | POLLERR | POLLHUP);
      }
      this.found[i] = events;
      if (events !== 0) ready++;
    }
    return ready;
  }

  /** Registers the task with every file, then parks it: as Task.park(). On BLOCKED the call has a set of its own. */
  park(t: Task): number {
    for (let i = 0; i < this.count; i++) {
      const f = this.fds[i]! >= 0 ? this.file(t, i) : null;
      const q = f === null ? null : f.queue();
      if (q !== null) t.watch(q, this.wanted[i]! | POLLERR | POLLHUP);
    }
    const r = t.park();
    if (r === BLOCKED && t.call.state === null) t.call.state = this.hold(t);
    return r;
  }

  /** A copy that holds its files. */
  private hold(t: Task): PollSet {
    const s = new PollSet();
    s.count = this.count;
    s.fds = this.fds.slice(0, this.count);
    s.wanted = this.wanted.slice(0, this.count);
    s.found = new Int32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      const f = this.fds[i]! >= 0 ? fdget(t, this.fds[i]!) : null;
      s.files.push(f === null ? null : f.ref());
    }
    return s;
  }

  /** The call ends: lets go of the files. */
  drop(t: Task): void {
    t.call.state = null;
    this.abandon();
  }

  /** Parked: without looking at the task. */
  abandon(): void {
    const files = this.files;
    this.files = [];
    for (const f of files) if (f !== null) f.unref();
  }
}

/** The set for first looks. */
export const sharedSet: PollSet = new PollSet();

/** The set of a parked call that runs again, or null at its first run. */
export function parkedSet(t: Task): PollSet | null {
  return t.call.active ? (t.call.state as PollSet | null) : null;
}
