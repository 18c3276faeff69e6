// RTM_*NEIGH: neighbours of interfaces, rtnetlink(7), arp(7).

import { EAFNOSUPPORT, EINVAL, ENOBUFS, ENODEV, ENOENT } from '../../../../abi/errno.ts';
import {
  decodeNdmsg,
  encodeNdmsg,
  NDA_DST,
  NDA_LLADDR,
  NUD_DELAY,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  SIZEOF_NDMSG,
} from '../../../../abi/net/neighbour.ts';
import { NLM_F_DUMP } from '../../../../abi/net/netlink.ts';
import { RTM_NEWNEIGH, RTN_UNICAST } from '../../../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../../../abi/net/socket.ts';
import type { IpAddress } from '../../../../net/address.ts';
import type { Neighbour } from '../../../../net/ip/neighbour.ts';
import type { Stack } from '../../../../net/stack.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';
import { addressAttr, familyOf, putAddress } from './address_attr.ts';

/** States in which the address of the hardware is known. */
const HAS_ADDRESS = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;

/** Adds RTM_NEWNEIGH or RTM_DELNEIGH about a neighbour. */
export function putNeigh(w: NetlinkWriter, n: Neighbour, type: number): void {
  const body = w.begin(type, SIZEOF_NDMSG);
  encodeNdmsg(w.header, body, {
    family: familyOf(n.address),
    ifindex: n.link.ifindex,
    state: n.state,
    flags: 0,
    type: RTN_UNICAST,
  });
  putAddress(w, NDA_DST, n.address);
  if ((n.state & HAS_ADDRESS) !== 0) w.raw(NDA_LLADDR, n.mac);
  w.end();
}

/** RTM_GETNEIGH: a dump. */
export function getNeigh(stack: Stack, from: NetlinkAsker, request: NetlinkRequest): number {
  const { view, at, end, seq, flags } = request;
  if ((flags & NLM_F_DUMP) === 0) return -EINVAL;
  const family = end - at > 16 ? view.getUint8(at + 16) : 0;
  const index = end - at >= 16 + SIZEOF_NDMSG ? decodeNdmsg(view, at + 16).ifindex : 0;
  const w = new NetlinkWriter(seq, from.port, 2);
  for (const n of stack.neighbours.all())
    if ((family === 0 || family === familyOf(n.address)) && (index === 0 || index === n.link.ifindex))
      putNeigh(w, n, RTM_NEWNEIGH);
  return Math.min(0, from.answer(w.finish())) || 1;
}

interface Asked {
  readonly ifindex: number;
  readonly address: IpAddress;
  readonly hardware: Uint8Array | null;
  readonly state: number;
}

function asked(stack: Stack, request: NetlinkRequest): Asked | number {
  const { view, at, end } = request;
  if (end - at < 16 + SIZEOF_NDMSG) return -EINVAL;
  const head = decodeNdmsg(view, at + 16);
  if (head.family !== AF_INET && head.family !== AF_INET6) return -EAFNOSUPPORT;
  const link = stack.link(head.ifindex);
  if (link === null) return -ENODEV;
  const attrs = new Attributes(view, at + 16 + SIZEOF_NDMSG, end);
  const address = addressAttr(attrs, NDA_DST, head.family);
  if (address === undefined || address === null) return -EINVAL;
  const hardware = attrs.bytes(NDA_LLADDR) ?? null;
  if (hardware !== null && hardware.length !== link.address.length) return -EINVAL;
  return { ifindex: head.ifindex, address, hardware, state: head.state || NUD_PERMANENT };
}

/** RTM_NEWNEIGH: 0 or -errno. */
export function newNeigh(stack: Stack, request: NetlinkRequest): number {
  const a = asked(stack, request);
  if (typeof a === 'number') return a;
  if (a.hardware === null) return -EINVAL;
  const neighbour = stack.neighbours.get(stack.link(a.ifindex)!, a.address);
  if (neighbour === null) return -ENOBUFS;
  neighbour.fix(a.hardware, a.state);
  return 0;
}

/** RTM_DELNEIGH: 0 or -errno. */
export function delNeigh(stack: Stack, request: NetlinkRequest): number {
  const a = asked(stack, request);
  if (typeof a === 'number') return a;
  const neighbour = stack.neighbours.find(a.ifindex, a.address);
  if (neighbour === undefined) return -ENOENT;
  stack.neighbours.remove(neighbour);
  return 0;
}
