// RTM_*LINK: interfaces, rtnetlink(7).

import { EINVAL, ENODEV } from '../../../../abi/errno.ts';
import { ARPHRD_LOOPBACK, ETH_MAX_MTU } from '../../../../abi/net/if.ts';
import {
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_BROADCAST,
  IFLA_CARRIER,
  IFLA_CARRIER_CHANGES,
  IFLA_CARRIER_DOWN_COUNT,
  IFLA_CARRIER_UP_COUNT,
  IFLA_EXT_MASK,
  IFLA_GROUP,
  IFLA_GSO_MAX_SEGS,
  IFLA_GSO_MAX_SIZE,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INET6_FLAGS,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINK,
  IFLA_LINK_NETNSID,
  IFLA_LINKINFO,
  IFLA_LINKMODE,
  IFLA_MASTER,
  IFLA_MAX_MTU,
  IFLA_MIN_MTU,
  IFLA_MTU,
  IFLA_NUM_RX_QUEUES,
  IFLA_NUM_TX_QUEUES,
  IFLA_OPERSTATE,
  IFLA_PROMISCUITY,
  IFLA_PROTINFO,
  IFLA_PROTO_DOWN,
  IFLA_QDISC,
  IFLA_TXQLEN,
} from '../../../../abi/net/if_link.ts';
import { NLM_F_DUMP } from '../../../../abi/net/netlink.ts';
import {
  decodeIfinfomsg,
  encodeIfinfomsg,
  RTEXT_FILTER_SKIP_STATS,
  RTM_NEWLINK,
  SIZEOF_IFINFOMSG,
} from '../../../../abi/net/rtnetlink.ts';
import { AF_BRIDGE, AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC } from '../../../../abi/net/socket.ts';
import { putU64 } from '../../../../abi/u64.ts';
import { BridgeDevice } from '../../../../net/link/bridge.ts';
import type { Link, LinkCounters } from '../../../../net/link/link.ts';
import { TunDevice } from '../../../../net/link/tun.ts';
import { VlanDevice } from '../../../../net/link/vlan.ts';
import type { Stack } from '../../../../net/stack.ts';
import { lowerLink, mtuLimits, operState } from '../../inet/link_life.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';
import { putBridgeData, putPortData } from './bridge.ts';
import { putTunData } from './tun.ts';
import { putVlanData } from './vlan.ts';
import type { NamespaceIds } from './world.ts';

/** Statistics: as 32-bit and as 64-bit numbers. */
const IFLA_STATS = 7;
const IFLA_STATS64 = 23;
/** Members of struct rtnl_link_stats64 that newer kernels have too. */
const STATS_COUNT = 25;
const STATS32_COUNT = 24;
/** IN6_ADDR_GEN_MODE_EUI64, and IF_READY of struct inet6_dev's flags. */
const ADDR_GEN_EUI64 = 0;
const IF_READY = 0x80000000;
/** What IFLA_NUM_TX_QUEUES and IFLA_GSO_MAX_* say where a device does not. */
const GSO_MAX_SIZE = 65536;
const GSO_MAX_SEGS = 65535;
/** What IFLA_MAX_MTU says when there is none. */
const NO_MAX_MTU = 0;

/** One struct rtnl_link_stats64 as its members in order; those that are not counted are 0. */
function stats(c: LinkCounters): readonly number[] {
  return [
    c.rxPackets,
    c.txPackets,
    c.rxBytes,
    c.txBytes,
    c.rxErrors,
    c.txErrors,
    c.rxDropped,
    c.txDropped,
    c.multicast,
  ];
}

