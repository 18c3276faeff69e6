// /proc/PID/ns: the namespaces of a process. There is one of each kind, but for network namespaces: those have files that
// setns(2) joins by, namespaces(7).

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
  ['mnt', 'mnt', 4026531841],
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
    this.links.set('net', new NetNsLink(fs, target));
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.links.get(name) ?? -ENOENT;
  }

  override *entries(): Iterable<SyntheticEntry> {
    for (const [name, link] of this.links) yield { name, ino: link.ino, type: DT_LNK };
  }
}
