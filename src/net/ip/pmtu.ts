// Path MTUs that routers told of (RFC 1191, RFC 8201): by destination, bounded, forgotten after a while.

import type { IpAddress } from '../address.ts';
import type { NetClock, NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import { AddressMap } from './address_map.ts';

/** Anybody who can guess what we send can tell us of an MTU: so many are kept. */
const MOST = 2048;
/** RFC 8201, section 4; below this IPv6 has no links. */
export const IPV6_LEAST_MTU = 1280;

class Known {
  readonly dst: IpAddress;
  mtu: number;
  untilNs: number;

  constructor(dst: IpAddress, mtu: number, untilNs: number) {
    this.dst = dst;
    this.mtu = mtu;
    this.untilNs = untilNs;
  }
}

export class PathMtus implements NetTimerTarget {
  private readonly known = new AddressMap<Known>();
  private readonly clock: NetClock;
  private readonly timer: NetTimer;

  constructor(clock: NetClock) {
    this.clock = clock;
    this.timer = new NetTimer(this);
  }

  get size(): number {
    return this.known.size;
  }

  /** The MTU towards `dst`, where the link has `mtu`. */
  limit(dst: IpAddress, mtu: number): number {
    if (this.known.size === 0) return mtu;
    const k = this.known.get(dst);
    return k === undefined ? mtu : Math.min(mtu, k.mtu);
  }

  /** A router says that `mtu` is the most; false when that is nothing new: MTUs only shrink until they are forgotten. */
  learn(dst: IpAddress, mtu: number, lifeNs: number): boolean {
    const untilNs = this.clock.monotonicNs() + lifeNs;
    const k = this.known.get(dst);
    if (k !== undefined) {
      if (mtu >= k.mtu) return false;
      k.mtu = mtu;
      k.untilNs = untilNs;
      return true;
    }
    if (this.known.size >= MOST) this.known.clear();
    this.known.set(dst, new Known(dst, mtu, untilNs));
    if (!this.timer.armed) this.clock.arm(this.timer, untilNs);
    return true;
  }

  onTimer(_timer: NetTimer, nowNs: number): void {
    let nextNs = Number.POSITIVE_INFINITY;
    for (const k of [...this.known.values()]) {
      if (k.untilNs <= nowNs) this.known.delete(k.dst);
      else nextNs = Math.min(nextNs, k.untilNs);
    }
    if (nextNs < Number.POSITIVE_INFINITY) this.clock.arm(this.timer, nextNs);
  }
}