/** Adds RTM_NEWLINK or RTM_DELLINK about an interface. */
export function putLink(
  w: NetlinkWriter,
  link: Link,
  type: number,
  ids: NamespaceIds,
  skipStats = false,
  change = 0,
): void {
  const body = w.begin(type, SIZEOF_IFINFOMSG);
  const { flags } = link;
  encodeIfinfomsg(w.header, body, {
    family: AF_UNSPEC,
    type: link.hardware,
    index: link.ifindex,
    flags,
    change,
  });
  const loopback = link.hardware === ARPHRD_LOOPBACK;
  w.text(IFLA_IFNAME, link.name);
  w.u32(IFLA_TXQLEN, link.txQueueLength);
  w.u8(IFLA_OPERSTATE, operState(link));
  w.u8(IFLA_LINKMODE, 0);
  w.u32(IFLA_MTU, link.mtu);
  const [leastMtu, mostMtu] = mtuLimits(link);
  w.u32(IFLA_MIN_MTU, loopback ? 0 : leastMtu);
  w.u32(IFLA_MAX_MTU, mostMtu > ETH_MAX_MTU ? NO_MAX_MTU : mostMtu);
  w.u32(IFLA_GROUP, link.group);
  w.u32(IFLA_PROMISCUITY, link.master === null ? 0 : 1);
  w.u32(IFLA_NUM_TX_QUEUES, 1);
  w.u32(IFLA_GSO_MAX_SEGS, GSO_MAX_SEGS);
  w.u32(IFLA_GSO_MAX_SIZE, GSO_MAX_SIZE);
  w.u32(IFLA_NUM_RX_QUEUES, 1);
  w.u8(IFLA_CARRIER, link.carrier ? 1 : 0);
  w.text(IFLA_QDISC, loopback || link.isUp ? 'noqueue' : 'noop');
  w.u32(IFLA_CARRIER_CHANGES, link.carrierUps + link.carrierDowns);
  w.u32(IFLA_CARRIER_UP_COUNT, link.carrierUps);
  w.u32(IFLA_CARRIER_DOWN_COUNT, link.carrierDowns);
  w.u8(IFLA_PROTO_DOWN, 0);
  if (link.address.length > 0) {
    w.raw(IFLA_ADDRESS, link.address);
    w.raw(IFLA_BROADCAST, new Uint8Array(link.address.length).fill(loopback ? 0 : 0xff));
  }
  if (link.alias !== '') w.text(IFLA_IFALIAS, link.alias);
  putRelations(w, link, ids);
  if (!skipStats) putStats(w, link);
  const spec = w.nestPlain(IFLA_AF_SPEC);
  const v6 = w.nestPlain(AF_INET6);
  w.u32(IFLA_INET6_FLAGS, link.isUp ? IF_READY : 0);
  w.u8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_EUI64);
  w.endNest(v6);
  w.endNest(spec);
  w.end();
}

/** The other end of a pair, the bridge, and what kind it is. */
function putRelations(w: NetlinkWriter, link: Link, ids: NamespaceIds): void {
  const peer = lowerLink(link);
  if (peer !== null && peer.owner !== null) {
    w.u32(IFLA_LINK, peer.ifindex);
    if (peer.owner !== link.owner) w.u32(IFLA_LINK_NETNSID, ids.of(peer.owner as Stack));
  }
  const { master } = link;
  if (master !== null) w.u32(IFLA_MASTER, master.link.ifindex);
  if (link.kind === '' && master === null) return;
  const info = w.nestPlain(IFLA_LINKINFO);
  if (link.kind !== '') w.text(IFLA_INFO_KIND, link.kind);
  const { device } = link;
  if (device instanceof BridgeDevice || device instanceof TunDevice || device instanceof VlanDevice) {
    const data = w.nestPlain(IFLA_INFO_DATA);
    if (device instanceof BridgeDevice) putBridgeData(w, device);
    else if (device instanceof VlanDevice) putVlanData(w, device);
    else putTunData(w, device);
    w.endNest(data);
  }
  if (master !== null) {
    w.text(IFLA_INFO_SLAVE_KIND, master.link.kind);
    const data = w.nestPlain(IFLA_INFO_SLAVE_DATA);
    putPortData(w, link);
    w.endNest(data);
  }
  w.endNest(info);
}

