// Until net/ has a stack: a loopback interface in name alone, and no sockets (-EAFNOSUPPORT).

import { EAFNOSUPPORT } from '../../../abi/errno.ts';
import type { NetClock } from '../../../net/time.ts';
import type { Account } from '../../base/charge.ts';
import type { SocketStack } from './namespace.ts';
export function makeStack(_clock: NetClock, _payer: Account): SocketStack {
  const lo = {
    ifindex: 1,
    name: 'lo',
    mtu: 65536,
    flags: 9,
    hardwareType: 772,
    hardwareAddress: new Uint8Array(6),
    queueLength: 1000,
    addresses: [],
    counters: {
      rxBytes: 0,
      rxPackets: 0,
      rxErrors: 0,
      rxDropped: 0,
      txBytes: 0,
      txPackets: 0,
      txErrors: 0,
      txDropped: 0,
    },
  };
  return {
    links: [lo],
    linkByIndex: (i) => (i === 1 ? lo : null),
    linkByName: (n) => (n === 'lo' ? lo : null),
    linkOfAddress: () => 0,
    setUp: () => 0,
    setMtu: () => 0,
    setQueueLength: () => 0,
    setAddress: () => 0,
    stream: () => -EAFNOSUPPORT,
    datagram: () => -EAFNOSUPPORT,
    reaches: () => false,
    isLocal: () => false,
    addressOf: () => 0,
    end: () => {},
    defaultTtl: 64,
  };
}
