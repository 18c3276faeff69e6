// RTM_SETLINK, and RTM_NEWLINK of an interface that is there: do_setlink().

import { EADDRNOTAVAIL, EEXIST, EINVAL, EOPNOTSUPP } from '../../../../abi/errno.ts';
import {
  ARPHRD_LOOPBACK,
  IFF_ALLMULTI,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_PROMISC,
  IFF_UP,
} from '../../../../abi/net/if.ts';
import {
  IFLA_ADDRESS,
  IFLA_GROUP,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  IFLA_NET_NS_PID,
  IFLA_TXQLEN,
} from '../../../../abi/net/if_link.ts';
import { decodeIfinfomsg, SIZEOF_IFINFOMSG } from '../../../../abi/net/rtnetlink.ts';
import { BridgeDevice } from '../../../../net/link/bridge.ts';
import type { Link } from '../../../../net/link/link.ts';
import type { Stack } from '../../../../net/stack.ts';
import type { VfsContext } from '../../../vfs/context.ts';
import {
  isLinkName,
  isUnicastMac,
  moveLink,
  mtuLimits,
  setLinkMtu,
  setLinkUp,
} from '../../inet/link_life.ts';
import type { NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { changeBridge } from './bridge.ts';
import { type NetworkFinder, targetStack } from './world.ts';

/** Flags beside IFF_UP that a request may change. */
const SETTABLE = IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST;
const MOST_ALIAS = 255;

/** IFLA_MASTER: 0 releases. -EINVAL, -EOPNOTSUPP, what enslave says. */
function setMaster(stack: Stack, link: Link, index: number): number {
  if (index === (link.master?.link.ifindex ?? 0)) return 0;
  const bridge = index === 0 ? null : stack.link(index);
  if (index !== 0 && bridge === null) return -EINVAL;
  const old = link.master?.link ?? null;
  link.master?.release(link);
  if (old !== null) stack.observer?.linkChanged(old);
  let r = 0;
  if (bridge !== null) {
    const { device } = bridge;
    r = device instanceof BridgeDevice ? device.enslave(link) : -EOPNOTSUPP;
    if (r === 0) stack.observer?.linkChanged(bridge);
  }
  stack.routes.generation++;
  stack.observer?.linkChanged(link);
  return r;
}

function setAddress(stack: Stack, link: Link, address: Uint8Array): number {
  if (address.length !== link.address.length) return -EINVAL;
  if (link.hardware === ARPHRD_LOOPBACK) return -EOPNOTSUPP;
  if (link.isEthernet && !isUnicastMac(address)) return -EADDRNOTAVAIL;
  const was = link.address;
  link.address = address;
  stack.neighbours.flush(link.ifindex);
  if (link.device instanceof BridgeDevice) link.device.fixedAddress = true;
  if (link.master instanceof BridgeDevice) link.master.addressChanged(link, was);
  return 0;
}

/** dev_change_name(). */
export function renameLink(stack: Stack, link: Link, asked: string): number {
  if (asked === '' || asked === link.name) return 0;
  if (!isLinkName(asked)) return -EINVAL;
  const name = asked.includes('%d') ? stack.freeName(asked) : asked;
  if (stack.linkByName(name) !== null) return -EEXIST;
  link.name = name;
  return 0;
}

/** What is not the interface's state: address, MTU, name, alias, group, queue length. 1 when something changed. */
function setProperties(stack: Stack, link: Link, index: number, attrs: Attributes): number {
  const address = attrs.bytes(IFLA_ADDRESS);
  const mtu = attrs.u32(IFLA_MTU);
  const [least, most] = mtuLimits(link);
  if (mtu !== undefined && (mtu < least || mtu > most)) return -EINVAL;
  let changed = 0;
  if (address !== undefined) {
    const r = setAddress(stack, link, address);
    if (r < 0) return r;
    changed = 1;
  }
  if (mtu !== undefined && mtu !== link.mtu) {
    const r = setLinkMtu(stack, link, mtu);
    if (r < 0) return r;
    changed = 1;
  }
  const name = attrs.text(IFLA_IFNAME);
  // Without an index the name is whose; with one, it is the new one.
  if (index > 0 && name !== undefined && name !== link.name) {
    const r = renameLink(stack, link, name);
    if (r < 0) return r;
    changed = 1;
  }
  const alias = attrs.text(IFLA_IFALIAS);
  if (alias !== undefined && alias.length > MOST_ALIAS) return -EINVAL;
  const group = attrs.u32(IFLA_GROUP);
  const length = attrs.u32(IFLA_TXQLEN);
  if (alias !== undefined || group !== undefined || length !== undefined) changed = 1;
  link.alias = alias ?? link.alias;
  link.group = group ?? link.group;
  link.txQueueLength = length ?? link.txQueueLength;
  return changed;
}

/** Changes an interface as a request says: 0 or -errno. */
export function setLink(
  ctx: VfsContext,
  finder: NetworkFinder,
  stack: Stack,
  link: Link,
  request: NetlinkRequest,
): number {
  const { view, at, end } = request;
  const asked = decodeIfinfomsg(view, at + 16);
  const attrs = new Attributes(view, at + 16 + SIZEOF_IFINFOMSG, end);
  let own = stack;
  if (attrs.has(IFLA_NET_NS_PID) || attrs.has(IFLA_NET_NS_FD)) {
    const target = targetStack(ctx, finder, stack, attrs);
    if (typeof target === 'number') return target;
    const r = moveLink(link, target, attrs.text(IFLA_IFNAME));
    if (r < 0) return r;
    own = target;
  }
  const data = attrs.nested(IFLA_LINKINFO)?.nested(IFLA_INFO_DATA);
  if (data !== undefined && link.device instanceof BridgeDevice) {
    const r = changeBridge(link.device, data);
    if (r < 0) return r;
  }
  const changed = setProperties(own, link, asked.index, attrs);
  if (changed < 0) return changed;
  if (changed > 0) {
    // Paths remember MTUs and addresses.
    own.routes.generation++;
    own.observer?.linkChanged(link);
  }
  const master = attrs.u32(IFLA_MASTER);
  if (master !== undefined) {
    const r = setMaster(own, link, master);
    if (r < 0) return r;
  }
  // Without a mask all flags are meant (rtnl_dev_get_flags).
  const mask = asked.change === 0 ? 0xffffffff : asked.change;
  const wanted = asked.flags !== 0 || asked.change !== 0 ? mask : 0;
  const bits = wanted & SETTABLE;
  const flags = (link.flags & ~bits) | (asked.flags & bits);
  if (flags !== link.flags) {
    link.flags = flags;
    own.observer?.linkChanged(link);
  }
  if ((wanted & IFF_UP) !== 0) {
    const up = (asked.flags & IFF_UP) !== 0;
    if (up !== link.isUp) return setLinkUp(own, link, up);
  }
  return 0;
}
