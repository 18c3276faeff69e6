// The loopback device: what goes in comes out, uncopied, large and without checksums.

import { ARPHRD_LOOPBACK, IFF_LOOPBACK } from '../../abi/net/if.ts';
import type { Packet } from '../packet.ts';
import type { NetClock } from '../time.ts';
import type { LinkDevice, PacketSink } from './link.ts';
import { Link } from './link.ts';
import { DeliveryQueue } from './queue.ts';

export const LOOPBACK_MTU = 65536;

export class LoopbackDevice implements LinkDevice {
  readonly gso = LOOPBACK_MTU;
  readonly sums = true;
  readonly uso = true;
  readonly queue: DeliveryQueue;

  constructor(clock: NetClock) {
    this.queue = new DeliveryQueue(clock);
  }

  get sink(): PacketSink | null {
    return this.queue.sink;
  }

  set sink(sink: PacketSink | null) {
    this.queue.sink = sink;
  }

  transmit(packet: Packet): number {
    return this.queue.push(packet);
  }
}

/** `lo`, down as in a new network namespace. */
export function loopbackLink(device: LoopbackDevice): Link {
  return new Link('lo', device, ARPHRD_LOOPBACK, LOOPBACK_MTU, IFF_LOOPBACK);
}
