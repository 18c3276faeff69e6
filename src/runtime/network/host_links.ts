// The host's interfaces, as programs inside see them with --network=host, asked for each time.

import {
  decodeIfaddrmsg,
  IFA_ADDRESS,
  IFA_BROADCAST,
  IFA_LOCAL,
  SIZEOF_IFADDRMSG,
} from '../../abi/net/if_addr.ts';
import {
  IFLA_ADDRESS,
  IFLA_CARRIER,
  IFLA_IFNAME,
  IFLA_MTU,
  IFLA_OPERSTATE,
  IFLA_TXQLEN,
} from '../../abi/net/if_link.ts';
import { NLMSG_HDRLEN } from '../../abi/net/netlink.ts';
import { decodeIfinfomsg, RTM_GETADDR, RTM_GETLINK, SIZEOF_IFINFOMSG } from '../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../abi/net/socket.ts';
import { getU64 } from '../../abi/u64.ts';
import type { HostNetlink } from '../../host/netlink.ts';
import { getIpv4, getIpv6, type IpAddress } from '../../net/address.ts';
import type { LinkSource } from '../../sentry/socket/host/host_stack.ts';
import type { AddressView, LinkCounters, LinkView } from '../../sentry/socket/inet/links.ts';
import { Attributes } from '../../sentry/socket/netlink/reader.ts';

/** IFLA_STATS64: struct rtnl_link_stats64. */
const IFLA_STATS64 = 23;
const NO_BYTES = new Uint8Array(0);

function viewOf(message: Uint8Array): DataView {
  return new DataView(message.buffer, message.byteOffset, message.length);
}

export class HostLinks implements LinkSource {
  private readonly netlink: HostNetlink;

  constructor(netlink: HostNetlink) {
    this.netlink = netlink;
  }

  /** None when the host does not tell. */
  get links(): readonly LinkView[] {
    const links = this.netlink.dump(RTM_GETLINK, 0);
    const addresses = this.netlink.dump(RTM_GETADDR, 0);
    if (typeof links === 'number') return [];
    const byIndex = new Map<number, AddressView[]>();
    if (typeof addresses !== 'number') for (const message of addresses) addAddress(byIndex, message);
    return links.map((message) => linkOf(message, byIndex)).sort((a, b) => a.ifindex - b.ifindex);
  }
}

function addAddress(byIndex: Map<number, AddressView[]>, message: Uint8Array): void {
  const view = viewOf(message);
  const { family, prefixlen, index } = decodeIfaddrmsg(view, NLMSG_HDRLEN);
  if (family !== AF_INET && family !== AF_INET6) return;
  const attrs = new Attributes(view, NLMSG_HDRLEN + SIZEOF_IFADDRMSG, message.length);
  const read = (type: number): IpAddress | null => {
    const a = attrs.get(type);
    if (a === undefined || a.size < (family === AF_INET ? 4 : 16)) return null;
    return family === AF_INET ? getIpv4(view, a.at) : getIpv6(view, a.at);
  };
  // Of a point-to-point interface IFA_ADDRESS is the other end.
  const own = read(IFA_LOCAL) ?? read(IFA_ADDRESS);
  if (own === null) return;
  const list = byIndex.get(index) ?? [];
  list.push({ address: own, bits: prefixlen, broadcast: read(IFA_BROADCAST) });
  byIndex.set(index, list);
}

function linkOf(message: Uint8Array, byIndex: ReadonlyMap<number, AddressView[]>): LinkView {
  const view = viewOf(message);
  const head = decodeIfinfomsg(view, NLMSG_HDRLEN);
  const attrs = new Attributes(view, NLMSG_HDRLEN + SIZEOF_IFINFOMSG, message.length);
  return {
    ifindex: head.index,
    name: attrs.text(IFLA_IFNAME) ?? '',
    mtu: attrs.u32(IFLA_MTU) ?? 0,
    flags: head.flags,
    hardwareType: head.type,
    hardwareAddress: attrs.bytes(IFLA_ADDRESS) ?? NO_BYTES,
    queueLength: attrs.u32(IFLA_TXQLEN) ?? 0,
    addresses: byIndex.get(head.index) ?? [],
    counters: countersOf(view, attrs.get(IFLA_STATS64)),
    carrier: attrs.u8(IFLA_CARRIER) !== 0,
    operState: attrs.u8(IFLA_OPERSTATE) ?? 0,
  };
}

function countersOf(view: DataView, a: { at: number; size: number } | undefined): LinkCounters {
  const n = (i: number): number => (a === undefined || a.size < 8 * i + 8 ? 0 : getU64(view, a.at + 8 * i));
  return {
    rxPackets: n(0),
    txPackets: n(1),
    rxBytes: n(2),
    txBytes: n(3),
    rxErrors: n(4),
    txErrors: n(5),
    rxDropped: n(6),
    txDropped: n(7),
  };
}
