// Decoders of strace: structs in guest memory as `{field=value, ...}`. Loaded when a trace is asked for. What comes from a
// guest is only shown, never used; lengths are bounded.

import * as epoll from '../../abi/events/epoll.ts';
import * as poll from '../../abi/events/poll.ts';
import * as fcntl from '../../abi/fs/fcntl.ts';
import { decodeFlock, decodeOpenHow, SIZEOF_FLOCK, SIZEOF_OPEN_HOW } from '../../abi/fs/fcntl.ts';
import * as stat from '../../abi/fs/stat.ts';
import { decodeStatfs, SIZEOF_STATFS } from '../../abi/fs/statfs.ts';
import * as resource from '../../abi/process/resource.ts';
import * as sched from '../../abi/process/sched.ts';
import * as siginfo from '../../abi/signal/siginfo.ts';
import { SIZEOF_SIGINFO } from '../../abi/signal/siginfo.ts';
import * as signal from '../../abi/signal/signal.ts';
import { decodeSysinfo, SIZEOF_SYSINFO } from '../../abi/system/sysinfo.ts';
import { decodeUtsname, SIZEOF_UTSNAME } from '../../abi/system/utsname.ts';
import * as time from '../../abi/time/time.ts';
import { decodeWinsize, SIZEOF_WINSIZE } from '../../abi/tty/termios.ts';
import { getI64, getU64 } from '../../abi/u64.ts';
import type { Task } from '../kernel/task/task.ts';
import { bufferText, flagsText, hexText, namesOf, SHOWN_BYTES, stringText } from '../syscalls/arg_text.ts';
import type { Decoder } from '../syscalls/kinds.ts';
import { siginfoText, signalSetText, sockaddrText, waitStatusText } from './parts.ts';

/** Elements of an array that are shown. */
const SHOWN_ITEMS = 16;

/** utimensat(2): <sys/stat.h>. */
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

const buffer = new Uint8Array(512);
const view = new DataView(buffer.buffer);

/** A decoder for a fixed layout: NULL, the address when it cannot be read, else `show`. */
function fixed(size: number, show: (at: number, t: Task) => string): Decoder {
  return (t, addr, _args, _index, result) => {
    if (addr === 0) return 'NULL';
    if (result < 0 && result > -4096) return hexText(addr);
    if (t.mem.copyIn(addr, buffer, 0, size) !== size) return hexText(addr);
    return show(0, t);
  };
}

/** A decoder for an array of `count()` elements of `size` bytes. */
function array(
  size: number,
  count: (args: ArrayLike<number>, index: number, result: number) => number,
  show: (at: number, t: Task, result: number) => string,
): Decoder {
  return (t, addr, args, index, result) => {
    if (addr === 0) return 'NULL';
    const n = count(args, index, result);
    if (!(n >= 0) || (result < 0 && result > -4096)) return hexText(addr);
    const parts: string[] = [];
    for (let i = 0; i < n && i < SHOWN_ITEMS; i++) {
      if (t.mem.copyIn(addr + i * size, buffer, 0, size) !== size) return hexText(addr);
      parts.push(show(0, t, result));
    }
    if (n > SHOWN_ITEMS) parts.push('...');
    return `[${parts.join(', ')}]`;
  };
}

const nextArgument = (args: ArrayLike<number>, index: number): number => args[index + 1] ?? 0;
const callResult = (_args: ArrayLike<number>, _index: number, result: number): number => result;

function timespec(at: number): string {
  const nsec = getU64(view, at + 8);
  const special = nsec === UTIME_NOW ? 'UTIME_NOW' : nsec === UTIME_OMIT ? 'UTIME_OMIT' : null;
  return special ?? `{tv_sec=${getI64(view, at)}, tv_nsec=${nsec}}`;
}

function timeval(at: number): string {
  return `{tv_sec=${getI64(view, at)}, tv_usec=${getI64(view, at + 8)}}`;
}

function pair(show: (at: number) => string): (at: number) => string {
  return (at) => `[${show(at)}, ${show(at + 16)}]`;
}

function interval(show: (at: number) => string): (at: number) => string {
  return (at) => `{it_interval=${show(at)}, it_value=${show(at + 16)}}`;
}

const FILE_TYPES: readonly (readonly [string, number])[] = [
  ['S_IFSOCK', stat.S_IFSOCK],
  ['S_IFLNK', stat.S_IFLNK],
  ['S_IFREG', stat.S_IFREG],
  ['S_IFBLK', stat.S_IFBLK],
  ['S_IFDIR', stat.S_IFDIR],
  ['S_IFCHR', stat.S_IFCHR],
  ['S_IFIFO', stat.S_IFIFO],
];

