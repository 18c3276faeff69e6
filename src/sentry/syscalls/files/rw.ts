// read(2), write(2), pread64(2), pwrite64(2), readv(2), writev(2), preadv(2), pwritev(2), preadv2(2), pwritev2(2),
// lseek(2).

import { EAGAIN, EBADF, EFAULT, EINVAL, EOPNOTSUPP, ESPIPE } from '../../../abi/errno.ts';
import { O_APPEND, O_NONBLOCK } from '../../../abi/fs/fcntl.ts';
import {
  RWF_APPEND,
  RWF_DSYNC,
  RWF_HIPRI,
  RWF_NOAPPEND,
  RWF_NOWAIT,
  RWF_SYNC,
  SEEK_MAX,
} from '../../../abi/fs/fs.ts';
import { S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import {
  SYS_lseek,
  SYS_pread64,
  SYS_preadv,
  SYS_preadv2,
  SYS_pwrite64,
  SYS_pwritev,
  SYS_pwritev2,
  SYS_read,
  SYS_readv,
  SYS_write,
  SYS_writev,
} from '../../../abi/syscall.ts';
import type { Io } from '../../base/io.ts';
import { BLOCKED, SLICE_BYTES } from '../../kernel/block.ts';
import { anyHold, awaitHold, endHolds, hold } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { GUEST_TOP } from '../../platform/platform.ts';
import { type File, WORKS_ON } from '../../vfs/file.ts';
import { continues, MAX_RW_COUNT, noteRead, noteWrite, waitReadable, waitWritable } from '../blocking_io.ts';
import { fdget } from '../fdget.ts';
import { FD, FLAGS, IN_BUF, OFF, ONE_OF, OUT_BUF, SIZE, STRUCT } from '../kinds.ts';

import { sys } from '../row.ts';

/** The position argument of a call that uses the file's own. */
const OWN_POS = -1;

/** access_ok(): the range lies within what a guest may address. 0, -EFAULT, -EINVAL for a size with its top bit set. */
function checkRange(addr: number, len: number): number {
  if (len < 0) return -EINVAL;
  return addr < 0 || addr + len > GUEST_TOP ? -EFAULT : 0;
}

/**
 * One read into `io`, at the file's position or at `pos`. Long ones of files with a position are done in slices; bytes
 * that earlier slices of this call have read are skipped.
 */
function readFile(t: Task, fd: number, f: File, io: Io, pos: number): number {
  if (anyHold() && pos === OWN_POS) {
    t.pin(fd, f);
    const r = awaitHold(t, f);
    if (r !== 0) return r;
  }
  if (io.remaining > SLICE_BYTES && f.seekable) return readSlice(t, fd, f, io, pos);
  const n = pos === OWN_POS ? f.read(t, io) : f.pread(t, io, pos);
  if (n === -EAGAIN) return waitReadable(t, fd, f);
  if (n > 0) noteRead(f);
  if (n !== WORKS_ON) return n;
  t.pin(fd, f);
  return t.giveWay();
}

function readSlice(t: Task, fd: number, f: File, io: Io, pos: number): number {
  const { call } = t;
  const before = call.active ? call.done : 0;
  io.skip(before);
  const left = io.remaining;
  // A device such as /dev/zero stops for any signal, files only for death.
  const stops = before > 0 && t.signalled && (f.inode.mode & S_IFMT) !== S_IFREG;
  io.remaining = stops ? 0 : Math.min(left, SLICE_BYTES);
  const n = stops ? 0 : pos === OWN_POS ? f.read(t, io) : f.pread(t, io, pos + before);
  if (n === -EAGAIN && before === 0) return waitReadable(t, fd, f);
  if (n > 0) noteRead(f);
  if ((n === SLICE_BYTES && n < left) || n === WORKS_ON) {
    t.pin(fd, f);
    call.done = before + Math.max(n, 0);
    if (pos === OWN_POS) hold(t, f);
    if (t.giveWay() === BLOCKED) return BLOCKED;
  }
  endHolds(t);
  return n > 0 ? before + n : before > 0 ? before : n;
}

/**
 * A write of what `io` has left, going on after short writes to streams, and in slices; `before` bytes went before. `pos`
 * is where the call began.
 */
function writeFile(t: Task, fd: number, f: File, io: Io, pos: number, before: number): number {
  if (anyHold() && f.seekable) {
    t.pin(fd, f);
    const r = awaitHold(t, f.inode) || (pos === OWN_POS ? awaitHold(t, f) : 0);
    if (r !== 0) return r;
  }
  if (io.remaining > SLICE_BYTES && f.seekable) return writeSlice(t, fd, f, io, pos, before);
  let done = before;
  for (;;) {
    const n = pos === OWN_POS ? f.write(t, io) : f.pwrite(t, io, pos + done);
    if (n >= 0) {
      done += n;
      if (n > 0) noteWrite(f);
      if (n === 0 || io.remaining === 0 || !continues(f)) break;
      continue;
    }
    if (n !== -EAGAIN) {
      if (done === 0) return n;
      break;
    }
    const r = waitWritable(t, fd, f);
    if (r === BLOCKED) {
      t.call.done = done;
      return r;
    }
    return done > 0 ? done : r;
  }
  if (before > 0) endHolds(t);
  return done;
}

function writeSlice(t: Task, fd: number, f: File, io: Io, pos: number, before: number): number {
  io.remaining = SLICE_BYTES;
  const n = pos === OWN_POS ? f.write(t, io) : f.pwrite(t, io, pos + before);
  if (n > 0) noteWrite(f);
  if (n === SLICE_BYTES) {
    t.pin(fd, f);
    t.call.done = before + n;
    hold(t, f.inode);
    if (pos === OWN_POS) hold(t, f);
    if (t.giveWay() === BLOCKED) return BLOCKED;
  }
  endHolds(t);
  return n > 0 ? before + n : before > 0 ? before : n;
}

/** Implements read(2). */
function read(t: Task, fd: number, addr: number, len: number): number {
  const f = fdget(t, fd);
  if (f === null || !f.readable) return -EBADF;
  const bad = checkRange(addr, len);
  if (bad !== 0) return bad;
  return readFile(t, fd, f, t.mem.io(addr, Math.min(len, MAX_RW_COUNT)), OWN_POS);
}

/** Implements write(2). */
function write(t: Task, fd: number, addr: number, len: number): number {
  const f = fdget(t, fd);
  if (f === null || !f.writable) return -EBADF;
  const bad = checkRange(addr, len);
  if (bad !== 0) return bad;
  const done = t.call.active ? t.call.done : 0;
  const io = t.mem.io(addr + done, Math.min(len, MAX_RW_COUNT) - done);
  return writeFile(t, fd, f, io, OWN_POS, done);
}

/** Implements pread64(2). */
function pread64(t: Task, fd: number, addr: number, len: number, pos: number): number {
  if (pos < 0) return -EINVAL;
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if (!f.seekable) return -ESPIPE;
  if (!f.readable) return -EBADF;
  const bad = checkRange(addr, len);
  if (bad !== 0) return bad;
  return readFile(t, fd, f, t.mem.io(addr, Math.min(len, MAX_RW_COUNT)), pos);
}

/** Implements pwrite64(2). */
function pwrite64(t: Task, fd: number, addr: number, len: number, pos: number): number {
  if (pos < 0) return -EINVAL;
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if (!f.seekable) return -ESPIPE;
  if (!f.writable) return -EBADF;
  const bad = checkRange(addr, len);
  if (bad !== 0) return bad;
  const done = t.call.active ? t.call.done : 0;
  return writeFile(t, fd, f, t.mem.io(addr + done, Math.min(len, MAX_RW_COUNT) - done), pos, done);
}

/** The guest's vector, copied once in a call. */
function vectorOf(t: Task, iov: number, count: number): Io | number {
  const { vector } = t.call;
  return vector === null ? t.mem.iovec(iov, count) : t.mm.keptVector(vector);
}

/** `r` is what the call came to: one that goes on later keeps its vector. */
function afterVector(t: Task, r: number): number {
  if (r === BLOCKED && t.call.vector === null) t.call.keepVector(t.mm.keepVector());
  return r;
}

/** Reads into an iovec at the file's position or at `pos`. */
function readVector(t: Task, fd: number, f: File, iov: number, count: number, pos: number): number {
  if (!f.readable) return -EBADF;
  const io = vectorOf(t, iov, count);
  if (typeof io === 'number') return io;
  // readv(2) of nothing touches nothing, whatever the file.
  return io.remaining === 0 ? 0 : afterVector(t, readFile(t, fd, f, io, pos));
}

/** Writes from an iovec. */
function writeVector(t: Task, fd: number, f: File, iov: number, count: number, pos: number): number {
  if (!f.writable) return -EBADF;
  const io = vectorOf(t, iov, count);
  if (typeof io === 'number') return io;
  if (io.remaining === 0) return 0;
  const done = t.call.active ? t.call.done : 0;
  io.skip(done);
  return afterVector(t, writeFile(t, fd, f, io, pos, done));
}

/** Implements readv(2). */
function readv(t: Task, fd: number, iov: number, count: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : readVector(t, fd, f, iov, count, OWN_POS);
}

/** Implements writev(2). */
function writev(t: Task, fd: number, iov: number, count: number): number {
  const f = fdget(t, fd);
  return f === null ? -EBADF : writeVector(t, fd, f, iov, count, OWN_POS);
}

/** Implements preadv(2); the high word of the position is for 32-bit callers. */
function preadv(t: Task, fd: number, iov: number, count: number, pos: number): number {
  if (pos < 0) return -EINVAL;
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  return f.seekable ? readVector(t, fd, f, iov, count, pos) : -ESPIPE;
}

/** Implements pwritev(2). */
function pwritev(t: Task, fd: number, iov: number, count: number, pos: number): number {
  if (pos < 0) return -EINVAL;
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  return f.seekable ? writeVector(t, fd, f, iov, count, pos) : -ESPIPE;
}

/** Implements preadv2(2): a position of -1 is the file's own. -EOPNOTSUPP for unknown flags. */
function preadv2(
  t: Task,
  fd: number,
  iov: number,
  count: number,
  pos: number,
  _hi: number,
  rwf: number,
): number {
  if (pos < -1) return -EINVAL;
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if (pos !== OWN_POS && !f.seekable) return -ESPIPE;
  if ((rwf & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT)) !== 0) return -EOPNOTSUPP;
  const flags = f.flags;
  if ((rwf & RWF_NOWAIT) !== 0) f.flags |= O_NONBLOCK;
  const r = readVector(t, fd, f, iov, count, pos);
  f.flags = flags;
  return r;
}

