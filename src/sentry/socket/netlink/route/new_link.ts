// RTM_NEWLINK of an interface that is not there, RTM_DELLINK: ip-link(8). What kinds there are is in `KINDS`.

import { EADDRNOTAVAIL, EBUSY, EEXIST, EINVAL, ENOBUFS, ENODEV, EOPNOTSUPP } from '../../../../abi/errno.ts';
import { ETH_ALEN } from '../../../../abi/net/if.ts';
import {
  IFLA_ADDRESS,
  IFLA_GROUP,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_MTU,
  IFLA_TXQLEN,
} from '../../../../abi/net/if_link.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../../../abi/net/netlink.ts';
import { decodeIfinfomsg, SIZEOF_IFINFOMSG } from '../../../../abi/net/rtnetlink.ts';
import { VETH_INFO_PEER } from '../../../../abi/net/veth.ts';
import { type BridgeDevice, bridgeLink } from '../../../../net/link/bridge.ts';
import { dummyLink } from '../../../../net/link/dummy.ts';
import type { Link } from '../../../../net/link/link.ts';
import { vethPair } from '../../../../net/link/veth.ts';
import type { Stack } from '../../../../net/stack.ts';
import { kernelMemory } from '../../../base/charge.ts';
import { countUnsupported } from '../../../base/log.ts';
import type { VfsContext } from '../../../vfs/context.ts';
import {
  ChargedLink,
  isLinkName,
  isUnicastMac,
  LINK_BYTES,
  mtuLimits,
  randomMac,
  removeLink,
} from '../../inet/link_life.ts';
import type { NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { changeBridge } from './bridge.ts';
import { askedVlan, makeVlan, vlanBelow } from './vlan.ts';
import { type NetworkFinder, targetStack } from './world.ts';

/** IFALIASZ. */
const MOST_ALIAS = 255;

/** What one end of a request says, checked: name, address, MTU. */
class Wanted {
  readonly stack: Stack;
  readonly name: string;
  readonly index: number;
  private readonly attrs: Attributes;

  private constructor(stack: Stack, name: string, index: number, attrs: Attributes) {
    this.stack = stack;
    this.name = name;
    this.index = index;
    this.attrs = attrs;
  }

  /** `other`: a name that is about to be taken in the same stack. */
  static of(
    stack: Stack,
    attrs: Attributes,
    index: number,
    pattern: string,
    other: Wanted | null,
  ): Wanted | number {
    const asked = attrs.text(IFLA_IFNAME);
    if (asked !== undefined && !isLinkName(asked)) return -EINVAL;
    const name = asked ?? pattern;
    const taken = (n: string): boolean =>
      stack.linkByName(n) !== null || (other !== null && other.stack === stack && other.name === n);
    let free = name;
    if (name.includes('%')) {
      if (name.split('%').length > 2 || !name.includes('%d')) return -EINVAL;
      for (let n = 0; taken(free) || free === name; n++) free = name.replace('%d', String(n));
    }
    if (taken(free)) return -EEXIST;
    const address = attrs.bytes(IFLA_ADDRESS);
    if (address !== undefined && address.length !== ETH_ALEN) return -EINVAL;
    if (address !== undefined && !isUnicastMac(address)) return -EADDRNOTAVAIL;
    if (index < 0) return -EINVAL;
    return new Wanted(stack, free, index, attrs);
  }

  get mac(): Uint8Array {
    return this.attrs.bytes(IFLA_ADDRESS) ?? randomMac(this.stack);
  }

  /** Puts the interface in its stack. -EINVAL, -EEXIST, -ENOSPC. */
  register(link: Link): number {
    const { attrs, stack } = this;
    const mtu = attrs.u32(IFLA_MTU);
    const [least, most] = mtuLimits(link);
    if (mtu !== undefined && (mtu < least || mtu > most)) return -EINVAL;
    link.mtu = mtu ?? link.mtu;
    link.txQueueLength = attrs.u32(IFLA_TXQLEN) ?? link.txQueueLength;
    link.group = attrs.u32(IFLA_GROUP) ?? 0;
    link.alias = (attrs.text(IFLA_IFALIAS) ?? '').slice(0, MOST_ALIAS);
    if (this.index > 0 && stack.link(this.index) !== null) return -EBUSY;
    const r = stack.addLink(link, this.index);
    if (r < 0) return r;
    link.payer = new ChargedLink();
    stack.observer?.linkChanged(link);
    return 0;
  }
}

/** The interfaces of a pair: the peer first, so that it has the lower index (veth_newlink()). */
function newVeth(
  ctx: VfsContext,
  finder: NetworkFinder,
  own: Stack,
  attrs: Attributes,
  index: number,
  target: Stack,
  data: Attributes | undefined,
): number {
  const peer = data?.get(VETH_INFO_PEER);
  if (peer !== undefined && peer.size < SIZEOF_IFINFOMSG) return -EINVAL;
  const peerAttrs =
    peer === undefined
      ? new Attributes(attrs.view, 0, 0)
      : new Attributes(attrs.view, peer.at + SIZEOF_IFINFOMSG, peer.at + peer.size);
  const peerIndex = peer === undefined ? 0 : decodeIfinfomsg(attrs.view, peer.at).index;
  const peerStack = targetStack(ctx, finder, own, peerAttrs);
  if (typeof peerStack === 'number') return peerStack;
  const first = Wanted.of(peerStack, peerAttrs, peerIndex, 'veth%d', null);
  if (typeof first === 'number') return first;
  const second = Wanted.of(target, attrs, index, 'veth%d', first);
  if (typeof second === 'number') return second;
  if (!peerStack.linksFit || !target.linksFit || !kernelMemory.fits(2 * LINK_BYTES)) return -ENOBUFS;
  const [right, left] = vethPair(own.wires, first.name, first.mac, second.name, second.mac);
  const r = first.register(right);
  if (r < 0) return r;
  const s = second.register(left);
  if (s < 0) removeLink(right);
  // The peer's link attribute names this one, which has an index only now.
  else peerStack.observer?.linkChanged(right);
  return s;
}

/** vlan_newlink(). */
function newVlan(
  stack: Stack,
  attrs: Attributes,
  index: number,
  target: Stack,
  data: Attributes | undefined,
): number {
  const id = askedVlan(data);
  if (id < 0) return id;
  const lower = vlanBelow(stack, attrs.u32(IFLA_LINK));
  if (typeof lower === 'number') return lower;
  const wanted = Wanted.of(target, attrs, index, 'vlan%d', null);
  if (typeof wanted === 'number') return wanted;
  if ((attrs.u32(IFLA_MTU) ?? 0) > lower.mtu) return -EINVAL;
  if (!target.linksFit || !kernelMemory.fits(LINK_BYTES)) return -ENOBUFS;
  const link = makeVlan(wanted.name, lower, id, attrs.bytes(IFLA_ADDRESS));
  if (typeof link === 'number') return link;
  const r = wanted.register(link);
  if (r < 0) removeLink(link);
  return r;
}

/** Makes an interface of the kind that a request names. */
function create(
  ctx: VfsContext,
  finder: NetworkFinder,
  stack: Stack,
  attrs: Attributes,
  index: number,
): number {
  const info = attrs.nested(IFLA_LINKINFO);
  const kind = info?.text(IFLA_INFO_KIND);
  const data = info?.nested(IFLA_INFO_DATA);
  if (index < 0) return -EINVAL;
  const target = targetStack(ctx, finder, stack, attrs);
  if (typeof target === 'number') return target;
  if (kind === 'veth') return newVeth(ctx, finder, stack, attrs, index, target, data);
  if (kind === 'vlan') return newVlan(stack, attrs, index, target, data);
  if (kind !== 'bridge' && kind !== 'dummy') {
    // Also 'tun', whose interfaces are made through /dev/net/tun alone.
    if (kind !== undefined && kind !== 'tun') countUnsupported(`interfaces of kind ${kind}`);
    return kind === 'tun' ? -EINVAL : -EOPNOTSUPP;
  }
  const wanted = Wanted.of(target, attrs, index, `${kind}%d`, null);
  if (typeof wanted === 'number') return wanted;
  if (!target.linksFit || !kernelMemory.fits(LINK_BYTES)) return -ENOBUFS;
  if (kind === 'dummy') return wanted.register(dummyLink(wanted.name, wanted.mac));
  const link = bridgeLink(wanted.name, target.clock, target.memory, wanted.mac);
  const device = link.device as BridgeDevice;
  device.fixedAddress = attrs.has(IFLA_ADDRESS);
  device.fixedMtu = attrs.has(IFLA_MTU);
  const r = data === undefined ? 0 : changeBridge(device, data);
  return r < 0 ? r : wanted.register(link);
}

/** RTM_NEWLINK without an interface of that name or index; the flags were checked. */
export function createLink(
  ctx: VfsContext,
  finder: NetworkFinder,
  stack: Stack,
  request: NetlinkRequest,
): number {
  const { view, at, end, flags } = request;
  if ((flags & NLM_F_CREATE) === 0) return -ENODEV;
  if (end - at < 16 + SIZEOF_IFINFOMSG) return -EINVAL;
  const { index } = decodeIfinfomsg(view, at + 16);
  return create(ctx, finder, stack, new Attributes(view, at + 16 + SIZEOF_IFINFOMSG, end), index);
}

/** What NLM_F_EXCL and NLM_F_REPLACE say of an interface that is there, and a kind that it is not: 0 or -errno. */
export function mayChange(link: Link, flags: number, attrs: Attributes): number {
  if ((flags & NLM_F_EXCL) !== 0) return -EEXIST;
  if ((flags & NLM_F_REPLACE) !== 0) return -EOPNOTSUPP;
  const kind = attrs.nested(IFLA_LINKINFO)?.text(IFLA_INFO_KIND);
  return kind !== undefined && kind !== link.kind ? -EOPNOTSUPP : 0;
}

/** RTM_DELLINK. -ENODEV, -EOPNOTSUPP for what no request has made. */
export function delLink(link: Link | null): number {
  if (link === null) return -ENODEV;
  if (link.kind === '') return -EOPNOTSUPP;
  removeLink(link);
  return 0;
}
