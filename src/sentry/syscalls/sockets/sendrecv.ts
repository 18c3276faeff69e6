// sendto(2), recvfrom(2), sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2).

import { EAGAIN, EFAULT, EINVAL, EMSGSIZE, ENOBUFS } from '../../../abi/errno.ts';
import { UIO_MAXIOV } from '../../../abi/fs/uio.ts';
import {
  MMSGHDR_MSG_LEN,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTROUTE,
  MSG_DONTWAIT,
  MSG_EOR,
  MSG_FASTOPEN,
  MSG_NOSIGNAL,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  MSG_WAITFORONE,
  MSG_ZEROCOPY,
  MSGHDR_MSG_CONTROL,
  MSGHDR_MSG_CONTROLLEN,
  MSGHDR_MSG_FLAGS,
  MSGHDR_MSG_IOV,
  MSGHDR_MSG_IOVLEN,
  MSGHDR_MSG_NAME,
  MSGHDR_MSG_NAMELEN,
  SIZEOF_MMSGHDR,
  SIZEOF_MSGHDR,
} from '../../../abi/net/socket.ts';
import {
  SYS_recvfrom,
  SYS_recvmmsg,
  SYS_recvmsg,
  SYS_sendmmsg,
  SYS_sendmsg,
  SYS_sendto,
} from '../../../abi/syscall.ts';
import { getI64, getU64, putU64 } from '../../../abi/u64.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED } from '../../kernel/block.ts';
import type { Task } from '../../kernel/task/task.ts';
import { MAX_ADDR, Message } from '../../socket/message.ts';
import type { SocketFile } from '../../socket/socket.ts';
import { FD, FLAGS, IN_BUF, INT, OUT_BUF, SIZE, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';
import { copyInAddr, copyOutAddr, sockfd, waitFor } from './sockfd.ts';

/** /proc/sys/net/core/optmem_max: most bytes of control messages that a send may carry. */
const OPTMEM_MAX = 131072;
/** Received control messages never need more: 253 descriptors and credentials. */
const RECV_CONTROL_MAX = 4096;
const NS_PER_SEC = 1e9;
/** What is of the first bytes of a send alone. */
const ONCE = MSG_ZEROCOPY | MSG_FASTOPEN;

/** The message of the call in progress. */
const msg = new Message();
const recvControl = new Uint8Array(RECV_CONTROL_MAX);
/** The caller's struct msghdr. Not the scratch buffer: sockets use that. */
const header = new Uint8Array(SIZEOF_MSGHDR);
const headerView = new DataView(header.buffer);

/** Moves an Io past `n` bytes that an earlier run of this call has moved. */
function skip(io: Io, n: number): void {
  for (let left = n; left > 0; ) {
    const r = io.take(scratch, 0, Math.min(left, scratch.length));
    if (r <= 0) return;
    left -= r;
  }
}

/** Sends all of `io`, as far as the socket's kind and blocking mode go: bytes, BLOCKED or -errno. */
function sendAll(t: Task, fd: number, sock: SocketFile, io: Io, flags: number): number {
  let done = t.call.active ? t.call.done : 0;
  if (done > 0) {
    skip(io, done);
    msg.clearControl();
  }
  const mayWait = !sock.mustNotWait(flags);
  for (;;) {
    // A signal for a broken pipe belongs to a call that sent nothing.
    const n = sock.sendmsg(t, io, msg, done > 0 ? (flags | MSG_NOSIGNAL) & ~ONCE : flags);
    if (n >= 0) {
      done += n;
      if (!sock.streaming || n === 0 || io.remaining === 0) return done;
      msg.clearControl();
    } else if (n === -EAGAIN && mayWait) {
      t.call.done = done;
      const r = waitFor(t, fd, sock, sock.options.sndTimeoutNs);
      return r === BLOCKED || done === 0 ? r : done;
    } else return done > 0 ? done : n;
  }
}

/** Receives into `io`, with MSG_WAITALL until it is full: bytes, 0 at the end, BLOCKED or -errno. */
function recvAll(t: Task, fd: number, sock: SocketFile, io: Io, flags: number): number {
  let done = t.call.active ? t.call.done : 0;
  if (done > 0) skip(io, done);
  const mayWait = !sock.mustNotWait(flags);
  const all = (flags & MSG_WAITALL) !== 0 && (flags & MSG_PEEK) === 0 && sock.streaming;
  for (;;) {
    const n = sock.recvmsg(t, io, msg, flags);
    if (n >= 0) {
      done += n;
      if (!all || n === 0 || io.remaining === 0 || msg.controlLen > 0) return done;
    } else if (n === -EAGAIN && mayWait) {
      t.call.done = done;
      const r = waitFor(t, fd, sock, sock.options.rcvTimeoutNs);
      return r === BLOCKED || done === 0 ? r : done;
    } else return done > 0 ? done : n;
  }
}

/** Implements sendto(2), and send(3) with a NULL address. */
function sendto(
  t: Task,
  fd: number,
  buf: number,
  len: number,
  flags: number,
  addr: number,
  addrLen: number,
): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  if (len < 0) return -EFAULT;
  msg.clear();
  if (addr !== 0) {
    const r = copyInAddr(t, msg.addr, addr, addrLen);
    if (r < 0) return r;
  }
  return sendAll(t, fd, sock, t.mem.io(buf, len), flags);
}

