// MountNamespace: a tree of mounts with those who see it, and what mounting and unmounting in it mean for others that hear of it:
// mount_namespaces(7). propagate.ts says who they are.

import { EBUSY, EINVAL, ENOSPC, ENOTDIR } from '../../abi/errno.ts';
import { S_IFDIR, S_IFMT } from '../../abi/fs/stat.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import type { Dentry } from './dentry.ts';
import type { FsContext } from './fscontext.ts';
import {
  COPY_BIND,
  COPY_NAMESPACE,
  COPY_SLAVE,
  copyTree,
  crossDown,
  DeadMounts,
  discard,
  MOUNT_BYTES,
  type Mount,
  TreeCopy,
  treeOf,
} from './mount.ts';
import { Path } from './path.ts';
import { makePrivate, makeShared } from './peers.ts';
import { coveredCopies, type Receiver, receivers, withCopies } from './propagate.ts';

/** fs.mount-max: most mounts in one namespace, and most copies that one call makes for those who hear of it. */
const MOUNT_MAX = 10_000;
/** A namespace without its mounts. */
const NAMESPACE_BYTES = 1024;

/** Mounts that one slice of work copies or gives up. */
export const SLICE_MOUNTS = 500;

let lastId = 0;

/** Mounts of namespaces that ended, which the kernel's loop gives up in slices: nobody else waits for that. */
class EndedMounts {
  private readonly all: DeadMounts[] = [];

  get any(): boolean {
    return this.all.length > 0;
  }

  add(dead: DeadMounts): void {
    this.all.push(dead);
  }

  step(): void {
    if (this.all[0]?.step(SLICE_MOUNTS) === true) this.all.shift();
  }
}

export const endedMounts: EndedMounts = new EndedMounts();

export class MountNamespace {
  /** Counts up: a file that stands for a namespace is mounted in younger ones only. */
  readonly id: number;
  readonly root: Mount;
  /** All mounts in the order of mounting, as /proc/mounts shows them. */
  readonly mounts: Mount[] = [];
  /** Contexts of tasks, open files and mounts that stand for it. */
  private users = 0;
  private readonly payer: Account;

  constructor(root: Mount) {
    this.id = ++lastId;
    this.root = root;
    this.payer = kernelMemory.take(NAMESPACE_BYTES);
    adopt(this, root);
  }

  hold(): this {
    this.users++;
    return this;
  }

  /** The last user takes the mounts along; nobody else hears of that. */
  drop(): void {
    if (--this.users > 0) return;
    kernelMemory.give(this.payer, NAMESPACE_BYTES);
    const dead = new DeadMounts(disown(this, this.root));
    if (!dead.step(SLICE_MOUNTS)) endedMounts.add(dead);
  }

  /**
   * Mounts `m`, with what is mounted below it, at `at`, over whatever is mounted there, and copies wherever else that is to be seen.
   * -ENOTDIR when one is a directory and the other is not, -ENOSPC; a mount that found no place is given up.
   */
  attach(m: Mount, at: Path): number {
    if (m.ns !== null) return -EINVAL;
    const r = this.place(m, at);
    if (r < 0) discard(m);
    return r;
  }

  /** What attach() would say to a mount that shows `root`; `top` is the place, with nothing on it. */
  mayAttach(root: Dentry, top: Path): number {
    if (top.mount.ns !== this || top.dentry.deleted) return -EINVAL;
    const dir = (top.dentry.inode!.mode & S_IFMT) === S_IFDIR;
    return dir !== ((root.inode!.mode & S_IFMT) === S_IFDIR) ? -ENOTDIR : 0;
  }

