// Control messages that go with bytes of a stream: sock_cmsg_send(). None of them changes the bytes.

import { EINVAL, EPERM } from '../../../abi/errno.ts';
import { POLLRDHUP } from '../../../abi/events/poll.ts';
import { IPPROTO_TCP } from '../../../abi/net/in.ts';
import {
  CMSGHDR_CMSG_LEVEL,
  CMSGHDR_CMSG_TYPE,
  cmsgSpace,
  SCM_CREDENTIALS,
  SCM_RIGHTS,
  SIZEOF_CMSGHDR,
  SO_MARK,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { TCP_CM_INQ } from '../../../abi/net/tcp.ts';
import { CAP_NET_ADMIN, CAP_NET_RAW } from '../../../abi/process/capability.ts';
import { getU64 } from '../../../abi/u64.ts';
import type { StreamEndpoint } from '../../../net/endpoint.ts';
import { countUnsupported } from '../../base/log.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Message } from '../message.ts';

/** 0 when nothing of it is unknown, -EINVAL, -EPERM. */
export function checkStreamControl(ctx: VfsContext, msg: Message): number {
  for (let at = 0; msg.controlLen - at >= SIZEOF_CMSGHDR; ) {
    const len = getU64(msg.view, at);
    if (len < SIZEOF_CMSGHDR || len > msg.controlLen - at) return -EINVAL;
    if (msg.view.getInt32(at + CMSGHDR_CMSG_LEVEL, true) === SOL_SOCKET) {
      const r = checkSocketControl(
        ctx,
        msg.view.getInt32(at + CMSGHDR_CMSG_TYPE, true),
        len - SIZEOF_CMSGHDR,
      );
      if (r < 0) return r;
    }
    at += cmsgSpace(len - SIZEOF_CMSGHDR);
  }
  return 0;
}

const data = new Uint8Array(4);
const view = new DataView(data.buffer);

/** TCP_INQ of tcp(7): how many bytes are left; one when there are none and the end is left (tcp_inq_hint()). */
export function writeUnread(msg: Message, endpoint: StreamEndpoint): void {
  const { unread } = endpoint;
  view.setInt32(0, unread === 0 && (endpoint.poll() & POLLRDHUP) !== 0 ? 1 : unread, true);
  msg.putControl(IPPROTO_TCP, TCP_CM_INQ, data, 4);
}

/** One message of SOL_SOCKET, to a socket that is no AF_UNIX one. */
export function checkSocketControl(ctx: VfsContext, type: number, bytes: number): number {
  switch (type) {
    case SO_MARK:
      if (bytes !== 4) return -EINVAL;
      return ctx.cred.capable(CAP_NET_RAW) || ctx.cred.capable(CAP_NET_ADMIN) ? 0 : -EPERM;
    // They mean nothing here, and are no mistake.
    case SCM_RIGHTS:
    case SCM_CREDENTIALS:
      return 0;
  }
  countUnsupported(`control message SOL_SOCKET ${type}`);
  return -EINVAL;
}