/** Implements recvfrom(2), and recv(3) with a NULL address. */
function recvfrom(
  t: Task,
  fd: number,
  buf: number,
  len: number,
  flags: number,
  addr: number,
  lenAddr: number,
): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  if (len < 0) return -EFAULT;
  msg.clear();
  const n = recvAll(t, fd, sock, t.mem.io(buf, len), flags);
  if (n < 0 || addr === 0) return n;
  const r = copyOutAddr(t, msg.addr, addr, lenAddr);
  return r < 0 ? r : n;
}

/** Copies struct msghdr in and aims an Io at its buffers: -EFAULT, -EMSGSIZE, -EINVAL. */
function copyInHeader(t: Task, hdr: number): Io | number {
  if (t.mem.copyInExact(hdr, header, 0, SIZEOF_MSGHDR) !== 0) return -EFAULT;
  const count = getU64(headerView, MSGHDR_MSG_IOVLEN);
  if (headerView.getInt32(MSGHDR_MSG_NAMELEN, true) < 0 && getU64(headerView, MSGHDR_MSG_NAME) !== 0)
    return -EINVAL;
  if (count > UIO_MAXIOV) return -EMSGSIZE;
  return count === 0 ? t.mem.io(0, 0) : t.mem.iovec(getU64(headerView, MSGHDR_MSG_IOV), count);
}

/** One message of sendmsg(2) and sendmmsg(2). */
function sendOne(t: Task, fd: number, sock: SocketFile, hdr: number, flags: number): number {
  msg.clear();
  const io = copyInHeader(t, hdr);
  if (typeof io === 'number') return io;
  const name = getU64(headerView, MSGHDR_MSG_NAME);
  if (name !== 0) {
    const len = Math.min(headerView.getInt32(MSGHDR_MSG_NAMELEN, true), MAX_ADDR);
    const r = copyInAddr(t, msg.addr, name, len);
    if (r < 0) return r;
  }
  const controlLen = getU64(headerView, MSGHDR_MSG_CONTROLLEN);
  if (controlLen > OPTMEM_MAX) return -ENOBUFS;
  if (controlLen > 0) {
    const bytes = new Uint8Array(controlLen);
    if (t.mem.copyInExact(getU64(headerView, MSGHDR_MSG_CONTROL), bytes, 0, controlLen) !== 0) return -EFAULT;
    msg.setControl(bytes, controlLen);
  }
  return sendAll(t, fd, sock, io, flags);
}

/** Implements sendmsg(2). */
function sendmsg(t: Task, fd: number, hdr: number, flags: number): number {
  const sock = sockfd(t, fd);
  return typeof sock === 'number' ? sock : sendOne(t, fd, sock, hdr, flags);
}

/** One message of recvmsg(2) and recvmmsg(2): fills the caller's header too. */
function recvOne(t: Task, fd: number, sock: SocketFile, hdr: number, flags: number): number {
  msg.clear();
  const io = copyInHeader(t, hdr);
  if (typeof io === 'number') return io;
  const name = getU64(headerView, MSGHDR_MSG_NAME);
  const control = getU64(headerView, MSGHDR_MSG_CONTROL);
  const room = Math.min(getU64(headerView, MSGHDR_MSG_CONTROLLEN), RECV_CONTROL_MAX);
  if (control !== 0 && room > 0) msg.setControl(recvControl.subarray(0, room), 0);
  msg.flags = flags & MSG_CMSG_CLOEXEC;
  const n = recvAll(t, fd, sock, io, flags);
  if (n < 0) return n;
  if (name !== 0) {
    const r = copyOutAddr(t, msg.addr, name, hdr + MSGHDR_MSG_NAMELEN);
    if (r < 0) return r;
  }
  if (msg.controlLen > 0 && t.mem.copyOutExact(control, msg.control, 0, msg.controlLen) !== 0) return -EFAULT;
  scratchView.setUint32(0, msg.flags, true);
  if (t.mem.copyOutExact(hdr + MSGHDR_MSG_FLAGS, scratch, 0, 4) !== 0) return -EFAULT;
  putU64(scratchView, 0, msg.controlLen);
  if (t.mem.copyOutExact(hdr + MSGHDR_MSG_CONTROLLEN, scratch, 0, 8) !== 0) return -EFAULT;
  return n;
}

/** Implements recvmsg(2). */
function recvmsg(t: Task, fd: number, hdr: number, flags: number): number {
  const sock = sockfd(t, fd);
  return typeof sock === 'number' ? sock : recvOne(t, fd, sock, hdr, flags);
}

/** Writes msg_len of a struct mmsghdr. */
function storeLength(t: Task, at: number, length: number): number {
  scratchView.setUint32(0, length, true);
  return t.mem.copyOutExact(at + MMSGHDR_MSG_LEN, scratch, 0, 4);
}

