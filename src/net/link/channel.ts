// Two devices in memory, each of which is the other's wire: veth(4), and tests.

import { ENETDOWN } from '../../abi/errno.ts';
import type { Packet } from '../packet.ts';
import type { NetClock } from '../time.ts';
import type { LinkDevice, PacketSink } from './link.ts';
import { DeliveryQueue } from './queue.ts';

export class ChannelDevice implements LinkDevice {
  readonly gso: number;
  readonly sums: boolean;
  /** What comes in here. */
  readonly queue: DeliveryQueue;
  peer: ChannelDevice | null = null;

  constructor(clock: NetClock, gso: number, sums: boolean) {
    this.queue = new DeliveryQueue(clock);
    this.gso = gso;
    this.sums = sums;
  }

  get sink(): PacketSink | null {
    return this.queue.sink;
  }

  set sink(sink: PacketSink | null) {
    this.queue.sink = sink;
  }

  transmit(packet: Packet): number {
    // Who gets it did not look it up: offsets and addresses are found anew, whatever the sender knew.
    packet.l4 = 0;
    return this.peer === null ? -ENETDOWN : this.peer.queue.push(packet);
  }
}

/** The two ends. With gso 0 and no `sums` packets look as on a real wire. */
export function channelPair(a: NetClock, b: NetClock, gso = 0, sums = false): [ChannelDevice, ChannelDevice] {
  const left = new ChannelDevice(a, gso, sums);
  const right = new ChannelDevice(b, gso, sums);
  left.peer = right;
  right.peer = left;
  return [left, right];
}