/** Implements pwritev2(2). */
function pwritev2(
  t: Task,
  fd: number,
  iov: number,
  count: number,
  pos: number,
  _hi: number,
  rwf: number,
): number {
  if (pos < -1) return -EINVAL;
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if (pos !== OWN_POS && !f.seekable) return -ESPIPE;
  if ((rwf & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND)) !== 0)
    return -EOPNOTSUPP;
  if ((rwf & RWF_APPEND) !== 0 && (rwf & RWF_NOAPPEND) !== 0) return -EINVAL;
  // The flags hold for this call alone: nobody else runs before they are put back.
  const flags = f.flags;
  if ((rwf & RWF_NOWAIT) !== 0) f.flags |= O_NONBLOCK;
  if ((rwf & RWF_APPEND) !== 0) f.flags |= O_APPEND;
  if ((rwf & RWF_NOAPPEND) !== 0) f.flags &= ~O_APPEND;
  const r = writeVector(t, fd, f, iov, count, pos);
  f.flags = flags;
  return r;
}

/** Implements lseek(2). */
function lseek(t: Task, fd: number, off: number, whence: number): number {
  const f = fdget(t, fd);
  if (f === null) return -EBADF;
  if (whence < 0 || whence > SEEK_MAX) return -EINVAL;
  return f.lseek(t, off, whence);
}

