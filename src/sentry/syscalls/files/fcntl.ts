// fcntl(2), flock(2), ioctl(2).

import {
  EACCES,
  EAGAIN,
  EBADF,
  EDEADLK,
  EFAULT,
  EINVAL,
  EMFILE,
  ENOTTY,
  EOVERFLOW,
  EPERM,
  ERESTARTSYS,
} from '../../../abi/errno.ts';
import { POLLIN } from '../../../abi/events/poll.ts';
import {
  decodeFlock,
  encodeFlock,
  F_ADD_SEALS,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_DUPFD_QUERY,
  F_GET_FILE_RW_HINT,
  F_GET_RW_HINT,
  F_GET_SEALS,
  F_GETFD,
  F_GETFL,
  F_GETLEASE,
  F_GETLK,
  F_GETOWN,
  F_GETOWN_EX,
  F_GETPIPE_SZ,
  F_GETSIG,
  F_NOTIFY,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_OWNER_PGRP,
  F_OWNER_PID,
  F_OWNER_TID,
  F_RDLCK,
  F_SET_FILE_RW_HINT,
  F_SET_RW_HINT,
  F_SETFD,
  F_SETFL,
  F_SETLEASE,
  F_SETLK,
  F_SETLKW,
  F_SETOWN,
  F_SETOWN_EX,
  F_SETPIPE_SZ,
  F_SETSIG,
  F_UNLCK,
  F_WRLCK,
  FASYNC,
  FD_CLOEXEC,
  FLOCK_L_LEN,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  O_APPEND,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
  O_PATH,
  RWH_WRITE_LIFE_EXTREME,
  SIZEOF_FLOCK,
} from '../../../abi/fs/fcntl.ts';
import { SEEK_CUR, SEEK_END, SEEK_SET } from '../../../abi/fs/fs.ts';
import { S_IFDIR, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import { FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIOQSIZE } from '../../../abi/ioctl.ts';
import { CAP_LEASE } from '../../../abi/process/capability.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import { SYS_fcntl, SYS_flock, SYS_ioctl } from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED } from '../../kernel/block.ts';
import type { Task } from '../../kernel/task/task.ts';
import { interfaceIoctl } from '../../socket/inet/if_ioctl.ts';
import { SocketFile } from '../../socket/socket.ts';
import type { File } from '../../vfs/file.ts';
import { beginWait, endWait, LOCK_EOF, locksOf, recordWait } from '../../vfs/locks.ts';
import { ownerOrCapable } from '../../vfs/permission.ts';
import { fdget } from '../fdget.ts';
import { FD, FLAGS, IOCTL_ARG, IOCTL_CMD, ONE_OF, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { setOwner, updateAsync } from '../signals/sigio.ts';

/** Status flags that F_SETFL may change. */
const SETFL_FLAGS = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC;
const SIGNAL_MAX = 64;
/** 2^63 - 1, as near as a double comes to it. */
const OFFSET_MAX = 2 ** 63;

/** Implements fcntl(2). */
function fcntl(t: Task, fd: number, cmd: number, arg: number): number {
  const f = t.file(fd);
  if (f === null) return -EBADF;
  switch (cmd) {
    case F_DUPFD:
      return dupFrom(t, f, arg, false);
    case F_DUPFD_CLOEXEC:
      return dupFrom(t, f, arg, true);
    case F_DUPFD_QUERY: {
      const other = t.fds.get(arg | 0);
      return other === null ? -EBADF : other === f ? 1 : 0;
    }
    case F_GETFD:
      return t.fds.isCloexec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
      t.fds.setCloexec(fd, arg % 2 !== 0);
      return 0;
    case F_GETFL:
      return f.flags;
  }
  return (f.flags & O_PATH) !== 0 ? -EBADF : fcntlFile(t, fd, f, cmd, arg);
}

/** The commands that an O_PATH descriptor refuses. */
function fcntlFile(t: Task, fd: number, f: File, cmd: number, arg: number): number {
  switch (cmd) {
    case F_SETFL:
      return setFlags(t, fd, f, arg | 0);
    case F_GETLK:
    case F_OFD_GETLK:
      return getLock(t, f, arg, cmd === F_OFD_GETLK);
    case F_SETLK:
    case F_SETLKW:
      return setLock(t, fd, f, arg, cmd === F_SETLKW, false);
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return setLock(t, fd, f, arg, cmd === F_OFD_SETLKW, true);
    case F_GETOWN:
      return f.owner;
    case F_SETOWN:
      // A pid or -pgid; INT_MIN has no group.
      if ((arg | 0) === -0x8000_0000) return -EINVAL;
      return setOwner(t, f, arg | 0, false);
    case F_GETOWN_EX:
    case F_SETOWN_EX:
      return ownerEx(t, f, arg, cmd === F_SETOWN_EX);
    case F_GETSIG:
      return f.ownerSig;
    case F_SETSIG:
      if (arg < 0 || arg > SIGNAL_MAX) return -EINVAL;
      f.ownerSig = arg;
      return 0;
    case F_GETPIPE_SZ:
      return f.pipeSize(t, -1);
    case F_SETPIPE_SZ:
      return arg < 0 || arg > 0x7fffffff ? -EINVAL : f.pipeSize(t, arg);
    case F_ADD_SEALS:
      return f.addSeals(arg | 0);
    case F_GET_SEALS:
      return f.getSeals();
    case F_GETLEASE:
      return F_UNLCK;
    case F_SETLEASE:
      return setLease(t, f, arg | 0);
    case F_GET_RW_HINT:
    case F_GET_FILE_RW_HINT:
      putU64(scratchView, 0, 0);
      return t.mem.copyOutExact(arg, scratch, 0, 8);
    case F_SET_RW_HINT:
    case F_SET_FILE_RW_HINT:
      if (t.mem.copyInExact(arg, scratch, 0, 8) !== 0) return -EFAULT;
      return scratchView.getUint32(0, true) > RWH_WRITE_LIFE_EXTREME || scratchView.getUint32(4, true) !== 0
        ? -EINVAL
        : 0;
    case F_NOTIFY:
      countUnsupported('fcntl F_NOTIFY');
      return -EINVAL;
    default:
      return -EINVAL;
  }
}

function dupFrom(t: Task, f: File, min: number, cloexec: boolean): number {
  const limit = t.rlimit(RLIMIT_NOFILE);
  if (min < 0 || min >= limit) return -EINVAL;
  const fd = t.fds.install(f.ref(), cloexec, limit, min);
  if (fd < 0) f.unref();
  return fd === -EBADF ? -EMFILE : fd;
}

function setFlags(t: Task, fd: number, f: File, flags: number): number {
  if ((flags & O_NOATIME) !== 0 && (f.flags & O_NOATIME) === 0 && !ownerOrCapable(t.cred, f.inode))
    return -EPERM;
  if ((flags & O_DIRECT) !== 0 && (f.flags & O_DIRECT) === 0 && (f.inode.mode & S_IFMT) === S_IFDIR)
    return -EINVAL;
  f.flags = (f.flags & ~SETFL_FLAGS) | (flags & SETFL_FLAGS);
  f.onFlags();
  updateAsync(t, fd, f);
  return 0;
}

/** struct f_owner_ex: whether a thread, a process or a group gets SIGIO. */
function ownerEx(t: Task, f: File, addr: number, set: boolean): number {
  if (!set) {
    const type = f.owner < 0 ? F_OWNER_PGRP : f.ownerThread ? F_OWNER_TID : F_OWNER_PID;
    scratchView.setInt32(0, type, true);
    scratchView.setInt32(4, Math.abs(f.owner), true);
    return t.mem.copyOutExact(addr, scratch, 0, 8);
  }
  if (t.mem.copyInExact(addr, scratch, 0, 8) !== 0) return -EFAULT;
  const type = scratchView.getInt32(0, true);
  const pid = scratchView.getInt32(4, true);
  if (type !== F_OWNER_TID && type !== F_OWNER_PID && type !== F_OWNER_PGRP) return -EINVAL;
  if (pid < 0) return -EINVAL;
  return setOwner(t, f, type === F_OWNER_PGRP ? -pid : pid, type === F_OWNER_TID);
}

/** Leases are not kept: what Linux answers where a file system has none. */
function setLease(t: Task, f: File, type: number): number {
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) return -EINVAL;
  if (t.cred.fsuid !== f.inode.uid && !t.cred.capable(CAP_LEASE)) return -EACCES;
  if ((f.inode.mode & S_IFMT) !== S_IFREG) return -EINVAL;
  if (type === F_UNLCK) return -EAGAIN;
  countUnsupported('fcntl F_SETLEASE');
  return -EINVAL;
}

/** The range of a struct flock, [lockStart, lockEnd], after flockRange() returned 0. */
let lockStart = 0;
let lockEnd = 0;

/** Does the range end beyond the largest offset? Where numbers are not exact, the bytes that were read decide. */
function endsBeyond(from: number, len: number): boolean {
  if (from + len < 2 ** 62) return false;
  const exact = len > Number.MAX_SAFE_INTEGER ? scratchView.getBigInt64(FLOCK_L_LEN, true) : BigInt(len);
  return BigInt(from) + exact - 1n > 2n ** 63n - 1n;
}

function flockRange(f: File, whence: number, start: number, len: number): number {
  let base = 0;
  if (whence === SEEK_CUR) base = f.where();
  else if (whence === SEEK_END) base = f.inode.size;
  else if (whence !== SEEK_SET) return -EINVAL;
  const from = base + start;
  if (from > 2 ** 63 || (len > 0 && endsBeyond(from, len))) return -EOVERFLOW;
  // A negative length is the range before the start.
  lockStart = len < 0 ? from + len : from;
  lockEnd = len === 0 ? LOCK_EOF : len < 0 ? from - 1 : from + len - 1;
  // The largest offset means the end of the file, whatever that becomes.
  if (lockEnd >= OFFSET_MAX) lockEnd = LOCK_EOF;
  return lockStart < 0 ? -EINVAL : 0;
}

/** F_GETLK: the lock that stands in the way, or F_UNLCK. */
function getLock(t: Task, f: File, addr: number, ofd: boolean): number {
  if (t.mem.copyInExact(addr, scratch, 0, SIZEOF_FLOCK) !== 0) return -EFAULT;
  const l = decodeFlock(scratchView, 0);
  if (l.type !== F_RDLCK && l.type !== F_WRLCK && !(ofd && l.type === F_UNLCK)) return -EINVAL;
  if (ofd && l.pid !== 0) return -EINVAL;
  const r = flockRange(f, l.whence, l.start, l.len);
  if (r < 0) return r;
  const locks = f.inode.locks;
  const other = locks === null ? null : locks.conflict(ofd ? f : t.fds, l.type, lockStart, lockEnd);
  if (other === null) l.type = F_UNLCK;
  else {
    l.type = other.type;
    l.whence = SEEK_SET;
    l.start = other.start;
    l.len = other.end === LOCK_EOF ? 0 : other.end - other.start + 1;
    l.pid = other.pid;
  }
  encodeFlock(scratchView, 0, l);
  return t.mem.copyOutExact(addr, scratch, 0, SIZEOF_FLOCK);
}

/** F_SETLK and F_SETLKW, POSIX or OFD. */
function setLock(t: Task, fd: number, f: File, addr: number, wait: boolean, ofd: boolean): number {
  endWait(t);
  if (t.mem.copyInExact(addr, scratch, 0, SIZEOF_FLOCK) !== 0) return -EFAULT;
  const l = decodeFlock(scratchView, 0);
  if (ofd && l.pid !== 0) return -EINVAL;
  const r = flockRange(f, l.whence, l.start, l.len);
  if (r < 0) return r;
  if (l.type === F_RDLCK) {
    if (!f.readable) return -EBADF;
  } else if (l.type === F_WRLCK) {
    if (!f.writable) return -EBADF;
  } else if (l.type !== F_UNLCK) return -EINVAL;
  if (l.type === F_UNLCK && f.inode.locks === null) return 0;
  const owner = ofd ? f : t.fds;
  const locks = locksOf(f.inode);
  const done = locks.setRecord(owner, ofd ? -1 : t.tgid, l.type, lockStart, lockEnd);
  if (done !== -EAGAIN || !wait) return done;
  if (!ofd) {
    const blocker = locks.conflict(owner, l.type, lockStart, lockEnd)!.owner;
    if (beginWait(t, owner, blocker) < 0) return -EDEADLK;
  }
  t.pin(fd, f);
  const waited = t.block(locks.queue, POLLIN);
  if (waited !== BLOCKED) endWait(t);
  else if (!ofd) t.call.state = recordWait;
  return waited;
}

/** Implements flock(2). */
function flock(t: Task, fd: number, op: number): number {
  const how = op & ~LOCK_NB;
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if (how !== LOCK_SH && how !== LOCK_EX && how !== LOCK_UN) return -EINVAL;
  if (how === LOCK_UN && f.inode.locks === null) return 0;
  const locks = locksOf(f.inode);
  const r = locks.setFlock(f, how, t.tgid);
  if (r !== -EAGAIN || (op & LOCK_NB) !== 0) return r;
  t.pin(fd, f);
  const waited = t.block(locks.queue, POLLIN);
  return waited === BLOCKED ? waited : -ERESTARTSYS;
}

/** Implements ioctl(2): what every descriptor knows here, the rest by the file. */
function ioctl(t: Task, fd: number, cmd: number, arg: number): number {
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  switch (cmd >>> 0) {
    case FIOCLEX:
      t.fds.setCloexec(fd, true);
      return 0;
    case FIONCLEX:
      t.fds.setCloexec(fd, false);
      return 0;
    case FIONBIO:
    case FIOASYNC: {
      if (t.mem.copyInExact(arg, scratch, 0, 4) !== 0) return -EFAULT;
      const bit = cmd >>> 0 === FIONBIO ? O_NONBLOCK : FASYNC;
      f.flags = scratchView.getInt32(0, true) !== 0 ? f.flags | bit : f.flags & ~bit;
      f.onFlags();
      updateAsync(t, fd, f);
      return 0;
    }
    case FIOQSIZE: {
      const type = f.inode.mode & S_IFMT;
      if (type !== S_IFREG && type !== S_IFDIR) break;
      putU64(scratchView, 0, f.inode.size);
      return t.mem.copyOutExact(arg, scratch, 0, 8);
    }
  }
  const r = f.ioctl(t, cmd >>> 0, arg);
  // Sockets of all families answer about interfaces, those of the caller's namespace when they have none: netdevice(7).
  if (r !== -ENOTTY || !(f instanceof SocketFile)) return r;
  return interfaceIoctl(t, t.net.stack, f.family, cmd >>> 0, arg);
}

const CMD = ONE_OF('cmd', [
  ['F_DUPFD', F_DUPFD],
  ['F_GETFD', F_GETFD],
  ['F_SETFD', F_SETFD],
  ['F_GETFL', F_GETFL],
  ['F_SETFL', F_SETFL],
  ['F_GETLK', F_GETLK],
  ['F_SETLK', F_SETLK],
  ['F_SETLKW', F_SETLKW],
  ['F_SETOWN', F_SETOWN],
  ['F_GETOWN', F_GETOWN],
  ['F_SETSIG', F_SETSIG],
  ['F_GETSIG', F_GETSIG],
  ['F_SETOWN_EX', F_SETOWN_EX],
  ['F_GETOWN_EX', F_GETOWN_EX],
  ['F_OFD_GETLK', F_OFD_GETLK],
  ['F_OFD_SETLK', F_OFD_SETLK],
  ['F_OFD_SETLKW', F_OFD_SETLKW],
  ['F_SETLEASE', F_SETLEASE],
  ['F_GETLEASE', F_GETLEASE],
  ['F_DUPFD_CLOEXEC', F_DUPFD_CLOEXEC],
  ['F_SETPIPE_SZ', F_SETPIPE_SZ],
  ['F_GETPIPE_SZ', F_GETPIPE_SZ],
  ['F_ADD_SEALS', F_ADD_SEALS],
  ['F_GET_SEALS', F_GET_SEALS],
]);
const FLOCK_OP = FLAGS('op', [
  ['LOCK_SH', LOCK_SH],
  ['LOCK_EX', LOCK_EX],
  ['LOCK_UN', LOCK_UN],
  ['LOCK_NB', LOCK_NB],
]);

export const rows = [
  sys(SYS_fcntl, [FD, CMD, STRUCT('fcntl_arg')], fcntl, 'no leases, no F_NOTIFY'),
  sys(SYS_flock, [FD, FLOCK_OP], flock),
  sys(SYS_ioctl, [FD, IOCTL_CMD, IOCTL_ARG], ioctl),
];