function modeText(mode: number): string {
  const type = FILE_TYPES.find((e) => e[1] === (mode & stat.S_IFMT))?.[0];
  const rest = `0${(mode & 0o7777).toString(8)}`;
  return type === undefined ? rest : `${type}|${rest}`;
}

function deviceText(dev: number): string {
  const major = Math.floor(dev / 256) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  return `makedev(0x${major.toString(16)}, 0x${minor.toString(16)})`;
}

function statText(at: number): string {
  const s = stat.decodeStat(view, at);
  const type = s.mode & stat.S_IFMT;
  const last =
    type === stat.S_IFCHR || type === stat.S_IFBLK ? `st_rdev=${deviceText(s.rdev)}` : `st_size=${s.size}`;
  return `{st_mode=${modeText(s.mode)}, ${last}, ...}`;
}

function statxText(at: number): string {
  const s = stat.decodeStatx(view, at);
  return `{stx_mask=0x${s.mask.toString(16)}, stx_mode=${modeText(s.mode)}, stx_size=${s.size}, ...}`;
}

const SA_FLAGS = namesOf(signal, 'SA_', ['SA_NOMASK', 'SA_ONESHOT', 'SA_IMMUTABLE']);

function sigactionText(at: number): string {
  const s = signal.decodeSigaction(view, at);
  const handler =
    s.handler === signal.SIG_DFL ? 'SIG_DFL' : s.handler === signal.SIG_IGN ? 'SIG_IGN' : hexText(s.handler);
  const restorer = (s.flags & signal.SA_RESTORER) !== 0 ? `, sa_restorer=${hexText(s.restorer)}` : '';
  const mask = signalSetText(s.maskLo, s.maskHi);
  return `{sa_handler=${handler}, sa_mask=${mask}, sa_flags=${flagsText(s.flags, SA_FLAGS)}${restorer}}`;
}

const POLL_NAMES = namesOf(poll, 'POLL', ['POLLREMOVE', 'POLLFD_FD', 'POLLFD_EVENTS', 'POLLFD_REVENTS']);
const EPOLL_NAMES = namesOf(epoll, 'EPOLL', [
  'EPOLL_CLOEXEC',
  'EPOLL_CTL_ADD',
  'EPOLL_CTL_DEL',
  'EPOLL_CTL_MOD',
  'EPOLL_EVENT_EVENTS',
  'EPOLL_EVENT_DATA',
]);

function pollfdText(at: number, _t: Task, result: number): string {
  const p = poll.decodePollfd(view, at);
  const revents = result > 0 && p.revents !== 0 ? `, revents=${flagsText(p.revents, POLL_NAMES)}` : '';
  return `{fd=${p.fd}, events=${flagsText(p.events, POLL_NAMES)}${revents}}`;
}

function epollEventText(at: number): string {
  const events = flagsText(view.getUint32(at, true), EPOLL_NAMES);
  const data = view.getBigUint64(at + 4, true);
  return `{events=${events}, data=0x${data.toString(16)}}`;
}

/** An iovec array; where the call fills it, of each buffer only what it got is shown. */
const iovec: Decoder = (t, addr, args, index, result) => {
  let left = result;
  return array(16, nextArgument, (at) => {
    const base = getU64(view, at);
    const len = getU64(view, at + 8);
    const got = Math.min(left, len);
    left -= got;
    return `{iov_base=${bufferText(t, base, got)}, iov_len=${len}}`;
  })(t, addr, args, index, result);
};

const FLOCK_TYPES = ['F_RDLCK', 'F_WRLCK', 'F_UNLCK'];
const WHENCE = ['SEEK_SET', 'SEEK_CUR', 'SEEK_END'];

/** The third argument of fcntl(2), decoded by its command. */
const fcntlArg: Decoder = (t, value, args, index, result) => {
  switch (args[index - 1]) {
    case fcntl.F_GETLK:
    case fcntl.F_SETLK:
    case fcntl.F_SETLKW:
    case fcntl.F_OFD_GETLK:
    case fcntl.F_OFD_SETLK:
    case fcntl.F_OFD_SETLKW:
      return fixed(SIZEOF_FLOCK, (at) => {
        const l = decodeFlock(view, at);
        const type = FLOCK_TYPES[l.type] ?? String(l.type);
        return `{l_type=${type}, l_whence=${WHENCE[l.whence] ?? l.whence}, l_start=${l.start}, l_len=${l.len}}`;
      })(t, value, args, index, result);
    case fcntl.F_GETFD:
    case fcntl.F_GETFL:
    case fcntl.F_GETOWN:
    case fcntl.F_GETSIG:
    case fcntl.F_GETPIPE_SZ:
    case fcntl.F_GET_SEALS:
      return '';
    case fcntl.F_SETFD:
      return value === fcntl.FD_CLOEXEC ? 'FD_CLOEXEC' : String(value);
    case fcntl.F_SETFL:
      return flagsText(value, namesOf(fcntl, 'O_', ['O_ACCMODE', 'O_NDELAY']), 'O_RDONLY');
    default:
      return String(value);
  }
};