/** Implements sendmmsg(2): the number of messages sent; an error only when it is none. */
function sendmmsg(t: Task, fd: number, vec: number, vlen: number, flags: number): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  const count = Math.min(vlen >>> 0, UIO_MAXIOV);
  for (let i = t.call.active ? t.call.a : 0; i < count; i++) {
    const at = vec + i * SIZEOF_MMSGHDR;
    const n = sendOne(t, fd, sock, at, flags);
    if (n === BLOCKED) {
      t.call.a = i;
      return BLOCKED;
    }
    // What a parked run had sent of one message does not count for the next.
    t.call.done = 0;
    if (n < 0) return i > 0 ? i : n;
    if (storeLength(t, at, n) !== 0) return i > 0 ? i : -EFAULT;
  }
  return count;
}

/** Implements recvmmsg(2). As on Linux, the timeout is looked at only after a message came. */
function recvmmsg(t: Task, fd: number, vec: number, vlen: number, flags: number, timeout: number): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  let until = t.call.active ? t.call.b : Number.POSITIVE_INFINITY;
  if (timeout !== 0 && !t.call.active) {
    if (t.mem.copyInExact(timeout, scratch, 0, 16) !== 0) return -EFAULT;
    const sec = getI64(scratchView, 0);
    const nsec = getI64(scratchView, 8);
    if (sec < 0 || nsec < 0 || nsec >= NS_PER_SEC) return -EINVAL;
    until = t.time.monotonicNs() + sec * NS_PER_SEC + nsec;
  }
  const count = Math.min(vlen >>> 0, UIO_MAXIOV);
  let i = t.call.active ? t.call.a : 0;
  let result = 0;
  for (; i < count; i++) {
    const at = vec + i * SIZEOF_MMSGHDR;
    const wait = i > 0 && (flags & MSG_WAITFORONE) !== 0 ? MSG_DONTWAIT : 0;
    const n = recvOne(t, fd, sock, at, (flags & ~MSG_WAITFORONE) | wait);
    if (n === BLOCKED) {
      t.call.a = i;
      t.call.b = until;
      return BLOCKED;
    }
    t.call.done = 0;
    if (n < 0) {
      result = n;
      break;
    }
    if (storeLength(t, at, n) !== 0) {
      result = -EFAULT;
      break;
    }
    if ((msg.flags & MSG_OOB) !== 0 || t.time.monotonicNs() >= until) {
      i++;
      break;
    }
  }
  if (timeout !== 0) {
    const left = Math.max(0, until - t.time.monotonicNs());
    putU64(scratchView, 0, Math.floor(left / NS_PER_SEC));
    putU64(scratchView, 8, left % NS_PER_SEC);
    if (t.mem.copyOutExact(timeout, scratch, 0, 16) !== 0) return -EFAULT;
  }
  return i > 0 ? i : result;
}

const MSG_FLAGS = FLAGS('flags', [
  ['MSG_OOB', MSG_OOB],
  ['MSG_PEEK', MSG_PEEK],
  ['MSG_DONTROUTE', MSG_DONTROUTE],
  ['MSG_CTRUNC', MSG_CTRUNC],
  ['MSG_TRUNC', MSG_TRUNC],
  ['MSG_DONTWAIT', MSG_DONTWAIT],
  ['MSG_EOR', MSG_EOR],
  ['MSG_WAITALL', MSG_WAITALL],
  ['MSG_NOSIGNAL', MSG_NOSIGNAL],
  ['MSG_CMSG_CLOEXEC', MSG_CMSG_CLOEXEC],
]);
const SOCKADDR = STRUCT('struct sockaddr');
const SOCKADDR_OUT = STRUCT('struct sockaddr', true);
const LEN_PTR = STRUCT('socklen_t', true);
const MSGHDR = STRUCT('struct msghdr');
const MSGHDR_OUT = STRUCT('struct msghdr', true);
const NO_OOB = 'no MSG_OOB';

export const rows = [
  sys(SYS_sendto, [FD, IN_BUF, SIZE, MSG_FLAGS, SOCKADDR, INT], sendto, NO_OOB),
  sys(SYS_recvfrom, [FD, OUT_BUF, SIZE, MSG_FLAGS, SOCKADDR_OUT, LEN_PTR], recvfrom, NO_OOB),
  sys(SYS_sendmsg, [FD, MSGHDR, MSG_FLAGS], sendmsg, NO_OOB),
  sys(SYS_recvmsg, [FD, MSGHDR_OUT, MSG_FLAGS], recvmsg, NO_OOB),
  sys(SYS_sendmmsg, [FD, STRUCT('struct mmsghdr[]'), UINT, MSG_FLAGS], sendmmsg, NO_OOB),
  sys(
    SYS_recvmmsg,
    [FD, STRUCT('struct mmsghdr[]', true), UINT, MSG_FLAGS, STRUCT('struct timespec')],
    recvmmsg,
    NO_OOB,
  ),
];
