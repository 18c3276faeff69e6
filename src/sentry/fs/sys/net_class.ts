// /sys/class/net and /sys/devices/virtual/net: the interfaces of the network namespace that the file system was mounted in
// (sysfs(5), the kernel's documentation of sysfs-class-net). Names come and go with the interfaces.

import { EINVAL, EIO, ENOENT } from '../../../abi/errno.ts';
import { IFF_LOWER_UP, IFF_RUNNING, IFF_UP } from '../../../abi/net/if.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DT_DIR, DT_LNK, direntType } from '../../vfs/dirent.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import {
  StaticDirInode,
  StaticSymlinkInode,
  SyntheticDirInode,
  type SyntheticEntry,
  SyntheticSymlinkInode,
  TextFileInode,
} from '../../vfs/synthetic.ts';

/** An interface as sysfs shows it. */
export interface SysLink {
  readonly ifindex: number;
  readonly name: string;
  readonly mtu: number;
  /** IFF_*. */
  readonly flags: number;
  /** ARPHRD_*. */
  readonly hardwareType: number;
  readonly hardwareAddress: Uint8Array;
  readonly queueLength: number;
  readonly counters: {
    readonly rxBytes: number;
    readonly rxPackets: number;
    readonly rxErrors: number;
    readonly rxDropped: number;
    readonly txBytes: number;
    readonly txPackets: number;
    readonly txErrors: number;
    readonly txDropped: number;
  };
  readonly carrier?: boolean;
  /** IF_OPER_*. */
  readonly operState?: number;
  /** Index of the other end of a pair. */
  readonly peer?: number;
  /** Name of the bridge that it is a port of. */
  readonly master?: string | null;
  /** Names of a bridge's ports. */
  readonly ports?: readonly string[] | null;
  readonly group?: number;
  readonly alias?: string;
  readonly carrierUps?: number;
  readonly carrierDowns?: number;
}

/** The interfaces of a network namespace, as they are when somebody looks. */
export interface SysNetwork {
  readonly links: readonly SysLink[];
  linkByName(name: string): SysLink | null;
}

const OPER_STATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];
const LOOPBACK = 772;
/** NET_ADDR_PERM, NET_ADDR_RANDOM. */
const ADDRESS_PERMANENT = '0';
const ADDRESS_RANDOM = '1';

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':');
}

function isUp(l: SysLink): boolean {
  return (l.flags & IFF_UP) !== 0;
}

function stateOf(l: SysLink): string {
  if (l.operState !== undefined) return OPER_STATES[l.operState] ?? 'unknown';
  return !isUp(l) ? 'down' : l.hardwareType === LOOPBACK ? 'unknown' : 'up';
}

/** Files by name: the text, or -EINVAL where Linux has it. */
const FILES: ReadonlyMap<string, (l: SysLink) => string | number> = new Map<
  string,
  (l: SysLink) => string | number
>([
  ['addr_assign_type', (l) => (l.hardwareType === LOOPBACK ? ADDRESS_PERMANENT : ADDRESS_RANDOM)],
  ['addr_len', (l) => String(l.hardwareAddress.length)],
  ['address', (l) => macText(l.hardwareAddress)],
  [
    'broadcast',
    (l) => macText(new Uint8Array(l.hardwareAddress.length).fill(l.hardwareType === LOOPBACK ? 0 : 0xff)),
  ],
  ['carrier', (l) => (isUp(l) ? (l.carrier === false ? '0' : '1') : -EINVAL)],
  ['carrier_changes', (l) => String((l.carrierUps ?? 0) + (l.carrierDowns ?? 0))],
  ['carrier_down_count', (l) => String(l.carrierDowns ?? 0)],
  ['carrier_up_count', (l) => String(l.carrierUps ?? 0)],
  ['dev_id', () => '0x0'],
  ['dev_port', () => '0'],
  ['dormant', (l) => (isUp(l) ? '0' : -EINVAL)],
  ['flags', (l) => `0x${(l.flags & 0xffff & ~(IFF_RUNNING | IFF_LOWER_UP)).toString(16)}`],
  ['ifalias', (l) => l.alias ?? ''],
  ['ifindex', (l) => String(l.ifindex)],
  ['iflink', (l) => String(l.peer ?? l.ifindex)],
  ['link_mode', () => '0'],
  ['mtu', (l) => String(l.mtu)],
  ['netdev_group', (l) => String(l.group ?? 0)],
  ['operstate', stateOf],
  ['proto_down', () => '0'],
  ['tx_queue_len', (l) => String(l.queueLength)],
  ['type', (l) => String(l.hardwareType)],
  [
    'uevent',
    (l) =>
      `${l.ports !== undefined && l.ports !== null ? 'DEVTYPE=bridge\n' : ''}INTERFACE=${l.name}\nIFINDEX=${l.ifindex}`,
  ],
]);

type Counters = SysLink['counters'];
const STATISTICS: readonly (readonly [string, (c: Counters) => number])[] = [
  ['collisions', () => 0],
  ['multicast', () => 0],
  ['rx_bytes', (c) => c.rxBytes],
  ['rx_compressed', () => 0],
  ['rx_crc_errors', () => 0],
  ['rx_dropped', (c) => c.rxDropped],
  ['rx_errors', (c) => c.rxErrors],
  ['rx_fifo_errors', () => 0],
  ['rx_frame_errors', () => 0],
  ['rx_length_errors', () => 0],
  ['rx_missed_errors', () => 0],
  ['rx_nohandler', () => 0],
  ['rx_over_errors', () => 0],
  ['rx_packets', (c) => c.rxPackets],
  ['tx_aborted_errors', () => 0],
  ['tx_bytes', (c) => c.txBytes],
  ['tx_carrier_errors', () => 0],
  ['tx_compressed', () => 0],
  ['tx_dropped', (c) => c.txDropped],
  ['tx_errors', (c) => c.txErrors],
  ['tx_fifo_errors', () => 0],
  ['tx_heartbeat_errors', () => 0],
  ['tx_packets', (c) => c.txPackets],
  ['tx_window_errors', () => 0],
];

