// tun(4): an interface whose wire is a program. What is sent waits in queues until it is read; what is written comes in.

import {
  ARPHRD_ETHER,
  ARPHRD_NONE,
  IFF_BROADCAST,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_POINTOPOINT,
} from '../../abi/net/if.ts';
import type { Packet } from '../packet.ts';
import { Link, type LinkDevice, type PacketSink } from './link.ts';
import { WHOLE } from './veth.ts';

const ETHERNET_MTU = 1500;
/** TUN_READQ_SIZE, of point-to-point ones; Ethernet has 1000. */
const QUEUE_LENGTH = 500;
/** Of one queue, whatever its packets: half of what a program may have to read at once. */
const QUEUE_BYTES = 4 << 20;
/** MAX_TAP_QUEUES. */
export const MOST_QUEUES = 256;

/** Who reads a queue. */
export interface TunReader {
  /** A packet waits. */
  arrived(): void;
  /** May `bytes` more wait? They are paid for from then on. */
  admit(bytes: number): boolean;
  /** The interface is gone. */
  gone(): void;
}

export class TunQueue {
  readonly reader: TunReader;
  readonly packets: Packet[] = [];
  bytes = 0;
  /** Takes no packets: IFF_DETACH_QUEUE. */
  detached = false;

  constructor(reader: TunReader) {
    this.reader = reader;
  }
}

export class TunDevice implements LinkDevice {
  sink: PacketSink | null = null;
  /** What the program has said it takes: TUNSETOFFLOAD. */
  gso = 0;
  sums = false;
  readonly queues: TunQueue[] = [];
  /** IFF_TUN or IFF_TAP, and IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE as TUNSETIFF had them. */
  mode: number;
  persists = false;
  /** Who may attach without CAP_NET_ADMIN; -1 for nobody. */
  owner = -1;
  group = -1;
  /** Bytes of struct virtio_net_hdr. */
  headerSize = 10;
  link: Link | null = null;

  constructor(mode: number) {
    this.mode = mode;
  }

  offload(sums: boolean, large: boolean): void {
    this.sums = sums;
    this.gso = large ? WHOLE : 0;
  }

  /** The interface is gone: nobody reads or writes any more. */
  end(): void {
    for (const queue of this.queues.splice(0)) queue.reader.gone();
    this.link = null;
  }

  /** Into the queue that its flow has; dropped when that is full, or nobody reads. */
  transmit(packet: Packet): number {
    const queue = this.pick(packet);
    if (queue === null || this.link === null) return 0;
    const size = packet.size;
    const full = queue.packets.length >= this.link.txQueueLength || queue.bytes + size > QUEUE_BYTES;
    if (full || !queue.reader.admit(size)) {
      this.link.counters.txDropped++;
      return 0;
    }
    queue.packets.push(packet);
    queue.bytes += size;
    queue.reader.arrived();
    return 0;
  }

  /** Packets of one flow keep their order. */
  private pick(packet: Packet): TunQueue | null {
    const { queues } = this;
    const first = queues[0];
    if (first === undefined) return null;
    if (queues.length === 1) return first.detached ? null : first;
    const live = queues.filter((q) => !q.detached);
    if (live.length === 0) return null;
    const ports = packet.l4 > 0 && packet.end >= packet.l4 + 4 ? packet.view.getUint32(packet.l4) : 0;
    const hash = Math.imul(packet.src.hash ^ Math.imul(packet.dst.hash, 31) ^ ports, 0x9e3779b1) >>> 0;
    return live[hash % live.length]!;
  }
}

/** An interface for TUNSETIFF, down, in no stack yet. */
export function tunLink(name: string, mode: number, isTap: boolean, address: Uint8Array): Link {
  const device = new TunDevice(mode);
  const link = isTap
    ? new Link(name, device, ARPHRD_ETHER, ETHERNET_MTU, IFF_BROADCAST | IFF_MULTICAST, address)
    : new Link(
        name,
        device,
        ARPHRD_NONE,
        ETHERNET_MTU,
        IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST,
        new Uint8Array(0),
      );
  if (!isTap) link.txQueueLength = QUEUE_LENGTH;
  link.kind = 'tun';
  link.operKnown = false;
  device.link = link;
  return link;
}
