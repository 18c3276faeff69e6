// Internet sockets of the host, as relays need them: no call here waits. Levels, names and values of options, flags and lengths are the
// callers' own (invariant 1); bytes pass through one shared buffer.

import { EAFNOSUPPORT, EINTR } from '../abi/errno.ts';
import { POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM } from '../abi/events/poll.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  cmsgSpace,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SIZEOF_CMSGHDR,
  SO_LINGER,
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
  SYS_getpeername,
  SYS_getsockname,
  SYS_getsockopt,
  SYS_ioctl,
  SYS_listen,
  SYS_poll,
  SYS_recvfrom,
  SYS_recvmsg,
  SYS_sendmsg,
  SYS_sendto,
  SYS_setsockopt,
  SYS_shutdown,
  SYS_socket,
  SYS_socketpair,
} from '../abi/syscall.ts';
import { getU64, putU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

/** Bytes of one transfer: also the largest datagram. */
export const TRANSFER_SIZE = 256 * 1024;
export const transfer: HostBuffer = HostBuffer.alloc(TRANSFER_SIZE);

// One small buffer for everything else:
//   0 sockaddr (32)   32 length of it   40 option value (256)   296 its length   304 pollfd
//   320 msghdr (56)   376 iovec (16)    392 control messages (512)
const ADDR = 0;
const ADDR_SIZE = 32;
const ADDR_LEN = 32;
const VALUE = 40;
export const VALUE_SIZE = 256;
const VALUE_LEN = 296;
const POLL = 304;
const MSG = 320;
const IOV = 376;
const CONTROL = 392;
const CONTROL_SIZE = 512;
const small = HostBuffer.alloc(CONTROL + CONTROL_SIZE);
const v = small.view;

/** struct msghdr. */
const MSG_NAMELEN = 8;
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_CONTROL = 32;
const MSG_CONTROLLEN = 40;
const MSG_FLAGS = 48;

/** An address of a socket: as four words, like net's IpAddress, and a port. IPv4 is ::ffff:0:0/96. */
export class HostAddress {
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  port = 0;
  /** Of link-local IPv6 addresses. */
  scope = 0;

  set(
    a: { readonly w0: number; readonly w1: number; readonly w2: number; readonly w3: number },
    port: number,
  ): this {
    this.w0 = a.w0;
    this.w1 = a.w1;
    this.w2 = a.w2;
    this.w3 = a.w3;
    this.port = port;
    this.scope = 0;
    return this;
  }
}

const MAPPED = 0xffff;

/** Writes the sockaddr for a socket of `family`; its length, -EAFNOSUPPORT for IPv6 on an IPv4 socket. */
function putAddress(family: number, a: HostAddress): number {
  if (family === AF_INET) {
    if (a.w2 !== MAPPED || a.w0 !== 0 || a.w1 !== 0) {
      if ((a.w0 | a.w1 | a.w2 | a.w3) !== 0) return -EAFNOSUPPORT;
    }
    v.setUint16(ADDR, AF_INET, true);
    v.setUint16(ADDR + 2, a.port);
    v.setUint32(ADDR + 4, a.w3);
    v.setUint32(ADDR + 8, 0);
    v.setUint32(ADDR + 12, 0);
    return 16;
  }
  v.setUint16(ADDR, AF_INET6, true);
  v.setUint16(ADDR + 2, a.port);
  v.setUint32(ADDR + 4, 0);
  v.setUint32(ADDR + 8, a.w0);
  v.setUint32(ADDR + 12, a.w1);
  v.setUint32(ADDR + 16, a.w2);
  v.setUint32(ADDR + 20, a.w3);
  v.setUint32(ADDR + 24, a.scope, true);
  return 28;
}

function getAddress(at: number, a: HostAddress): void {
  a.port = v.getUint16(at + 2);
  a.scope = 0;
  if (v.getUint16(at, true) === AF_INET) {
    a.w0 = 0;
    a.w1 = 0;
    a.w2 = MAPPED;
    a.w3 = v.getUint32(at + 4);
    return;
  }
  a.w0 = v.getUint32(at + 8);
  a.w1 = v.getUint32(at + 12);
  a.w2 = v.getUint32(at + 16);
  a.w3 = v.getUint32(at + 20);
  a.scope = v.getUint32(at + 24, true);
}

/** A non-blocking socket; -errno. */
export function hostSocket(family: number, type: number, protocol: number): number {
  return hostCall(SYS_socket, family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

/** Two connected streams of this process, non-blocking; -errno. */
export function hostStreamPair(): readonly [number, number] | number {
  const r = hostCall(
    SYS_socketpair,
    AF_UNIX,
    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
    0,
    small.addr + VALUE,
  );
  return r < 0 ? r : [v.getInt32(VALUE, true), v.getInt32(VALUE + 4, true)];
}

export function hostClose(fd: number): void {
  hostCall(SYS_close, fd);
}

export function hostBind(fd: number, family: number, a: HostAddress): number {
  const len = putAddress(family, a);
  return len < 0 ? len : hostCall(SYS_bind, fd, small.addr + ADDR, len);
}

export function hostConnect(fd: number, family: number, a: HostAddress): number {
  const len = putAddress(family, a);
  return len < 0 ? len : hostCall(SYS_connect, fd, small.addr + ADDR, len);
}

/** connect(2) with AF_UNSPEC: a datagram socket hears anybody again. */
export function hostDisconnect(fd: number): number {
  v.setUint32(ADDR, 0);
  return hostCall(SYS_connect, fd, small.addr + ADDR, 16);
}

export function hostListen(fd: number, backlog: number): number {
  return hostCall(SYS_listen, fd, backlog);
}

/** The new connection's descriptor; -errno. Who it is from is in `a`. */
export function hostAccept(fd: number, a: HostAddress): number {
  v.setUint32(ADDR_LEN, ADDR_SIZE, true);
  const r = hostCall(SYS_accept4, fd, small.addr + ADDR, small.addr + ADDR_LEN, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (r >= 0) getAddress(ADDR, a);
  return r;
}

export function hostShutdown(fd: number, how: number): number {
  return hostCall(SYS_shutdown, fd, how);
}

/** getsockname(2) or getpeername(2). */
export function hostName(fd: number, peer: boolean, a: HostAddress): number {
  v.setUint32(ADDR_LEN, ADDR_SIZE, true);
  const nr = peer ? SYS_getpeername : SYS_getsockname;
  const r = hostCall(nr, fd, small.addr + ADDR, small.addr + ADDR_LEN);
  if (r >= 0) getAddress(ADDR, a);
  return r;
}

export function hostSetInt(fd: number, level: number, name: number, value: number): number {
  v.setInt32(VALUE, value, true);
  return hostCall(SYS_setsockopt, fd, level, name, small.addr + VALUE, 4);
}

/** A short option such as TCP_CONGESTION. */
export function hostSetText(fd: number, level: number, name: number, text: string): number {
  small.putString(text, VALUE);
  return hostCall(SYS_setsockopt, fd, level, name, small.addr + VALUE, text.length);
}

/** Reads an option into `optionBytes`; its length or -errno. */
export function hostGetOption(fd: number, level: number, name: number, size = VALUE_SIZE): number {
  v.setUint32(VALUE_LEN, Math.min(size, VALUE_SIZE), true);
  v.setInt32(VALUE, 0, true);
  const r = hostCall(SYS_getsockopt, fd, level, name, small.addr + VALUE, small.addr + VALUE_LEN);
  return r < 0 ? r : v.getUint32(VALUE_LEN, true);
}

/** The value that hostGetOption read. */
export const optionBytes: Uint8Array = small.u8.subarray(VALUE, VALUE + VALUE_SIZE);
export function optionInt(): number {
  return v.getInt32(VALUE, true);
}

/** SO_LINGER: close then resets the connection. */
export function hostLingerZero(fd: number): void {
  v.setInt32(VALUE, 1, true);
  v.setInt32(VALUE + 4, 0, true);
  hostCall(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, small.addr + VALUE, 8);
}

/** An ioctl(2) that tells an int; -errno. */
export function hostIoctlInt(fd: number, request: number): number {
  const r = hostCall(SYS_ioctl, fd, request, small.addr + VALUE);
  return r < 0 ? r : v.getInt32(VALUE, true);
}

/** POLL* events that hold now. */
export function hostPoll(fd: number): number {
  v.setInt32(POLL, fd, true);
  v.setInt16(POLL + 4, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM, true);
  v.setInt16(POLL + 6, 0, true);
  return hostCall(SYS_poll, small.addr + POLL, 1, 0) > 0 ? v.getUint16(POLL + 6, true) : 0;
}

/** Sends transfer[0..len) on a connected socket; bytes or -errno. */
export function hostSend(fd: number, off: number, len: number, flags: number): number {
  let r: number;
  do r = hostCall(SYS_sendto, fd, transfer.addr + off, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
  while (r === -EINTR);
  return r;
}

/** Receives at most `len` bytes into transfer; bytes or -errno. */
export function hostReceive(fd: number, len: number, flags: number): number {
  let r: number;
  do r = hostCall(SYS_recvfrom, fd, transfer.addr, Math.min(len, TRANSFER_SIZE), flags | MSG_DONTWAIT);
  while (r === -EINTR);
  return r;
}

/** Where the control messages of the next hostSendMessage end. */
let controlLen = 0;

export function clearControl(): void {
  controlLen = 0;
}

/** Adds a control message of 2 or 4 bytes. */
export function addControl(level: number, type: number, value: number, size: 2 | 4): void {
  const at = CONTROL + controlLen;
  putU64(v, at, SIZEOF_CMSGHDR + size);
  v.setInt32(at + 8, level, true);
  v.setInt32(at + 12, type, true);
  v.setUint32(at + 16, 0, true);
  v.setUint32(at + 20, 0, true);
  if (size === 2) v.setUint16(at + 16, value, true);
  else v.setInt32(at + 16, value, true);
  controlLen += cmsgSpace(size);
}

/** Sends transfer[0..len) as one message to `to` (null: the connected peer) with the control messages added before. */
export function hostSendMessage(
  fd: number,
  family: number,
  to: HostAddress | null,
  len: number,
  flags: number,
): number {
  const nameLen = to === null ? 0 : putAddress(family, to);
  if (nameLen < 0) return nameLen;
  layMessage(nameLen, len, controlLen);
  controlLen = 0;
  return hostCall(SYS_sendmsg, fd, small.addr + MSG, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

function layMessage(nameLen: number, len: number, control: number): void {
  putU64(v, MSG, nameLen === 0 ? 0 : small.addr + ADDR);
  v.setUint32(MSG + MSG_NAMELEN, nameLen, true);
  putU64(v, MSG + MSG_IOV, small.addr + IOV);
  putU64(v, MSG + MSG_IOVLEN, 1);
  putU64(v, MSG + MSG_CONTROL, control === 0 ? 0 : small.addr + CONTROL);
  putU64(v, MSG + MSG_CONTROLLEN, control);
  v.setUint32(MSG + MSG_FLAGS, 0, true);
  putU64(v, IOV, transfer.addr);
  putU64(v, IOV + 8, len);
}

/** Receives one message into transfer; its length (with MSG_TRUNC the whole one's) or -errno. Who it is from is in `from`. */
export function hostReceiveMessage(fd: number, from: HostAddress, len: number, flags: number): number {
  layMessage(ADDR_SIZE, Math.min(len, TRANSFER_SIZE), CONTROL_SIZE);
  v.setUint16(ADDR, 0, true);
  const r = hostCall(SYS_recvmsg, fd, small.addr + MSG, flags | MSG_DONTWAIT);
  if (r < 0) return r;
  if (v.getUint16(ADDR, true) !== 0) getAddress(ADDR, from);
  return r;
}

/** Hears the control messages of what hostReceiveMessage got. */
export interface ControlSink {
  /** `data` is `len` bytes at `at` of `view`; valid during the call. */
  control(level: number, type: number, view: DataView, at: number, len: number): void;
}

export function eachControl(sink: ControlSink): void {
  const end = CONTROL + Math.min(getU64(v, MSG + MSG_CONTROLLEN), CONTROL_SIZE);
  let at = CONTROL;
  while (at + SIZEOF_CMSGHDR <= end) {
    const len = getU64(v, at);
    if (len < SIZEOF_CMSGHDR || at + len > end) return;
    sink.control(
      v.getInt32(at + 8, true),
      v.getInt32(at + 12, true),
      v,
      at + SIZEOF_CMSGHDR,
      len - SIZEOF_CMSGHDR,
    );
    at += cmsgSpace(len - SIZEOF_CMSGHDR);
  }
}

/** Reads a socket address out of a control message, such as the offender of an error. */
export function controlAddress(view: DataView, at: number, len: number, a: HostAddress): boolean {
  if (view !== v || len < 16) return false;
  const family = v.getUint16(at, true);
  if (family !== AF_INET && (family !== AF_INET6 || len < 28)) return false;
  getAddress(at, a);
  return true;
}