/** The directory of one interface, whatever it is called now. */
class LinkDir extends SyntheticDirInode {
  private readonly net: SysNetwork;
  readonly ifindex: number;
  private readonly made: Map<string, Inode> = new Map();

  constructor(fs: FileSystem, net: SysNetwork, ifindex: number) {
    super(fs, 0o755);
    this.net = net;
    this.ifindex = ifindex;
    for (const [name, text] of FILES)
      this.made.set(
        name,
        this.file((l) => text(l)),
      );
    const statistics = new StaticDirInode(fs, 0o755);
    for (const [name, count] of STATISTICS)
      statistics.add(
        name,
        this.file((l) => String(count(l.counters))),
      );
    this.made.set('statistics', statistics);
    this.made.set('subsystem', new StaticSymlinkInode(fs, '../../../../class/net'));
  }

  private get shown(): SysLink | null {
    return this.net.links.find((l) => l.ifindex === this.ifindex) ?? null;
  }

  private file(text: (l: SysLink) => string | number): Inode {
    const read = (): string | number => {
      const link = this.shown;
      if (link === null) return -ENOENT;
      const t = text(link);
      return typeof t === 'number' ? t : `${t}\n`;
    };
    return new TextFileInode(this.fs, 0o444, read, () => -EIO);
  }

  /** What depends on its being a port or a bridge. */
  private related(link: SysLink): Map<string, Inode> {
    const all = new Map<string, Inode>();
    const { master, ports } = link;
    if (typeof master === 'string') {
      all.set('master', new StaticSymlinkInode(this.fs, `../${master}`));
      const port = new StaticDirInode(this.fs, 0o755);
      port.add('bridge', new StaticSymlinkInode(this.fs, `../../${master}`));
      all.set('brport', port);
    }
    if (ports !== undefined && ports !== null) {
      const dir = new StaticDirInode(this.fs, 0o755);
      for (const name of ports) dir.add(name, new StaticSymlinkInode(this.fs, `../../${name}/brport`));
      all.set('brif', dir);
      all.set('bridge', new StaticDirInode(this.fs, 0o755));
    }
    return all;
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    const link = this.shown;
    if (link === null) return -ENOENT;
    return this.made.get(name) ?? this.related(link).get(name) ?? -ENOENT;
  }

  override *entries(): Iterable<SyntheticEntry> {
    const link = this.shown;
    if (link === null) return;
    for (const [name, inode] of this.made) yield { name, ino: inode.ino, type: direntType(inode.mode) };
    for (const [name, inode] of this.related(link))
      yield { name, ino: inode.ino, type: direntType(inode.mode) };
  }
}

/** /sys/class/net/NAME: where it leads is told by its name. */
class LinkLink extends SyntheticSymlinkInode {
  private readonly name: string;

  constructor(fs: FileSystem, name: string) {
    super(fs);
    this.name = name;
  }

  override readlink(): string {
    return `../../devices/virtual/net/${this.name}`;
  }
}

/** What was made for interfaces: as many as there are at most, for what is gone goes when somebody looks. */
class Kept<T> {
  private readonly net: SysNetwork;
  private readonly made: Map<number, T> = new Map();

  constructor(net: SysNetwork) {
    this.net = net;
  }

  of(link: SysLink, make: (l: SysLink) => T): T {
    let one = this.made.get(link.ifindex);
    if (one !== undefined) return one;
    const live = new Set(this.net.links.map((l) => l.ifindex));
    for (const index of this.made.keys()) if (!live.has(index)) this.made.delete(index);
    one = make(link);
    this.made.set(link.ifindex, one);
    return one;
  }
}

/** /sys/devices/virtual/net. */
export class NetDevicesDir extends SyntheticDirInode {
  private readonly net: SysNetwork;
  private readonly dirs: Kept<LinkDir>;

  constructor(fs: FileSystem, net: SysNetwork) {
    super(fs, 0o755);
    this.net = net;
    this.dirs = new Kept(net);
  }

  private dirOf(link: SysLink): LinkDir {
    return this.dirs.of(link, (l) => new LinkDir(this.fs, this.net, l.ifindex));
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    const link = this.net.linkByName(name);
    return link === null ? -ENOENT : this.dirOf(link);
  }

  override *entries(): Iterable<SyntheticEntry> {
    for (const link of this.net.links) yield { name: link.name, ino: this.dirOf(link).ino, type: DT_DIR };
  }
}

/** /sys/class/net. */
export class NetClassDir extends SyntheticDirInode {
  private readonly net: SysNetwork;
  /** By name: a renamed interface has another link. */
  private readonly links: Map<string, LinkLink> = new Map();

  constructor(fs: FileSystem, net: SysNetwork) {
    super(fs, 0o755);
    this.net = net;
  }

  private linkOf(name: string): LinkLink {
    let one = this.links.get(name);
    if (one !== undefined) return one;
    for (const old of this.links.keys()) if (this.net.linkByName(old) === null) this.links.delete(old);
    one = new LinkLink(this.fs, name);
    this.links.set(name, one);
    return one;
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.net.linkByName(name) === null ? -ENOENT : this.linkOf(name);
  }

  override *entries(): Iterable<SyntheticEntry> {
    for (const link of this.net.links)
      yield { name: link.name, ino: this.linkOf(link.name).ino, type: DT_LNK };
  }
}
