// socket(2), socketpair(2), bind(2), listen(2), accept(2), connect(2), names, shutdown(2), options.

import { EAFNOSUPPORT, EAGAIN, EFAULT, EINVAL, EOPNOTSUPP } from '../../../abi/errno.ts';
import { O_NONBLOCK } from '../../../abi/fs/fcntl.ts';
import {
  AF_INET,
  AF_INET6,
  AF_MAX,
  AF_NETLINK,
  AF_PACKET,
  AF_UNIX,
  AF_UNSPEC,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_PACKET,
  SOCK_RAW,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from '../../../abi/net/socket.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import {
  SYS_accept,
  SYS_accept4,
  SYS_bind,
  SYS_connect,
  SYS_getpeername,
  SYS_getsockname,
  SYS_getsockopt,
  SYS_listen,
  SYS_setsockopt,
  SYS_shutdown,
  SYS_socket,
  SYS_socketpair,
} from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { SCRATCH_SIZE, scratch, scratchView } from '../../base/scratch.ts';
import type { ArgKind } from '../../kernel/syscall_table.ts';
import type { Task } from '../../kernel/task/task.ts';
import { createInet } from '../../socket/inet/create.ts';
import { NOT_LARGE, type SocketFile } from '../../socket/socket.ts';
import { installNew } from '../install.ts';
import { ADDR, FD, IN_BUF, INT, ONE_OF, SOCKET_LEVEL, SOCKET_OPTION, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';
import { copyInAddr, copyOutAddr, sockaddr, sockfd, waitFor } from './sockfd.ts';

/** Bits of the type argument that are the type. */
const TYPE_MASK = 0xf;
/** SOCK_MAX: types from here on are none. */
const SOCK_MAX = SOCK_PACKET + 1;
/** Longest option value that is read or written. */
const MAX_OPTION = 4096;

/** The type of a socket or socketpair argument, or -EINVAL. */
function typeOf(type: number): number {
  if ((type & ~TYPE_MASK & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) !== 0) return -EINVAL;
  const kind = type & TYPE_MASK;
  return kind >= SOCK_MAX ? -EINVAL : kind;
}

/** A family that this kernel does not have. */
function noFamily(family: number): number {
  if (family > AF_UNSPEC && family < AF_MAX) countUnsupported(`socket family ${family}`);
  return -EAFNOSUPPORT;
}

/** Implements socket(2). -EAFNOSUPPORT, -EINVAL, -EMFILE, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT. */
function socket(t: Task, family: number, type: number, protocol: number): number {
  const kind = typeOf(type);
  if (kind < 0) return kind;
  // SOCK_NONBLOCK is O_NONBLOCK on x86-64.
  const flags = type & SOCK_NONBLOCK;
  let sock: SocketFile | number;
  if (family === AF_UNIX) sock = t.kernel.unix.create(t, kind, protocol, flags);
  else if (family === AF_INET || family === AF_INET6)
    sock = createInet(t, t.net, family, kind, protocol, flags);
  else sock = t.net.families.get(family)?.create(t, kind, protocol, flags) ?? noFamily(family);
  return typeof sock === 'number' ? sock : installNew(t, sock, (type & SOCK_CLOEXEC) !== 0);
}

/** Implements socketpair(2). -EAFNOSUPPORT, -EINVAL, -EMFILE, -EFAULT, -EOPNOTSUPP. */
function socketpair(t: Task, family: number, type: number, protocol: number, fdsAddr: number): number {
  const kind = typeOf(type);
  if (kind < 0) return kind;
  if (family === AF_INET || family === AF_INET6) {
    // A socket of the kind is looked for first, and then has no pairs.
    const sock = createInet(t, t.net, family, kind, protocol, 0);
    if (typeof sock === 'number') return sock;
    sock.unref();
    return -EOPNOTSUPP;
  }
  if (family !== AF_UNIX) return noFamily(family);
  const pair = t.kernel.unix.createPair(t, kind, protocol, type & SOCK_NONBLOCK);
  if (typeof pair === 'number') return pair;
  const [a, b] = pair;
  const cloexec = (type & SOCK_CLOEXEC) !== 0;
  const limit = t.rlimit(RLIMIT_NOFILE);
  const first = t.fds.install(a, cloexec, limit);
  if (first < 0) {
    a.unref();
    b.unref();
    return first;
  }
  const second = t.fds.install(b, cloexec, limit);
  if (second < 0) {
    t.fds.close(t, first);
    b.unref();
    return second;
  }
  scratchView.setInt32(0, first, true);
  scratchView.setInt32(4, second, true);
  if (t.mem.copyOutExact(fdsAddr, scratch, 0, 8) !== 0) {
    t.fds.close(t, first);
    t.fds.close(t, second);
    return -EFAULT;
  }
  return 0;
}

/** Implements bind(2). */
function bind(t: Task, fd: number, addr: number, len: number): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  const r = copyInAddr(t, sockaddr, addr, len);
  return r < 0 ? r : sock.bind(t, sockaddr);
}

