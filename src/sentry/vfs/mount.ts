// Mounts and mount namespaces: mount_namespaces(7). All propagation is private.

import { EBUSY, EINVAL, ENOTDIR } from '../../abi/errno.ts';
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
} from '../../abi/mount.ts';
import { S_IFDIR, S_IFMT } from '../../abi/stat.ts';
import { Dentry } from './dentry.ts';
import type { FileSystem } from './filesystem.ts';
import type { FsContext } from './fscontext.ts';
import { Path } from './path.ts';

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

export class Mount {
  readonly id: number;
  readonly fs: FileSystem;
  /** The part of the file system that it shows. */
  readonly root: Dentry;
  readonly source: string;
  /** MS_* of MOUNT_FLAGS. */
  flags: number;
  ns: MountNamespace | null = null;
  /** Where it is mounted; null for the namespace's root and after a lazy unmount. */
  parent: Mount | null = null;
  mountpoint: Dentry | null = null;
  /** Mounts on dentries of this one. Of several on one place, the last one mounted is on the root of the earlier. */
  readonly children: Map<Dentry, Mount> = new Map();
  /** Open files and working directories in it. */
  users = 0;

  constructor(id: number, fs: FileSystem, root: Dentry, source: string, flags: number) {
    this.id = id;
    this.fs = fs;
    this.root = root;
    this.source = source;
    this.flags = flags & MOUNT_FLAGS;
    root.pin();
  }

  get readonly(): boolean {
    return (this.flags & MS_RDONLY) !== 0;
  }
}

let lastMountId = 0;
let lastNamespaceId = 0;
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

export class MountNamespace {
  readonly id: number;
  readonly root: Mount;
  /** All mounts in the order of mounting, as /proc/mounts shows them. */
  readonly mounts: Mount[] = [];

  constructor(root: Mount) {
    this.id = ++lastNamespaceId;
    this.root = root;
    root.ns = this;
    this.mounts.push(root);
  }

  /** Mounts `m` at `at`, over whatever is mounted there. -ENOTDIR when one is a directory and the other is not. */
  attach(m: Mount, at: Path): number {
    const top = crossDown(at);
    if (top.mount.ns !== this || m.ns !== null) return -EINVAL;
    if (top.dentry.deleted) return -EINVAL;
    const dir = (top.dentry.inode!.mode & S_IFMT) === S_IFDIR;
    if (dir !== ((m.root.inode!.mode & S_IFMT) === S_IFDIR)) return -ENOTDIR;
    m.parent = top.mount;
    m.mountpoint = top.dentry;
    top.dentry.mounted++;
    top.mount.children.set(top.dentry, m);
    adopt(this, m);
    return 0;
  }

  /**
   * Unmounts. -EINVAL for the root of the namespace, -EBUSY when it is in use and `lazy` is false. A lazy unmount takes
   * the mounts below along.
   */
  detach(m: Mount, lazy: boolean): number {
    if (m.ns !== this || m.parent === null) return -EINVAL;
    if (!lazy && (m.users > 0 || m.children.size > 0)) return -EBUSY;
    unhook(m);
    disown(this, m);
    return 0;
  }

  /** Moves a mount of this namespace with all below it (MS_MOVE); -EINVAL into itself. */
  move(m: Mount, at: Path): number {
    for (let up: Mount | null = at.mount; up !== null; up = up.parent) if (up === m) return -EINVAL;
    const dir = (at.dentry.inode!.mode & S_IFMT) === S_IFDIR;
    if (dir !== ((m.root.inode!.mode & S_IFMT) === S_IFDIR)) return -ENOTDIR;
    unhook(m);
    m.parent = at.mount;
    m.mountpoint = at.dentry;
    at.dentry.mounted++;
    at.mount.children.set(at.dentry, m);
    return 0;
  }

  /** A private copy of the whole tree (CLONE_NEWNS); `moved` maps each old mount to its copy. */
  copy(moved: Map<Mount, Mount>): MountNamespace {
    return new MountNamespace(copyTree(this.root, this.root.root, true, moved)).adoptAll();
  }

  private adoptAll(): this {
    this.mounts.length = 0;
    adopt(this, this.root);
    return this;
  }
}

function adopt(ns: MountNamespace, m: Mount): void {
  m.ns = ns;
  ns.mounts.push(m);
  for (const c of m.children.values()) adopt(ns, c);
}

function disown(ns: MountNamespace, m: Mount): void {
  m.ns = null;
  const i = ns.mounts.indexOf(m);
  if (i >= 0) ns.mounts.splice(i, 1);
  for (const c of [...m.children.values()]) {
    unhook(c);
    disown(ns, c);
  }
}

/** Takes a mount off its mount point. */
export function unhook(m: Mount): void {
  m.parent!.children.delete(m.mountpoint!);
  m.mountpoint!.mounted--;
  m.parent = null;
  m.mountpoint = null;
}

/**
 * A mount of the subtree `root` of `m`, not yet anywhere (MS_BIND); with `recursive` the mounts below it are copied
 * along (MS_REC).
 */
export function copyTree(
  m: Mount,
  root: Dentry,
  recursive: boolean,
  moved: Map<Mount, Mount> | null = null,
): Mount {
  const copy = new Mount(++lastMountId, m.fs, root, m.source, m.flags);
  moved?.set(m, copy);
  if (recursive) {
    for (const [at, child] of m.children) {
      if (!root.contains(at)) continue;
      const c = copyTree(child, child.root, true, moved);
      c.parent = copy;
      c.mountpoint = at;
      at.mounted++;
      copy.children.set(at, c);
    }
  }
  return copy;
}

/** The topmost mount at a place: the path itself when nothing is mounted there. */
export function crossDown(p: Path): Path {
  let { mount, dentry } = p;
  while (dentry.mounted > 0) {
    const m = mount.children.get(dentry);
    if (m === undefined) break;
    mount = m;
    dentry = m.root;
  }
  return mount === p.mount ? p : new Path(mount, dentry);
}

/** Gives a task's FsContext (its own, not shared) a private mount namespace: unshare(CLONE_NEWNS). */
export function unshareMounts(fs: FsContext): void {
  const ns = fs.root.mount.ns;
  if (ns === null) return;
  const moved = new Map<Mount, Mount>();
  ns.copy(moved);
  const root = moved.get(fs.root.mount);
  const cwd = moved.get(fs.cwd.mount);
  if (root !== undefined) fs.setRoot(new Path(root, fs.root.dentry));
  if (cwd !== undefined) fs.setCwd(new Path(cwd, fs.cwd.dentry));
}

/** The root of a namespace as a path. */
export function namespaceRoot(ns: MountNamespace): Path {
  return crossDown(new Path(ns.root, ns.root.root));
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