  private place(m: Mount, at: Path): number {
    const top = crossDown(at);
    const bad = this.mayAttach(m.root, top);
    if (bad < 0) return bad;
    // Who has made the mount has paid for it.
    if (this.mounts.length >= MOUNT_MAX || !kernelMemory.fits(0)) return -ENOSPC;
    const hears = receivers(top.mount, top.dentry);
    const tree = top.mount.peers === null ? [] : treeOf(m);
    const room = roomFor(hears, tree.length);
    if (room < 0) return room;
    for (const part of tree) makeShared(part);
    const copies = copiesFor(hears, m);
    top.mount.adopt(m, top.dentry);
    adopt(this, m);
    attachCopies(hears, copies, top.dentry);
    return 0;
  }

  /**
   * Unmounts. -EINVAL for the root of the namespace, -EBUSY when it is in use and `lazy` is false. A lazy unmount takes
   * the mounts below along.
   */
  detach(m: Mount, lazy: boolean): number {
    const dead = this.beginDetach(m, lazy);
    if (typeof dead === 'number') return dead;
    dead.step(Number.POSITIVE_INFINITY);
    return 0;
  }

  /** The same, but for giving up the mounts, which nobody finds any more. */
  beginDetach(m: Mount, lazy: boolean): DeadMounts | number {
    if (m.ns !== this || m.parent === null) return -EINVAL;
    if (!lazy && (m.users > 0 || m.hasChildren || copyInUse(m))) return -EBUSY;
    const all = withCopies(treeOf(m));
    // Those on whose place another mount was tucked away leave that one where they were.
    for (const c of all.copies) {
      const above = c.childAt(c.root);
      const { parent, mountpoint } = c;
      const isCovered = above !== undefined && !all.set.has(above);
      if (isCovered) above.unhook();
      if (parent !== null) {
        c.unhook();
        if (isCovered) parent.adopt(above, mountpoint!);
      }
    }
    m.unhook();
    const dead = disown(this, m);
    for (const ns of all.namespaces) disownMarked(ns, all.set, dead);
    return new DeadMounts(dead);
  }

  /**
   * Moves a mount of this namespace with all below it (MS_MOVE); -EINVAL into itself, off a shared mount, or with what may not be
   * bound to a shared one.
   */
  move(m: Mount, to: Path): number {
    const at = crossDown(to);
    for (let up: Mount | null = at.mount; up !== null; up = up.parent) if (up === m) return -EINVAL;
    const dir = (at.dentry.inode!.mode & S_IFMT) === S_IFDIR;
    if (dir !== ((m.root.inode!.mode & S_IFMT) === S_IFDIR)) return -ENOTDIR;
    if (m.parent!.peers !== null) return -EINVAL;
    const tree = at.mount.peers === null ? [] : treeOf(m);
    if (tree.some((part) => part.unbindable)) return -EINVAL;
    const hears = receivers(at.mount, at.dentry);
    const room = roomFor(hears, tree.length);
    if (room < 0) return room;
    for (const part of tree) makeShared(part);
    const copies = copiesFor(hears, m);
    m.unhook();
    at.mount.adopt(m, at.dentry);
    attachCopies(hears, copies, at.dentry);
    return 0;
  }

  /** Begins a copy of the whole tree (CLONE_NEWNS). */
  beginCopy(): TreeCopy {
    return new TreeCopy(this.root, this.root.root, true, COPY_NAMESPACE);
  }

  /** True when `count` more mounts fit. */
  hasRoom(count: number): boolean {
    return this.mounts.length + count <= MOUNT_MAX && kernelMemory.fits(count * MOUNT_BYTES);
  }

  /** True when a copy of all of it fits. */
  get mayCopy(): boolean {
    return kernelMemory.fits(this.mounts.length * MOUNT_BYTES + NAMESPACE_BYTES);
  }
}

/** 0 when a tree of so many mounts may be copied for each of `hears`: -ENOSPC. */
function roomFor(hears: readonly Receiver[], size: number): number {
  if (hears.length === 0) return 0;
  if (hears.length * size > MOUNT_MAX || !kernelMemory.fits(hears.length * size * MOUNT_BYTES))
    return -ENOSPC;
  const more = new Map<MountNamespace, number>();
  for (const { at } of hears) {
    const n = (more.get(at.ns!) ?? 0) + size;
    if (at.ns!.mounts.length + n > MOUNT_MAX) return -ENOSPC;
    more.set(at.ns!, n);
  }
  return 0;
}

