// HiddenFiles: files and directories of the host that guests must not see, wherever and through whatever mount they look. They
// are not there: neither by name nor in listings. A guest that makes something of that name has its own.
//
// Each is known in two ways: as an object (device and inode number), so that hard links, bind mounts and renames on the host
// do not bring it back, and as a name in a directory, so that it stays hidden when the host replaces it. Of a symbolic link both
// the link and what it leads to are meant. What appears on the host after the start is hidden by its name.
//
// What lies in a hidden directory has no name inside either, but for a file of it that has another one elsewhere: those are looked
// for once, when a file with several names turns up.

import { type BigIntStats, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { U64 } from '../../../abi/u64.ts';
import { log } from '../../base/log.ts';

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

/** Names that are looked at in all hidden directories for files with names elsewhere: 0.4 s of work on a busy machine. */
const MOST_BELOW = 20_000;

/** The files below a directory, on its file system, that have several names, into `found`; looks at `left` names and says how many are left. */
function findNamedTwice(top: string, left: number, found: Set<string>): number {
  const stat = (path: Buffer): BigIntStats | null => {
    try {
      return lstatSync(path, { bigint: true });
    } catch {
      return null;
    }
  };
  const dirs = [Buffer.from(top)];
  const dev = stat(dirs[0]!)?.dev;
  let more = left;
  for (let dir = dirs.pop(); dir !== undefined; dir = dirs.pop()) {
    let names: Buffer[] = [];
    try {
      names = readdirSync(dir, { encoding: 'buffer' });
    } catch {
      // What the caller may not list, guests cannot read either.
    }
    for (const name of names) {
      if (--more < 0) {
        log(`${top}: too many names; other names of files in it may be seen`);
        return 0;
      }
      const path = Buffer.concat([dir, SLASH, name]);
      const s = stat(path);
      if (s === null || s.dev !== dev) continue;
      if (s.isDirectory()) dirs.push(path);
      else if (s.nlink > 1n) found.add(keyOf(s as unknown as HostId));
    }
  }
  return more;
}

const SLASH = Buffer.from('/');

export class HiddenFiles {
  /** Those that are there, as they really lie. */
  private readonly paths: string[] = [];
  private readonly objects: Set<string> = new Set();
  /** Directories whose content has not been looked at. */
  private readonly unread: string[] = [];
  /** All of them, by every name. */
  private readonly given: string[] = [];
  /** The directories above, when somebody has asked. */
  private parents: Set<string> | null = null;
  /** Names by the directory that they are in. */
  private readonly names: Map<string, Set<string>> = new Map();

  /**
   * `paths`: absolute paths of the host, of things that need not exist; `own`: places of ours, which hold no secrets but are
   * nothing for guests.
   */
  constructor(paths: readonly string[], own: readonly string[] = []) {
    for (const path of [...paths, ...own]) {
      this.addName(path);
      const object = idOf(path);
      if (object === null) continue;
      this.objects.add(keyOf(object));
      this.paths.push(realpathSync(path));
      if (!own.includes(path)) this.unread.push(realpathSync(path));
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
    if (id !== null && !statSync(dir).isDirectory() && statSync(dir).nlink > 1) this.lookInside();
    // On another mount of the host it is the same object.
    if (id !== null && this.has(id)) return real;
    return this.paths.find((path) => real.startsWith(path === '/' ? path : `${path}/`)) ?? null;
  }

  /** Is a name in a directory hidden, whatever has it? */
  named(dir: HostId, name: string): boolean {
    return this.names.get(keyOf(dir))?.has(name) === true;
  }

  /** Asks the host now what is asked when it is needed otherwise: it will not answer later. */
  prepare(): void {
    this.lookInside();
    this.findParents();
  }

  /** Does a hidden path lead through this directory? Who could move it could have the host put new secrets elsewhere. */
  leadsThrough(id: HostId): boolean {
    return this.findParents().has(keyOf(id));
  }

  private findParents(): Set<string> {
    if (this.parents !== null) return this.parents;
    this.parents = new Set();
    for (const path of this.given)
      for (let dir = dirname(path); ; dir = dirname(dir)) {
        const object = idOf(dir);
        if (object !== null) this.parents.add(keyOf(object));
        if (dir === '/') break;
      }
    return this.parents;
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

  /** Is `id`, found as `name` (a byte string) in `dir`, with `nlink` names? */
  hides(dir: HostId, name: string, id: HostId, nlink: number): boolean {
    if (nlink > 1 && this.unread.length > 0) this.lookInside();
    return this.has(id) || this.names.get(keyOf(dir))?.has(name) === true;
  }

  private lookInside(): void {
    let left = MOST_BELOW;
    for (const dir of this.unread.splice(0)) left = findNamedTwice(dir, left, this.objects);
  }
}

/** Nothing is. */
export const NOTHING_HIDDEN: HiddenFiles = new HiddenFiles([]);
