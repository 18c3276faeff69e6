// Who hears of a mount or an unmount: the peers of the mount that it is on, their slaves, the peers of those, and so on
// (propagation_next() on Linux). Groups of peers may be slaves in long chains: nothing here recurses.

import type { Dentry } from './dentry.ts';
import type { Mount } from './mount.ts';
import type { MountNamespace } from './mount_namespace.ts';
import type { PeerGroup } from './peers.ts';

/** A mount that gets a copy of what is mounted on another one. */
export interface Receiver {
  readonly at: Mount;
  /** Whose copy it copies: a place in the list, -1 for the original. */
  readonly source: number;
  /** It hears of that one, and does not tell. */
  readonly isSlave: boolean;
}

/** Everybody who hears of a mount at `point` of `dest`, each after the one that it copies. */
export function receivers(dest: Mount, point: Dentry): Receiver[] {
  const all: Receiver[] = [];
  if (dest.peers === null) return all;
  const takes = (m: Mount) => m !== dest && m.ns !== null && m.root.contains(point);
  for (const at of dest.peers.members) if (takes(at)) all.push({ at, source: -1, isSlave: false });
  const groups: PeerGroup[] = [dest.peers];
  const sources = [-1];
  for (let i = 0; i < groups.length; i++) {
    const source = sources[i]!;
    for (const at of groups[i]!.slaves) if (takes(at)) all.push({ at, source, isSlave: true });
    for (const group of groups[i]!.slaveGroups) {
      let own = -1;
      for (const at of group.members) {
        if (!takes(at)) continue;
        if (own < 0) {
          own = all.length;
          all.push({ at, source, isSlave: true });
        } else all.push({ at, source: own, isSlave: false });
      }
      groups.push(group);
      sources.push(own < 0 ? source : own);
    }
  }
  return all;
}

/** Every mount that hears of `group`, its own members first. */
function* heardBy(group: PeerGroup): Iterable<Mount> {
  yield* group.members;
  const groups = [group];
  for (let i = 0; i < groups.length; i++) {
    yield* groups[i]!.slaves;
    for (const g of groups[i]!.slaveGroups) {
      yield* g.members;
      groups.push(g);
    }
  }
}

/** What is mounted at the place of `m` wherever that was to be seen. */
export function* coveredCopies(m: Mount): Iterable<Mount> {
  const group = m.parent!.peers;
  if (group === null) return;
  for (const at of heardBy(group)) {
    const c = at === m.parent ? undefined : at.childAt(m.mountpoint!);
    if (c !== undefined) yield c;
  }
}

/** What goes with an unmount. */
export class Unmounted {
  readonly set: Set<Mount>;
  /** Those outside of the tree that is unmounted, each after those on it. */
  readonly copies: Mount[] = [];

  constructor(tree: readonly Mount[]) {
    this.set = new Set(tree);
  }

  /** Namespaces that lose copies. */
  get namespaces(): Set<MountNamespace> {
    const all = new Set<MountNamespace>();
    for (const c of this.copies) all.add(c.ns!);
    return all;
  }
}

/**
 * A tree that is unmounted with everything that goes along elsewhere (propagate_umount()): what is on the same places of mounts that
 * hear of it, unless something else is mounted there. Each group is gone through once for all its places: as many steps as there
 * are mounts, not their square.
 */
export function withCopies(tree: readonly Mount[]): Unmounted {
  const all = new Unmounted(tree);
  const places = new Map<PeerGroup, Set<Dentry>>();
  for (const m of tree) {
    const group = m.parent?.peers ?? null;
    if (group === null) continue;
    const at = places.get(group);
    if (at === undefined) places.set(group, new Set([m.mountpoint!]));
    else at.add(m.mountpoint!);
  }
  if (places.size === 0) return all;
  const found = new Set<Mount>();
  const children: Mount[] = [];
  for (const [group, at] of places)
    for (const heard of heardBy(group)) {
      if (!heard.hasChildren) continue;
      children.length = 0;
      heard.childrenInto(children);
      for (const c of children) if (at.has(c.mountpoint!) && !all.set.has(c)) found.add(c);
    }
  // From the leaves up: who has nothing else on it goes.
  const others = new Map<Mount, number>();
  const ready: Mount[] = [];
  for (const c of found) {
    children.length = 0;
    c.childrenInto(children);
    let n = 0;
    for (const child of children) if (!all.set.has(child) && child.mountpoint !== c.root) n++;
    const above = c.childAt(c.root);
    if (above !== undefined && found.has(above)) n++;
    others.set(c, n);
    if (n === 0) ready.push(c);
  }
  for (let c = ready.pop(); c !== undefined; c = ready.pop()) {
    all.set.add(c);
    all.copies.push(c);
    // What was mounted over it stays, on the mount below.
    const above = c.childAt(c.root);
    if (above !== undefined && !all.set.has(above)) continue;
    const below = c.parent === null ? undefined : others.get(c.parent);
    if (below === undefined) continue;
    others.set(c.parent!, below - 1);
    if (below === 1) ready.push(c.parent!);
  }
  return all;
}
