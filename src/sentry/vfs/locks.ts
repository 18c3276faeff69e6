// File locks: POSIX record locks and open-file-description locks of fcntl(2), and flock(2).
// Record locks belong to an owner: a process's descriptor table (POSIX) or a File (OFD). Waiting is the caller's part:
// it watches `queue` and tries again.

import { EAGAIN, EDEADLK, ENOLCK } from '../../abi/errno.ts';
import { POLLIN } from '../../abi/events/poll.ts';
import { F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_SH, LOCK_UN } from '../../abi/fs/fcntl.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import { WaitQueue } from '../base/wait.ts';
import type { File } from './file.ts';
import { devMajor, devMinor } from './filesystem.ts';
import type { Inode } from './inode.ts';

/** Locks that one inode may carry. */
const MAX_LOCKS = 65536;
/** One lock. */
const LOCK_BYTES = 160;
/** The end of a lock to the end of file, whatever the file grows to. */
export const LOCK_EOF: number = Number.POSITIVE_INFINITY;

/** A lock on bytes [start, end]. */
export class RecordLock {
  start: number;
  end: number;
  /** F_RDLCK or F_WRLCK. */
  type: number;
  readonly owner: object;
  /** Thread group id of the locker; -1 for an OFD lock. */
  readonly pid: number;
  private readonly payer: Account = kernelMemory.take(LOCK_BYTES);

  /** It is gone: called once. */
  drop(): void {
    kernelMemory.give(this.payer, LOCK_BYTES);
  }

  constructor(start: number, end: number, type: number, owner: object, pid: number) {
    this.start = start;
    this.end = end;
    this.type = type;
    this.owner = owner;
    this.pid = pid;
  }
}

class FlockLock {
  readonly file: File;
  type: number;
  readonly pid: number;
  constructor(file: File, type: number, pid: number) {
    this.file = file;
    this.type = type;
    this.pid = pid;
  }
}

/** A parked F_SETLKW: who waits, and for whom. */
interface LockWait {
  readonly owner: object;
  readonly blocker: object;
}

/** Parked POSIX locks by waiting task, and by owner: the graph that deadlocks are found in. */
const waits = new Map<object, LockWait>();
const waitsOf = new Map<object, Set<LockWait>>();
/** Inodes that carry locks, for /proc/locks. */
const locked = new Set<InodeLocks>();

export class InodeLocks {
  readonly inode: Inode;
  /** Sorted by start. */
  private records: RecordLock[] = [];
  private flocks: FlockLock[] = [];
  readonly queue: WaitQueue = new WaitQueue();

  constructor(inode: Inode) {
    this.inode = inode;
  }

  /** The first lock of somebody else that stands against one of `type` on [start, end]; null for none. */
  conflict(owner: object, type: number, start: number, end: number): RecordLock | null {
    for (const l of this.records) {
      if (l.start > end) break;
      if (l.owner === owner || l.end < start) continue;
      if (type === F_WRLCK || l.type === F_WRLCK) return l;
    }
    return null;
  }

  /** Sets or removes (F_UNLCK) a lock on [start, end] for `owner`: 0, -EAGAIN on a conflict, -ENOLCK. */
  setRecord(owner: object, pid: number, type: number, start: number, end: number): number {
    if (type !== F_UNLCK && this.conflict(owner, type, start, end) !== null) return -EAGAIN;
    const most = this.records.length < MAX_LOCKS && kernelMemory.fits(2 * LOCK_BYTES);
    if (!most && type !== F_UNLCK) return -ENOLCK;
    const mine = new RecordLock(start, end, type, owner, pid);
    const rest: RecordLock[] = [];
    let released = type === F_UNLCK;
    // Compacted in place: of thousands of locks, few have to do with this one.
    const { records } = this;
    const from = this.firstOf(owner, start, end);
    let kept = from;
    for (let i = from; i < records.length; i++) {
      const l = records[i]!;
      const apart = l.owner !== owner || l.end + 1 < mine.start || l.start > mine.end + 1;
      const same = type === l.type;
      if (apart || (!same && (l.end < start || l.start > end))) {
        records[kept++] = l;
        continue;
      }
      if (same) {
        // Same kind, overlapping or adjacent: one lock.
        mine.start = Math.min(mine.start, l.start);
        mine.end = Math.max(mine.end, l.end);
        l.drop();
        continue;
      }
      released ||= l.type === F_WRLCK;
      if (l.start < start) rest.push(new RecordLock(l.start, start - 1, l.type, owner, l.pid));
      if (l.end > end) rest.push(new RecordLock(end + 1, l.end, l.type, owner, l.pid));
      l.drop();
    }
    records.length = kept;
    if (type !== F_UNLCK) rest.push(mine);
    else mine.drop();
    for (const l of rest) this.insertRecord(l);
    this.changed(released);
    return 0;
  }

