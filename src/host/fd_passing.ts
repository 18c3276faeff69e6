// Descriptors over Unix sockets: unix(7), SCM_RIGHTS. A message lies in memory that sender or receiver see at `addr`, which
// need not be where we see it: another process may make the call.

import { EPROTO } from '../abi/errno.ts';
import {
  AF_UNIX,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SCM_RIGHTS,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../abi/net/socket.ts';
import { SYS_recvmsg, SYS_sendmsg, SYS_socketpair } from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

// struct msghdr at 0 (56 bytes), its iovec at 64, one byte of data at 80, the control message at 96.
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_CONTROL = 32;
const MSG_CONTROLLEN = 40;
const IOV = 64;
const DATA = 80;
const CONTROL = 96;
const CONTROL_SIZE = 24;
const CMSG_LEVEL = 8;
const CMSG_TYPE = 12;
const CMSG_DATA = 16;
const CMSG_LEN_ONE_FD = 20;

/** Bytes of a message with one descriptor. */
export const FD_MESSAGE_SIZE = 128;

/** Prepares a struct msghdr with room for one byte and one descriptor, at `off` of `view`, which the caller sees at `addr`. */
export function layFdMessage(view: DataView, off: number, addr: number): void {
  for (let at = 0; at < FD_MESSAGE_SIZE; at += 8) putU64(view, off + at, 0);
  putU64(view, off + MSG_IOV, addr + IOV);
  putU64(view, off + MSG_IOVLEN, 1);
  putU64(view, off + MSG_CONTROL, addr + CONTROL);
  putU64(view, off + MSG_CONTROLLEN, CONTROL_SIZE);
  putU64(view, off + IOV, addr + DATA);
  putU64(view, off + IOV + 8, 1);
}

/** The descriptor in a message that recvmsg(2) has filled in; -EPROTO when there is none. */
export function fdOfMessage(v: DataView, off: number): number {
  const ok =
    v.getUint32(off + MSG_CONTROLLEN, true) >= CMSG_LEN_ONE_FD &&
    v.getUint32(off + CONTROL, true) === CMSG_LEN_ONE_FD &&
    v.getInt32(off + CONTROL + CMSG_LEVEL, true) === SOL_SOCKET &&
    v.getInt32(off + CONTROL + CMSG_TYPE, true) === SCM_RIGHTS;
  return ok ? v.getInt32(off + CONTROL + CMSG_DATA, true) : -EPROTO;
}

const message = HostBuffer.alloc(FD_MESSAGE_SIZE);

/** Waits for a message with one descriptor; the descriptor, -EPROTO when the message has none or the peer is gone. */
export function receiveFd(socket: number): number {
  layFdMessage(message.view, 0, message.addr);
  const r = hostCall(SYS_recvmsg, socket, message.addr, MSG_CMSG_CLOEXEC);
  return r < 0 ? r : fdOfMessage(message.view, 0);
}

/** Sends a copy of descriptor `fd`; 0 or -errno, -EAGAIN when the socket is full. */
export function sendFd(socket: number, fd: number): number {
  layFdMessage(message.view, 0, message.addr);
  const v = message.view;
  putU64(v, CONTROL, CMSG_LEN_ONE_FD);
  v.setInt32(CONTROL + CMSG_LEVEL, SOL_SOCKET, true);
  v.setInt32(CONTROL + CMSG_TYPE, SCM_RIGHTS, true);
  v.setInt32(CONTROL + CMSG_DATA, fd, true);
  const r = hostCall(SYS_sendmsg, socket, message.addr, MSG_DONTWAIT | MSG_NOSIGNAL);
  return r < 0 ? r : 0;
}

/** A connected pair of stream sockets, closed by execve; -errno. */
export function socketPair(): readonly [number, number] | number {
  const r = hostCall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, message.addr);
  return r < 0 ? r : [message.view.getInt32(0, true), message.view.getInt32(4, true)];
}
