// IP addresses in attributes: 4 or 16 bytes by the message's family.

import { AF_INET, AF_INET6 } from '../../../../abi/net/socket.ts';
import { getIpv4, getIpv6, type IpAddress } from '../../../../net/address.ts';
import type { Attributes } from '../reader.ts';
import type { NetlinkWriter } from '../writer.ts';

export function familyOf(address: IpAddress): number {
  return address.isV4 ? AF_INET : AF_INET6;
}

export function putAddress(w: NetlinkWriter, type: number, address: IpAddress): void {
  const at = w.space(type, address.isV4 ? 4 : 16);
  address.put(w.header, at);
}

/** The address; undefined when it is absent, null when its size is not the family's. */
export function addressAttr(attrs: Attributes, type: number, family: number): IpAddress | null | undefined {
  const a = attrs.get(type);
  if (a === undefined) return undefined;
  if (family === AF_INET) return a.size < 4 ? null : getIpv4(attrs.view, a.at);
  return a.size < 16 ? null : getIpv6(attrs.view, a.at);
}
