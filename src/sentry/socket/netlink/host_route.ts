// HostRoute: NETLINK_ROUTE of --network=host: the host's own tables, as its kernel tells them at the time of asking. Nothing of them can be
// changed, and nobody hears of changes.

import { EINVAL, ENODEV, EOPNOTSUPP, EPERM } from '../../../abi/errno.ts';
import { IFLA_IFNAME } from '../../../abi/net/if_link.ts';
import {
  NLM_F_DUMP,
  NLM_F_MULTI,
  NLMSG_HDRLEN,
  NLMSGHDR_NLMSG_FLAGS,
  NLMSGHDR_NLMSG_SEQ,
} from '../../../abi/net/netlink.ts';
import {
  decodeIfinfomsg,
  decodeRtmsg,
  RTA_DST,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETROUTE,
  RTM_GETRULE,
  RTM_MAX,
  RTNLGRP_MAX,
  SIZEOF_IFINFOMSG,
  SIZEOF_RTMSG,
} from '../../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../../abi/net/socket.ts';
import type { HostNetlink } from '../../../host/netlink.ts';
import { countUnsupported } from '../../base/log.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { NetlinkAsker, NetlinkProtocol, NetlinkRequest } from './protocol.ts';
import { Attributes } from './reader.ts';
import { NetlinkWriter } from './writer.ts';

/** struct rtgenmsg behind nlmsghdr. */
const LEAST = 17;
/** The last two bits of a type: new, delete, get, set. */
const KIND_MASK = 3;
const KIND_GET = 2;
/** nlmsg_pid. */
const PORT_AT = 12;
/** Programs read with buffers of a page. */
const MOST_TOGETHER = 4096;
const DUMPED: readonly number[] = [RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH, RTM_GETRULE];

export class HostRoute implements NetlinkProtocol {
  readonly groups = RTNLGRP_MAX;
  readonly anyoneHears = true;
  readonly anyoneSends = false;
  private readonly netlink: HostNetlink;

  constructor(netlink: HostNetlink) {
    this.netlink = netlink;
  }

  request(_ctx: VfsContext, from: NetlinkAsker, request: NetlinkRequest): number {
    const { type, flags, view, at, end } = request;
    if (type > RTM_MAX) return -EOPNOTSUPP;
    if (end - at < LEAST) return 0;
    if ((type & KIND_MASK) !== KIND_GET) return -EPERM;
    const isDump = (flags & NLM_F_DUMP) === NLM_F_DUMP;
    if (isDump && DUMPED.includes(type)) return this.dump(from, request, view.getUint8(at + NLMSG_HDRLEN));
    if (!isDump && type === RTM_GETLINK) return this.link(from, request);
    if (!isDump && type === RTM_GETROUTE) return this.route(from, request);
    countUnsupported(`NETLINK_ROUTE message ${type} of the host's tables`);
    return -EOPNOTSUPP;
  }

  private dump(from: NetlinkAsker, request: NetlinkRequest, family: number): number {
    const all = this.netlink.dump(request.type, family);
    if (typeof all === 'number') return all;
    const buffers: Uint8Array[] = [];
    let part: Uint8Array[] = [];
    let size = 0;
    const close = (): void => {
      if (part.length > 0) buffers.push(together(part, size));
      part = [];
      size = 0;
    };
    for (const message of all) {
      address(message, request.seq, from.port, NLM_F_MULTI);
      if (size + message.length > MOST_TOGETHER) close();
      part.push(message);
      size += (message.length + 3) & ~3;
    }
    close();
    buffers.push(...new NetlinkWriter(request.seq, from.port, NLM_F_MULTI).finish());
    return Math.min(0, from.answer(buffers)) || 1;
  }

  /** RTM_GETLINK of one, by index or name. */
  private link(from: NetlinkAsker, request: NetlinkRequest): number {
    const { view, at, end } = request;
    if (end - at < NLMSG_HDRLEN + SIZEOF_IFINFOMSG) return -EINVAL;
    const { index } = decodeIfinfomsg(view, at + NLMSG_HDRLEN);
    const name = new Attributes(view, at + NLMSG_HDRLEN + SIZEOF_IFINFOMSG, end).text(IFLA_IFNAME);
    if (index <= 0 && name === undefined) return -EINVAL;
    const all = this.netlink.dump(RTM_GETLINK, 0);
    if (typeof all === 'number') return all;
    for (const message of all) {
      const one = new DataView(message.buffer, message.byteOffset, message.length);
      const attrs = new Attributes(one, NLMSG_HDRLEN + SIZEOF_IFINFOMSG, message.length);
      const found =
        index > 0 ? decodeIfinfomsg(one, NLMSG_HDRLEN).index === index : attrs.text(IFLA_IFNAME) === name;
      if (found) return from.answer([address(message, request.seq, from.port, 0)]);
    }
    return -ENODEV;
  }

  /** RTM_GETROUTE: the way to one address. The host is asked for that alone. */
  private route(from: NetlinkAsker, request: NetlinkRequest): number {
    const { view, at, end } = request;
    if (end - at < NLMSG_HDRLEN + SIZEOF_RTMSG) return -EINVAL;
    const { family } = decodeRtmsg(view, at + NLMSG_HDRLEN);
    const size = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
    const dst = new Attributes(view, at + NLMSG_HDRLEN + SIZEOF_RTMSG, end).bytes(RTA_DST);
    if (size === 0 || dst?.length !== size) return -EINVAL;
    const asked = new Uint8Array(NLMSG_HDRLEN + SIZEOF_RTMSG + 4 + size);
    const header = new DataView(asked.buffer);
    header.setUint8(NLMSG_HDRLEN, family);
    header.setUint8(NLMSG_HDRLEN + 1, 8 * size);
    header.setUint16(NLMSG_HDRLEN + SIZEOF_RTMSG, 4 + size, true);
    header.setUint16(NLMSG_HDRLEN + SIZEOF_RTMSG + 2, RTA_DST, true);
    asked.set(dst, NLMSG_HDRLEN + SIZEOF_RTMSG + 4);
    const answer = this.netlink.get(asked, RTM_GETROUTE);
    return typeof answer === 'number' ? answer : from.answer([address(answer, request.seq, from.port, 0)]);
  }
}

/** The message as one to who asked. */
function address(message: Uint8Array, seq: number, port: number, flags: number): Uint8Array {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  view.setUint16(NLMSGHDR_NLMSG_FLAGS, flags, true);
  view.setUint32(NLMSGHDR_NLMSG_SEQ, seq, true);
  view.setUint32(PORT_AT, port, true);
  return message;
}

function together(parts: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += (part.length + 3) & ~3;
  }
  return all;
}
