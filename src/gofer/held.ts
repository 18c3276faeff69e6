// Held: what the gofer has open for the kernel, by handle. A handle is a place in a table of fixed size; what the kernel says it is, is looked at.

import { EBADF, EMFILE } from '../abi/errno.ts';
import { SYS_close } from '../abi/syscall.ts';
import type { U64 } from '../abi/u64.ts';
import { maxHostFiles } from '../host/limits.ts';
import { hostCall } from '../host/syscall.ts';

/** A directory that is served, with all below it. */
export interface Tree {
  /** Anything in it may be changed. */
  writes: boolean;
  /** The one name of its top that there is; '' for all. */
  readonly only: string;
  /** The descriptor of its top. */
  readonly fd: number;
}

/** A descriptor whose file may be opened anew; a directory's, with what is in it. */
export interface Given {
  readonly fd: number;
  readonly isDirectory: boolean;
}

export interface Held {
  /** Of ours: a directory, or a reference (O_PATH). */
  readonly fd: number;
  readonly tree: Tree;
  readonly isTop: boolean;
  readonly mode: number;
  readonly dev: U64;
  /** A directory of an interface of the host's kernel: nothing in it is served. */
  readonly closed: boolean;
}

/** What is left to what a request opens for itself. */
const MARGIN = 64;
const MOST = Math.min(1 << 16, Math.max(64, maxHostFiles - MARGIN));

export class HeldTable {
  private readonly places: (Held | null)[] = [null];
  private readonly free: number[] = [];

  get(handle: number): Held | number {
    return this.places[handle] ?? -EBADF;
  }

  /** The handle of what is held from now on; closed when that would be too much: -EMFILE. */
  add(held: Held): number {
    if (this.free.length === 0 && this.places.length > MOST) {
      hostCall(SYS_close, held.fd);
      return -EMFILE;
    }
    const handle = this.free.pop() ?? this.places.length;
    this.places[handle] = held;
    return handle;
  }

  letGo(handle: number): void {
    const held = this.places[handle] ?? null;
    if (held === null || held.isTop) return;
    hostCall(SYS_close, held.fd);
    this.places[handle] = null;
    this.free.push(handle);
  }
}
