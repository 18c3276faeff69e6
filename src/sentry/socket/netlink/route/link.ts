// RTM_*LINK: interfaces, rtnetlink(7).

import { EINVAL, ENODEV, EOPNOTSUPP } from '../../../../abi/errno.ts';
import {
  ARPHRD_LOOPBACK,
  ETH_MIN_MTU,
  IF_OPER_DOWN,
  IF_OPER_UNKNOWN,
  IFF_UP,
} from '../../../../abi/net/if.ts';
import { NLM_F_CREATE, NLM_F_DUMP } from '../../../../abi/net/netlink.ts';
import {
  decodeIfinfomsg,
  encodeIfinfomsg,
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
  IFLA_IFNAME,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INET6_FLAGS,
  IFLA_LINKMODE,
  IFLA_MAX_MTU,
  IFLA_MIN_MTU,
  IFLA_MTU,
  IFLA_NUM_RX_QUEUES,
  IFLA_NUM_TX_QUEUES,
  IFLA_OPERSTATE,
  IFLA_PROMISCUITY,
  IFLA_PROTO_DOWN,
  IFLA_QDISC,
  IFLA_TXQLEN,
  RTEXT_FILTER_SKIP_STATS,
  RTM_NEWLINK,
  SIZEOF_IFINFOMSG,
} from '../../../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC } from '../../../../abi/net/socket.ts';
import { putU64 } from '../../../../abi/u64.ts';
import type { Link, LinkCounters } from '../../../../net/link/link.ts';
import type { Stack } from '../../../../net/stack.ts';
import { countUnsupported } from '../../../base/log.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';

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
const LOOPBACK_MAX_MTU = 0;

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
export function putLink(w: NetlinkWriter, link: Link, type: number, skipStats = false, change = 0): void {
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
  // A loopback device says nothing of its state.
  w.u8(IFLA_OPERSTATE, link.isUp ? (loopback ? IF_OPER_UNKNOWN : 6) : loopback ? IF_OPER_DOWN : IF_OPER_DOWN);
  w.u8(IFLA_LINKMODE, 0);
  w.u32(IFLA_MTU, link.mtu);
  w.u32(IFLA_MIN_MTU, loopback ? 0 : ETH_MIN_MTU);
  w.u32(IFLA_MAX_MTU, loopback ? LOOPBACK_MAX_MTU : 65535);
  w.u32(IFLA_GROUP, 0);
  w.u32(IFLA_PROMISCUITY, 0);
  w.u32(IFLA_NUM_TX_QUEUES, 1);
  w.u32(IFLA_GSO_MAX_SEGS, GSO_MAX_SEGS);
  w.u32(IFLA_GSO_MAX_SIZE, GSO_MAX_SIZE);
  w.u32(IFLA_NUM_RX_QUEUES, 1);
  w.u8(IFLA_CARRIER, 1);
  w.text(IFLA_QDISC, loopback || link.isUp ? 'noqueue' : 'noop');
  w.u32(IFLA_CARRIER_CHANGES, 0);
  w.u32(IFLA_CARRIER_UP_COUNT, 0);
  w.u32(IFLA_CARRIER_DOWN_COUNT, 0);
  w.u8(IFLA_PROTO_DOWN, 0);
  if (link.address.length > 0) {
    w.raw(IFLA_ADDRESS, link.address);
    w.raw(IFLA_BROADCAST, new Uint8Array(link.address.length).fill(loopback ? 0 : 0xff));
  }
  if (!skipStats) putStats(w, link);
  const spec = w.nestPlain(IFLA_AF_SPEC);
  const v6 = w.nestPlain(AF_INET6);
  w.u32(IFLA_INET6_FLAGS, link.isUp ? IF_READY : 0);
  w.u8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_EUI64);
  w.endNest(v6);
  w.endNest(spec);
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
function named(stack: Stack, index: number, attrs: Attributes): Link | null {
  if (index > 0) return stack.link(index);
  const name = attrs.text(IFLA_IFNAME);
  if (name === undefined) return null;
  for (const link of stack.links.values()) if (link.name === name) return link;
  return null;
}

/** RTM_GETLINK: 1 when it was a dump. */
export function getLink(stack: Stack, from: NetlinkAsker, request: NetlinkRequest): number {
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
      for (const link of stack.links.values()) putLink(w, link, RTM_NEWLINK, skip);
    return Math.min(0, from.answer(w.finish())) || 1;
  }
  const { index } = decodeIfinfomsg(view, at + 16);
  if (index <= 0 && !attrs.has(IFLA_IFNAME)) return -EINVAL;
  const link = named(stack, index, attrs);
  if (link === null) return -ENODEV;
  putLink(w, link, RTM_NEWLINK, skip);
  return from.answer(w.finish());
}

/** RTM_SETLINK, and RTM_NEWLINK of an interface that is there. The link that changed, or -errno. */
export function setLink(stack: Stack, request: NetlinkRequest): Link | number {
  const { view, at, end } = request;
  if (end - at < 16 + SIZEOF_IFINFOMSG) return -EINVAL;
  const asked = decodeIfinfomsg(view, at + 16);
  const attrs = new Attributes(view, at + 16 + SIZEOF_IFINFOMSG, end);
  const link = named(stack, asked.index, attrs);
  if (link === null) {
    if ((request.flags & NLM_F_CREATE) === 0) return -ENODEV;
    countUnsupported('RTM_NEWLINK of a new interface');
    return -EOPNOTSUPP;
  }
  const mtu = attrs.u32(IFLA_MTU);
  if (mtu !== undefined && (mtu < (link.hardware === ARPHRD_LOOPBACK ? 0 : ETH_MIN_MTU) || mtu > 0x7fffffff))
    return -EINVAL;
  const address = attrs.bytes(IFLA_ADDRESS);
  if (address !== undefined && address.length !== link.address.length) return -EINVAL;
  const txq = attrs.u32(IFLA_TXQLEN);
  if (mtu !== undefined || address !== undefined || txq !== undefined) {
    link.mtu = mtu ?? link.mtu;
    link.address = address ?? link.address;
    link.txQueueLength = txq ?? link.txQueueLength;
    // Paths remember MTUs.
    stack.routes.generation++;
    stack.observer?.linkChanged(link);
  }
  // Without a mask all flags are meant (rtnl_dev_get_flags).
  const change = asked.change === 0 ? 0xffffffff : asked.change;
  const wanted = asked.flags !== 0 || asked.change !== 0 ? change : 0;
  if ((wanted & IFF_UP) !== 0) {
    const up = (asked.flags & IFF_UP) !== 0;
    if (up !== link.isUp) stack.setUp(link, up);
  }
  return link;
}
