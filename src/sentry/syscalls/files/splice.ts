// splice(2), tee(2), vmsplice(2). Each moves one batch: what is there, or what fits.

import { EAGAIN, EBADF, EFAULT, EINVAL, EPIPE, ESPIPE } from '../../../abi/errno.ts';
import { O_APPEND } from '../../../abi/fs/fcntl.ts';
import { SPLICE_F_GIFT, SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK } from '../../../abi/fs/splice.ts';
import { SIGPIPE } from '../../../abi/signal/signal.ts';
import { SYS_splice, SYS_tee, SYS_vmsplice } from '../../../abi/syscall.ts';
import { KernelIo } from '../../base/io.ts';
import { PipeFile } from '../../fs/pipe/pipe_file.ts';
import { anyHold, awaitHold } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { File } from '../../vfs/file.ts';
import { READ_EVENTS, WRITE_EVENTS, waitReadable, waitWritable } from '../blocking_io.ts';
import { fdget } from '../fdget.ts';
import { ADDR, FD, FLAGS, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { copyBuffer, lastOffset, preadWhole, readOffset, writeOffset } from './copy.ts';

const ALL_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

/** Waits for bytes in a pipe: 0 at its end, else BLOCKED, -EAGAIN, -ERESTARTSYS. */
function waitForData(t: Task, fd: number, f: PipeFile, flags: number): number {
  if (f.pipe.writers === 0) return 0;
  if ((flags & SPLICE_F_NONBLOCK) !== 0 || f.nonblocking) return -EAGAIN;
  t.pin(fd, f);
  return t.block(f.queue(), READ_EVENTS);
}

/** Waits for room in a pipe. */
function waitForRoom(t: Task, fd: number, f: PipeFile, flags: number): number {
  if ((flags & SPLICE_F_NONBLOCK) !== 0 || f.nonblocking) return -EAGAIN;
  t.pin(fd, f);
  return t.block(f.queue(), WRITE_EVENTS);
}

/** -EPIPE with SIGPIPE when nobody reads. */
function checkReaders(t: Task, f: PipeFile): number {
  if (f.pipe.readers > 0) return 0;
  t.raise(SIGPIPE);
  return -EPIPE;
}

/** Implements splice(2). */
function splice(
  t: Task,
  inFd: number,
  inAddr: number,
  outFd: number,
  outAddr: number,
  len: number,
  flags: number,
): number {
  if (len === 0) return 0;
  if ((flags & ~ALL_FLAGS) !== 0) return -EINVAL;
  const input = fdget(t, inFd);
  const output = fdget(t, outFd);
  if (input === null || output === null || !input.readable || !output.writable) return -EBADF;
  if (len < 0) return -EINVAL;
  if (input instanceof PipeFile) {
    if (inAddr !== 0) return -ESPIPE;
    if (!(output instanceof PipeFile)) return pipeToFile(t, inFd, input, outFd, output, outAddr, len, flags);
    if (outAddr !== 0) return -ESPIPE;
    return input.pipe === output.pipe ? -EINVAL : pipeToPipe(t, inFd, input, outFd, output, len, flags);
  }
  if (!(output instanceof PipeFile)) return -EINVAL;
  return outAddr !== 0 ? -ESPIPE : fileToPipe(t, inFd, input, inAddr, outFd, output, len, flags);
}

function pipeToPipe(
  t: Task,
  inFd: number,
  input: PipeFile,
  outFd: number,
  output: PipeFile,
  len: number,
  flags: number,
): number {
  if (input.pipe.size === 0) return waitForData(t, inFd, input, flags);
  const r = checkReaders(t, output);
  if (r < 0) return r;
  if (!output.pipe.writable) return waitForRoom(t, outFd, output, flags);
  const bytes = input.pipe.peek(Math.min(len, output.pipe.ring.free));
  const n = output.pipe.write(new KernelIo(bytes), false);
  input.pipe.consume(n);
  return n;
}

function pipeToFile(
  t: Task,
  inFd: number,
  input: PipeFile,
  outFd: number,
  output: File,
  outAddr: number,
  len: number,
  flags: number,
): number {
  let pos = -1;
  if (outAddr !== 0) {
    if (!output.seekable) return -ESPIPE;
    const r = readOffset(t, outAddr);
    if (r < 0) return r;
    pos = lastOffset();
  }
  if ((output.flags & O_APPEND) !== 0) return -EINVAL;
  if (input.pipe.size === 0) return waitForData(t, inFd, input, flags);
  const wait = anyHold() ? awaitHold(t, output.inode) : 0;
  if (wait !== 0) return wait;
  let done = 0;
  while (done < len && input.pipe.size > 0) {
    const io = new KernelIo(input.pipe.peek(len - done));
    const n = pos < 0 ? output.write(t, io) : output.pwrite(t, io, pos + done);
    if (n <= 0) {
      if (done > 0) break;
      if (n !== -EAGAIN) return n;
      return (flags & SPLICE_F_NONBLOCK) !== 0 ? -EAGAIN : waitWritable(t, outFd, output);
    }
    input.pipe.consume(n);
    done += n;
  }
  if (outAddr !== 0 && writeOffset(t, outAddr, pos + done) !== 0) return -EFAULT;
  return done;
}

function fileToPipe(
  t: Task,
  inFd: number,
  input: File,
  inAddr: number,
  outFd: number,
  output: PipeFile,
  len: number,
  flags: number,
): number {
  let pos = -1;
  if (inAddr !== 0) {
    if (!input.seekable) return -ESPIPE;
    const r = readOffset(t, inAddr);
    if (r < 0) return r;
    pos = lastOffset();
  }
  const r = checkReaders(t, output);
  if (r < 0) return r;
  if (!output.pipe.writable) return waitForRoom(t, outFd, output, flags);
  // Never more than the pipe takes: what a socket gave could not be put back.
  const io = new KernelIo(copyBuffer, 0, Math.min(len, output.pipe.ring.free, copyBuffer.length));
  const n = pos < 0 ? input.read(t, io) : preadWhole(t, input, io, pos);
  if (n === -EAGAIN) return (flags & SPLICE_F_NONBLOCK) !== 0 ? -EAGAIN : waitReadable(t, inFd, input);
  if (n <= 0) return n;
  const w = output.pipe.write(new KernelIo(copyBuffer, 0, n), false);
  if (inAddr !== 0 && writeOffset(t, inAddr, pos + w) !== 0) return -EFAULT;
  return w;
}

/** Implements tee(2): copies without consuming. */
function tee(t: Task, inFd: number, outFd: number, len: number, flags: number): number {
  if ((flags & ~ALL_FLAGS) !== 0) return -EINVAL;
  if (len === 0) return 0;
  const input = fdget(t, inFd);
  const output = fdget(t, outFd);
  if (input === null || output === null || !input.readable || !output.writable) return -EBADF;
  if (!(input instanceof PipeFile) || !(output instanceof PipeFile) || input.pipe === output.pipe || len < 0)
    return -EINVAL;
  if (input.pipe.size === 0) return waitForData(t, inFd, input, flags);
  const r = checkReaders(t, output);
  if (r < 0) return r;
  if (!output.pipe.writable) return waitForRoom(t, outFd, output, flags);
  const room = Math.min(len, output.pipe.ring.free, copyBuffer.length);
  const n = input.pipe.copyTo(new KernelIo(copyBuffer, 0, room), 0);
  return output.pipe.write(new KernelIo(copyBuffer, 0, n), false);
}

/** Implements vmsplice(2): bytes are copied, SPLICE_F_GIFT or not. */
function vmsplice(t: Task, fd: number, iov: number, count: number, flags: number): number {
  if ((flags & ~ALL_FLAGS) !== 0) return -EINVAL;
  const f = fdget(t, fd);
  if (f === null || !(f instanceof PipeFile)) return -EBADF;
  const io = t.mem.iovec(iov, count);
  if (typeof io === 'number') return io;
  if (io.remaining === 0) return 0;
  if (!f.writable) {
    const n = f.pipe.read(io);
    return n === -EAGAIN ? waitForData(t, fd, f, flags) : n;
  }
  const r = checkReaders(t, f);
  if (r < 0) return r;
  return f.pipe.writable ? f.write(t, io) : waitForRoom(t, fd, f, flags);
}

const SPLICE = FLAGS('flags', [
  ['SPLICE_F_MOVE', SPLICE_F_MOVE],
  ['SPLICE_F_NONBLOCK', SPLICE_F_NONBLOCK],
  ['SPLICE_F_MORE', SPLICE_F_MORE],
  ['SPLICE_F_GIFT', SPLICE_F_GIFT],
]);

export const rows = [
  sys(SYS_splice, [FD, ADDR, FD, ADDR, SIZE, SPLICE], splice),
  sys(SYS_tee, [FD, FD, SIZE, SPLICE], tee),
  sys(SYS_vmsplice, [FD, STRUCT('iovec'), SIZE, SPLICE], vmsplice),
];
