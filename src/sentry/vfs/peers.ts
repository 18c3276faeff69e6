// PeerGroup: which mounts hear of mounts and unmounts on which others: mount_namespaces(7). A shared mount is in a group of
// peers; a slave hears of a group and tells nobody; a group may be the slave of another one.
//
//   peers   master            what the mount is
//   -       -                 private; unbindable with that mark
//   group   group's own       shared; shared and slave when the group has a master
//   -       group             slave

import type { Mount } from './mount.ts';

let lastId = 0;

export class PeerGroup {
  /** "shared:ID" of /proc/PID/mountinfo. */
  readonly id: number = ++lastId;
  master: PeerGroup | null;
  readonly members: Set<Mount> = new Set();
  /** Slaves: mounts without peers, and groups. */
  readonly slaves: Set<Mount> = new Set();
  readonly slaveGroups: Set<PeerGroup> = new Set();

  constructor(master: PeerGroup | null) {
    this.master = master;
    master?.slaveGroups.add(this);
  }
}

/** The group that a mount hears of beside its own. */
export function masterOf(m: Mount): PeerGroup | null {
  return m.peers !== null ? m.peers.master : m.master;
}

function setMaster(m: Mount, master: PeerGroup | null): void {
  m.master?.slaves.delete(m);
  m.master = master;
  master?.slaves.add(m);
}

function join(m: Mount, group: PeerGroup): void {
  group.members.add(m);
  m.peers = group;
}

/** MS_SHARED: set_mnt_shared(). A slave goes on to hear of its master. */
export function makeShared(m: Mount): void {
  m.unbindable = false;
  if (m.peers !== null) return;
  const { master } = m;
  setMaster(m, null);
  join(m, new PeerGroup(master));
}

/** MS_SLAVE: do_make_slave(). The last of a group has no more than the group's master, and its slaves neither. */
export function makeSlave(m: Mount): void {
  const group = m.peers;
  if (group === null) return;
  m.peers = null;
  group.members.delete(m);
  if (group.members.size > 0) {
    setMaster(m, group);
    return;
  }
  const { master } = group;
  master?.slaveGroups.delete(group);
  for (const s of group.slaves) {
    s.master = master;
    master?.slaves.add(s);
  }
  for (const g of group.slaveGroups) {
    g.master = master;
    master?.slaveGroups.add(g);
  }
  group.slaves.clear();
  group.slaveGroups.clear();
  setMaster(m, master);
}

/** MS_PRIVATE, MS_UNBINDABLE, and the end of a mount. */
export function makePrivate(m: Mount, unbindable: boolean): void {
  makeSlave(m);
  setMaster(m, null);
  m.unbindable = unbindable;
}

/** clone_mnt() of Linux 6.18: a copy hears of what the original hears of; `asSlave`, it hears of the original. It may be bound. */
export function copyPropagation(from: Mount, to: Mount, asSlave: boolean): void {
  if (from.peers === null) {
    if (from.master !== null) setMaster(to, from.master);
  } else if (asSlave) setMaster(to, from.peers);
  else join(to, from.peers);
}
