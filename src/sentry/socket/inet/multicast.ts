// Memberships: IP_ADD_MEMBERSHIP, IPV6_ADD_MEMBERSHIP, MCAST_JOIN_GROUP and their like, ip(7), ipv6(7), RFC 3678.

import { EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT, EPROTO } from '../../../abi/errno.ts';
import {
  IP_ADD_MEMBERSHIP,
  IP_ADD_SOURCE_MEMBERSHIP,
  IP_BLOCK_SOURCE,
  IP_DROP_SOURCE_MEMBERSHIP,
  IP_MREQ_IMR_INTERFACE,
  IP_MREQN_IMR_ADDRESS,
  IP_MREQN_IMR_IFINDEX,
  IP_MSFILTER,
  IP_UNBLOCK_SOURCE,
  IPPROTO_IP,
  IPV6_ADD_MEMBERSHIP,
  IPV6_DROP_MEMBERSHIP,
  IPV6_MREQ_IPV6MR_IFINDEX,
  MCAST_BLOCK_SOURCE,
  MCAST_JOIN_GROUP,
  MCAST_JOIN_SOURCE_GROUP,
  MCAST_LEAVE_GROUP,
  MCAST_LEAVE_SOURCE_GROUP,
  MCAST_MSFILTER,
  MCAST_UNBLOCK_SOURCE,
  SIZEOF_IP_MREQ,
  SIZEOF_IP_MREQN,
  SIZEOF_IPV6_MREQ,
} from '../../../abi/net/in.ts';
import { AF_INET, AF_INET6 } from '../../../abi/net/socket.ts';
import { getIpv6, type IpAddress, ipv4 } from '../../../net/address.ts';
import type { DatagramEndpoint } from '../../../net/endpoint.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratchView } from '../../base/scratch.ts';
import type { IpOptionsOf } from './ip_options.ts';

/** Not an option of memberships. */
export const NO_MEMBERSHIP = 1;

/** struct ip_mreq_source: group, interface, source. struct group_req: index, 4 bytes, sockaddr_storage; a second one behind it. */
const SIZEOF_IP_MREQ_SOURCE = 12;
const MREQ_SOURCE_AT = 8;
const GROUP_AT = 8;
const SOURCE_AT = 136;
const SIZEOF_GROUP_REQ = 136;
const SIZEOF_GROUP_SOURCE_REQ = 264;

function isMembership(v4: boolean, name: number): boolean {
  if (name >= MCAST_JOIN_GROUP && name <= MCAST_MSFILTER) return true;
  return v4
    ? name >= IP_ADD_MEMBERSHIP && name <= IP_MSFILTER
    : name === IPV6_ADD_MEMBERSHIP || name === IPV6_DROP_MEMBERSHIP;
}

/** setsockopt(2) of memberships; NO_MEMBERSHIP when the option is another one. `ep` is null for streams. */
export function setMembership(
  s: IpOptionsOf,
  ep: DatagramEndpoint | null,
  level: number,
  name: number,
  len: number,
): number {
  const v4 = level === IPPROTO_IP;
  if (!isMembership(v4, name)) return NO_MEMBERSHIP;
  // What a connection could receive from a group is nothing.
  if (ep === null) return v4 ? -EPROTO : -ENOPROTOOPT;
  switch (name) {
    case IP_UNBLOCK_SOURCE:
    case IP_BLOCK_SOURCE:
    case IP_MSFILTER:
    case MCAST_BLOCK_SOURCE:
    case MCAST_UNBLOCK_SOURCE:
    case MCAST_MSFILTER:
      countUnsupported(`setsockopt ${level} ${name}`);
      return -ENOPROTOOPT;
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
    case MCAST_JOIN_SOURCE_GROUP:
    case MCAST_LEAVE_SOURCE_GROUP:
      return groupRequest(s, ep, v4, name, len);
  }
  if (!v4) {
    if (len < SIZEOF_IPV6_MREQ) return -EINVAL;
    const group = getIpv6(scratchView, 0);
    const index = scratchView.getInt32(IPV6_MREQ_IPV6MR_IFINDEX, true);
    return join(s, ep, name === IPV6_ADD_MEMBERSHIP, group, index, null, false);
  }
  if (len < SIZEOF_IP_MREQ) return -EINVAL;
  const sourced = name === IP_ADD_SOURCE_MEMBERSHIP || name === IP_DROP_SOURCE_MEMBERSHIP;
  if (sourced && len !== SIZEOF_IP_MREQ_SOURCE) return -EINVAL;
  const withIndex = !sourced && len >= SIZEOF_IP_MREQN;
  const address = scratchView.getUint32(withIndex ? IP_MREQN_IMR_ADDRESS : IP_MREQ_IMR_INTERFACE);
  let index = withIndex ? scratchView.getInt32(IP_MREQN_IMR_IFINDEX, true) : 0;
  if (index === 0 && address !== 0) {
    index = s.ns.linkOfAddress(ipv4(address));
    if (index === 0) return -ENODEV;
  }
  const source = sourced ? ipv4(scratchView.getUint32(MREQ_SOURCE_AT)) : null;
  const joins = name === IP_ADD_MEMBERSHIP || name === IP_ADD_SOURCE_MEMBERSHIP;
  return join(s, ep, joins, ipv4(scratchView.getUint32(0)), index, source, true);
}

function groupRequest(s: IpOptionsOf, ep: DatagramEndpoint, v4: boolean, name: number, len: number): number {
  const sourced = name === MCAST_JOIN_SOURCE_GROUP || name === MCAST_LEAVE_SOURCE_GROUP;
  if (len < (sourced ? SIZEOF_GROUP_SOURCE_REQ : SIZEOF_GROUP_REQ)) return -EINVAL;
  const index = scratchView.getInt32(0, true);
  const group = addressAt(GROUP_AT, v4);
  const source = sourced ? addressAt(SOURCE_AT, v4) : null;
  if (group === null || (sourced && source === null)) return sourced ? -EADDRNOTAVAIL : -EINVAL;
  return join(s, ep, name === MCAST_JOIN_GROUP || name === MCAST_JOIN_SOURCE_GROUP, group, index, source, v4);
}

/** The address of a sockaddr in scratch; null when it is of another family. */
function addressAt(at: number, v4: boolean): IpAddress | null {
  if (scratchView.getUint16(at, true) !== (v4 ? AF_INET : AF_INET6)) return null;
  return v4 ? ipv4(scratchView.getUint32(at + 4)) : getIpv6(scratchView, at + 8);
}

function join(
  s: IpOptionsOf,
  ep: DatagramEndpoint,
  joins: boolean,
  group: IpAddress,
  index: number,
  source: IpAddress | null,
  v4: boolean,
): number {
  if (!group.isMulticast || group.isV4 !== v4) return joins || !v4 ? -EINVAL : -EADDRNOTAVAIL;
  if (index !== 0 && s.ns.linkByIndex(index) === null) return -ENODEV;
  return joins ? ep.join(group, index, source) : ep.leave(group, index, source);
}
