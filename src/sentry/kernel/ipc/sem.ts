// System V semaphores: semget(2), semop(2), and what SEM_UNDO takes back at exit.

import { ERANGE } from '../../../abi/errno.ts';
import { IPC_NOWAIT, SEM_UNDO, SEMAEM, SEMVMX, type Sembuf } from '../../../abi/ipc/ipc.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Cred } from '../../base/cred.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { Parked } from '../block.ts';
import type { Task } from '../task/task.ts';
import { IpcObject } from './object.ts';

/** SemSet.apply(): the operations must wait; `blockedOn` tells for which. */
export const SEM_WAIT = 1;

/** A semaphore: its value and who touched it last. */
export const SEM_BYTES = 8;
/** A process's adjustment of one. */
const ADJUSTMENT_BYTES = 4;
const UNDO_BYTES = 256;

export class SemSet extends IpcObject {
  override readonly units: number;
  readonly values: Int32Array;
  /** Who operated on each semaphore last. */
  readonly pids: Int32Array;
  otimeSec = 0;
  ctimeSec: number;
  /** Tasks in semop; woken at every change. */
  readonly waiters: WaitQueue = new WaitQueue();
  /** Undo lists that hold adjustments of this set. */
  readonly undos: Set<SemUndo> = new Set();
  /** The operation that the last apply() could not do. */
  blockedOn: Sembuf | null = null;

  constructor(key: number, mode: number, cred: Cred, count: number, nowSec: number) {
    super(key, mode, cred, count * SEM_BYTES);
    this.units = count;
    this.values = new Int32Array(count);
    this.pids = new Int32Array(count);
    this.ctimeSec = nowSec;
  }

  /** Does all operations or none: 0, SEM_WAIT, or -ERANGE. */
  apply(ops: readonly Sembuf[], undo: SemUndo | null, pid: number): number {
    for (let i = 0; i < ops.length; i++) {
      const op = ops[i]!;
      const value = this.values[op.num]!;
      const after = value + op.op;
      let result = 0;
      if (op.op === 0 ? value !== 0 : after < 0) result = SEM_WAIT;
      else if (after > SEMVMX) result = -ERANGE;
      else if ((op.flg & SEM_UNDO) !== 0 && undo !== null && !undo.adjust(this, op.num, -op.op))
        result = -ERANGE;
      if (result === 0) {
        this.values[op.num] = after;
        continue;
      }
      this.rollBack(ops, i, undo);
      this.blockedOn = op;
      return result;
    }
    for (const op of ops) if (op.op !== 0) this.pids[op.num] = pid;
    return 0;
  }

  private rollBack(ops: readonly Sembuf[], count: number, undo: SemUndo | null): void {
    for (let i = count - 1; i >= 0; i--) {
      const op = ops[i]!;
      this.values[op.num]! -= op.op;
      if ((op.flg & SEM_UNDO) !== 0 && undo !== null) undo.adjust(this, op.num, op.op);
    }
  }

  /** Waiters whose first undoable operation is on `num`: GETNCNT (`zero` false) or GETZCNT. */
  countWaiters(num: number, zero: boolean): number {
    let n = 0;
    for (let w = this.waiters.head; w !== null; w = w.next) {
      const state = (w.target as Task).call.state;
      if (!(state instanceof SemWait) || state.blockedOn === null) continue;
      if (state.blockedOn.num === num && (state.blockedOn.op === 0) === zero) n++;
    }
    return n;
  }

  /** SETVAL and SETALL: adjustments of the changed semaphores are void. */
  forgetUndo(num: number): void {
    for (const u of this.undos) u.forget(this, num);
  }
}

/** A parked semop. */
export class SemWait implements Parked {
  readonly set: SemSet;
  readonly ops: readonly Sembuf[];
  blockedOn: Sembuf | null = null;
  constructor(set: SemSet, ops: readonly Sembuf[]) {
    this.set = set;
    this.ops = ops;
  }
  get mayWait(): boolean {
    return this.blockedOn === null || (this.blockedOn.flg & IPC_NOWAIT) === 0;
  }
  /** Who waits holds nothing yet, and is counted by its waiter. */
  abandon(): void {}
}

/** What exit takes back (struct sem_undo_list); CLONE_SYSVSEM shares it. */
export class SemUndo {
  refs = 1;
  private readonly sets: Map<SemSet, Int32Array> = new Map();
  private readonly payer: Account = kernelMemory.take(0);

  private static cost(set: SemSet): number {
    return UNDO_BYTES + set.values.length * ADJUSTMENT_BYTES;
  }

  /** There is memory for adjustments of `set`. */
  fits(set: SemSet): boolean {
    return this.sets.has(set) || kernelMemory.fits(SemUndo.cost(set), this.payer);
  }

  /** Adds to an adjustment; false when it would leave its range. */
  adjust(set: SemSet, num: number, by: number): boolean {
    let adj = this.sets.get(set);
    if (adj === undefined) {
      adj = new Int32Array(set.values.length);
      this.sets.set(set, adj);
      kernelMemory.take(SemUndo.cost(set), this.payer);
      set.undos.add(this);
    }
    const to = adj[num]! + by;
    if (to < -SEMAEM - 1 || to > SEMAEM) return false;
    adj[num] = to;
    return true;
  }

  forget(set: SemSet, num: number): void {
    const adj = this.sets.get(set);
    if (adj !== undefined) adj[num] = 0;
  }

  forgetSet(set: SemSet): void {
    if (this.sets.delete(set)) kernelMemory.give(this.payer, SemUndo.cost(set));
  }

  /** The last thread that shared it is gone. */
  private run(t: Task): void {
    for (const [set, adj] of this.sets) {
      set.undos.delete(this);
      kernelMemory.give(this.payer, SemUndo.cost(set));
      if (set.removed) continue;
      for (let i = 0; i < adj.length; i++) {
        if (adj[i] === 0) continue;
        set.values[i] = Math.max(0, Math.min(SEMVMX, set.values[i]! + adj[i]!));
        set.pids[i] = t.tgid;
      }
      set.otimeSec = t.kernel.time.realtimeSec();
      set.waiters.wake(1);
    }
    this.sets.clear();
  }

  /** A thread leaves it. */
  leave(t: Task): void {
    if (--this.refs === 0) this.run(t);
  }
}

/** The undo list that `t` shares with a child under CLONE_SYSVSEM. */
export function shareUndo(t: Task): SemUndo {
  t.semUndo ??= new SemUndo();
  t.semUndo.refs++;
  return t.semUndo;
}