  /** Where the first lock of `owner` is that overlaps [start, end] or is next to it; behind the last when there is none. */
  private firstOf(owner: object, start: number, end: number): number {
    const { records } = this;
    for (let i = 0; i < records.length; i++) {
      const l = records[i]!;
      if (l.start > end + 1) break;
      if (l.owner === owner && l.end + 1 >= start) return i;
    }
    return records.length;
  }

  /** Puts a lock behind all that start before it or where it does. */
  private insertRecord(l: RecordLock): void {
    const { records } = this;
    let lo = 0;
    let hi = records.length;
    while (lo < hi) {
      const mid = (lo + hi) >>> 1;
      if (records[mid]!.start <= l.start) lo = mid + 1;
      else hi = mid;
    }
    records.splice(lo, 0, l);
  }

  private changed(released: boolean): void {
    if (this.empty) locked.delete(this);
    else locked.add(this);
    if (released) this.queue.wake(POLLIN);
  }

  get empty(): boolean {
    return this.records.length === 0 && this.flocks.length === 0;
  }

  /** Implements flock(2) for an open file: `op` LOCK_SH, LOCK_EX or LOCK_UN. 0 or -EAGAIN. */
  setFlock(file: File, op: number, pid: number): number {
    const at = this.flocks.findIndex((l) => l.file === file);
    const mine = at < 0 ? null : this.flocks[at]!;
    if (mine !== null && mine.type === op) return 0;
    // A conversion first gives the old lock up: flock(2) says it is not atomic.
    if (mine !== null) this.flocks.splice(at, 1);
    if (op === LOCK_UN) {
      this.changed(mine !== null);
      return 0;
    }
    const blocked = this.flocks.some((l) => op === LOCK_EX || l.type === LOCK_EX);
    if (!blocked) this.flocks.push(new FlockLock(file, op, pid));
    this.changed(mine !== null);
    return blocked ? -EAGAIN : 0;
  }

  /** The open file description is gone: its OFD and flock locks go. */
  releaseFile(file: File): void {
    if (this.flocks.some((l) => l.file === file)) {
      this.flocks = this.flocks.filter((l) => l.file !== file);
      this.changed(true);
    }
    this.releaseOwner(file);
  }

  /** Every record lock of an owner goes (close(2) of any descriptor to the file, in its process). */
  releaseOwner(owner: object): void {
    if (!this.records.some((l) => l.owner === owner)) return;
    for (const l of this.records) if (l.owner === owner) l.drop();
    this.records = this.records.filter((l) => l.owner !== owner);
    this.changed(true);
  }

  /** Lines of /proc/locks, from number `from` on. */
  *describe(from: number): Iterable<string> {
    const i = this.inode;
    let n = from;
    const hex = (n: number): string => n.toString(16).padStart(2, '0');
    const where = `${hex(devMajor(i.dev))}:${hex(devMinor(i.dev))}:${i.ino}`;
    for (const l of this.flocks)
      yield `${n++}: FLOCK  ADVISORY  ${l.type === LOCK_SH ? 'READ ' : 'WRITE'} ${l.pid} ${where} 0 EOF\n`;
    for (const l of this.records) {
      const kind = l.pid < 0 ? 'OFDLCK' : 'POSIX ';
      const end = l.end === LOCK_EOF ? 'EOF' : String(l.end);
      yield `${n++}: ${kind} ADVISORY  ${l.type === F_RDLCK ? 'READ ' : 'WRITE'} ${l.pid} ${where} ${l.start} ${end}\n`;
    }
  }
}

/** The locks of an inode, made on first use. */
export function locksOf(inode: Inode): InodeLocks {
  return (inode.locks ??= new InodeLocks(inode));
}

/** `waiter` (a task) is about to park for a POSIX lock of `blocker`: 0, or -EDEADLK when that closes a circle. */
export function beginWait(waiter: object, owner: object, blocker: object): number {
  const seen = new Set<object>([blocker]);
  for (const who of seen) {
    if (who === owner) return -EDEADLK;
    for (const w of waitsOf.get(who) ?? []) seen.add(w.blocker);
  }
  const wait = { owner, blocker };
  endWait(waiter);
  waits.set(waiter, wait);
  const others = waitsOf.get(owner);
  if (others === undefined) waitsOf.set(owner, new Set([wait]));
  else others.add(wait);
  return 0;
}

/** State of a call that is parked so: whatever ends it, others must not be told of a circle that there is none of. */
export const recordWait: { abandon(waiter: object): void } = { abandon: endWait };

/** The wait is over, whatever ended it. */
export function endWait(waiter: object): void {
  const wait = waits.get(waiter);
  if (wait === undefined) return;
  waits.delete(waiter);
  const others = waitsOf.get(wait.owner)!;
  others.delete(wait);
  if (others.size === 0) waitsOf.delete(wait.owner);
}

/** The text of /proc/locks. */
export function* locksText(): Iterable<string> {
  let n = 1;
  for (const l of locked)
    for (const line of l.describe(n)) {
      n++;
      yield line;
    }
}
