// HiddenFiles: files and directories of the host that guests must not see, wherever and through whatever mount they look. They
// are not there: neither by name nor in listings. A guest that makes something of that name has its own.
//
// Each is known in two ways: as an object (device and inode number), so that hard links, bind mounts and renames on the host
// do not bring it back, and as a name in a directory, so that it stays hidden when the host replaces it. Of a symbolic link both
// the link and what it leads to are meant. What appears on the host after the start is hidden by its name.

import { realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { U64 } from '../../../abi/u64.ts';

/** Device and inode number, exact. */
export interface HostId {
  readonly dev: U64;
  readonly ino: U64;
}

function keyOf(id: HostId): string {
  return `${id.dev}:${id.ino}`;
}

/** The object at a path of the host, all links followed; null when there is none. */
function idOf(path: string): HostId | null {
  try {
    return statSync(path, { bigint: true }) as unknown as HostId;
  } catch {
    return null;
  }
}

export class HiddenFiles {
  /** Those that are there, as they really lie. */
  private readonly paths: string[] = [];
  private readonly objects: Set<string> = new Set();
  /** All of them, by every name. */
  private readonly given: string[] = [];
  /** The directories above, when somebody has asked. */
  private parents: Set<string> | null = null;
  /** Names by the directory that they are in. */
  private readonly names: Map<string, Set<string>> = new Map();

  /** `paths`: absolute paths of the host, of things that need not exist. */
  constructor(paths: readonly string[]) {
    for (const path of paths) {
      this.addName(path);
      const object = idOf(path);
      if (object === null) continue;
      this.objects.add(keyOf(object));
      this.paths.push(realpathSync(path));
      this.addName(realpathSync(path));
    }
  }

  /** A hidden path at or below a directory of the host, or that it lies in; null when none is. */
  within(dir: string): string | null {
    const below = (path: string, top: string) =>
      path === top || path.startsWith(top === '/' ? top : `${top}/`);
    const real = realpathSync(dir);
    return this.paths.find((path) => below(path, real) || below(real, path)) ?? null;
  }

  /** A hidden path at a directory of the host, or that it lies in: nothing of that is to be seen. */
  over(dir: string): string | null {
    const real = realpathSync(dir);
    const id = idOf(dir);
    // On another mount of the host it is the same object.
    if (id !== null && this.has(id)) return real;
    return this.paths.find((path) => real.startsWith(path === '/' ? path : `${path}/`)) ?? null;
  }

  /** Is a name in a directory hidden, whatever has it? */
  named(dir: HostId, name: string): boolean {
    return this.names.get(keyOf(dir))?.has(name) === true;
  }

  /** Does a hidden path lead through this directory? Who could move it could have the host put new secrets elsewhere. */
  leadsThrough(id: HostId): boolean {
    if (this.parents === null) {
      this.parents = new Set();
      for (const path of this.given)
        for (let dir = dirname(path); ; dir = dirname(dir)) {
          const object = idOf(dir);
          if (object !== null) this.parents.add(keyOf(object));
          if (dir === '/') break;
        }
    }
    return this.parents.has(keyOf(id));
  }

  private addName(path: string): void {
    this.given.push(path);
    const dir = idOf(dirname(path));
    if (dir === null) return;
    const key = keyOf(dir);
    const names = this.names.get(key) ?? new Set();
    this.names.set(key, names.add(Buffer.from(basename(path)).toString('latin1')));
  }

  /** Something is: nobody need ask otherwise. */
  get any(): boolean {
    return this.names.size > 0;
  }

  /** Is this object hidden? */
  has(id: HostId): boolean {
    return this.objects.has(keyOf(id));
  }

  /** Is `id`, found as `name` (a byte string) in `dir`? */
  hides(dir: HostId, name: string, id: HostId): boolean {
    return this.has(id) || this.names.get(keyOf(dir))?.has(name) === true;
  }
}

/** Nothing is. */
export const NOTHING_HIDDEN: HiddenFiles = new HiddenFiles([]);
