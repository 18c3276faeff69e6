// A bridge: Ethernet interfaces as ports of a switch that learns (IEEE 802.1D without the spanning tree), and an interface of its own
// through which its stack takes part.

import { EBUSY, EINVAL, ELOOP } from '../../abi/errno.ts';
import { IFF_LOOPBACK } from '../../abi/net/if.ts';
import type { NetMemory } from '../memory.ts';
import type { Packet } from '../packet.ts';
import { SUM_MISSING } from '../packet.ts';
import type { NetClock } from '../time.ts';
import { clonePacket, pullPacket } from '../wire/clone.ts';
import { ETHERNET_SIZE, isGroupMac, isMac } from '../wire/ethernet.ts';
import { findFrameTransport } from '../wire/transport.ts';
import { FDB_LOCAL, Fdb, macKey } from './fdb.ts';
import type { Link, LinkDevice, LinkMaster, PacketSink } from './link.ts';
import { etherLink, WHOLE } from './veth.ts';

/** BR_MAX_PORTS. */
const MOST_PORTS = 1024;
/** Beyond the MTU, a frame may have its header and a VLAN tag. */
const FRAME_EXTRA = ETHERNET_SIZE + 4;
const ETHERNET_MTU = 1500;

export class BridgeDevice implements LinkDevice, LinkMaster {
  sink: PacketSink | null = null;
  readonly gso = WHOLE;
  readonly sums = true;
  readonly uso = true;
  readonly ports: Link[] = [];
  readonly fdb: Fdb;
  private readonly clock: NetClock;
  /** Set by bridgeLink. */
  own: Link | null = null;
  /** Somebody chose them: they do not follow the ports'. */
  fixedAddress = false;
  fixedMtu = false;
  /** The address that it has without ports. */
  private readonly firstAddress: Uint8Array;

  constructor(clock: NetClock, memory: NetMemory, address: Uint8Array) {
    this.clock = clock;
    this.fdb = new Fdb(memory);
    this.firstAddress = address;
  }

  get link(): Link {
    return this.own!;
  }

  /** IFLA_MASTER: br_add_if(). -EINVAL, -ELOOP, -EBUSY. */
  enslave(port: Link): number {
    if (!port.isEthernet || (port.flags & IFF_LOOPBACK) !== 0 || port.owner !== this.link.owner)
      return -EINVAL;
    if (port.device instanceof BridgeDevice) return -ELOOP;
    if (port.master !== null || this.ports.length >= MOST_PORTS) return -EBUSY;
    port.master = this;
    this.ports.push(port);
    this.fdb.add(port.address, port, FDB_LOCAL, true, this.clock.monotonicNs());
    this.portChanged(port);
    return 0;
  }

  release(port: Link): void {
    const at = this.ports.indexOf(port);
    if (at < 0) return;
    this.ports.splice(at, 1);
    port.master = null;
    this.fdb.flush(port, true);
    this.follow();
  }

  portChanged(port: Link): void {
    if (!port.isReady) this.fdb.flush(port, false);
    this.follow();
  }

  /** A port's hardware address is another one. */
  addressChanged(port: Link, was: Uint8Array): void {
    this.fdb.remove(was, port);
    this.fdb.add(port.address, port, FDB_LOCAL, true, this.clock.monotonicNs());
    this.follow();
  }

  upChanged(): void {
    this.follow();
    if (!this.link.isUp) this.link.carrierTo(false);
  }

  /** What follows from the ports: a carrier from any, the lowest address, the smallest MTU. */
  private follow(): void {
    const { link, ports } = this;
    if (!this.fixedAddress) {
      let lowest = ports[0]?.address ?? this.firstAddress;
      for (const p of ports) if (macKey(p.address) < macKey(lowest)) lowest = p.address;
      if (macKey(lowest) !== macKey(link.address)) link.address = lowest.slice();
    }
    if (!this.fixedMtu) {
      let mtu = ports[0]?.mtu ?? ETHERNET_MTU;
      for (const p of ports) mtu = Math.min(mtu, p.mtu);
      link.mtu = mtu;
    }
    // A bridge that was never up has its first carrier.
    if (link.isUp) link.carrierTo(ports.some((p) => p.isReady));
  }

  /** From the bridge's own interface: br_dev_xmit(). */
  transmit(packet: Packet): number {
    if (!pullPacket(packet, packet.start, ETHERNET_SIZE)) return 0;
    const { head, start } = packet;
    if (isGroupMac(head, start)) {
      this.flood(packet, null);
      return 0;
    }
    const e = this.fdb.find(macKey(head, start), this.clock.monotonicNs());
    if (e === undefined) this.flood(packet, null);
    else if (e.port !== this.own && e.kind !== FDB_LOCAL) this.forward(packet, e.port);
    return 0;
  }

  /** LinkMaster.input: br_handle_frame(). */
  input(port: Link, packet: Packet): void {
    const own = this.link;
    if (!own.isUp || !pullPacket(packet, packet.start, ETHERNET_SIZE)) return;
    const { head, start } = packet;
    if (isGroupMac(head, start + 6)) return;
    const nowNs = this.clock.monotonicNs();
    this.fdb.learn(head, start + 6, port, nowNs);
    if (isGroupMac(head, start)) {
      // IEEE 802.1D, table 7-10: what is for the next bridge alone. Without a spanning tree its own frames go on.
      const reserved =
        head[start] === 1 && macKey(head, start) - (macKey(head, start) % 16) === 0x0180c2000000;
      if (!reserved || head[start + 5] === 0) this.flood(clonePacket(packet), port);
      this.up(packet);
      return;
    }
    if (isMac(head, start, own.address)) {
      this.up(packet);
      return;
    }
    const e = this.fdb.find(macKey(head, start), nowNs);
    if (e === undefined) this.flood(packet, port);
    else if (e.kind === FDB_LOCAL) this.up(packet);
    else if (e.port !== port) {
      e.usedNs = nowNs;
      this.forward(packet, e.port);
    }
  }

  /** To the bridge's own stack. Frames for the address of a port are for it too. */
  private up(packet: Packet): void {
    const { head, start } = packet;
    if (!isGroupMac(head, start)) head.set(this.link.address, start);
    this.sink?.deliver(packet);
  }

  private flood(packet: Packet, from: Link | null): void {
    let last: Link | null = null;
    for (const p of this.ports) {
      if (p === from || !p.isReady) continue;
      if (last !== null) this.forward(clonePacket(packet), last);
      last = p;
    }
    if (last !== null) this.forward(packet, last);
  }

  private forward(packet: Packet, to: Link): void {
    if (!to.isReady) return;
    if (packet.segment === 0 && packet.size > to.mtu + FRAME_EXTRA) return;
    // A port that splits packets or finishes checksums needs to know where what is.
    const unfinished = packet.segment > 0 || packet.sum === SUM_MISSING;
    if (packet.l4 === 0 && unfinished && !findFrameTransport(packet)) return;
    to.send(packet);
  }
}

/** A bridge without ports, down, in no stack yet. */
export function bridgeLink(name: string, clock: NetClock, memory: NetMemory, address: Uint8Array): Link {
  const device = new BridgeDevice(clock, memory, address);
  const link = etherLink(name, 'bridge', device, address);
  device.own = link;
  return link;
}
