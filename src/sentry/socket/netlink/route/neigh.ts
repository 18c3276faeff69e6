// RTM_*NEIGH: neighbours of interfaces, rtnetlink(7), arp(7).

import { EAFNOSUPPORT, EINVAL, ENODEV } from '../../../../abi/errno.ts';
import { NLM_F_DUMP } from '../../../../abi/net/netlink.ts';
import {
  decodeNdmsg,
  encodeNdmsg,
  NDA_DST,
  NDA_LLADDR,
  NUD_PERMANENT,
  RTM_NEWNEIGH,
  RTN_UNICAST,
  SIZEOF_NDMSG,
} from '../../../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../../../abi/net/socket.ts';
import type { IpAddress } from '../../../../net/address.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';
import { addressAttr, familyOf, putAddress } from './address_attr.ts';
import type { NeighbourRow, NetTables } from './tables.ts';

/** Adds RTM_NEWNEIGH or RTM_DELNEIGH about a neighbour. */
export function putNeigh(w: NetlinkWriter, n: NeighbourRow, type: number): void {
  const body = w.begin(type, SIZEOF_NDMSG);
  encodeNdmsg(w.header, body, {
    family: familyOf(n.address),
    ifindex: n.ifindex,
    state: n.state,
    flags: 0,
    type: RTN_UNICAST,
  });
  putAddress(w, NDA_DST, n.address);
  if (n.hardware !== null) w.raw(NDA_LLADDR, n.hardware);
  w.end();
}

/** RTM_GETNEIGH: a dump. */
export function getNeigh(tables: NetTables, from: NetlinkAsker, request: NetlinkRequest): number {
  const { view, at, end, seq, flags } = request;
  if ((flags & NLM_F_DUMP) === 0) return -EINVAL;
  const family = end - at > 16 ? view.getUint8(at + 16) : 0;
  const index = end - at >= 16 + SIZEOF_NDMSG ? decodeNdmsg(view, at + 16).ifindex : 0;
  const w = new NetlinkWriter(seq, from.port, 2);
  for (const n of tables.neighbours())
    if ((family === 0 || family === familyOf(n.address)) && (index === 0 || index === n.ifindex))
      putNeigh(w, n, RTM_NEWNEIGH);
  return Math.min(0, from.answer(w.finish())) || 1;
}

interface Asked {
  readonly ifindex: number;
  readonly address: IpAddress;
  readonly hardware: Uint8Array | null;
  readonly state: number;
}

function asked(tables: NetTables, request: NetlinkRequest): Asked | number {
  const { view, at, end } = request;
  if (end - at < 16 + SIZEOF_NDMSG) return -EINVAL;
  const head = decodeNdmsg(view, at + 16);
  if (head.family !== AF_INET && head.family !== AF_INET6) return -EAFNOSUPPORT;
  const link = tables.link(head.ifindex);
  if (link === undefined) return -ENODEV;
  const attrs = new Attributes(view, at + 16 + SIZEOF_NDMSG, end);
  const address = addressAttr(attrs, NDA_DST, head.family);
  if (address === undefined || address === null) return -EINVAL;
  const hardware = attrs.bytes(NDA_LLADDR) ?? null;
  if (hardware !== null && hardware.length !== link.address.length) return -EINVAL;
  return { ifindex: head.ifindex, address, hardware, state: head.state || NUD_PERMANENT };
}

/** RTM_NEWNEIGH: 0 or -errno. */
export function newNeigh(tables: NetTables, request: NetlinkRequest): number {
  const a = asked(tables, request);
  if (typeof a === 'number') return a;
  return a.hardware === null ? -EINVAL : tables.setNeighbour(a.ifindex, a.address, a.hardware, a.state);
}

/** RTM_DELNEIGH: 0 or -errno. */
export function delNeigh(tables: NetTables, request: NetlinkRequest): number {
  const a = asked(tables, request);
  return typeof a === 'number' ? a : tables.setNeighbour(a.ifindex, a.address, null, 0);
}