/** Copies of the tree on `m`, one for each that hears of it, before any has a place. */
function copiesFor(hears: readonly Receiver[], m: Mount): Mount[] {
  const copies: Mount[] = [];
  for (const r of hears) {
    const from = r.source < 0 ? m : copies[r.source]!;
    const copy = copyTree(from, from.root, true, r.isSlave ? COPY_SLAVE : COPY_BIND);
    // A slave with peers tells them.
    if (r.at.peers !== null) for (const part of treeOf(copy)) makeShared(part);
    copies.push(copy);
  }
  return copies;
}

/** Puts copies where they are to be seen: below what is mounted there already, as propagate_mnt() does. */
function attachCopies(hears: readonly Receiver[], copies: readonly Mount[], point: Dentry): void {
  for (let i = 0; i < hears.length; i++) {
    const { at } = hears[i]!;
    const copy = copies[i]!;
    const above = at.childAt(point);
    above?.unhook();
    at.adopt(copy, point);
    adopt(at.ns!, copy);
    if (above === undefined) continue;
    const top = crossDown(new Path(copy, copy.root));
    top.mount.adopt(above, top.dentry);
  }
}

/** propagate_mount_busy(): somebody is in what would go along with `m`. */
function copyInUse(m: Mount): boolean {
  for (const c of coveredCopies(m)) {
    const above = c.childAt(c.root);
    if (c.users > 0 && (above !== undefined || !c.hasChildren)) return true;
  }
  return false;
}

function adopt(ns: MountNamespace, top: Mount): void {
  for (const m of treeOf(top)) {
    m.ns = ns;
    ns.mounts.push(m);
  }
}

/** Takes a tree out of its namespace; its mounts. */
function disown(ns: MountNamespace, top: Mount): Mount[] {
  const gone = treeOf(top);
  for (const m of gone) leave(m);
  keepOwn(ns);
  return gone;
}

/** Takes those of `marked` out of a namespace, to the others in `gone`. */
function disownMarked(ns: MountNamespace, marked: ReadonlySet<Mount>, gone: Mount[]): void {
  for (const m of ns.mounts) {
    if (!marked.has(m)) continue;
    leave(m);
    gone.push(m);
  }
  keepOwn(ns);
}

/** It is in no namespace any more, and hears of nothing: who is told of mounts has a place. */
function leave(m: Mount): void {
  m.ns = null;
  makePrivate(m, false);
}

function keepOwn(ns: MountNamespace): void {
  let kept = 0;
  for (const m of ns.mounts) if (m.ns === ns) ns.mounts[kept++] = m;
  ns.mounts.length = kept;
}

/** Gives a task's FsContext (its own, not shared) a namespace of its own, of a copy that is done or is made now: unshare(CLONE_NEWNS). */
export function unshareMounts(fs: FsContext, copy: TreeCopy = fs.ns.beginCopy()): void {
  copy.step(Number.POSITIVE_INFINITY);
  const root = copy.made.get(fs.root.mount);
  const cwd = copy.made.get(fs.cwd.mount);
  fs.setMounts(new MountNamespace(copy.top));
  if (root !== undefined) fs.setRoot(new Path(root, fs.root.dentry));
  if (cwd !== undefined) fs.setCwd(new Path(cwd, fs.cwd.dentry));
}

/** Puts it into a namespace: setns(2) with CLONE_NEWNS. */
export function enterMounts(fs: FsContext, ns: MountNamespace): void {
  const root = namespaceRoot(ns);
  fs.setMounts(ns);
  fs.setRoot(root);
  fs.setCwd(root);
}

/** The root of a namespace as a path. */
export function namespaceRoot(ns: MountNamespace): Path {
  return crossDown(new Path(ns.root, ns.root.root));
}
