// Unix stream sockets with names, and messages of bytes and descriptors over them: unix(7). The calls are those that a server in
// the kernel's loop and its clients make; none of the server's waits.

import { EPROTO } from '../abi/errno.ts';
import {
  AF_UNIX,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SCM_RIGHTS,
  SO_PEERCRED,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../abi/net/socket.ts';
import {
  SYS_accept4,
  SYS_bind,
  SYS_close,
  SYS_connect,
  SYS_getsockopt,
  SYS_listen,
  SYS_recvmsg,
  SYS_sendmsg,
  SYS_socket,
} from '../abi/syscall.ts';
import { getU64, putU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

/** sun_path of struct sockaddr_un, its NUL included. */
const PATH_SIZE = 108;
/** Descriptors of one message. */
export const MESSAGE_FDS = 16;
/** Bytes of one transfer. */
export const MESSAGE_SIZE = 64 * 1024;

// One buffer: struct msghdr at 0, its iovec at 64, struct ucred or sockaddr_un at 96, the control message at 256, data at 512.
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_CONTROL = 32;
const MSG_CONTROLLEN = 40;
const MSG_FLAGS = 48;
const IOV = 64;
const NAME = 96;
const NAME_LEN = 240;
const CONTROL = 256;
const DATA = 512;
const SIZEOF_CMSGHDR = 16;
const SIZEOF_UCRED = 12;
const CONTROL_SIZE = SIZEOF_CMSGHDR + 4 * MESSAGE_FDS;

let buffer: HostBuffer | null = null;

/** Made when somebody has such a socket: most processes have none. */
function memory(): HostBuffer {
  buffer ??= HostBuffer.alloc(DATA + MESSAGE_SIZE);
  return buffer;
}

function putName(path: string): number {
  const bytes = Buffer.from(path);
  if (bytes.length >= PATH_SIZE) throw new Error(`${path}: too long for the name of a socket`);
  const { view, u8 } = memory();
  view.setUint16(NAME, AF_UNIX, true);
  u8.set(bytes, NAME + 2);
  u8[NAME + 2 + bytes.length] = 0;
  return 2 + bytes.length + 1;
}

/** A socket that listens at `path`, non-blocking; -errno. */
export function listenUnix(path: string, backlog: number): number {
  const fd = hostCall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  const length = putName(path);
  let r = hostCall(SYS_bind, fd, memory().addr + NAME, length);
  if (r === 0) r = hostCall(SYS_listen, fd, backlog);
  if (r === 0) return fd;
  hostCall(SYS_close, fd);
  return r;
}

/** A connected socket, whose calls wait; -errno. */
export function connectUnix(path: string): number {
  const fd = hostCall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  const length = putName(path);
  const r = hostCall(SYS_connect, fd, memory().addr + NAME, length);
  if (r === 0) return fd;
  hostCall(SYS_close, fd);
  return r;
}

/** The next connection, non-blocking; -errno. */
export function acceptUnix(fd: number): number {
  return hostCall(SYS_accept4, fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/** Who is at the other end: pid and uid (SO_PEERCRED); -errno. */
export function peerOf(fd: number): { readonly pid: number; readonly uid: number } | number {
  const { view, addr } = memory();
  view.setUint32(NAME_LEN, SIZEOF_UCRED, true);
  const r = hostCall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, addr + NAME, addr + NAME_LEN);
  return r < 0 ? r : { pid: view.getInt32(NAME, true), uid: view.getUint32(NAME + 4, true) };
}

function layMessage(length: number, control: number): number {
  const { view, addr } = memory();
  for (let at = 0; at < NAME; at += 8) putU64(view, at, 0);
  putU64(view, MSG_IOV, addr + IOV);
  putU64(view, MSG_IOVLEN, 1);
  putU64(view, MSG_CONTROL, control === 0 ? 0 : addr + CONTROL);
  putU64(view, MSG_CONTROLLEN, control);
  putU64(view, IOV, addr + DATA);
  putU64(view, IOV + 8, length);
  return addr;
}

/** Sends bytes, at most MESSAGE_SIZE, and copies of descriptors with the first of them; how many bytes went, or -errno. */
export function sendMessage(fd: number, bytes: Uint8Array, fds: readonly number[] = [], flags = 0): number {
  const { view, u8 } = memory();
  const n = Math.min(bytes.length, MESSAGE_SIZE);
  const control = fds.length === 0 ? 0 : SIZEOF_CMSGHDR + 4 * fds.length;
  if (fds.length > MESSAGE_FDS) throw new Error('sendMessage: too many descriptors');
  const addr = layMessage(n, control);
  u8.set(bytes.subarray(0, n), DATA);
  if (control > 0) {
    putU64(view, CONTROL, control);
    view.setInt32(CONTROL + 8, SOL_SOCKET, true);
    view.setInt32(CONTROL + 12, SCM_RIGHTS, true);
    for (let i = 0; i < fds.length; i++) view.setInt32(CONTROL + SIZEOF_CMSGHDR + 4 * i, fds[i]!, true);
  }
  return hostCall(SYS_sendmsg, fd, addr, flags | MSG_NOSIGNAL);
}

/**
 * Receives what is there: a copy of the bytes, empty at the end of the stream, and descriptors appended to `fds`, which are the
 * caller's then. -errno; -EPROTO when there were more descriptors than a message may have, all of which are closed.
 */
export function receiveMessage(fd: number, fds: number[], waits: boolean): Uint8Array | number {
  const addr = layMessage(MESSAGE_SIZE, CONTROL_SIZE);
  const { view, u8 } = memory();
  const r = hostCall(SYS_recvmsg, fd, addr, MSG_CMSG_CLOEXEC | (waits ? 0 : MSG_DONTWAIT));
  if (r < 0) return r;
  const end = getU64(view, MSG_CONTROLLEN);
  const got: number[] = [];
  // There is one control message: only SCM_RIGHTS was asked for, and one sender's lie together.
  if (end >= SIZEOF_CMSGHDR && view.getInt32(CONTROL + 12, true) === SCM_RIGHTS) {
    const length = Math.min(getU64(view, CONTROL), CONTROL_SIZE);
    for (let at = SIZEOF_CMSGHDR; at + 4 <= length; at += 4) got.push(view.getInt32(CONTROL + at, true));
  }
  if ((view.getUint32(MSG_FLAGS, true) & MSG_CTRUNC) !== 0) {
    for (const one of got) hostCall(SYS_close, one);
    return -EPROTO;
  }
  fds.push(...got);
  return u8.slice(DATA, DATA + r);
}
