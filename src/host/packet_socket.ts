// One end of a pair of sockets that keep messages apart (SOCK_SEQPACKET of unix(7)), each with at most one descriptor. Calls wait.

import { EINTR, EMSGSIZE } from '../abi/errno.ts';
import {
  AF_UNIX,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_NOSIGNAL,
  MSG_TRUNC,
  SCM_RIGHTS,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
  SOL_SOCKET,
} from '../abi/net/socket.ts';
import { SYS_close, SYS_recvmsg, SYS_sendmsg, SYS_sendto, SYS_socketpair } from '../abi/syscall.ts';
import { getU64, putU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

// struct msghdr at 0, its iovec at 64, the control message at 96: struct cmsghdr and one descriptor.
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_CONTROL = 32;
const MSG_CONTROLLEN = 40;
const MSG_FLAGS = 48;
const IOV = 64;
const CONTROL = 96;
const CONTROL_SIZE = 24;
const CMSG_TYPE = 12;
const CMSG_DATA = 16;
const CMSG_LEN_ONE_FD = 20;
const HEADER_SIZE = 128;

export class PacketSocket {
  readonly fd: number;
  /** What is sent, and what was received. */
  readonly buffer: HostBuffer;
  /** The descriptor that came with the last message, ours; -1 for none. */
  received = -1;
  /** A descriptor came with it for which there was no room. */
  lost = false;
  private readonly header: HostBuffer = HostBuffer.alloc(HEADER_SIZE);

  constructor(fd: number, size: number) {
    this.fd = fd;
    this.buffer = HostBuffer.alloc(size);
  }

  private lay(size: number, control: number): void {
    const { view, addr } = this.header;
    this.header.u8.fill(0);
    putU64(view, MSG_IOV, addr + IOV);
    putU64(view, MSG_IOVLEN, 1);
    putU64(view, IOV, this.buffer.addr);
    putU64(view, IOV + 8, size);
    putU64(view, MSG_CONTROL, control === 0 ? 0 : addr + CONTROL);
    putU64(view, MSG_CONTROLLEN, control);
  }

  /** Sends the first `size` bytes of the buffer, and a copy of a descriptor unless that is -1; 0 or -errno. */
  send(size: number, fd = -1): number {
    let r: number;
    if (fd < 0) {
      do r = hostCall(SYS_sendto, this.fd, this.buffer.addr, size, MSG_NOSIGNAL);
      while (r === -EINTR);
      return r < 0 ? r : 0;
    }
    this.lay(size, CONTROL_SIZE);
    const { view, addr } = this.header;
    putU64(view, CONTROL, CMSG_LEN_ONE_FD);
    view.setInt32(CONTROL + 8, SOL_SOCKET, true);
    view.setInt32(CONTROL + CMSG_TYPE, SCM_RIGHTS, true);
    view.setInt32(CONTROL + CMSG_DATA, fd, true);
    do r = hostCall(SYS_sendmsg, this.fd, addr, MSG_NOSIGNAL);
    while (r === -EINTR);
    return r < 0 ? r : 0;
  }

  /** The next message: its bytes, 0 when the other end is closed, -EMSGSIZE for one that is too large, or other -errno. */
  receive(): number {
    let r: number;
    do {
      this.lay(this.buffer.size, CONTROL_SIZE);
      r = hostCall(SYS_recvmsg, this.fd, this.header.addr, MSG_CMSG_CLOEXEC);
    } while (r === -EINTR);
    this.received = -1;
    if (r < 0) return r;
    const { view } = this.header;
    if (
      getU64(view, MSG_CONTROLLEN) >= CMSG_LEN_ONE_FD &&
      view.getInt32(CONTROL + CMSG_TYPE, true) === SCM_RIGHTS
    )
      this.received = view.getInt32(CONTROL + CMSG_DATA, true);
    const flags = view.getUint32(MSG_FLAGS, true);
    this.lost = (flags & MSG_CTRUNC) !== 0;
    if (this.received >= 0 && (flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0) {
      // There were more than one.
      hostCall(SYS_close, this.received);
      this.received = -1;
    }
    return (flags & MSG_TRUNC) === 0 ? r : -EMSGSIZE;
  }
}

/** Both ends, closed by execve; -errno. */
export function packetSocketPair(): readonly [number, number] | number {
  const pair = HostBuffer.alloc(8);
  const r = hostCall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.addr);
  return r < 0 ? r : [pair.view.getInt32(0, true), pair.view.getInt32(4, true)];
}