const RWF = FLAGS('flags', [
  ['RWF_HIPRI', RWF_HIPRI],
  ['RWF_DSYNC', RWF_DSYNC],
  ['RWF_SYNC', RWF_SYNC],
  ['RWF_NOWAIT', RWF_NOWAIT],
  ['RWF_APPEND', RWF_APPEND],
  ['RWF_NOAPPEND', RWF_NOAPPEND],
]);
const WHENCE = ONE_OF('whence', [
  ['SEEK_SET', 0],
  ['SEEK_CUR', 1],
  ['SEEK_END', 2],
  ['SEEK_DATA', 3],
  ['SEEK_HOLE', 4],
]);
const IOV = STRUCT('iovec');
const IOV_OUT = STRUCT('iovec', true);

export const rows = [
  sys(SYS_read, [FD, OUT_BUF, SIZE], read),
  sys(SYS_write, [FD, IN_BUF, SIZE], write),
  sys(SYS_pread64, [FD, OUT_BUF, SIZE, OFF], pread64),
  sys(SYS_pwrite64, [FD, IN_BUF, SIZE, OFF], pwrite64),
  sys(SYS_readv, [FD, IOV_OUT, SIZE], readv),
  sys(SYS_writev, [FD, IOV, SIZE], writev),
  sys(SYS_preadv, [FD, IOV_OUT, SIZE, OFF, OFF], preadv),
  sys(SYS_pwritev, [FD, IOV, SIZE, OFF, OFF], pwritev),
  sys(SYS_preadv2, [FD, IOV_OUT, SIZE, OFF, OFF, RWF], preadv2),
  sys(SYS_pwritev2, [FD, IOV, SIZE, OFF, OFF, RWF], pwritev2),
  sys(SYS_lseek, [FD, OFF, WHENCE], lseek),
];
