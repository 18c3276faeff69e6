// Interfaces of VLANs in RTM_NEWLINK: IFLA_VLAN_* of <linux/if_link.h>, as 8021q checks and shows them (vlan_validate(), vlan_fill_info()).

import { EEXIST, EINVAL, ENODEV, EOPNOTSUPP, EPROTONOSUPPORT, ERANGE } from '../../../../abi/errno.ts';
import { ETH_P_8021Q, IFF_LOOPBACK } from '../../../../abi/net/if.ts';
import {
  IFLA_VLAN_EGRESS_QOS,
  IFLA_VLAN_FLAGS,
  IFLA_VLAN_ID,
  IFLA_VLAN_INGRESS_QOS,
  IFLA_VLAN_PROTOCOL,
} from '../../../../abi/net/if_link.ts';
import type { Link } from '../../../../net/link/link.ts';
import { MOST_VLAN_ID, type VlanDevice, vlanLink } from '../../../../net/link/vlan.ts';
import type { Stack } from '../../../../net/stack.ts';
import { countUnsupported } from '../../../base/log.ts';
import type { Attributes } from '../reader.ts';
import type { NetlinkWriter } from '../writer.ts';

/** VLAN_FLAG_REORDER_HDR: programs see frames without tags. The only way there is here. */
const REORDER_HDR = 1;

/** The VLAN that a request asks for: its ID, or -errno. */
export function askedVlan(data: Attributes | undefined): number {
  if (data === undefined) return -EINVAL;
  const protocol = data.bytes(IFLA_VLAN_PROTOCOL);
  if (protocol !== undefined && (protocol[0]! << 8) + protocol[1]! !== ETH_P_8021Q) {
    countUnsupported('interfaces of VLANs with another tag than 802.1Q');
    return -EPROTONOSUPPORT;
  }
  const id = data.u16(IFLA_VLAN_ID);
  if (id === undefined) return -EINVAL;
  if (id > MOST_VLAN_ID) return -ERANGE;
  const flags = data.bytes(IFLA_VLAN_FLAGS);
  const other = flags !== undefined && flags.length >= 8 && (flags[0]! & flags[4]! & ~REORDER_HDR) !== 0;
  if (other || data.has(IFLA_VLAN_EGRESS_QOS) || data.has(IFLA_VLAN_INGRESS_QOS)) {
    countUnsupported('priorities and flags of interfaces of VLANs');
    return -EOPNOTSUPP;
  }
  return id;
}

/** The interface that a VLAN's is to be on: vlan_check_real_dev(). -EINVAL, -ENODEV, -EOPNOTSUPP. */
export function vlanBelow(stack: Stack, index: number | undefined): Link | number {
  if (index === undefined) return -EINVAL;
  const lower = stack.link(index);
  if (lower === null) return -ENODEV;
  return lower.isEthernet && (lower.flags & IFF_LOOPBACK) === 0 ? lower : -EOPNOTSUPP;
}

/** The interface, in no stack yet; -EEXIST when that VLAN has one. */
export function makeVlan(
  name: string,
  lower: Link,
  id: number,
  address: Uint8Array | undefined,
): Link | number {
  return vlanLink(name, lower, id, address ?? lower.address.slice()) ?? -EEXIST;
}

/** IFLA_INFO_DATA. */
export function putVlanData(w: NetlinkWriter, device: VlanDevice): void {
  w.raw(IFLA_VLAN_PROTOCOL, Uint8Array.of(ETH_P_8021Q >>> 8, ETH_P_8021Q & 0xff));
  w.u16(IFLA_VLAN_ID, device.id);
  w.raw(IFLA_VLAN_FLAGS, Uint8Array.of(REORDER_HDR, 0, 0, 0, 0xff, 0xff, 0xff, 0xff));
}