function limitText(v: number): string {
  return v >= resource.RLIM_INFINITY
    ? 'RLIM_INFINITY'
    : v % 1024 === 0 && v !== 0
      ? `${v / 1024}*1024`
      : String(v);
}

function intsText(n: number): (at: number) => string {
  return (at) => `[${Array.from({ length: n }, (_, i) => view.getInt32(at + 4 * i, true)).join(', ')}]`;
}

const CLONE_NAMES = namesOf(sched, 'CLONE_', [
  'CLONE_ARGS_SIZE_VER0',
  'CLONE_ARGS_SIZE_VER1',
  'CLONE_ARGS_SIZE_VER2',
]);

function cloneArgsText(at: number): string {
  const flags = flagsText(view.getUint32(at, true), CLONE_NAMES);
  const sig = getU64(view, at + 32);
  const stack = getU64(view, at + 40);
  return `{flags=${flags}, exit_signal=${sig === 0 ? 0 : signal.signalName(sig)}, stack=${hexText(stack)}, ...}`;
}

function fdSetText(t: Task, addr: number, args: ArrayLike<number>): string {
  if (addr === 0) return 'NULL';
  const n = Math.min(args[0] ?? 0, 1024);
  const bytes = Math.ceil(n / 8);
  if (!(n >= 0) || t.mem.copyIn(addr, buffer, 0, bytes) !== bytes) return hexText(addr);
  const fds: number[] = [];
  for (let fd = 0; fd < n; fd++) if (((buffer[fd >> 3]! >> (fd & 7)) & 1) === 1) fds.push(fd);
  return `[${fds.join(' ')}]`;
}

function direntsText(addr: number, result: number): string {
  return result < 0 ? hexText(addr) : `${hexText(addr)} /* ${result} bytes of entries */`;
}

/** A socket address whose length is the next argument, by value or (`out`) by pointer. */
const sockaddr: Decoder = (t, addr, args, index, result) => {
  if (addr === 0) return 'NULL';
  let len = args[index + 1] ?? 0;
  // A pointer to the length: accept, getsockname, recvfrom.
  if (len > 4096) {
    if (result < 0 || t.mem.copyIn(len, buffer, 0, 4) !== 4) return hexText(addr);
    len = view.getInt32(0, true);
  }
  return sockaddrText(t, addr, len);
};

function msghdrText(at: number, t: Task): string {
  const iov = getU64(view, at + 16);
  const n = getU64(view, at + 24);
  const control = getU64(view, at + 40);
  const parts = iovec(t, iov, [iov, n], 0, Number.POSITIVE_INFINITY);
  return `{msg_iov=${parts}, msg_iovlen=${n}, msg_controllen=${control}}`;
}

