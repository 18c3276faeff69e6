// RTM_*ADDR: addresses of interfaces, rtnetlink(7).

import { EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENODEV } from '../../../../abi/errno.ts';
import {
  decodeIfaddrmsg,
  encodeIfaddrmsg,
  IFA_ADDRESS,
  IFA_BROADCAST,
  IFA_CACHEINFO,
  IFA_F_NOPREFIXROUTE,
  IFA_F_PERMANENT,
  IFA_FLAGS,
  IFA_LABEL,
  IFA_LOCAL,
  SIZEOF_IFADDRMSG,
} from '../../../../abi/net/if_addr.ts';
import { NLM_F_DUMP } from '../../../../abi/net/netlink.ts';
import { RTM_NEWADDR } from '../../../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../../../abi/net/socket.ts';
import { InterfaceAddress, scopeOf } from '../../../../net/ip/addresses.ts';
import type { Stack } from '../../../../net/stack.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';
import { addressAttr, familyOf, putAddress } from './address_attr.ts';

/** struct ifa_cacheinfo: preferred and valid for ever, made and changed at the start. */
const CACHEINFO_SIZE = 16;
const FOREVER = 0xffffffff;

/** Adds RTM_NEWADDR or RTM_DELADDR about an address. */
export function putAddr(w: NetlinkWriter, a: InterfaceAddress, type: number): void {
  const body = w.begin(type, SIZEOF_IFADDRMSG);
  const family = familyOf(a.address);
  const finite = a.validUntilNs !== Number.POSITIVE_INFINITY;
  const flags = finite ? a.flags : a.flags | IFA_F_PERMANENT;
  encodeIfaddrmsg(w.header, body, {
    family,
    prefixlen: a.prefix,
    flags: flags & 0xff,
    scope: a.scope,
    index: a.ifindex,
  });
  if (family === AF_INET) {
    putAddress(w, IFA_ADDRESS, a.peer ?? a.address);
    putAddress(w, IFA_LOCAL, a.address);
    if (a.broadcast !== null) putAddress(w, IFA_BROADCAST, a.broadcast);
    if (a.label !== '') w.text(IFA_LABEL, a.label);
  } else if (a.peer !== null) {
    putAddress(w, IFA_LOCAL, a.address);
    putAddress(w, IFA_ADDRESS, a.peer);
  } else putAddress(w, IFA_ADDRESS, a.address);
  w.u32(IFA_FLAGS, flags);
  const at = w.space(IFA_CACHEINFO, CACHEINFO_SIZE);
  w.header.setUint32(at, FOREVER, true);
  w.header.setUint32(at + 4, FOREVER, true);
  w.end();
}

/** RTM_GETADDR: dumps alone, as Linux does for IPv4. */
export function getAddr(stack: Stack, from: NetlinkAsker, request: NetlinkRequest): number {
  const { view, at, end, seq, flags } = request;
  if ((flags & NLM_F_DUMP) === 0) return -EINVAL;
  const whole = end - at >= 16 + SIZEOF_IFADDRMSG;
  const family = end - at > 16 ? view.getUint8(at + 16) : 0;
  const index = whole ? decodeIfaddrmsg(view, at + 16).index : 0;
  const w = new NetlinkWriter(seq, from.port, 2);
  for (const wanted of [AF_INET, AF_INET6]) {
    if (family !== 0 && family !== wanted) continue;
    for (const a of stack.addresses.all)
      if (familyOf(a.address) === wanted && (index === 0 || a.ifindex === index)) putAddr(w, a, RTM_NEWADDR);
  }
  return Math.min(0, from.answer(w.finish())) || 1;
}

/** The address that a request is about, as it says; -errno. */
function asked(
  stack: Stack,
  request: NetlinkRequest,
): { address: InterfaceAddress; prefixRoute: boolean } | number {
  const { view, at, end } = request;
  if (end - at < 16 + SIZEOF_IFADDRMSG) return -EINVAL;
  const head = decodeIfaddrmsg(view, at + 16);
  if (head.family !== AF_INET && head.family !== AF_INET6) return -EAFNOSUPPORT;
  const attrs = new Attributes(view, at + 16 + SIZEOF_IFADDRMSG, end);
  const local = addressAttr(attrs, IFA_LOCAL, head.family);
  const peer = addressAttr(attrs, IFA_ADDRESS, head.family);
  const broadcast = addressAttr(attrs, IFA_BROADCAST, head.family);
  const address = local ?? peer;
  if (address === undefined || address === null || peer === null || broadcast === null) return -EINVAL;
  if (head.prefixlen > (head.family === AF_INET ? 32 : 128)) return -EINVAL;
  const link = stack.link(head.index);
  if (link === null) return -ENODEV;
  const flags = attrs.u32(IFA_FLAGS) ?? head.flags;
  const far = local !== undefined && peer !== undefined && !peer.equals(address) ? peer : null;
  return {
    address: new InterfaceAddress(
      address,
      head.prefixlen,
      head.index,
      flags & ~IFA_F_PERMANENT,
      broadcast ?? null,
      far,
      attrs.text(IFA_LABEL) ?? (head.family === AF_INET ? link.name : ''),
      head.scope === 0 ? scopeOf(address) : head.scope,
    ),
    prefixRoute: (flags & IFA_F_NOPREFIXROUTE) === 0,
  };
}

/** RTM_NEWADDR: the address, or -errno. */
export function newAddr(stack: Stack, request: NetlinkRequest): InterfaceAddress | number {
  const what = asked(stack, request);
  if (typeof what === 'number') return what;
  const r = stack.addAddress(what.address, what.prefixRoute);
  return r < 0 ? r : what.address;
}

/** RTM_DELADDR: the address that went, or -errno. */
export function delAddr(stack: Stack, request: NetlinkRequest): InterfaceAddress | number {
  const what = asked(stack, request);
  if (typeof what === 'number') return what;
  const found = stack.addresses.find(what.address.address, what.address.ifindex);
  if (found === undefined || found.prefix !== what.address.prefix) return -EADDRNOTAVAIL;
  const r = stack.removeAddress(found);
  return r < 0 ? r : found;
}