/** RTM_NEWLINK of AF_BRIDGE: a port as its bridge sees it, or a bridge; br_fill_ifinfo(). */
function putBridgePort(w: NetlinkWriter, link: Link): void {
  const body = w.begin(RTM_NEWLINK, SIZEOF_IFINFOMSG);
  encodeIfinfomsg(w.header, body, {
    family: AF_BRIDGE,
    type: link.hardware,
    index: link.ifindex,
    flags: link.flags,
    change: 0,
  });
  w.text(IFLA_IFNAME, link.name);
  const master = link.master?.link ?? link;
  w.u32(IFLA_MASTER, master.ifindex);
  w.u32(IFLA_MTU, link.mtu);
  w.u8(IFLA_OPERSTATE, operState(link));
  if (link.address.length > 0) w.raw(IFLA_ADDRESS, link.address);
  const peer = lowerLink(link);
  if (peer !== null && peer.owner !== null) w.u32(IFLA_LINK, peer.ifindex);
  if (link.master !== null) {
    const port = w.nest(IFLA_PROTINFO);
    putPortData(w, link);
    w.endNest(port);
  }
  w.end();
}

function putStats(w: NetlinkWriter, link: Link): void {
  const values = stats(link.counters);
  const at64 = w.space(IFLA_STATS64, 8 * STATS_COUNT);
  values.forEach((v, i) => {
    putU64(w.header, at64 + 8 * i, v);
  });
  const at32 = w.space(IFLA_STATS, 4 * STATS32_COUNT);
  values.forEach((v, i) => {
    w.header.setUint32(at32 + 4 * i, v % 2 ** 32, true);
  });
}

/** The interface that a request names, by index or by name. */
export function named(stack: Stack, index: number, attrs: Attributes): Link | null {
  if (index > 0) return stack.link(index);
  const name = attrs.text(IFLA_IFNAME);
  if (name === undefined) return null;
  for (const link of stack.links.values()) if (link.name === name) return link;
  return null;
}

/** Dumps of the ports of one bridge, or of one kind: `ip link show master br0 type veth`. */
function isWanted(link: Link, attrs: Attributes): boolean {
  const master = attrs.u32(IFLA_MASTER);
  if (master !== undefined && master !== 0 && link.master?.link.ifindex !== master) return false;
  const kind = attrs.nested(IFLA_LINKINFO)?.text(IFLA_INFO_KIND);
  return kind === undefined || kind === link.kind;
}

/** RTM_GETLINK: 1 when it was a dump. */
export function getLink(
  stack: Stack,
  ids: NamespaceIds,
  from: NetlinkAsker,
  request: NetlinkRequest,
): number {
  const { view, at, end, seq, flags } = request;
  const dump = (flags & NLM_F_DUMP) === NLM_F_DUMP;
  // Old programs send struct rtgenmsg alone in dumps.
  const whole = end - at >= 16 + SIZEOF_IFINFOMSG;
  if (!whole && !dump) return -EINVAL;
  const attrs = new Attributes(view, at + 16 + SIZEOF_IFINFOMSG, end);
  const skip = ((attrs.u32(IFLA_EXT_MASK) ?? 0) & RTEXT_FILTER_SKIP_STATS) !== 0;
  const w = new NetlinkWriter(seq, from.port, dump ? 2 : 0);
  if (dump) {
    const family = whole ? view.getUint8(at + 16) : AF_UNSPEC;
    if (family === AF_UNSPEC || family === AF_PACKET || family === AF_INET || family === AF_INET6)
      for (const link of stack.links.values()) {
        if (isWanted(link, attrs)) putLink(w, link, RTM_NEWLINK, ids, skip);
      }
    if (family === AF_BRIDGE)
      for (const link of stack.links.values()) if (link.master !== null) putBridgePort(w, link);
    return Math.min(0, from.answer(w.finish())) || 1;
  }
  const { index } = decodeIfinfomsg(view, at + 16);
  if (index <= 0 && !attrs.has(IFLA_IFNAME)) return -EINVAL;
  const link = named(stack, index, attrs);
  if (link === null) return -ENODEV;
  putLink(w, link, RTM_NEWLINK, ids, skip);
  return from.answer(w.finish());
}