/** All decoders by the names that kinds.ts uses. */
export const structDecoders: Readonly<Record<string, Decoder>> = {
  stat: fixed(stat.SIZEOF_STAT, statText),
  statx: fixed(stat.SIZEOF_STATX, statxText),
  statfs: fixed(SIZEOF_STATFS, (at) => {
    const s = decodeStatfs(view, at);
    return `{f_type=0x${s.type.toString(16)}, f_bsize=${s.bsize}, f_blocks=${s.blocks}, ...}`;
  }),
  timespec: fixed(16, timespec),
  'timespec[2]': fixed(32, pair(timespec)),
  timeval: fixed(16, timeval),
  'timeval[2]': fixed(32, pair(timeval)),
  itimerspec: fixed(32, interval(timespec)),
  itimerval: fixed(32, interval(timeval)),
  timezone: fixed(
    8,
    (at) => `{tz_minuteswest=${view.getInt32(at, true)}, tz_dsttime=${view.getInt32(at + 4, true)}}`,
  ),
  sigaction: fixed(signal.SIZEOF_SIGACTION, sigactionText),
  sigset_t: fixed(8, (at) => signalSetText(view.getUint32(at, true), view.getUint32(at + 4, true))),
  siginfo_t: fixed(SIZEOF_SIGINFO, (at) => siginfoText(siginfo.decodeSiginfo(view, at))),
  stack_t: fixed(signal.SIZEOF_STACK, (at) => {
    const s = signal.decodeStack(view, at);
    const flags = flagsText(s.flags, namesOf(signal, 'SS_', ['SS_FLAG_BITS']));
    return `{ss_sp=${hexText(s.sp)}, ss_flags=${flags}, ss_size=${s.size}}`;
  }),
  iovec,
  pollfd: array(8, nextArgument, pollfdText),
  'pollfd[]': array(8, nextArgument, pollfdText),
  epoll_event: fixed(12, epollEventText),
  'epoll_event[]': array(12, callResult, epollEventText),
  rlimit: fixed(
    16,
    (at) => `{rlim_cur=${limitText(getU64(view, at))}, rlim_max=${limitText(getU64(view, at + 8))}}`,
  ),
  rusage: fixed(144, (at) => `{ru_utime=${timeval(at)}, ru_stime=${timeval(at + 16)}, ...}`),
  winsize: fixed(SIZEOF_WINSIZE, (at) => {
    const w = decodeWinsize(view, at);
    return `{ws_row=${w.row}, ws_col=${w.col}, ws_xpixel=${w.xpixel}, ws_ypixel=${w.ypixel}}`;
  }),
  utsname: fixed(SIZEOF_UTSNAME, (at) => {
    const u = decodeUtsname(view, at);
    return `{sysname="${u.sysname}", nodename="${u.nodename}", ...}`;
  }),
  sysinfo: fixed(SIZEOF_SYSINFO, (at) => {
    const s = decodeSysinfo(view, at);
    return `{uptime=${s.uptimeSec}, totalram=${s.totalram}, procs=${s.procs}, ...}`;
  }),
  open_how: fixed(SIZEOF_OPEN_HOW, (at) => {
    const h = decodeOpenHow(view, at);
    return `{flags=${flagsText(h.flags, namesOf(fcntl, 'O_', ['O_ACCMODE', 'O_NDELAY']), 'O_RDONLY')}, resolve=${h.resolve}}`;
  }),
  utimbuf: fixed(16, (at) => `{actime=${getI64(view, at)}, modtime=${getI64(view, at + 8)}}`),
  'int[2]': fixed(8, intsText(2)),
  int: fixed(4, intsText(1)),
  socklen_t: fixed(4, intsText(1)),
  clone_args: fixed(sched.SIZEOF_CLONE_ARGS - 24, cloneArgsText),
  fd_set: fdSetText,
  linux_dirent: (_t, addr, _a, _i, result) => direntsText(addr, result),
  linux_dirent64: (_t, addr, _a, _i, result) => direntsText(addr, result),
  sockaddr,
  msghdr: fixed(56, msghdrText),
  fcntl_arg: fcntlArg,
  // wait4 without a child to report leaves the status alone.
  wstatus: (t, addr, args, index, result) =>
    result === 0
      ? hexText(addr)
      : fixed(4, (at) => `[${waitStatusText(view.getInt32(at, true))}]`)(t, addr, args, index, result),
  char: (t, addr, _a, _i, result) => (result < 0 ? hexText(addr) : bufferText(t, addr, result)),
  argv: argvText,
  envp: (t, addr) => `${hexText(addr)} /* ${countPointers(t, addr)} vars */`,
};

const ARGV_MAX = 1024;

function countPointers(t: Task, addr: number): number {
  let n = 0;
  if (addr !== 0)
    while (n < ARGV_MAX && t.mem.copyIn(addr + 8 * n, buffer, 0, 8) === 8 && getU64(view, 0) !== 0) n++;
  return n;
}

function argvText(t: Task, addr: number): string {
  if (addr === 0) return 'NULL';
  const parts: string[] = [];
  for (let i = 0; i < 2 * SHOWN_ITEMS; i++) {
    if (t.mem.copyIn(addr + 8 * i, buffer, 0, 8) !== 8) return hexText(addr);
    const p = getU64(view, 0);
    if (p === 0) return `[${parts.join(', ')}]`;
    parts.push(stringText(t, p, SHOWN_BYTES));
  }
  return `[${parts.join(', ')}, ...]`;
}

/** Names of clocks, for the decoders of values. */
export const CLOCK_NAMES: readonly (readonly [string, number])[] = namesOf(time, 'CLOCK_', [
  'CLOCK_AUX',
  'CLOCK_SGI_CYCLE',
]);
export { CLONE_NAMES };
