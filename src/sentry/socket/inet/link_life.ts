// The life of interfaces across namespaces: their names, how they move, how they go.

import { EBUSY, EEXIST, EINVAL, ENETDOWN, ERANGE } from '../../../abi/errno.ts';
import {
  ARPHRD_LOOPBACK,
  ETH_ALEN,
  ETH_MAX_MTU,
  ETH_MIN_MTU,
  IF_OPER_DOWN,
  IF_OPER_LOWERLAYERDOWN,
  IF_OPER_UNKNOWN,
  IF_OPER_UP,
  IFNAMSIZ,
} from '../../../abi/net/if.ts';
import { BridgeDevice } from '../../../net/link/bridge.ts';
import type { Link, LinkPayer } from '../../../net/link/link.ts';
import { TunDevice } from '../../../net/link/tun.ts';
import { VethDevice, vethPeer } from '../../../net/link/veth.ts';
import { cutVlan, VlanDevice } from '../../../net/link/vlan.ts';
import type { Stack } from '../../../net/stack.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';

const SPACE = /[\t-\r ]/;
/** No limits: `dev->max_mtu` of 0. */
const MOST_MTU = 0x7fffffff;

/** An interface with its device and what it is known by. */
export const LINK_BYTES = 4096;

/** Who has made an interface pays for it until it is gone. */
export class ChargedLink implements LinkPayer {
  private readonly payer: Account;

  constructor() {
    this.payer = kernelMemory.take(LINK_BYTES);
  }

  gone(): void {
    kernelMemory.give(this.payer, LINK_BYTES);
  }
}

/** dev_valid_name(). */
export function isLinkName(name: string): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    name.length < IFNAMSIZ &&
    !SPACE.test(name) &&
    !/[/:]/.test(name)
  );
}

/** eth_hw_addr_random(): of nobody's range, for one. */
export function randomMac(stack: Stack): Uint8Array {
  const mac = new Uint8Array(ETH_ALEN);
  const [a, b] = [stack.random.u32(), stack.random.u32()];
  for (let i = 0; i < ETH_ALEN; i++) mac[i] = (i < 4 ? a >>> (8 * i) : b >>> (8 * (i - 4))) & 0xff;
  mac[0] = (mac[0]! & 0xfe) | 2;
  return mac;
}

/** is_valid_ether_addr(). */
export function isUnicastMac(mac: Uint8Array): boolean {
  return (mac[0]! & 1) === 0 && mac.some((b) => b !== 0);
}

/** Limits of MTUs: dev_validate_mtu(). */
export function mtuLimits(link: Link): readonly [number, number] {
  switch (link.kind) {
    case 'dummy':
    case 'lo':
      return [0, MOST_MTU];
    case 'tun':
      return [ETH_MIN_MTU, link.isEthernet ? ETH_MAX_MTU - 14 : ETH_MAX_MTU];
    case 'vlan':
      return [0, ETH_MAX_MTU];
    case 'veth':
    case 'bridge':
      return [ETH_MIN_MTU, ETH_MAX_MTU];
  }
  return [ETH_MIN_MTU, MOST_MTU];
}

/** The interface that another is part of: the other end of a pair, or what a VLAN's is on; null for none. */
export function lowerLink(link: Link): Link | null {
  return link.device instanceof VlanDevice ? link.device.lower : vethPeer(link);
}

/** ip link set up, down. -ENETDOWN: a VLAN's goes up no earlier than what it is on (vlan_dev_open()). */
export function setLinkUp(stack: Stack, link: Link, up: boolean): number {
  if (up && link.device instanceof VlanDevice && link.device.lower?.isUp !== true) return -ENETDOWN;
  stack.setUp(link, up);
  return 0;
}

/** dev_set_mtu(): -EINVAL, -ERANGE; a VLAN's is no larger than what it is on. */
export function setLinkMtu(stack: Stack, link: Link, mtu: number): number {
  const [least, most] = mtuLimits(link);
  if (mtu < least || mtu > most) return -EINVAL;
  if (link.device instanceof VlanDevice && mtu > (link.device.lower?.mtu ?? 0)) return -ERANGE;
  link.mtu = mtu;
  if (link.device instanceof BridgeDevice) link.device.fixedMtu = true;
  link.master?.portChanged(link);
  for (const upper of link.uppers?.mtuChanged(mtu) ?? []) stack.observer?.linkChanged(upper);
  return 0;
}

/** The link in another namespace: dev_change_net_namespace(). -EINVAL, -EEXIST. */
export function moveLink(link: Link, to: Stack, wanted: string | undefined): number {
  const from = link.owner as Stack;
  if (from === to) return 0;
  if (link.hardware === ARPHRD_LOOPBACK || link.device instanceof BridgeDevice) return -EINVAL;
  const name = wanted === undefined || wanted === '' ? link.name : wanted;
  if (!isLinkName(name)) return -EINVAL;
  const full = name.includes('%d') ? to.freeName(name) : name;
  if (to.linkByName(full) !== null) return -EEXIST;
  if (!to.linksFit || to.ended) return -EBUSY;
  const { ifindex } = link;
  from.removeLink(link);
  link.name = full;
  to.addLink(link, ifindex);
  to.observer?.linkChanged(link);
  return 0;
}

/** The interface is gone for good, and with it the other end of a pair. */
export function removeLink(link: Link): void {
  const peer = vethPeer(link);
  const { device } = link;
  for (const upper of link.uppers?.all ?? []) removeLink(upper);
  if (device instanceof BridgeDevice) {
    for (const port of [...device.ports]) {
      device.release(port);
      (port.owner as Stack | null)?.observer?.linkChanged(port);
    }
    device.fdb.clear();
  }
  for (const one of peer === null ? [link] : [link, peer]) {
    (one.owner as Stack | null)?.removeLink(one);
    one.payer?.gone();
    one.payer = null;
  }
  if (device instanceof VethDevice) device.cut();
  else if (device instanceof TunDevice) device.end();
  else if (device instanceof VlanDevice) cutVlan(device);
}

/** What RFC 2863 calls ifOperStatus: default_operstate(). */
export function operState(link: Link): number {
  if (!link.isUp) return IF_OPER_DOWN;
  if (!link.operKnown || link.hardware === ARPHRD_LOOPBACK) return IF_OPER_UNKNOWN;
  if (link.carrier) return IF_OPER_UP;
  if (link.device instanceof VlanDevice) return IF_OPER_LOWERLAYERDOWN;
  const peer = vethPeer(link);
  return peer !== null && peer.owner === link.owner && !peer.carrier ? IF_OPER_LOWERLAYERDOWN : IF_OPER_DOWN;
}
