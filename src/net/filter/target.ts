// Targets of rules: iptables-extensions(8). Read and checked when their table is set.

import { getIpv4, getIpv6, type IpAddress } from '../address.ts';
import { FORWARD, LOCAL_IN, LOCAL_OUT, POST_ROUTING, PRE_ROUTING } from './layout.ts';

export const STANDARD = 0;
export const ERROR = 1;
export const REJECT = 2;
export const LOG = 3;
export const SET_MARK = 4;
export const SNAT = 5;
export const DNAT = 6;
export const MASQUERADE = 7;
export const REDIRECT = 8;

/** NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED. */
const MAP_IPS = 1;
const PROTO_SPECIFIED = 2;
/** Largest codes of REJECT: IPT_ICMP_ADMIN_PROHIBITED, IP6T_ICMP6_REJECT_ROUTE; and the one that is no longer. */
const MOST_CODE = 8;
const ECHO_REPLY = 4;
const ECHO_REPLY_V6 = 5;

/** Revisions that there are, of IPv4 and of IPv6, and how large each one's data is; 0 for none. */
export const TARGETS: Readonly<Record<string, readonly [v4: readonly number[], v6: readonly number[]]>> = {
  '': [[4], [4]],
  ERROR: [[30], [30]],
  REJECT: [[4], [4]],
  LOG: [[32], [32]],
  MARK: [
    [0, 0, 8],
    [0, 0, 8],
  ],
  SNAT: [
    [20, 40, 44],
    [0, 40, 44],
  ],
  DNAT: [
    [20, 40, 44],
    [0, 40, 44],
  ],
  MASQUERADE: [[20], [40]],
  REDIRECT: [[20], [40]],
};

const KINDS: Readonly<Record<string, number>> = {
  '': STANDARD,
  ERROR,
  REJECT,
  LOG,
  MARK: SET_MARK,
  SNAT,
  DNAT,
  MASQUERADE,
  REDIRECT,
};

/** Hooks in which each may stand; those left out may in all. */
const PLACES: Readonly<Record<number, number>> = {
  [REJECT]: (1 << LOCAL_IN) | (1 << FORWARD) | (1 << LOCAL_OUT),
  [SNAT]: (1 << POST_ROUTING) | (1 << LOCAL_IN),
  [MASQUERADE]: 1 << POST_ROUTING,
  [DNAT]: (1 << PRE_ROUTING) | (1 << LOCAL_OUT),
  [REDIRECT]: (1 << PRE_ROUTING) | (1 << LOCAL_OUT),
};

export class Target {
  readonly kind: number;
  /** STANDARD: verdict, or offset to jump to. REJECT: with what. MARK: the mark. */
  readonly value: number;
  /** Of MARK. */
  readonly mask: number;
  /** Of NAT: null keeps the address, ports of 0 keep the port. */
  readonly low: IpAddress | null;
  readonly high: IpAddress | null;
  readonly lowPort: number;
  readonly highPort: number;

  constructor(
    kind: number,
    value: number,
    mask = 0,
    low: IpAddress | null = null,
    high: IpAddress | null = null,
    lowPort = 0,
    highPort = 0,
  ) {
    this.kind = kind;
    this.value = value;
    this.mask = mask;
    this.low = low;
    this.high = high;
    this.lowPort = lowPort;
    this.highPort = highPort;
  }

  /** REJECT with a reset, which is TCP's alone: IPT_TCP_RESET, IP6T_TCP_RESET. */
  resets(v6: boolean): boolean {
    return this.kind === REJECT && this.value === (v6 ? 6 : 7);
  }

  get isNat(): boolean {
    return this.kind >= SNAT;
  }
}

function readRange(kind: number, view: DataView, compat: boolean, v6: boolean): Target | null {
  const flags = view.getUint32(compat ? 4 : 0, true);
  if (compat && view.getUint32(0, true) !== 1) return null;
  const read = v6 ? getIpv6 : getIpv4;
  const low = read(view, compat ? 8 : 4);
  const high = read(view, compat ? 12 : 20);
  const at = compat ? 16 : 36;
  const maps = (flags & MAP_IPS) !== 0;
  const ports = (flags & PROTO_SPECIFIED) !== 0;
  return new Target(
    kind,
    0,
    0,
    maps ? low : null,
    maps ? high : null,
    ports ? view.getUint16(at) : 0,
    ports ? view.getUint16(at + 2) : 0,
  );
}

/** The target of a rule that is reached from `hooks` (bits) of a table; null when there is no such, or not there. */
export function readTarget(
  table: string,
  v6: boolean,
  name: string,
  revision: number,
  data: Uint8Array,
  hooks: number,
): Target | null {
  const size = Object.hasOwn(TARGETS, name) ? (TARGETS[name]![v6 ? 1 : 0][revision] ?? 0) : 0;
  if (size === 0 || data.length < size) return null;
  const kind = KINDS[name]!;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if ((hooks & ~(PLACES[kind] ?? 0x1f)) !== 0) return null;
  if (kind >= SNAT) {
    if (table !== 'nat') return null;
    // Revision 0 of IPv4 has a list of one range; others one of both families' size.
    return readRange(kind, view, !v6 && revision === 0, v6);
  }
  if (kind === STANDARD) return new Target(kind, view.getInt32(0, true));
  if (kind === REJECT) {
    const value = view.getUint32(0, true);
    if (table !== 'filter' || value > MOST_CODE || value === (v6 ? ECHO_REPLY_V6 : ECHO_REPLY)) return null;
    return new Target(kind, value);
  }
  if (kind === SET_MARK) return new Target(kind, view.getUint32(0, true), view.getUint32(4, true));
  return new Target(kind, 0);
}
