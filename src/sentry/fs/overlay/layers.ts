// What the union does with objects of its layers, through the interfaces that every file system has.

import { EIO } from '../../../abi/errno.ts';
import { O_DIRECTORY, O_RDONLY } from '../../../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFMT } from '../../../abi/fs/stat.ts';
import type { U64 } from '../../../abi/u64.ts';
import { failed } from '../../base/errno.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { DirSink, Inode } from '../../vfs/inode.ts';

/** Names read from one directory. */
const MAX_NAMES = 1_000_000;

export interface Listed {
  readonly name: string;
  readonly ino: U64;
  readonly type: number;
}

/** The inode stays for as long as the union refers to it, as one does that has a name in the cache of names. */
export function hold(real: Inode): void {
  real.aliases++;
}

/** The union refers to it no more. */
export function letGo(real: Inode, upper: boolean): void {
  real.aliases--;
  unused(real, upper);
}

/** An inode that was looked up and is not wanted. */
export function unused(real: Inode, upper: boolean): void {
  if (real.aliases > 0 || real.users > 0) return;
  // Nothing of a lower layer ever goes.
  if (upper && real.nlink === 0) real.evict();
  else real.forget();
}

class Names implements DirSink {
  readonly names: Listed[] = [];
  full = false;

  emit(name: string, ino: U64, type: number): boolean {
    if (name === '.' || name === '..') return true;
    this.full = this.names.length >= MAX_NAMES;
    if (!this.full) this.names.push({ name, ino, type });
    return !this.full;
  }

  emitRecords(): number {
    return -1;
  }
}

/** All names of a directory of a layer. */
export function namesOf(ctx: VfsContext, dir: Inode): Listed[] | number {
  const file = dir.open(ctx, O_RDONLY | O_DIRECTORY);
  if (failed(file)) return file;
  const out = new Names();
  const r = file.readdir(ctx, out);
  file.unref();
  return r < 0 ? r : out.full ? -EIO : out.names;
}

/** Removes all that is in an upper directory: 0 or -errno. Depth is bounded by that of trees that guests can make. */
export function clear(ctx: VfsContext, top: Inode): number {
  // Directories that are being emptied, each with its name in the one before.
  const stack: { readonly dir: Inode; readonly name: string }[] = [{ dir: top, name: '' }];
  while (stack.length > 0) {
    const { dir, name } = stack[stack.length - 1]!;
    const names = namesOf(ctx, dir);
    if (failed(names)) return names;
    let below = false;
    for (const e of names) {
      const child = dir.lookup(ctx, e.name);
      if (failed(child)) continue;
      if ((child.mode & S_IFMT) === S_IFDIR) {
        stack.push({ dir: child, name: e.name });
        below = true;
        break;
      }
      const r = dir.unlink(ctx, e.name, child);
      if (r < 0) return r;
      unused(child, true);
    }
    if (below) continue;
    stack.pop();
    if (stack.length === 0) break;
    const parent = stack[stack.length - 1]!.dir;
    const r = parent.rmdir(ctx, name, dir);
    if (r < 0) return r;
    unused(dir, true);
  }
  return 0;
}
