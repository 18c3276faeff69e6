// Who has which port: bind conflicts as udp_lib_lport_inuse() has them, ports that nobody can foretell, and the search for who
// hears a datagram: connected before bound to an address before bound to none.

import { EADDRINUSE, EAGAIN } from '../../abi/errno.ts';
import type { IpAddress } from '../address.ts';
import type { NetSysctl } from '../sysctl.ts';
import type { NetRandom } from '../transport.ts';
import type { UdpEndpoint } from './endpoint.ts';

class Port {
  /** All that have it. */
  readonly all: UdpEndpoint[] = [];
  /** Those that are connected to nobody. */
  readonly open: UdpEndpoint[] = [];
}

export class PortTable {
  private readonly ports = new Map<number, Port>();
  /** Connected ones, by both ends. */
  private readonly connected = new Map<number, UdpEndpoint[]>();
  private readonly random: NetRandom;
  private readonly sysctl: NetSysctl;
  private readonly secret: number;

  constructor(random: NetRandom, sysctl: NetSysctl) {
    this.random = random;
    this.sysctl = sysctl;
    this.secret = random.u32();
  }

  /** May `e` have the port with this address? */
  conflicts(e: UdpEndpoint, address: IpAddress, port: number): boolean {
    const known = this.ports.get(port);
    if (known === undefined) return false;
    for (const o of known.all) {
      if (o === e || !sameWorld(e, address, o)) continue;
      const [a, b] = [e.options, o.options];
      if (a.reuseAddr !== 0 && b.reuseAddr !== 0) continue;
      if (a.reusePort !== 0 && b.reusePort !== 0) continue;
      if (a.device !== 0 && b.device !== 0 && a.device !== b.device) continue;
      return true;
    }
    return false;
  }

  /** A free port for `e`: a random start, then all (RFC 6056, section 3.3.1). -EAGAIN when there is none. */
  free(e: UdpEndpoint, address: IpAddress): number {
    const low = this.sysctl.portRangeLow;
    const count = Math.max(1, this.sysctl.portRangeHigh - low + 1);
    const start = this.random.u32() % count;
    for (let i = 0; i < count; i++) {
      const port = low + ((start + i) % count);
      if (this.sysctl.reservedPorts.includes(port)) continue;
      if (!this.conflicts(e, address, port)) return port;
    }
    return -EAGAIN;
  }

  /** The port itself, or a free one for 0; -EADDRINUSE, -EAGAIN. */
  choose(e: UdpEndpoint, address: IpAddress, port: number): number {
    if (port === 0) return this.free(e, address);
    return this.conflicts(e, address, port) ? -EADDRINUSE : port;
  }

  /** Enters an endpoint under its names. */
  insert(e: UdpEndpoint): void {
    const { port } = e.local!;
    let p = this.ports.get(port);
    if (p === undefined) {
      p = new Port();
      this.ports.set(port, p);
    }
    p.all.push(e);
    if (e.remote === null) {
      p.open.push(e);
      return;
    }
    const key = this.pairKey(port, e.remote.address, e.remote.port);
    const same = this.connected.get(key);
    if (same === undefined) this.connected.set(key, [e]);
    else same.push(e);
  }

  /** Takes it out: before its names change. */
  remove(e: UdpEndpoint): void {
    if (e.local === null) return;
    const { port } = e.local;
    const p = this.ports.get(port);
    if (p === undefined) return;
    drop(p.all, e);
    drop(p.open, e);
    if (p.all.length === 0) this.ports.delete(port);
    if (e.remote === null) return;
    const key = this.pairKey(port, e.remote.address, e.remote.port);
    const same = this.connected.get(key);
    if (same === undefined) return;
    drop(same, e);
    if (same.length === 0) this.connected.delete(key);
  }

  private pairKey(port: number, address: IpAddress, remotePort: number): number {
    return (
      (Math.imul(address.hash ^ this.secret, 0x85ebca6b) ^
        Math.imul((port << 16) | remotePort, 0xc2b2ae35)) >>>
      0
    );
  }

  /** Who hears a datagram; undefined when nobody does. */
  find(
    dst: IpAddress,
    port: number,
    src: IpAddress,
    srcPort: number,
    ifindex: number,
  ): UdpEndpoint | undefined {
    if (this.connected.size > 0) {
      const same = this.connected.get(this.pairKey(port, src, srcPort));
      if (same !== undefined)
        for (const e of same)
          if (
            e.local!.port === port &&
            e.remote!.port === srcPort &&
            e.remote!.address.equals(src) &&
            e.local!.address.equals(dst) &&
            (e.options.device === 0 || e.options.device === ifindex)
          )
            return e;
    }
    const p = this.ports.get(port);
    if (p === undefined) return undefined;
    const { open } = p;
    let best: UdpEndpoint | undefined;
    let bestScore = -1;
    let equals = 0;
    for (let i = 0; i < open.length; i++) {
      const score = openScore(open[i]!, dst, ifindex);
      if (score < 0 || score < bestScore) continue;
      if (score === bestScore) {
        equals++;
        continue;
      }
      best = open[i]!;
      bestScore = score;
      equals = 1;
    }
    if (equals < 2 || best!.options.reusePort === 0) return best;
    // One of a group of SO_REUSEPORT, the same for all datagrams of a flow.
    const key = this.pairKey(port, src, srcPort);
    let n = Math.floor((key / 0x100000000) * equals);
    for (const e of open) if (openScore(e, dst, ifindex) === bestScore && n-- === 0) return e;
    return best;
  }

  /** All that have a port: those that may hear what came to a group. */
  listeners(port: number): readonly UdpEndpoint[] {
    return this.ports.get(port)?.all ?? [];
  }

  /** Everybody, for /proc/net/udp. */
  *all(): Generator<UdpEndpoint> {
    for (const p of this.ports.values()) yield* p.all;
  }
}

function drop(list: UdpEndpoint[], e: UdpEndpoint): void {
  const at = list.indexOf(e);
  if (at >= 0) list.splice(at, 1);
}

/** Do the addresses of `e` (with `address`) and `o` meet: inet_rcv_saddr_equal()? */
function sameWorld(e: UdpEndpoint, address: IpAddress, o: UdpEndpoint): boolean {
  const other = o.local!.address;
  if (address.isAny && other.isAny) {
    // Two wildcards of different families meet when the IPv6 one takes IPv4 too.
    if (address.isV4 === other.isV4) return true;
    return (address.isV4 ? o : e).options.v6only === 0;
  }
  if (address.isAny) return address.isV4 === other.isV4 || (!address.isV4 && e.options.v6only === 0);
  if (other.isAny) return address.isV4 === other.isV4 || (!other.isV4 && o.options.v6only === 0);
  return address.equals(other);
}

/** How well an unconnected endpoint fits, as compute_score(); -1: not at all. */
export function openScore(e: UdpEndpoint, dst: IpAddress, ifindex: number): number {
  const { address } = e.local!;
  const { options } = e;
  let score = 0;
  if (address.isAny) {
    if (address.isV4 !== dst.isV4) {
      if (address.isV4 || options.v6only !== 0) return -1;
    } else score++;
  } else {
    if (!address.equals(dst)) return -1;
    score += 4;
  }
  if (options.device !== 0) {
    if (options.device !== ifindex) return -1;
    score += 4;
  }
  return score;
}
