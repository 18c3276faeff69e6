// /proc/PID/net: tables of the network namespace. Sockets register the rows of their protocol; what nobody serves has
// its heading and no rows.

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
    [
      'sockstat',
      'sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n',
    ],
    [
      'sockstat6',
      'TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n',
    ],
    [
      'protocols',
      'protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n',
    ],
    ['ptype', 'Type Device      Function\n'],
    ['wireless', ''],
    ['snmp', ''],
    ['snmp6', ''],
    ['netstat', ''],
  ]);
  private readonly rows: Map<string, () => string> = new Map();

  get names(): Iterable<string> {
    return this.headings.keys();
  }

  /** Serves the rows of a table; `heading` replaces the one that stands for an absent protocol. */
  register(name: string, rows: () => string, heading?: string): void {
    if (heading !== undefined) this.headings.set(name, heading);
    this.rows.set(name, rows);
  }

  text(name: string): string {
    return (this.headings.get(name) ?? '') + (this.rows.get(name)?.() ?? '');
  }
}
