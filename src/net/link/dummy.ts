// A dummy device: an interface with addresses and routes, where all that is sent is gone.

import { IFF_BROADCAST, IFF_MULTICAST, IFF_NOARP } from '../../abi/net/if.ts';
import type { Link, LinkDevice, PacketSink } from './link.ts';
import { etherLink, WHOLE } from './veth.ts';

export class DummyDevice implements LinkDevice {
  sink: PacketSink | null = null;
  readonly gso = WHOLE;
  readonly sums = true;
  readonly uso = true;

  transmit(): number {
    return 0;
  }
}

export function dummyLink(name: string, address: Uint8Array): Link {
  const link = etherLink(name, 'dummy', new DummyDevice(), address);
  link.flags = (link.flags | IFF_NOARP) & ~IFF_MULTICAST;
  link.flags |= IFF_BROADCAST;
  link.operKnown = false;
  return link;
}
