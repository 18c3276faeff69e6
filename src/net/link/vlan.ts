// vlan links: an interface that sees the frames of one VLAN of another interface, and whose frames get that VLAN's tag there
// (IEEE 802.1Q; 8021q of Linux).
//
//   0: destination (6)   6: source (6)   12: 0x8100   14: priority (3 bits), drop eligible (1), VLAN (12)   16: type

import { ETH_P_8021Q } from '../../abi/net/if.ts';
import type { Packet } from '../packet.ts';
import { pullPacket } from '../wire/clone.ts';
import { ETHERNET_SIZE, ETHERNET_TYPE } from '../wire/ethernet.ts';
import type { Link, LinkDevice, LinkUppers, PacketSink } from './link.ts';
import { etherLink } from './veth.ts';

const TAG_SIZE = 4;
const VLAN_MASK = 0xfff;
/** VLAN_N_VID without the one that means none: IDs are 0 to 4094. */
export const MOST_VLAN_ID = 4094;

export class VlanDevice implements LinkDevice {
  sink: PacketSink | null = null;
  readonly id: number;
  /** Null once it is gone. */
  lower: Link | null;
  /** Set by vlanLink. */
  own: Link | null = null;

  constructor(lower: Link, id: number) {
    this.lower = lower;
    this.id = id;
  }

  get gso(): number {
    return Math.max(0, (this.lower?.gso ?? 0) - TAG_SIZE);
  }

  get sums(): boolean {
    return this.lower?.device.sums === true;
  }

  get uso(): boolean {
    return this.lower?.device.uso === true;
  }

  /** vlan_dev_hard_start_xmit(). */
  transmit(packet: Packet): number {
    const { lower } = this;
    if (lower === null || !pullPacket(packet, packet.start, ETHERNET_SIZE)) return 0;
    const at = packet.push(TAG_SIZE);
    const { head, view } = packet;
    head.copyWithin(at, at + TAG_SIZE, at + TAG_SIZE + ETHERNET_TYPE);
    view.setUint16(at + ETHERNET_TYPE, ETH_P_8021Q);
    view.setUint16(at + ETHERNET_TYPE + 2, this.id);
    return lower.send(packet);
  }

  upChanged(): void {
    this.follow();
  }

  /** It has a carrier as long as the interface below has, and is up. */
  follow(): void {
    this.own?.carrierTo(this.lower?.isReady === true);
  }
}

/** The vlan links of one interface. */
export class Vlans implements LinkUppers {
  private readonly byId = new Map<number, Link>();

  get all(): readonly Link[] {
    return [...this.byId.values()];
  }

  /** False when that VLAN has an interface. */
  add(id: number, link: Link): boolean {
    if (this.byId.has(id)) return false;
    this.byId.set(id, link);
    return true;
  }

  remove(id: number): void {
    this.byId.delete(id);
  }

  /** vlan_do_receive(): true when the frame was a VLAN's. A tag with no VLAN is a priority, and the frame the interface's own. */
  input(packet: Packet): boolean {
    if (packet.size < ETHERNET_SIZE + TAG_SIZE) return false;
    if (!pullPacket(packet, packet.start, ETHERNET_SIZE + TAG_SIZE)) return false;
    const { start, view, head } = packet;
    if (view.getUint16(start + ETHERNET_TYPE) !== ETH_P_8021Q) return false;
    const id = view.getUint16(start + ETHERNET_TYPE + 2) & VLAN_MASK;
    const link = this.byId.get(id);
    if (link === undefined && id !== 0) return true;
    head.copyWithin(start + TAG_SIZE, start, start + ETHERNET_TYPE);
    packet.start = start + TAG_SIZE;
    if (link === undefined) return false;
    link.deliver(packet);
    return true;
  }

  carrierChanged(): void {
    for (const link of this.byId.values()) (link.device as VlanDevice).follow();
  }

  /** vlan_device_event(): no larger than what is below. */
  mtuChanged(most: number): readonly Link[] {
    const smaller = this.all.filter((link) => link.mtu > most);
    for (const link of smaller) link.mtu = most;
    return smaller;
  }
}

function vlansOf(lower: Link): Vlans {
  if (lower.uppers instanceof Vlans) return lower.uppers;
  const vlans = new Vlans();
  lower.uppers = vlans;
  return vlans;
}

/** A vlan link of `lower`, down, in no stack yet; null when `lower` has one of that VLAN. */
export function vlanLink(name: string, lower: Link, id: number, address: Uint8Array): Link | null {
  const vlans = vlansOf(lower);
  const device = new VlanDevice(lower, id);
  const link = etherLink(name, 'vlan', device, address);
  if (!vlans.add(id, link)) return null;
  link.mtu = lower.mtu;
  device.own = link;
  link.carrierTo(false);
  return link;
}

/** It is gone for good. */
export function cutVlan(device: VlanDevice): void {
  if (device.lower !== null) vlansOf(device.lower).remove(device.id);
  device.lower = null;
}
