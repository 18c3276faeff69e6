// /proc/PID/ns: the namespaces of a process. Those of networks and of mounts have files that setns(2) joins by, namespaces(7);
// of the other kinds there is one each.

import { ENOENT } from '../../../abi/errno.ts';
import { NSFS_MAGIC } from '../../../abi/fs/magic.ts';
import { S_IFREG } from '../../../abi/fs/stat.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { InetNamespace } from '../../socket/inet/namespace.ts';
import { NetNsFile } from '../../socket/inet/ns_file.ts';
import { AnonFs } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DT_LNK } from '../../vfs/dirent.ts';
import { File } from '../../vfs/file.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import { Inode } from '../../vfs/inode.ts';
import type { MountNamespace } from '../../vfs/mount_namespace.ts';
import type { Path } from '../../vfs/path.ts';
import type { SyntheticEntry } from '../../vfs/synthetic.ts';
import { placeOf } from './anon_path.ts';
import { PidDirInode, PidLinkInode, type Target } from './pid_inode.ts';

const nsFs: AnonFs = new AnonFs('nsfs', NSFS_MAGIC);

class NsFile extends File {}

class NetNsInode extends Inode {
  private readonly net: InetNamespace;

  constructor(net: InetNamespace) {
    super(nsFs, netNumber(net), S_IFREG | 0o444);
    this.net = net;
  }

  override get isNamespace(): boolean {
    return true;
  }

  override mounted(on: boolean): void {
    if (on) this.net.hold();
    else this.net.drop();
  }

  override open(_ctx: VfsContext, flags: number): File {
    return new NetNsFile(this, flags, this.net);
  }
}

/** The number of a network namespace: Linux's for the first, others after all of the table below. */
const FIRST_NET = 4026531840;
const NEXT_NET = 4026532000;

function netNumber(net: InetNamespace): number {
  return net.cookie === 1 ? FIRST_NET : NEXT_NET + net.cookie;
}

const netInodes: WeakMap<InetNamespace, NetNsInode> = new WeakMap();

/** /proc/PID/ns/net. */
class NetNsLink extends PidLinkInode {
  protected override text(t: Task): string {
    return `net:[${netNumber(t.net)}]`;
  }

  protected override place(t: Task): Path {
    let inode = netInodes.get(t.net);
    if (inode === undefined) {
      inode = new NetNsInode(t.net);
      netInodes.set(t.net, inode);
    }
    return placeOf(inode, this.text(t));
  }
}

/** MntNsFile: a mount namespace as an open file. */
export class MntNsFile extends File {
  readonly mounts: MountNamespace;

  constructor(inode: Inode, flags: number, mounts: MountNamespace) {
    super(inode, flags);
    this.mounts = mounts.hold();
  }

  protected override release(): void {
    this.mounts.drop();
  }
}

class MntNsInode extends Inode {
  private readonly mounts: MountNamespace;

  constructor(mounts: MountNamespace) {
    super(nsFs, mntNumber(mounts), S_IFREG | 0o444);
    this.mounts = mounts;
  }

  override get isNamespace(): boolean {
    return true;
  }

  override get mountsId(): number {
    return this.mounts.id;
  }

  override mounted(on: boolean): void {
    if (on) this.mounts.hold();
    else this.mounts.drop();
  }

  override open(_ctx: VfsContext, flags: number): File {
    return new MntNsFile(this, flags, this.mounts);
  }
}

/** The number of a mount namespace: Linux's for the first, others in a range of their own. */
const FIRST_MNT = 4026531841;
const NEXT_MNT = 4027531841;

function mntNumber(mounts: MountNamespace): number {
  return mounts.id === 1 ? FIRST_MNT : NEXT_MNT + mounts.id;
}

const mntInodes: WeakMap<MountNamespace, MntNsInode> = new WeakMap();

/** /proc/PID/ns/mnt. */
class MntNsLink extends PidLinkInode {
  protected override text(t: Task): string {
    return `mnt:[${mntNumber(t.fs.ns)}]`;
  }

  protected override place(t: Task): Path {
    const { ns } = t.fs;
    let inode = mntInodes.get(ns);
    if (inode === undefined) {
      inode = new MntNsInode(ns);
      mntInodes.set(ns, inode);
    }
    return placeOf(inode, this.text(t));
  }
}

/** A namespace. Its inode number is its identity, as lsns(8) uses it. */
class NsInode extends Inode {
  constructor(ino: number) {
    super(nsFs, ino, S_IFREG | 0o444);
  }

  override get isNamespace(): boolean {
    return true;
  }

  override open(_ctx: VfsContext, flags: number): File {
    return new NsFile(this, flags);
  }
}

/** Names of links, kinds and the numbers that Linux gives the initial namespaces. */
const NAMESPACES: readonly (readonly [string, string, number])[] = [
  ['cgroup', 'cgroup', 4026531835],
  ['ipc', 'ipc', 4026531839],
  ['pid', 'pid', 4026531836],
  ['pid_for_children', 'pid', 4026531836],
  ['time', 'time', 4026531834],
  ['time_for_children', 'time', 4026531834],
  ['user', 'user', 4026531837],
  ['uts', 'uts', 4026531838],
];

const inodes: ReadonlyMap<number, NsInode> = new Map(
  NAMESPACES.map(([, , ino]) => [ino, new NsInode(ino)] as const),
);

class NsLink extends PidLinkInode {
  private readonly kind: string;
  private readonly number: number;

  constructor(fs: FileSystem, target: Target, kind: string, number: number) {
    super(fs, target);
    this.kind = kind;
    this.number = number;
  }

  protected override text(): string {
    return `${this.kind}:[${this.number}]`;
  }

  protected override place(): Path {
    return placeOf(inodes.get(this.number)!, this.text());
  }
}

export class NsDir extends PidDirInode {
  private readonly links: Map<string, PidLinkInode> = new Map();

  constructor(fs: FileSystem, target: Target) {
    super(fs, target, 0o511);
    for (const [name, kind, number] of NAMESPACES) this.links.set(name, new NsLink(fs, target, kind, number));
    this.links.set('mnt', new MntNsLink(fs, target));
    this.links.set('net', new NetNsLink(fs, target));
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.links.get(name) ?? -ENOENT;
  }

  override *entries(): Iterable<SyntheticEntry> {
    for (const [name, link] of this.links) yield { name, ino: link.ino, type: DT_LNK };
  }
}
