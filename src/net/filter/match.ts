// Matches of rules: iptables-extensions(8). Each is read once, when its table is set; what is not known here is refused there.

import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST } from '../../abi/net/rtnetlink.ts';
import type { AddressTable } from '../ip/addresses.ts';
import { LOCAL_OUT, POST_ROUTING } from './layout.ts';
import { type Membership, STATE_DNAT, STATE_INVALID, STATE_SNAT, STATE_UNTRACKED } from './track.ts';
import type { View } from './view.ts';

/** What a packet is besides its bytes. */
export interface Situation {
  readonly addresses: AddressTable;
  /** Names of interfaces; empty for none. */
  inName: string;
  outName: string;
  /** Of whose socket it is; -1 for nobody's. */
  uid: number;
  membership: Membership | null;
  untracked: boolean;
}

const TCP = 0;
const UDP = 1;
const ICMP = 2;
const STATE = 3;
const MULTIPORT = 4;
const COMMENT = 5;
const OWNER = 6;
const MARK = 7;
const ADDRTYPE = 8;

/** Revisions that there are, and how large each one's data is. */
export const MATCHES: Readonly<Record<string, readonly number[]>> = {
  tcp: [12],
  udp: [10],
  icmp: [4],
  icmp6: [4],
  state: [4],
  conntrack: [0, 152, 156, 164],
  multiport: [32, 48],
  comment: [256],
  owner: [0, 20],
  mark: [0, 12],
  addrtype: [12, 8],
};

/** XT_CONNTRACK_STATE, XT_CONNTRACK_PROTO. */
const CT_STATE = 1;
const CT_PROTO = 2;
/** XT_CONNTRACK_STATE_ALIAS: it was called `state`. */
const CT_ALIAS = 1 << 13;
/** XT_OWNER_UID, XT_OWNER_GID, XT_OWNER_SOCKET. */
const OWNER_UID = 1;
const OWNER_SOCKET = 4;
/** Flags of addrtype's revision 1: both inversions. */
const INVERT_SOURCE = 1;
const INVERT_DEST = 2;
/** XT_ADDRTYPE_UNICAST and so on: a bit for each RTN_*. */
const TYPE_BITS = 1 << 1;

/** One match. `kind` chooses; what the numbers mean depends on it. */
export class Match {
  readonly kind: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly revision: number;

  constructor(kind: number, bytes: Uint8Array, revision: number) {
    this.kind = kind;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.revision = revision;
  }

  get tracks(): boolean {
    return this.kind === STATE;
  }

  /** Does the packet match? */
  test(v: View, s: Situation): boolean {
    switch (this.kind) {
      case TCP:
        return this.testTcp(v);
      case UDP:
        return v.protocol === IPPROTO_UDP && this.ports(v, this.view.getUint8(8));
      case ICMP:
        return this.testIcmp(v);
      case STATE:
        return this.testState(v, s);
      case MULTIPORT:
        return this.testMultiport(v);
      case OWNER:
        return this.testOwner(s);
      case MARK: {
        const { view } = this;
        const is = (v.packet.mark & view.getUint32(4, true)) >>> 0 === view.getUint32(0, true);
        return is !== (view.getUint8(8) !== 0);
      }
      case ADDRTYPE:
        return this.testType(v, s);
    }
    return true;
  }

  private ports(v: View, inverted: number): boolean {
    if (v.sport < 0) return false;
    const { view } = this;
    const src = v.sport >= view.getUint16(0, true) && v.sport <= view.getUint16(2, true);
    const dst = v.dport >= view.getUint16(4, true) && v.dport <= view.getUint16(6, true);
    return src !== ((inverted & 1) !== 0) && dst !== ((inverted & 2) !== 0);
  }

  private testTcp(v: View): boolean {
    if (v.protocol !== IPPROTO_TCP) return false;
    const { view } = this;
    const inverted = view.getUint8(11);
    if (!this.ports(v, inverted)) return false;
    const is = (v.flags & view.getUint8(9)) === view.getUint8(10);
    if (is === ((inverted & 4) !== 0)) return false;
    const option = view.getUint8(8);
    return option === 0 || hasOption(v, option) !== ((inverted & 8) !== 0);
  }

  private testIcmp(v: View): boolean {
    if (v.protocol !== (v.v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) || v.type < 0) return false;
    const { view } = this;
    const type = view.getUint8(0);
    const any = type === 0xff && !v.v6;
    const is = any || (type === v.type && v.code >= view.getUint8(1) && v.code <= view.getUint8(2));
    return is !== ((view.getUint8(3) & 1) !== 0);
  }

  private testState(v: View, s: Situation): boolean {
    const { view, revision } = this;
    const m = s.membership;
    let bits = s.untracked ? STATE_UNTRACKED : m === null ? STATE_INVALID : m.state;
    // xt_state has one word.
    if (this.bytes.length === 8 || revision === 0) return (view.getUint32(0, true) & bits) !== 0;
    const asked = view.getUint16(146, true);
    const inverted = view.getUint16(148, true);
    if ((asked & CT_STATE) !== 0) {
      const mask = revision === 1 ? view.getUint8(150) : view.getUint16(150, true);
      if (m !== null) {
        const { original: o, reply: r } = m.of;
        if (!o.src.equals(r.dst) || o.sport !== r.dport) bits |= STATE_SNAT;
        if (!o.dst.equals(r.src) || o.dport !== r.sport) bits |= STATE_DNAT;
      }
      if (((mask & bits) !== 0) === ((inverted & CT_STATE) !== 0)) return false;
    }
    if ((asked & CT_PROTO) === 0) return true;
    return (v.protocol === view.getUint16(136, true)) !== ((inverted & CT_PROTO) !== 0);
  }

