// What ioctls need of an open /dev/net/tun.

import type { Link } from '../../../net/link/link.ts';
import type { TunDevice, TunQueue } from '../../../net/link/tun.ts';
import type { InetNamespace } from '../inet/namespace.ts';

export interface TunHolder {
  /** The namespace in which it makes and finds interfaces. */
  readonly ns: InetNamespace;
  readonly link: Link | null;
  device: TunDevice | null;
  queue_: TunQueue | null;
  /** TUNSETIFINDEX, TUNSETSNDBUF, TUNSETVNETLE. */
  wantedIndex: number;
  sndbuf: number;
  littleEndian: number;
  /** A queue of an interface is this file's from now on. */
  join(device: TunDevice): void;
  /** Forgets what waits. */
  drain(): void;
}
