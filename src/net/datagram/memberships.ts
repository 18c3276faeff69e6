// The groups of one endpoint: IP_ADD_MEMBERSHIP and its like in ip(7) and ipv6(7). With sources, only those are heard.

import { EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV } from '../../abi/errno.ts';
import type { IpAddress } from '../address.ts';
import { ANY_V4, ANY_V6 } from '../address.ts';
import type { Link } from '../link/link.ts';
import type { Stack } from '../stack.ts';

/** igmp_max_msf. */
const MOST_SOURCES = 10;

class Membership {
  readonly group: IpAddress;
  readonly link: Link;
  /** Empty: everybody is heard. */
  readonly sources: IpAddress[] = [];

  constructor(group: IpAddress, link: Link) {
    this.group = group;
    this.link = link;
  }
}

export class Memberships {
  private readonly all: Membership[] = [];

  get count(): number {
    return this.all.length;
  }

  /** -ENODEV, -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS, -EINVAL. */
  join(stack: Stack, group: IpAddress, ifindex: number, source: IpAddress | null): number {
    if (!group.isMulticast) return -EINVAL;
    const link = linkFor(stack, group, ifindex);
    if (link === null) return -ENODEV;
    const known = this.find(group, link.ifindex);
    if (known !== undefined) {
      if (source === null) return -EADDRINUSE;
      if (known.sources.length === 0) return -EINVAL;
      if (known.sources.some((s) => s.equals(source))) return -EADDRNOTAVAIL;
      if (known.sources.length >= MOST_SOURCES) return -ENOBUFS;
      known.sources.push(source);
      return 0;
    }
    if (this.all.length >= stack.sysctl.igmpMaxMemberships) return -ENOBUFS;
    const r = stack.groups.join(group, link);
    if (r < 0) return r;
    const made = new Membership(group, link);
    if (source !== null) made.sources.push(source);
    this.all.push(made);
    return 0;
  }

  /** -EADDRNOTAVAIL, -ENODEV. */
  leave(stack: Stack, group: IpAddress, ifindex: number, source: IpAddress | null): number {
    if (!group.isMulticast) return -EINVAL;
    if (ifindex !== 0 && stack.link(ifindex) === null) return -ENODEV;
    const at = this.all.findIndex(
      (m) => m.group.equals(group) && (ifindex === 0 || m.link.ifindex === ifindex),
    );
    const known = this.all[at];
    if (known === undefined) return -EADDRNOTAVAIL;
    if (source !== null) {
      const i = known.sources.findIndex((s) => s.equals(source));
      if (i < 0) return -EADDRNOTAVAIL;
      known.sources.splice(i, 1);
      if (known.sources.length > 0) return 0;
    }
    this.all.splice(at, 1);
    stack.groups.leave(group, known.link);
    return 0;
  }

  leaveAll(stack: Stack): void {
    for (const m of this.all.splice(0)) stack.groups.leave(m.group, m.link);
  }

  private find(group: IpAddress, ifindex: number): Membership | undefined {
    return this.all.find((m) => m.link.ifindex === ifindex && m.group.equals(group));
  }

  /** Is a packet to `group` heard? `otherwise` of groups that others are in (IP_MULTICAST_ALL). */
  hears(group: IpAddress, src: IpAddress, ifindex: number, otherwise: boolean): boolean {
    const m = this.find(group, ifindex);
    if (m === undefined) return otherwise;
    return m.sources.length === 0 || m.sources.some((s) => s.equals(src));
  }
}

/** The interface that was named, else the one that a packet to the group would leave by. */
function linkFor(stack: Stack, group: IpAddress, ifindex: number): Link | null {
  if (ifindex !== 0) return stack.link(ifindex);
  const src = group.isV4 ? ANY_V4 : ANY_V6;
  const path = stack.route({ src, dst: group, ifindex: 0, tos: 0, mark: 0, uid: 0 });
  return typeof path === 'number' ? null : path.link;
}
