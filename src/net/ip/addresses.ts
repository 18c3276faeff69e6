// The addresses of a stack's interfaces, and what kind of address one is to this stack: ip-address(8).

import { EADDRNOTAVAIL, EEXIST } from '../../abi/errno.ts';
import { IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE } from '../../abi/net/if_addr.ts';
import {
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
} from '../../abi/net/rtnetlink.ts';
import { type IpAddress, ipv4 } from '../address.ts';
import { AddressMap } from './address_map.ts';

/** Of one stack: who may add addresses is trusted, but not to fill memory. */
const MOST_ADDRESSES = 4096;

export class InterfaceAddress {
  readonly address: IpAddress;
  readonly prefix: number;
  readonly ifindex: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
  /** IFA_F_*. */
  flags: number;
  readonly broadcast: IpAddress | null;
  readonly peer: IpAddress | null;
  readonly label: string;
  /** Monotonic ns. */
  validUntilNs = Number.POSITIVE_INFINITY;
  preferredUntilNs = Number.POSITIVE_INFINITY;
  /** It came of a router advertisement. */
  fromRouter = false;
  /** Duplicate address detection goes on until then; 0 when it does not. */
  dadUntilNs = 0;

  constructor(
    address: IpAddress,
    prefix: number,
    ifindex: number,
    flags = 0,
    broadcast: IpAddress | null = null,
    peer: IpAddress | null = null,
    label = '',
    scope = scopeOf(address),
  ) {
    this.address = address;
    this.prefix = prefix;
    this.ifindex = ifindex;
    this.flags = flags;
    this.broadcast = broadcast;
    this.peer = peer;
    this.label = label;
    this.scope = scope;
  }

  /** May be used and answered for. */
  get usable(): boolean {
    return (this.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0;
  }

  get deprecated(): boolean {
    return (this.flags & IFA_F_DEPRECATED) !== 0;
  }
}

/** RT_SCOPE_HOST, LINK or UNIVERSE. */
export function scopeOf(address: IpAddress): number {
  if (address.isLoopback) return RT_SCOPE_HOST;
  return address.isLinkLocal && !address.isV4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

export class AddressTable {
  readonly all: InterfaceAddress[] = [];
  private readonly local = new AddressMap<InterfaceAddress>();
  private readonly broadcasts = new AddressMap<InterfaceAddress>();
  /** Prefixes whose every address is ours: 127.0.0.0/8, `ip route add local`. */
  readonly localPrefixes: { readonly prefix: IpAddress; readonly bits: number }[] = [];

  /** -EEXIST when the interface has it. */
  add(a: InterfaceAddress): number {
    if (this.all.length >= MOST_ADDRESSES) return -EADDRNOTAVAIL;
    if (this.find(a.address, a.ifindex) !== undefined) return -EEXIST;
    this.all.push(a);
    this.index();
    return 0;
  }

  /** -EADDRNOTAVAIL when there is none such. */
  remove(a: InterfaceAddress): number {
    const at = this.all.indexOf(a);
    if (at < 0) return -EADDRNOTAVAIL;
    this.all.splice(at, 1);
    this.index();
    return 0;
  }

  private index(): void {
    this.local.clear();
    this.broadcasts.clear();
    for (const a of this.all) {
      if (this.local.get(a.address) === undefined) this.local.set(a.address, a);
      if (a.broadcast !== null) this.broadcasts.set(a.broadcast, a);
      // The last address of a network is one, also where nobody says so (fib_add_ifaddr()).
      if (a.address.isV4 && a.prefix < 31)
        this.broadcasts.set(ipv4((a.address.w3 | (0xffffffff >>> a.prefix)) >>> 0), a);
    }
  }

  find(address: IpAddress, ifindex: number): InterfaceAddress | undefined {
    return this.all.find((a) => a.address.equals(address) && (ifindex === 0 || a.ifindex === ifindex));
  }

  /** The first interface's that has it. */
  get(address: IpAddress): InterfaceAddress | undefined {
    return this.local.get(address);
  }

  /** RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST, or RTN_UNICAST for all that is not ours. */
  kind(address: IpAddress): number {
    const own = this.local.get(address);
    if (own !== undefined) return own.usable ? RTN_LOCAL : RTN_UNICAST;
    if (address.isMulticast) return RTN_MULTICAST;
    if (address.isV4) {
      if (address.isBroadcast || this.broadcasts.get(address) !== undefined) return RTN_BROADCAST;
    }
    for (let i = 0; i < this.localPrefixes.length; i++) {
      const p = this.localPrefixes[i]!;
      if (address.inPrefix(p.prefix, p.bits)) return RTN_LOCAL;
    }
    return RTN_UNICAST;
  }

  /** The same for who looks at one interface: a link-local address must be of that one (ipv6_chk_addr()). */
  kindOn(address: IpAddress, ifindex: number): number {
    if (address.isV4 || !address.isLinkLocal || ifindex === 0) return this.kind(address);
    return this.find(address, ifindex)?.usable === true ? RTN_LOCAL : RTN_UNICAST;
  }

  isLocal(address: IpAddress): boolean {
    return this.kind(address) === RTN_LOCAL;
  }

  /** The link-local address of an interface. */
  linkLocal(ifindex: number): InterfaceAddress | undefined {
    return this.all.find(
      (a) => a.ifindex === ifindex && !a.address.isV4 && a.address.isLinkLocal && a.usable,
    );
  }
}
