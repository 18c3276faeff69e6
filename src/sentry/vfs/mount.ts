// Mounts, trees of them and copies of trees: mount(2). What namespaces make of them is in mount_namespace.ts.

import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_RELATIME,
  MS_STRICTATIME,
} from '../../abi/fs/mount.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import { Dentry } from './dentry.ts';
import type { FileSystem } from './filesystem.ts';
import type { MountNamespace } from './mount_namespace.ts';
import { Path } from './path.ts';
import { copyPropagation, makePrivate, type PeerGroup } from './peers.ts';

/** The flags that a mount keeps. */
export const MOUNT_FLAGS =
  MS_RDONLY |
  MS_NOSUID |
  MS_NODEV |
  MS_NOEXEC |
  MS_NOATIME |
  MS_NODIRATIME |
  MS_RELATIME |
  MS_STRICTATIME |
  MS_NOSYMFOLLOW;

/** A mount with its place in its parent. */
export const MOUNT_BYTES = 1024;

/** The id of mounts that are in no namespace, ever: how files without a place are reached. Others count from 1. */
export const NOWHERE = 0;

export class Mount {
  readonly id: number;
  readonly fs: FileSystem;
  /** The part of the file system that it shows. */
  readonly root: Dentry;
  readonly source: string;
  /** MS_* of MOUNT_FLAGS. */
  flags: number;
  ns: MountNamespace | null = null;
  /** Who hears of what is mounted on it, whom it hears of when it has no peers, and whether it may be bound: peers.ts. */
  peers: PeerGroup | null = null;
  master: PeerGroup | null = null;
  unbindable = false;
  /** Where it is mounted; null for the namespace's root and after a lazy unmount. */
  parent: Mount | null = null;
  mountpoint: Dentry | null = null;
  /**
   * Mounts on dentries of this one, by place; a single one without a table, as most have one at most and namespaces with
   * thousands are copied. Of several on one place, the last one mounted is on the root of the earlier.
   */
  private only: Mount | null = null;
  private many: Map<Dentry, Mount> | null = null;
  /** Open files and working directories in it. */
  users = 0;
  private readonly payer: Account;
  /** Unmounted and left by everybody: it no longer counts for its file system. */
  private ended = false;

  constructor(id: number, fs: FileSystem, root: Dentry, source: string, flags: number) {
    this.id = id;
    this.fs = fs;
    this.root = root;
    this.source = source;
    this.flags = flags & MOUNT_FLAGS;
    this.payer = kernelMemory.take(MOUNT_BYTES + source.length);
    root.pin();
    fs.mounts++;
    if (id !== NOWHERE) root.inode?.mounted(true);
  }

  /** The mount on a dentry of this one. */
  childAt(at: Dentry): Mount | undefined {
    if (this.many !== null) return this.many.get(at);
    return this.only?.mountpoint === at ? this.only : undefined;
  }

  /** Hooks `m` on: nothing else is there. */
  adopt(m: Mount, at: Dentry): void {
    m.parent = this;
    m.mountpoint = at;
    at.mounted++;
    if (this.many !== null) this.many.set(at, m);
    else if (this.only === null) this.only = m;
    else {
      this.many = new Map([
        [this.only.mountpoint!, this.only],
        [at, m],
      ]);
      this.only = null;
    }
  }

  /** Takes this mount off its mount point. */
  unhook(): void {
    const { parent, mountpoint } = this;
    if (parent!.many !== null) parent!.many.delete(mountpoint!);
    else parent!.only = null;
    mountpoint!.mounted--;
    this.parent = null;
    this.mountpoint = null;
  }

  get hasChildren(): boolean {
    return this.only !== null || (this.many !== null && this.many.size > 0);
  }

  /** Adds the mounts on this one to `to`, in the order of mounting. */
  childrenInto(to: Mount[]): void {
    if (this.only !== null) to.push(this.only);
    else if (this.many !== null) for (const m of this.many.values()) to.push(m);
  }

  /** One open file or working directory more. */
  hold(): void {
    this.users++;
  }

  /** One fewer. */
  drop(): void {
    this.users--;
    this.settle();
  }

  /** Lets the file system go when this mount is in no namespace and nobody uses it. */
  settle(): void {
    if (this.users > 0 || this.ns !== null || this.ended) return;
    kernelMemory.give(this.payer, MOUNT_BYTES + this.source.length);
    this.ended = true;
    if (this.id !== NOWHERE) this.root.inode?.mounted(false);
    this.root.unpin();
    if (--this.fs.mounts === 0) this.fs.release();
  }

  get readonly(): boolean {
    return (this.flags & MS_RDONLY) !== 0;
  }
}

let lastMountId = 0;
/** The root dentry of each file system that was ever mounted: bind mounts and second mounts share it. */
const rootDentries = new WeakMap<FileSystem, Dentry>();

/** The one root dentry of a file system. */
export function rootDentry(fs: FileSystem): Dentry {
  let d = rootDentries.get(fs);
  if (d === undefined) {
    d = new Dentry(fs, '', null, fs.root);
    rootDentries.set(fs, d);
  }
  return d;
}

/** A mount of all of `fs`, not yet anywhere. */
export function newMount(fs: FileSystem, source: string, flags: number): Mount {
  return new Mount(++lastMountId, fs, rootDentry(fs), source, flags);
}

