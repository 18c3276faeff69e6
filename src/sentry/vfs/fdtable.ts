// The descriptor table (struct files_struct): what CLONE_FILES shares.

import { EBADF, EMFILE, ENFILE, ENOMEM } from '../../abi/errno.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import type { VfsContext } from './context.ts';
import type { File } from './file.ts';

/** A slot of a table; tables grow by so many at least. */
const SLOT_BYTES = 32;
const GROW_BY = 64;

export class FdTable {
  /** Tasks that share it. */
  refs = 1;
  private readonly files: (File | null)[] = [];
  private readonly cloexec: boolean[] = [];
  /** No free slot below this one. */
  private lowestFree = 0;
  /** Who pays for the table, and for how many slots. */
  private readonly payer: Account = kernelMemory.take(0);
  private paid = 0;

  /** The file of a descriptor, or null. No reference is taken. */
  get(fd: number): File | null {
    return fd >= 0 && fd < this.files.length ? this.files[fd]! : null;
  }

  /** Slots that exist; every open descriptor is below it. */
  get length(): number {
    return this.files.length;
  }

  /** Installs `file` (its reference moves into the table) at the lowest free slot >= min; -EMFILE at the limit. */
  install(file: File, cloexec: boolean, limit: number, min = 0): number {
    let fd = Math.max(min, this.lowestFree);
    while (fd < this.files.length && this.files[fd] !== null) fd++;
    if (min <= this.lowestFree) this.lowestFree = fd;
    if (fd >= limit) return -EMFILE;
    // A file that nobody else has is new: there may be too many of them.
    if (file.refs === 1 && !kernelMemory.fits(0)) return -ENFILE;
    if (!this.mayHold(fd)) return -ENOMEM;
    this.put(fd, file, cloexec);
    return fd;
  }

  /** True when install() would find a slot below `limit`: asked before a call makes what it could not undo. */
  hasRoom(limit: number): boolean {
    let fd = this.lowestFree;
    while (fd < this.files.length && this.files[fd] !== null) fd++;
    this.lowestFree = fd;
    return fd < limit;
  }

  /** True when there is memory for a table that reaches to `fd`. */
  mayHold(fd: number): boolean {
    return fd < this.paid || kernelMemory.fits((fd + 1 - this.paid) * SLOT_BYTES, this.payer);
  }

  /** Bytes that a copy of it takes. */
  get bytes(): number {
    return this.files.length * SLOT_BYTES;
  }

  private pay(slots: number): void {
    kernelMemory.take((slots - this.paid) * SLOT_BYTES, this.payer);
    this.paid = slots;
  }

  /** Installs at exactly `fd`; the caller closed what was there. */
  put(fd: number, file: File, cloexec: boolean): void {
    if (fd >= this.paid) this.pay(Math.max(fd + 1, this.paid + GROW_BY));
    while (this.files.length < fd) {
      this.files.push(null);
      this.cloexec.push(false);
    }
    this.files[fd] = file;
    this.cloexec[fd] = cloexec;
    if (fd === this.lowestFree) this.lowestFree = fd + 1;
  }

  /** Takes a file out of its slot; its reference moves to the caller. */
  remove(fd: number): File | null {
    const f = this.get(fd);
    if (f === null) return null;
    this.files[fd] = null;
    this.cloexec[fd] = false;
    if (fd < this.lowestFree) this.lowestFree = fd;
    return f;
  }

  /** close(2): takes it out, flushes, drops the reference. */
  close(ctx: VfsContext, fd: number): number {
    const f = this.remove(fd);
    if (f === null) return -EBADF;
    const r = f.flush(ctx);
    f.unref();
    return r;
  }

  isCloexec(fd: number): boolean {
    return this.cloexec[fd] === true;
  }

  setCloexec(fd: number, on: boolean): void {
    this.cloexec[fd] = on;
  }

  /** A copy with a reference on every file (fork). */
  clone(): FdTable {
    const t = new FdTable();
    t.pay(this.files.length);
    for (let fd = 0; fd < this.files.length; fd++) {
      const f = this.files[fd]!;
      t.files.push(f === null ? null : f.ref());
      t.cloexec.push(this.cloexec[fd]!);
    }
    t.lowestFree = this.lowestFree;
    return t;
  }

  closeOnExec(ctx: VfsContext): void {
    for (let fd = 0; fd < this.files.length; fd++) if (this.cloexec[fd] === true) this.close(ctx, fd);
  }

  /** The last task that shared it is gone. */
  closeAll(ctx: VfsContext): void {
    for (let fd = 0; fd < this.files.length; fd++) if (this.files[fd] !== null) this.close(ctx, fd);
    this.pay(0);
  }
}