/** Implements listen(2). */
function listen(t: Task, fd: number, backlog: number): number {
  const sock = sockfd(t, fd);
  return typeof sock === 'number' ? sock : sock.listen(t, backlog);
}

/** Implements connect(2). */
function connect(t: Task, fd: number, addr: number, len: number): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  const bad = copyInAddr(t, sockaddr, addr, len);
  if (bad < 0) return bad;
  const already = t.call.active ? t.call.a === 1 : sock.connecting;
  const r = sock.connect(t, sockaddr);
  if (r !== -EAGAIN || sock.nonblocking) return r;
  t.call.a = already ? 1 : 0;
  const w = waitFor(t, fd, sock, sock.options.sndTimeoutNs);
  return w === -EAGAIN ? sock.connectTimedOut(already) : w;
}

/** Implements accept4(2). */
function accept4(t: Task, fd: number, addr: number, lenAddr: number, flags: number): number {
  if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) !== 0) return -EINVAL;
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  const made = sock.accept(t, (flags & SOCK_NONBLOCK) !== 0 ? O_NONBLOCK : 0);
  if (typeof made === 'number') {
    if (made !== -EAGAIN || sock.nonblocking) return made;
    return waitFor(t, fd, sock, sock.options.rcvTimeoutNs);
  }
  return installAccepted(t, made, addr, lenAddr, (flags & SOCK_CLOEXEC) !== 0);
}

/** Gives an accepted connection a descriptor and tells its peer's address. */
function installAccepted(t: Task, made: SocketFile, addr: number, lenAddr: number, cloexec: boolean): number {
  const fd = installNew(t, made, cloexec);
  if (fd < 0 || addr === 0) return fd;
  made.getpeername(sockaddr);
  const r = copyOutAddr(t, sockaddr, addr, lenAddr);
  if (r < 0) {
    t.fds.close(t, fd);
    return r;
  }
  return fd;
}

/** Implements accept(2). */
function accept(t: Task, fd: number, addr: number, lenAddr: number): number {
  return accept4(t, fd, addr, lenAddr, 0);
}

/** Implements getsockname(2). */
function getsockname(t: Task, fd: number, addr: number, lenAddr: number): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  const r = sock.getsockname(sockaddr);
  return r < 0 ? r : copyOutAddr(t, sockaddr, addr, lenAddr);
}

/** Implements getpeername(2). */
function getpeername(t: Task, fd: number, addr: number, lenAddr: number): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  const r = sock.getpeername(sockaddr);
  return r < 0 ? r : copyOutAddr(t, sockaddr, addr, lenAddr);
}

/** Implements shutdown(2). */
function shutdown(t: Task, fd: number, how: number): number {
  const sock = sockfd(t, fd);
  return typeof sock === 'number' ? sock : sock.shutdown(t, how);
}

