// Ports: who has which, who may share one (socket(7): SO_REUSEADDR, SO_REUSEPORT; inet_csk_bind_conflict's rules), and which is free
// (RFC 6056, section 3.3.3: an offset from a keyed hash, then in steps).

import { EADDRINUSE } from '../../abi/errno.ts';
import { TCP_LISTEN } from '../../abi/net/tcp.ts';
import type { IpAddress } from '../address.ts';
import type { NetRandom } from '../transport.ts';
import { Tcb } from './tcb.ts';
import type { TimeWait } from './timewait.ts';

export type PortOwner = Tcb | TimeWait;

function reuses(owner: PortOwner): boolean {
  return owner instanceof Tcb ? owner.options.reuseAddr && owner.state !== TCP_LISTEN : owner.reuseAddr;
}

function sharesPort(owner: PortOwner): boolean {
  return owner instanceof Tcb ? owner.options.reusePort : owner.reusePort;
}

/** Do two local addresses meet? An IPv6 socket on :: hears IPv4, too, unless IPV6_V6ONLY. */
export function addressesMeet(a: IpAddress, aOnly6: boolean, b: IpAddress, bOnly6: boolean): boolean {
  if (a.isAny && !a.isV4) return !(aOnly6 && b.isV4);
  if (b.isAny && !b.isV4) return !(bOnly6 && a.isV4);
  if (a.isV4 !== b.isV4) return false;
  return a.isAny || b.isAny || a.equals(b);
}

export class PortTable {
  private readonly ports = new Map<number, Set<PortOwner>>();
  private readonly random: NetRandom;
  /** RFC 6056, section 3.3.4: counters by destination, mixed. */
  private readonly steps = new Uint32Array(256);

  constructor(random: NetRandom) {
    this.random = random;
    for (let i = 0; i < this.steps.length; i++) this.steps[i] = random.u32() & 0x3ff;
  }

  take(port: number, owner: PortOwner): void {
    const owners = this.ports.get(port);
    if (owners === undefined) this.ports.set(port, new Set([owner]));
    else owners.add(owner);
  }

  give(port: number, owner: PortOwner): void {
    const owners = this.ports.get(port);
    if (owners === undefined) return;
    owners.delete(owner);
    if (owners.size === 0) this.ports.delete(port);
  }

  /** Would this socket at this address and port be in somebody's way? */
  conflicts(tcb: Tcb, address: IpAddress, port: number): boolean {
    const owners = this.ports.get(port);
    if (owners === undefined) return false;
    const { options } = tcb;
    for (const other of owners) {
      if (other === tcb) continue;
      const ifindex = other instanceof Tcb ? other.options.ifindex : other.ifindex;
      if (ifindex !== 0 && options.ifindex !== 0 && ifindex !== options.ifindex) continue;
      const only6 = other instanceof Tcb ? other.options.v6only : other.v6only;
      if (!addressesMeet(address, options.v6only, other.local, only6)) continue;
      if (options.reusePort && sharesPort(other) && (tcb.uid === other.uid || !(other instanceof Tcb)))
        continue;
      if (options.reuseAddr && reuses(other)) continue;
      return true;
    }
    return false;
  }

  /** A port for bind(2) with 0; -EADDRINUSE when there is none. */
  free(tcb: Tcb, address: IpAddress, low: number, high: number): number {
    const span = high - low + 1;
    const start = this.random.u32() % span;
    for (let i = 0; i < span; i++) {
      const port = low + ((start + i) % span);
      if (!this.conflicts(tcb, address, port)) return port;
    }
    return -EADDRINUSE;
  }

  /** Ports for connect(2), in the order to try: the i-th from `hash`. */
  candidate(hash: number, i: number, low: number, high: number): number {
    const span = high - low + 1;
    const step = this.steps[hash & 255]!;
    return low + (((hash >>> 8) + step + i) % span);
  }

  /** A candidate was taken: the next connection begins behind it. */
  taken(hash: number, i: number): void {
    this.steps[hash & 255] = (this.steps[hash & 255]! + i + 1 + (this.random.u32() & 7)) >>> 0;
  }

  /** May connect take a port that somebody has? Not one that bind gave. */
  boundByName(port: number): boolean {
    const owners = this.ports.get(port);
    if (owners === undefined) return false;
    for (const owner of owners) if (owner instanceof Tcb && owner.boundPort) return true;
    return false;
  }

  get count(): number {
    return this.ports.size;
  }
}
