// Dentry: a name in the tree (struct dentry), positive or negative, and the bounded cache of them (seed: dirent cache
// limits). A dentry stays cached while it is pinned (open files, working directories, mounts), has cached children or
// a mount on it; of the others the cache keeps the recently used ones, by second chance.

import { ENOENT } from '../../abi/errno.ts';
import { bytesToString, stringToBytes } from '../base/bytes.ts';
import type { VfsContext } from './context.ts';
import type { FileSystem } from './filesystem.ts';
import type { Inode } from './inode.ts';

export class Dentry {
  name: string;
  /** Null for the root of a file system. */
  parent: Dentry | null;
  /** What it names; null when the name is known not to exist. */
  inode: Inode | null;
  readonly fs: FileSystem;
  children: Map<string, Dentry> | null = null;
  /** Mounts whose mount point it is, in any namespace. */
  mounted = 0;
  /** Holders that need its identity to last. */
  pins = 0;
  /** Its name was removed while somebody held it: "(deleted)". */
  deleted = false;
  /** In its parent's `children` and in the cache. */
  cached = false;
  /** Used since the shrinker's hand came by. */
  referenced = true;
  cacheNext: Dentry | null = null;
  cachePrev: Dentry | null = null;

  constructor(fs: FileSystem, name: string, parent: Dentry | null, inode: Inode | null) {
    this.fs = fs;
    this.name = name;
    this.parent = parent;
    this.inode = inode;
  }

  pin(): void {
    this.pins++;
  }

  unpin(): void {
    this.pins--;
  }

  /** True when `other` is this dentry or below it. */
  contains(other: Dentry): boolean {
    for (let d: Dentry | null = other; d !== null; d = d.parent) if (d === this) return true;
    return false;
  }
}

/** Steps of the shrinker's hand per insertion over the limit: keeps an insertion O(1). */
const SWEEP = 32;

export class DentryCache {
  /** Dentries that are kept beyond what pins demand. */
  limit = 16384;
  count = 0;
  private hand: Dentry | null = null;

  /** Puts `d` into its parent's children and the ring. */
  insert(d: Dentry): void {
    const parent = d.parent!;
    (parent.children ??= new Map()).set(d.name, d);
    d.cached = true;
    d.referenced = true;
    if (d.inode !== null) d.inode.aliases++;
    const hand = this.hand;
    if (hand === null) {
      d.cacheNext = d;
      d.cachePrev = d;
      this.hand = d;
    } else {
      // Behind the hand: the last place it reaches.
      const prev = hand.cachePrev!;
      d.cacheNext = hand;
      d.cachePrev = prev;
      prev.cacheNext = d;
      hand.cachePrev = d;
    }
    if (++this.count > this.limit) this.shrink(SWEEP);
  }

  /** Takes `d` out of its parent's children and the ring; it lives on for those who hold it. */
  remove(d: Dentry): void {
    if (!d.cached) return;
    d.cached = false;
    const siblings = d.parent!.children!;
    if (siblings.get(d.name) === d) {
      siblings.delete(d.name);
      if (siblings.size === 0) d.parent!.children = null;
    }
    const next = d.cacheNext!;
    if (next === d) this.hand = null;
    else {
      d.cachePrev!.cacheNext = next;
      next.cachePrev = d.cachePrev;
      if (this.hand === d) this.hand = next;
    }
    d.cacheNext = null;
    d.cachePrev = null;
    this.count--;
    const inode = d.inode;
    if (inode !== null && --inode.aliases === 0 && inode.users === 0 && inode.nlink > 0) inode.forget();
  }

  /** Moves the hand `steps` on, dropping what is unused, until the limit holds again. */
  shrink(steps: number): void {
    for (let i = 0; i < steps && this.count > this.limit; i++) {
      const d = this.hand;
      if (d === null) return;
      this.hand = d.cacheNext;
      if (d.pins > 0 || d.mounted > 0 || d.children !== null) continue;
      if (d.referenced) d.referenced = false;
      else this.remove(d);
    }
  }
}

/** The kernel's dentry cache, over all file systems. */
export const dentryCache: DentryCache = new DentryCache();

/** Finds `name` in the directory `dir`, from the cache or its file system. The dentry may be negative. */
export function lookupChild(ctx: VfsContext, dir: Dentry, name: string): Dentry | number {
  const inode = dir.inode!;
  const hit = dir.children === null ? undefined : dir.children.get(name);
  if (hit !== undefined && !inode.volatile) {
    hit.referenced = true;
    return hit;
  }
  const found = inode.lookup(ctx, name);
  if (typeof found === 'number') {
    if (found !== -ENOENT) return found;
    if (inode.volatile) {
      if (hit !== undefined) dropDentry(hit);
      return new Dentry(dir.fs, name, dir, null);
    }
    const negative = new Dentry(dir.fs, ownString(name), dir, null);
    // A directory that is gone itself keeps no cache.
    if (!dir.deleted) dentryCache.insert(negative);
    return negative;
  }
  if (hit !== undefined) {
    if (hit.inode === found) {
      hit.referenced = true;
      return hit;
    }
    dropDentry(hit);
  }
  const d = new Dentry(dir.fs, ownString(name), dir, found);
  if (!dir.deleted) dentryCache.insert(d);
  return d;
}

/** The entry of `d` exists no more: it leaves the cache and shows as deleted to those who hold it. */
export function dropDentry(d: Dentry): void {
  d.deleted = true;
  dentryCache.remove(d);
}

/** A negative dentry becomes `inode` (d_instantiate). */
export function instantiate(d: Dentry, inode: Inode): void {
  d.inode = inode;
  if (d.cached) inode.aliases++;
  else if (!d.parent!.deleted) dentryCache.insert(d);
}

/** After a rename: `d` gets a new place; what stood there, if anything, was dropped by the caller (d_move). */
export function moveDentry(d: Dentry, parent: Dentry, name: string): void {
  // The inode must not be forgotten between the two places.
  const inode = d.inode!;
  inode.aliases++;
  dentryCache.remove(d);
  const there = parent.children?.get(name);
  if (there !== undefined && there !== d) dentryCache.remove(there);
  d.parent = parent;
  d.name = name;
  dentryCache.insert(d);
  inode.aliases--;
}

/** A copy of its own: a substring would keep the whole path that it was cut from alive. */
function ownString(s: string): string {
  return bytesToString(stringToBytes(s));
}