/** Implements getsockopt(2). */
function getsockopt(
  t: Task,
  fd: number,
  level: number,
  name: number,
  value: number,
  lenAddr: number,
): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  if (t.mem.copyInExact(lenAddr, scratch, 0, 4) !== 0) return -EFAULT;
  const room = scratchView.getInt32(0, true);
  if (room < 0) return -EINVAL;
  const large = sock.getLargeOption(t, level, name, value, room);
  if (large !== NOT_LARGE) return large;
  const n = sock.getsockopt(t, level, name, Math.min(room, SCRATCH_SIZE));
  if (n < 0) return n;
  if (n > 0 && t.mem.copyOutExact(value, scratch, 0, n) !== 0) return -EFAULT;
  scratchView.setInt32(0, n, true);
  return t.mem.copyOutExact(lenAddr, scratch, 0, 4);
}

/** Implements setsockopt(2). */
function setsockopt(t: Task, fd: number, level: number, name: number, value: number, len: number): number {
  const sock = sockfd(t, fd);
  if (typeof sock === 'number') return sock;
  if (len < 0) return -EINVAL;
  const large = sock.setLargeOption(t, level, name, value, len);
  if (large !== NOT_LARGE) return large;
  const n = Math.min(len, MAX_OPTION);
  if (n > 0 && t.mem.copyInExact(value, scratch, 0, n) !== 0) return -EFAULT;
  return sock.setsockopt(t, level, name, n);
}

const FAMILY = ONE_OF('family', [
  ['AF_UNSPEC', AF_UNSPEC],
  ['AF_UNIX', AF_UNIX],
  ['AF_INET', AF_INET],
  ['AF_INET6', AF_INET6],
  ['AF_NETLINK', AF_NETLINK],
  ['AF_PACKET', AF_PACKET],
]);

const TYPE_NAMES: readonly (readonly [number, string])[] = [
  [SOCK_STREAM, 'SOCK_STREAM'],
  [SOCK_DGRAM, 'SOCK_DGRAM'],
  [SOCK_RAW, 'SOCK_RAW'],
  [SOCK_SEQPACKET, 'SOCK_SEQPACKET'],
];

/** A socket type with its flags: a number and bits at once. */
const TYPE: ArgKind = {
  name: 'type',
  int: true,
  out: false,
  format: (_t, v) => {
    const kind = v & TYPE_MASK;
    let text = TYPE_NAMES.find((e) => e[0] === kind)?.[1] ?? String(kind);
    if ((v & SOCK_CLOEXEC) !== 0) text += '|SOCK_CLOEXEC';
    if ((v & SOCK_NONBLOCK) !== 0) text += '|SOCK_NONBLOCK';
    return text;
  },
};
const HOW = ONE_OF('how', [
  ['SHUT_RD', SHUT_RD],
  ['SHUT_WR', SHUT_WR],
  ['SHUT_RDWR', SHUT_RDWR],
]);
const SOCKADDR = STRUCT('struct sockaddr');
const SOCKADDR_OUT = STRUCT('struct sockaddr', true);
const LEN_PTR = STRUCT('socklen_t', true);
const ACCEPT_FLAGS = UINT;
const FAMILIES = 'AF_UNIX, AF_INET, AF_INET6';

export const rows = [
  sys(SYS_socket, [FAMILY, TYPE, INT], socket, FAMILIES),
  sys(SYS_socketpair, [FAMILY, TYPE, INT, STRUCT('int[2]', true)], socketpair),
  sys(SYS_bind, [FD, SOCKADDR, INT], bind),
  sys(SYS_listen, [FD, INT], listen),
  sys(SYS_connect, [FD, SOCKADDR, INT], connect),
  sys(SYS_accept, [FD, SOCKADDR_OUT, LEN_PTR], accept),
  sys(SYS_accept4, [FD, SOCKADDR_OUT, LEN_PTR, ACCEPT_FLAGS], accept4),
  sys(SYS_getsockname, [FD, SOCKADDR_OUT, LEN_PTR], getsockname),
  sys(SYS_getpeername, [FD, SOCKADDR_OUT, LEN_PTR], getpeername),
  sys(SYS_shutdown, [FD, HOW], shutdown),
  sys(SYS_getsockopt, [FD, SOCKET_LEVEL, SOCKET_OPTION, ADDR, LEN_PTR], getsockopt),
  sys(SYS_setsockopt, [FD, SOCKET_LEVEL, SOCKET_OPTION, IN_BUF, INT], setsockopt),
];
