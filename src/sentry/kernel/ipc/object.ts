// What System V shared memory, semaphores and message queues have in common: keys, ids, owners and modes: sysvipc(7).

import { EACCES, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, EPERM } from '../../../abi/errno.ts';
import { IPC_CREAT, IPC_EXCL, IPC_PRIVATE, type Ipc64Perm } from '../../../abi/ipc/ipc.ts';
import { CAP_IPC_OWNER, CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Cred } from '../../base/cred.ts';

/** An id is seq * IPCMNI + index, so that a slot that is used again gives another id. */
const IPCMNI = 32768;
const SEQ_MAX = 0xffff;

/** An object without what it holds. */
export const OBJECT_BYTES = 1024;

export abstract class IpcObject {
  id = -1;
  key: number;
  uid: number;
  gid: number;
  readonly cuid: number;
  readonly cgid: number;
  /** Permission bits, and SHM_DEST and SHM_LOCKED for shared memory. */
  mode: number;
  seq = 0;
  /** What it counts for in its table: the semaphores of a set. */
  readonly units: number = 1;
  /** No longer in its table: what waits for it gets EIDRM. */
  removed = false;
  /** Who made it; what that takes. */
  private readonly payer: Account;
  private readonly paid: number;

  constructor(key: number, mode: number, cred: Cred, bytes = 0) {
    this.paid = OBJECT_BYTES + bytes;
    this.payer = kernelMemory.take(this.paid);
    this.key = key;
    this.mode = mode & 0o777;
    this.uid = this.cuid = cred.euid;
    this.gid = this.cgid = cred.egid;
  }

  payBack(): void {
    kernelMemory.give(this.payer, this.paid);
  }

  /** 0 or -EACCES for access bits of one class (4 read, 2 write), or for a whole mode. */
  checkAccess(cred: Cred, wanted: number): number {
    const requested = (wanted >> 6) | (wanted >> 3) | wanted;
    let granted = this.mode;
    if (cred.euid === this.cuid || cred.euid === this.uid) granted >>= 6;
    else if (inGroup(cred, this.cgid) || inGroup(cred, this.gid)) granted >>= 3;
    if ((requested & ~granted & 7) === 0 || cred.capable(CAP_IPC_OWNER)) return 0;
    return -EACCES;
  }

  /** 0 or -EPERM: IPC_SET and IPC_RMID are for owner and creator. */
  checkOwner(cred: Cred): number {
    return cred.euid === this.cuid || cred.euid === this.uid || cred.capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
  }

  perm(): Ipc64Perm {
    return {
      key: this.key,
      uid: this.uid,
      gid: this.gid,
      cuid: this.cuid,
      cgid: this.cgid,
      mode: this.mode,
      seq: this.seq,
    };
  }

  /** IPC_SET's part that all three have. */
  setPerm(p: Ipc64Perm): number {
    if (p.uid === 0xffffffff || p.gid === 0xffffffff) return -EINVAL;
    this.uid = p.uid;
    this.gid = p.gid;
    this.mode = (this.mode & ~0o777) | (p.mode & 0o777);
    return 0;
  }
}

function inGroup(cred: Cred, gid: number): boolean {
  return cred.egid === gid || cred.groups.includes(gid);
}

/** The objects of one kind in one IPC namespace. */
export class IpcTable<T extends IpcObject> {
  private readonly slots: (T | null)[] = [];
  /** No slot below it is empty. */
  private lowest = 0;
  private readonly keys: Map<number, T> = new Map();
  private readonly max: number;
  private seq = 0;
  used = 0;
  /** Units of all objects. */
  units = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** The object of an id, or null. */
  get(id: number): T | null {
    if (id < 0) return null;
    const o = this.slots[id % IPCMNI] ?? null;
    return o !== null && o.id === id ? o : null;
  }

  /** The object in a slot: the *_STAT commands. */
  at(index: number): T | null {
    return index < 0 ? null : (this.slots[index] ?? null);
  }

  /** Highest slot in use, 0 when there is none: the result of the *_INFO commands. */
  get maxIndex(): number {
    return Math.max(0, this.slots.length - 1);
  }

  /**
   * The common part of shmget(2), semget(2) and msgget(2): the id of an old object that `accept` (0 or -errno) likes, or
   * of the one that `make` returns.
   */
  open(cred: Cred, key: number, flags: number, accept: (o: T) => number, make: () => T | number): number {
    const old = key === IPC_PRIVATE ? undefined : this.keys.get(key);
    if (old !== undefined) {
      if ((flags & IPC_CREAT) !== 0 && (flags & IPC_EXCL) !== 0) return -EEXIST;
      const err = accept(old);
      if (err !== 0) return err;
      const denied = old.checkAccess(cred, flags & 0o777);
      return denied !== 0 ? denied : old.id;
    }
    if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) return -ENOENT;
    if (this.used >= this.max) return -ENOSPC;
    if (!kernelMemory.fits(OBJECT_BYTES)) return -ENOMEM;
    const o = make();
    return typeof o === 'number' ? o : this.add(o);
  }

  private add(o: T): number {
    let index = this.slots.indexOf(null, this.lowest);
    if (index < 0) index = this.slots.length;
    this.lowest = index + 1;
    this.slots[index] = o;
    o.seq = this.seq;
    o.id = this.seq * IPCMNI + index;
    this.seq = (this.seq + 1) % SEQ_MAX;
    if (o.key !== IPC_PRIVATE) this.keys.set(o.key, o);
    this.used++;
    this.units += o.units;
    return o.id;
  }

  /** Makes a key free again while the object lives on (SHM_DEST). */
  forgetKey(o: T): void {
    if (this.keys.get(o.key) === o) this.keys.delete(o.key);
    o.key = IPC_PRIVATE;
  }

  remove(o: T): void {
    if (o.removed) return;
    o.removed = true;
    this.forgetKey(o);
    const index = o.id % IPCMNI;
    this.slots[index] = null;
    this.lowest = Math.min(this.lowest, index);
    // The last slot is in use, so that the highest index is known.
    while (this.slots.length > 0 && this.slots[this.slots.length - 1] === null) this.slots.pop();
    this.used--;
    this.units -= o.units;
    o.payBack();
  }

  *all(): IterableIterator<T> {
    for (const o of this.slots) if (o !== null) yield o;
  }
}
