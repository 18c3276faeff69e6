// open(2), openat(2), openat2(2), creat(2), close(2), close_range(2), dup(2), dup2(2), dup3(2).

import {
  E2BIG,
  EAGAIN,
  EBADF,
  EFAULT,
  EINTR,
  EINVAL,
  EMFILE,
  ENOENT,
  ENOMEM,
  ERESTARTSYS,
} from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../../abi/events/poll.ts';
import { CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE } from '../../../abi/fs/close_range.ts';
import {
  AT_FDCWD,
  decodeOpenHow,
  FASYNC,
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_SYNC,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  SIZEOF_OPEN_HOW,
} from '../../../abi/fs/fcntl.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import {
  SYS_close,
  SYS_close_range,
  SYS_creat,
  SYS_dup,
  SYS_dup2,
  SYS_dup3,
  SYS_open,
  SYS_openat,
  SYS_openat2,
} from '../../../abi/syscall.ts';
import { failed } from '../../base/errno.ts';
import { SCRATCH_SIZE, scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, type Parked } from '../../kernel/block.ts';
import { anyHold, awaitHold } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { InetStream } from '../../socket/inet/stream.ts';
import type { File } from '../../vfs/file.ts';
import { openAt } from '../../vfs/open.ts';
import { pathArg, targetOf } from '../file_args.ts';
import { FD, FLAGS, MODE, OPEN_FLAGS, OPEN_MODE, PATH, SIZE, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

/** VALID_OPEN_FLAGS of Linux: others are ignored by open(2) and refused by openat2(2). */
const VALID_FLAGS =
  O_ACCMODE |
  O_CREAT |
  O_EXCL |
  O_NOCTTY |
  O_TRUNC |
  O_APPEND |
  O_NONBLOCK |
  O_DSYNC |
  O_SYNC |
  FASYNC |
  O_DIRECT |
  O_LARGEFILE |
  O_DIRECTORY |
  O_NOFOLLOW |
  O_NOATIME |
  O_CLOEXEC |
  O_PATH |
  O_TMPFILE;
const PATH_FLAGS = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;
const RESOLVE_ALL =
  RESOLVE_NO_XDEV |
  RESOLVE_NO_MAGICLINKS |
  RESOLVE_NO_SYMLINKS |
  RESOLVE_BENEATH |
  RESOLVE_IN_ROOT |
  RESOLVE_CACHED;
/** The descriptor that a waiting open pins its file under: no real one, so nobody else finds it. */
const OPENING = -2;

/** Opens and installs; the last part of every open call. `flags` are within VALID_FLAGS. */
function openFd(
  t: Task,
  dirfd: number,
  pathAddr: number,
  flags: number,
  mode: number,
  resolve: number,
): number {
  let f: File;
  if (t.call.active && t.call.fd === OPENING) {
    f = t.call.file!.ref();
  } else {
    if ((flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY)) return -EINVAL;
    const path = pathArg(t, pathAddr);
    if (typeof path === 'number') return path;
    if (path.length === 0) return -ENOENT;
    // Before anything is made or cut off.
    if (!t.fds.hasRoom(t.rlimit(RLIMIT_NOFILE))) return -EMFILE;
    const wait = (flags & O_TRUNC) !== 0 && anyHold() ? awaitWrites(t, dirfd, path) : 0;
    if (wait !== 0) return wait;
    const made = openAt(t, dirfd, path, (flags & O_PATH) !== 0 ? flags & PATH_FLAGS : flags, mode, resolve);
    if (failed(made)) return made;
    f = made;
  }
  if (f.openWait() === -EAGAIN) {
    const r = waitOpen(t, f);
    if (r !== 0) return r;
  }
  const fd = t.fds.install(f, (flags & O_CLOEXEC) !== 0, t.rlimit(RLIMIT_NOFILE));
  if (fd < 0) f.unref();
  return fd;
}

/** Before a file is cut off: waits for a write to it that is done in slices. 0 for one that is not there, or not to be found. */
function awaitWrites(t: Task, dirfd: number, path: string): number {
  const inode = targetOf(t, dirfd, path, 0);
  return failed(inode) ? 0 : awaitHold(t, inode);
}

/** A FIFO waits for its other end; the file stays pinned to the call meanwhile. */
function waitOpen(t: Task, f: File): number {
  t.pin(OPENING, f);
  f.unref();
  const r = t.block(f.queue(), POLLIN | POLLOUT | POLLHUP | POLLERR);
  return r === BLOCKED || r === -ERESTARTSYS ? r : -EINTR;
}

/** Implements openat(2). */
function openat(t: Task, dirfd: number, path: number, flags: number, mode: number): number {
  return openFd(t, dirfd, path, (flags & VALID_FLAGS) | O_LARGEFILE, mode & 0o7777, 0);
}

/** Implements open(2). */
function open(t: Task, path: number, flags: number, mode: number): number {
  return openat(t, AT_FDCWD, path, flags, mode);
}

/** Implements creat(2). */
function creat(t: Task, path: number, mode: number): number {
  return openat(t, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/** Implements openat2(2). -EINVAL for flags that openat(2) would ignore, -E2BIG for a newer struct in use. */
function openat2(t: Task, dirfd: number, path: number, howAddr: number, size: number): number {
  if (size < SIZEOF_OPEN_HOW) return -EINVAL;
  if (size > Math.min(4096, SCRATCH_SIZE)) return -E2BIG;
  if (t.mem.copyInExact(howAddr, scratch, 0, size) !== 0) return -EFAULT;
  for (let i = SIZEOF_OPEN_HOW; i < size; i++) if (scratch[i] !== 0) return -E2BIG;
  const how = decodeOpenHow(scratchView, 0);
  if (how.flags > 0x7fffffff || (how.flags & ~VALID_FLAGS) !== 0) return -EINVAL;
  if (how.resolve > 0x7fffffff || (how.resolve & ~RESOLVE_ALL) !== 0) return -EINVAL;
  const both = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
  if ((how.resolve & both) === both) return -EINVAL;
  const makes = (how.flags & O_CREAT) !== 0 || (how.flags & TMPFILE_BIT) !== 0;
  if (makes ? how.mode > 0o7777 : how.mode !== 0) return -EINVAL;
  if ((how.flags & O_PATH) !== 0 && (how.flags & ~PATH_FLAGS) !== 0) return -EINVAL;
  // Nothing here can tell without looking whether a lookup would need more than the cache.
  if ((how.resolve & RESOLVE_CACHED) !== 0) return -EAGAIN;
  return openFd(
    t,
    dirfd,
    path,
    how.flags | ((how.flags & O_PATH) !== 0 ? 0 : O_LARGEFILE),
    how.mode,
    how.resolve,
  );
}

/** Implements close(2). */
function close(t: Task, fd: number): number {
  if (t.call.state instanceof LingerClose) return lingerOn(t, t.call.state);
  const file = t.fds.get(fd);
  return file instanceof InetStream && file.refs === 1 && file.lingerNs > 0
    ? closeLingering(t, fd, file)
    : t.fds.close(t, fd);
}

/** A close(2) whose descriptor is gone and which waits for what the socket has sent: SO_LINGER in socket(7). */
class LingerClose implements Parked {
  readonly socket: InetStream;

  constructor(socket: InetStream) {
    this.socket = socket;
  }

  abandon(): void {
    this.socket.unref();
  }
}

function closeLingering(t: Task, fd: number, socket: InetStream): number {
  socket.ref();
  const r = t.fds.close(t, fd);
  if (r < 0 || !socket.beginLinger()) {
    socket.unref();
    return r;
  }
  const record = new LingerClose(socket);
  t.call.state = record;
  return lingerOn(t, record);
}

/** The endpoint says POLLHUP when its time is over, too. A signal ends the wait, and the close is done all the same. */
function lingerOn(t: Task, record: LingerClose): number {
  const { socket } = record;
  if ((socket.poll() & POLLHUP) === 0) {
    const r = t.block(socket.waiters, POLLHUP);
    if (r === BLOCKED) return r;
  }
  t.call.state = null;
  socket.unref();
  return 0;
}

/** Implements close_range(2). */
function close_range(t: Task, first: number, last: number, flags: number): number {
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0) return -EINVAL;
  const from = first >>> 0;
  const to = last >>> 0;
  if (from > to) return -EINVAL;
  if ((flags & CLOSE_RANGE_UNSHARE) !== 0 && t.fds.refs > 1) {
    const own = t.fds.clone();
    t.fds.refs--;
    t.fds = own;
  }
  const end = Math.min(to, t.fds.length - 1);
  for (let fd = from; fd <= end; fd++) {
    if (t.fds.get(fd) === null) continue;
    if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) t.fds.setCloexec(fd, true);
    else t.fds.close(t, fd);
  }
  return 0;
}

/** Implements dup(2). */
function dup(t: Task, fd: number): number {
  const f = t.fds.get(fd);
  if (f === null) return -EBADF;
  const r = t.fds.install(f.ref(), false, t.rlimit(RLIMIT_NOFILE));
  if (r < 0) f.unref();
  return r;
}

/** Puts `f` at `fd`, closing what was there. */
function dupTo(t: Task, f: File, fd: number, cloexec: boolean): number {
  if (fd < 0 || fd >= t.rlimit(RLIMIT_NOFILE)) return -EBADF;
  if (!t.fds.mayHold(fd)) return -ENOMEM;
  f.ref();
  const old = t.fds.remove(fd);
  t.fds.put(fd, f, cloexec);
  if (old !== null) {
    old.flush(t);
    old.unref();
  }
  return fd;
}

/** Implements dup2(2). */
function dup2(t: Task, oldFd: number, newFd: number): number {
  const f = t.fds.get(oldFd);
  if (f === null) return -EBADF;
  return oldFd === newFd ? newFd : dupTo(t, f, newFd, false);
}

/** Implements dup3(2). */
function dup3(t: Task, oldFd: number, newFd: number, flags: number): number {
  if ((flags & ~O_CLOEXEC) !== 0 || oldFd === newFd) return -EINVAL;
  const f = t.fds.get(oldFd);
  return f === null ? -EBADF : dupTo(t, f, newFd, (flags & O_CLOEXEC) !== 0);
}

const DUP_FLAGS = FLAGS('flags', [['O_CLOEXEC', O_CLOEXEC]]);
const CLOSE_RANGE_FLAGS = FLAGS('flags', [
  ['CLOSE_RANGE_UNSHARE', CLOSE_RANGE_UNSHARE],
  ['CLOSE_RANGE_CLOEXEC', CLOSE_RANGE_CLOEXEC],
]);

export const rows = [
  sys(SYS_open, [PATH, OPEN_FLAGS, OPEN_MODE], open),
  sys(SYS_openat, [FD, PATH, OPEN_FLAGS, OPEN_MODE], openat),
  sys(SYS_openat2, [FD, PATH, STRUCT('open_how'), SIZE], openat2, 'RESOLVE_CACHED always answers EAGAIN'),
  sys(SYS_creat, [PATH, MODE], creat),
  sys(SYS_close, [FD], close),
  sys(SYS_close_range, [UINT, UINT, CLOSE_RANGE_FLAGS], close_range),
  sys(SYS_dup, [FD], dup),
  sys(SYS_dup2, [FD, FD], dup2),
  sys(SYS_dup3, [FD, FD, DUP_FLAGS], dup3),
];
