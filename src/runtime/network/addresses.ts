// The network that programs inside see with --network=user, as slirp's users know it: 10.0.2.0/24 and fd00::/64.

import { type IpAddress, parseAddress } from '../../net/address.ts';

export const OWN_V4: IpAddress = parseAddress('10.0.2.100')!;
export const OWN_V6: IpAddress = parseAddress('fd00::100')!;
/** The gateway stands for the host. */
export const GATEWAY_V4: IpAddress = parseAddress('10.0.2.2')!;
export const GATEWAY_V6: IpAddress = parseAddress('fd00::2')!;
export const DNS_V4: IpAddress = parseAddress('10.0.2.3')!;
export const DNS_V6: IpAddress = parseAddress('fd00::3')!;
export const NET_V4: IpAddress = parseAddress('10.0.2.0')!;
export const NET_V4_BITS = 24;
export const NET_V6: IpAddress = parseAddress('fd00::')!;
export const NET_V6_BITS = 64;
