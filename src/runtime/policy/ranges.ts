// Classes of addresses: which are public, and what the others are (the IANA special-purpose registries, RFC 6890).

import { type IpAddress, ipv4, parseAddress } from '../../net/address.ts';

/** A prefix in the notation of RFC 4632. */
export interface Cidr {
  readonly address: IpAddress;
  readonly bits: number;
}

/** "10.0.0.0/8", or an address alone; undefined when it is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const at = text.indexOf('/');
  const address = parseAddress(at < 0 ? text : text.slice(0, at));
  if (address === undefined) return undefined;
  // A mapped address means the IPv4 one, and its bits would be counted otherwise.
  if (address.isV4 && text.includes(':') && at >= 0) return undefined;
  const most = address.isV4 ? 32 : 128;
  const word = at < 0 ? String(most) : text.slice(at + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(word) || Number(word) > most) return undefined;
  return { address: address.masked(Number(word)), bits: Number(word) };
}

export type AddressClass =
  | 'public'
  | 'private'
  | 'loopback'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'reserved';

const table = (
  rows: readonly (readonly [string, AddressClass])[],
): readonly (Cidr & { is: AddressClass })[] => rows.map(([text, is]) => ({ ...parseCidr(text)!, is }));

/** The first that holds an address counts. */
const SPECIAL = table([
  // Where clouds keep credentials of the machine.
  ['169.254.169.254/32', 'metadata'],
  ['169.254.170.0/24', 'metadata'],
  ['100.100.100.200/32', 'metadata'],
  ['192.0.0.192/32', 'metadata'],
  ['168.63.129.16/32', 'metadata'],
  ['fd00:ec2::/32', 'metadata'],
  ['fd20:ce::254/128', 'metadata'],
  ['127.0.0.0/8', 'loopback'],
  // To Linux this is the machine itself.
  ['0.0.0.0/8', 'loopback'],
  ['::1/128', 'loopback'],
  ['::/128', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['fe80::/10', 'link-local'],
  ['10.0.0.0/8', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['100.64.0.0/10', 'private'],
  ['198.18.0.0/15', 'private'],
  ['fc00::/7', 'private'],
  ['fec0::/10', 'private'],
  ['224.0.0.0/4', 'multicast'],
  ['ff00::/8', 'multicast'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'reserved'],
  ['192.88.99.0/24', 'reserved'],
  ['198.51.100.0/24', 'reserved'],
  ['203.0.113.0/24', 'reserved'],
  ['240.0.0.0/4', 'reserved'],
  // Forms that carry an IPv4 address: whoever unpacks it might be led anywhere. NAT64's own is judged by what it carries.
  ['::/96', 'reserved'],
  ['64:ff9b:1::/48', 'reserved'],
  ['2001::/23', 'reserved'],
  ['2001:db8::/32', 'reserved'],
  ['2002::/16', 'reserved'],
  ['3fff::/20', 'reserved'],
  ['5f00::/16', 'reserved'],
  ['100::/64', 'reserved'],
  // What else is not handed out: 2000::/3 is.
  ['::/3', 'reserved'],
  ['4000::/2', 'reserved'],
  ['8000::/1', 'reserved'],
]);

const NAT64 = parseCidr('64:ff9b::/96')!;
/** ISATAP interface identifiers, RFC 5214: the third word. */
const ISATAP = 0x5efe;

/** The IPv4 address that a NAT64 address (RFC 6052) leads to; others as they are. */
export function unwrapped(address: IpAddress): IpAddress {
  return address.inPrefix(NAT64.address, NAT64.bits) ? ipv4(address.w3) : address;
}

/** What kind of address it is, by what it leads to. */
export function classOf(address: IpAddress): AddressClass {
  const to = unwrapped(address);
  if (!to.isV4 && (to.w2 & ~0x02000000) >>> 0 === ISATAP) return 'reserved';
  for (const row of SPECIAL) if (to.inPrefix(row.address, row.bits)) return row.is;
  return 'public';
}

/** Does the prefix hold the address, or what it leads to? */
export function holds(cidr: Cidr, address: IpAddress): boolean {
  return address.inPrefix(cidr.address, cidr.bits) || unwrapped(address).inPrefix(cidr.address, cidr.bits);
}