/** A mount and all below it, each before those on it. Chains may be as long as MOUNT_MAX: nothing here recurses. */
export function treeOf(top: Mount): Mount[] {
  const all: Mount[] = [];
  const todo = [top];
  for (let m = todo.pop(); m !== undefined; m = todo.pop()) {
    all.push(m);
    const from = todo.length;
    m.childrenInto(todo);
    // The first of several is the next.
    for (let i = from, k = todo.length - 1; i < k; i++, k--) {
      const later = todo[k]!;
      todo[k] = todo[i]!;
      todo[i] = later;
    }
  }
  return all;
}

/** Gives up a tree that is in no namespace. */
export function discard(top: Mount): void {
  new DeadMounts(treeOf(top)).step(Number.POSITIVE_INFINITY);
}

/** Mounts that copyTree() makes at most. */
export function countTree(m: Mount, recursive: boolean): number {
  return recursive ? treeOf(m).length : 1;
}

/** A copy for MS_BIND: what may not be bound is left out. */
export const COPY_BIND = 0;
/** One for a new namespace: what may not be bound comes along, files that stand for mount namespaces do not. */
export const COPY_NAMESPACE = 1;
/** One for a slave of where the original is: it hears of the original. */
export const COPY_SLAVE = 2;

/**
 * A mount of the subtree `root` of `m`, not yet anywhere (MS_BIND); with `recursive` the mounts below it are copied
 * along (MS_REC).
 */
export function copyTree(m: Mount, root: Dentry, recursive: boolean, how: number = COPY_BIND): Mount {
  const copy = new TreeCopy(m, root, recursive, how);
  copy.step(Number.POSITIVE_INFINITY);
  return copy.top;
}

/** The same in steps; as long as it goes on, nothing may be mounted or unmounted in the tree. */
export class TreeCopy {
  readonly top: Mount;
  /** Each before those on it. */
  private readonly originals: readonly Mount[];
  private readonly root: Dentry;
  private readonly how: number;
  /** Copies by original. */
  readonly made: Map<Mount, Mount> = new Map();
  private next = 1;

  constructor(m: Mount, root: Dentry, recursive: boolean, how: number = COPY_BIND) {
    this.root = root;
    this.how = how;
    this.originals = recursive ? treeOf(m) : [m];
    this.top = copyOf(m, root, how);
    this.made.set(m, this.top);
  }

  /** Makes `most` more copies at most: true when all are there. */
  step(most: number): boolean {
    const { originals, made, root, how } = this;
    const end = Math.min(originals.length, this.next + most);
    for (; this.next < end; this.next++) {
      const m = originals[this.next]!;
      const to = made.get(m.parent!);
      const at = m.mountpoint!;
      // Outside of the part that is copied, or on a mount there.
      if (to === undefined || (to === this.top && !root.contains(at))) continue;
      if (how === COPY_NAMESPACE ? (m.root.inode?.mountsId ?? 0) !== 0 : m.unbindable) continue;
      const c = copyOf(m, m.root, how);
      to.adopt(c, at);
      made.set(m, c);
    }
    return end === originals.length;
  }

  /** Gives up what was made. */
  discard(): void {
    discard(this.top);
  }
}

function copyOf(m: Mount, root: Dentry, how: number): Mount {
  const c = new Mount(++lastMountId, m.fs, root, m.source, m.flags);
  copyPropagation(m, c, how === COPY_SLAVE);
  return c;
}

/** Mounts that are in no namespace any more: they are given up, in steps. */
export class DeadMounts {
  private readonly mounts: readonly Mount[];
  private next = 0;

  constructor(mounts: readonly Mount[]) {
    this.mounts = mounts;
  }

  /** Gives up `most` of them at most: true when none is left. */
  step(most: number): boolean {
    const end = Math.min(this.mounts.length, this.next + most);
    for (; this.next < end; this.next++) {
      const m = this.mounts[this.next]!;
      if (m.parent !== null) m.unhook();
      makePrivate(m, false);
      m.settle();
    }
    return end === this.mounts.length;
  }
}

/** The topmost mount at a place: the path itself when nothing is mounted there. */
export function crossDown(p: Path): Path {
  let { mount, dentry } = p;
  while (dentry.mounted > 0) {
    const m = mount.childAt(dentry);
    if (m === undefined) break;
    mount = m;
    dentry = m.root;
  }
  return mount === p.mount ? p : new Path(mount, dentry);
}

const SHOWN: readonly (readonly [number, string])[] = [
  [MS_NOSUID, ',nosuid'],
  [MS_NODEV, ',nodev'],
  [MS_NOEXEC, ',noexec'],
  [MS_NOATIME, ',noatime'],
  [MS_NODIRATIME, ',nodiratime'],
  [MS_NOSYMFOLLOW, ',nosymfollow'],
];

/** The flags of a mount as /proc/mounts and mountinfo show them: "rw,nosuid,relatime". */
export function mountOptions(m: Mount): string {
  let s = m.readonly ? 'ro' : 'rw';
  for (const [bit, text] of SHOWN) if ((m.flags & bit) !== 0) s += text;
  if ((m.flags & (MS_NOATIME | MS_STRICTATIME)) === 0) s += ',relatime';
  return s;
}