  private testMultiport(v: View): boolean {
    if (v.sport < 0) return false;
    const { view } = this;
    const which = view.getUint8(0);
    const count = Math.min(view.getUint8(1), 15);
    const hits = (low: number, high: number): boolean =>
      (which !== 1 && v.sport >= low && v.sport <= high) ||
      (which !== 0 && v.dport >= low && v.dport <= high);
    let is = false;
    for (let i = 0; i < count && !is; i++) {
      const low = view.getUint16(2 + 2 * i, true);
      // A flag says that the next port ends a range.
      const ranged = this.revision === 1 && view.getUint8(32 + i) !== 0;
      is = hits(low, ranged ? view.getUint16(2 + 2 * ++i, true) : low);
    }
    return is !== (this.revision === 1 && view.getUint8(47) !== 0);
  }

  private testOwner(s: Situation): boolean {
    const { view } = this;
    const asked = view.getUint8(16);
    const inverted = view.getUint8(17);
    if (s.uid < 0) return ((asked ^ inverted) & asked) === 0;
    if ((asked & OWNER_SOCKET) !== 0 && (inverted & OWNER_SOCKET) !== 0) return false;
    if ((asked & OWNER_UID) === 0) return true;
    const is = s.uid >= view.getUint32(0, true) && s.uid <= view.getUint32(4, true);
    return is !== ((inverted & OWNER_UID) !== 0);
  }

  private testType(v: View, s: Situation): boolean {
    const { view, revision } = this;
    const flags = view.getUint32(4, true);
    const notSource = revision === 1 ? (flags & INVERT_SOURCE) !== 0 : flags !== 0;
    const notDest = revision === 1 ? (flags & INVERT_DEST) !== 0 : view.getUint32(8, true) !== 0;
    const source = view.getUint16(0, true);
    const dest = view.getUint16(2, true);
    const { src, dst } = v.packet;
    if (source !== 0 && ((source & typeOf(s, src)) !== 0) === notSource) return false;
    return dest === 0 || ((dest & typeOf(s, dst)) !== 0) !== notDest;
  }
}

function typeOf(s: Situation, address: View['packet']['src']): number {
  if (address.isAny) return TYPE_BITS >>> 1;
  const kind = s.addresses.kind(address);
  return kind === RTN_LOCAL || kind === RTN_BROADCAST || kind === RTN_MULTICAST ? 1 << kind : TYPE_BITS;
}

function hasOption(v: View, option: number): boolean {
  const { view, end } = v.packet;
  const stop = Math.min(end, v.l4 + (view.getUint8(v.l4 + 12) >>> 4) * 4);
  for (let at = v.l4 + 20; at < stop; ) {
    const kind = view.getUint8(at);
    if (kind === option) return true;
    if (kind === 0) return false;
    at += kind === 1 ? 1 : at + 1 < stop ? Math.max(2, view.getUint8(at + 1)) : 1;
  }
  return false;
}

const KINDS: Readonly<Record<string, number>> = {
  tcp: TCP,
  udp: UDP,
  icmp: ICMP,
  icmp6: ICMP,
  state: STATE,
  conntrack: STATE,
  multiport: MULTIPORT,
  comment: COMMENT,
  owner: OWNER,
  mark: MARK,
  addrtype: ADDRTYPE,
};

/** Protocols that a rule must name to have a match. */
export const MATCH_PROTOCOLS: Readonly<Record<string, readonly number[]>> = {
  tcp: [6],
  udp: [17],
  icmp: [1],
  icmp6: [58],
  multiport: [6, 17, 33, 132, 136],
};

/** The match of a rule that is reached from `hooks` (bits); null when there is no such, or not with these values. */
export function readMatch(name: string, revision: number, data: Uint8Array, hooks: number): Match | null {
  const size = Object.hasOwn(MATCHES, name) ? (MATCHES[name]![revision] ?? 0) : 0;
  if (size === 0 || data.length < size) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  // What conntrack is asked besides, and groups of owners, are not known here.
  if (name === 'conntrack' && (view.getUint16(146, true) & ~(CT_STATE | CT_PROTO | CT_ALIAS)) !== 0)
    return null;
  if (name === 'owner') {
    if ((view.getUint8(16) & ~(OWNER_UID | OWNER_SOCKET)) !== 0) return null;
    if ((hooks & ~((1 << LOCAL_OUT) | (1 << POST_ROUTING))) !== 0) return null;
  }
  if (name === 'addrtype' && revision === 1 && (view.getUint32(4, true) & ~3) !== 0) return null;
  return new Match(KINDS[name]!, data, name === 'state' ? 0 : revision);
}
