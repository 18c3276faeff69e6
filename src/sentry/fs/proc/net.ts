// /proc/PID/net: tables of the process's network namespace. What nobody serves has its heading and no rows.

import { ENOENT } from '../../../abi/errno.ts';
import type { InetNamespace } from '../../socket/inet/namespace.ts';
import { INET_TABLES, type NetTable } from '../../socket/inet/tables.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DT_REG } from '../../vfs/dirent.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { SyntheticEntry, Text } from '../../vfs/synthetic.ts';
import { PidDirInode, PidFileInode, type Target } from './pid_inode.ts';

const PADDED_HEADING =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const V6_HEADING =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

/** Tables by name: the heading, and where its rows come from. */
export class NetTables {
  private readonly headings: Map<string, string> = new Map([
    ['tcp', `${PADDED_HEADING.padEnd(149)}\n`],
    ['tcp6', `${V6_HEADING}\n`],
    ['udp', `${` ${PADDED_HEADING} ref pointer drops`.padEnd(127)}\n`],
    ['udp6', `${V6_HEADING} ref pointer drops\n`],
    ['udplite', `${` ${PADDED_HEADING} ref pointer drops`.padEnd(127)}\n`],
    ['udplite6', `${V6_HEADING} ref pointer drops\n`],
    ['raw', `${PADDED_HEADING} ref pointer drops\n`],
    ['raw6', `${V6_HEADING} ref pointer drops\n`],
    ['icmp', `${PADDED_HEADING} ref pointer drops\n`],
    ['icmp6', `${V6_HEADING} ref pointer drops\n`],
    ['unix', 'Num       RefCount Protocol Flags    Type St Inode Path\n'],
    ['packet', 'sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n'],
    ['netlink', 'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n'],
    [
      'dev',
      'Inter-|   Receive                                                |  Transmit\n' +
        ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n',
    ],
    [
      'route',
      `${'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'.padEnd(127)}\n`,
    ],
    ['ipv6_route', ''],
    ['arp', 'IP address       HW type     Flags       HW address            Mask     Device\n'],
    ['if_inet6', ''],
    ['dev_mcast', ''],
    ['igmp', 'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n'],
    ['igmp6', ''],
    ['sockstat', ''],
    ['sockstat6', ''],
    [
      'protocols',
      'protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n',
    ],
    ['ptype', 'Type Device      Function\n'],
    ['wireless', ''],
    ['ip_tables_names', ''],
    ['ip6_tables_names', ''],
    ['snmp', ''],
    ['snmp6', ''],
    ['netstat', ''],
  ]);
  private readonly rows: Map<string, NetTable> = new Map(INET_TABLES);

  has(name: string): boolean {
    return this.headings.has(name);
  }

  get names(): Iterable<string> {
    return this.headings.keys();
  }

  /** Serves the rows of a table; `heading` replaces the one that stands for an absent protocol. */
  register(name: string, rows: NetTable, heading?: string): void {
    if (heading !== undefined) this.headings.set(name, heading);
    this.rows.set(name, rows);
  }

  /** The heading alone, without a namespace. */
  text(name: string, ns: InetNamespace | null = null): Text {
    const heading = this.headings.get(name) ?? '';
    const rows = this.rows.get(name);
    if (rows === undefined || ns === null) return heading;
    const all = rows(ns);
    return typeof all === 'string' ? heading + all : headed(heading, all);
  }
}

function* headed(heading: string, rows: Iterable<string>): Iterable<string> {
  yield heading;
  yield* rows;
}

/** The directory, whose files are made as somebody looks at them. */
export class NetDir extends PidDirInode {
  private readonly tables: NetTables;
  private readonly files: Map<string, Inode> = new Map();

  constructor(fs: FileSystem, target: Target, tables: NetTables) {
    super(fs, target);
    this.tables = tables;
  }

  private fileOf(name: string): Inode {
    let file = this.files.get(name);
    if (file === undefined) {
      const { tables } = this;
      file = new PidFileInode(this.fs, this.target, {
        name,
        mode: 0o444,
        read: (t) => tables.text(name, t.net),
      });
      this.files.set(name, file);
    }
    return file;
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.tables.has(name) ? this.fileOf(name) : -ENOENT;
  }

  override *entries(): Iterable<SyntheticEntry> {
    for (const name of this.tables.names) yield { name, ino: this.fileOf(name).ino, type: DT_REG };
  }
}
