// sendfile(2), copy_file_range(2): bytes from file to file through a buffer of the kernel.

import { EAGAIN, EBADF, EFAULT, EINVAL, EISDIR, EOVERFLOW, ESPIPE, EXDEV } from '../../../abi/errno.ts';
import { POLLERR, POLLOUT } from '../../../abi/events/poll.ts';
import { O_APPEND } from '../../../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../../abi/fs/stat.ts';
import { SYS_copy_file_range, SYS_sendfile } from '../../../abi/syscall.ts';
import { getI64, putU64 } from '../../../abi/u64.ts';
import { KernelIo } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, SLICE_BYTES } from '../../kernel/block.ts';
import { anyHold, awaitHold } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { type File, WORKS_ON } from '../../vfs/file.ts';
import { MAX_FILE_SIZE } from '../../vfs/regularfile.ts';
import { MAX_RW_COUNT, noteRead, noteWrite, waitReadable, waitWritable } from '../blocking_io.ts';
import { fdget } from '../fdget.ts';
import { ADDR, FD, SIZE, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

/** Bytes moved at a time. One buffer serves all calls: none of them waits while it holds bytes. */
const CHUNK = 262144;
export const copyBuffer: Uint8Array = new Uint8Array(CHUNK);

/** The signed 64-bit value at a guest address, in offsetValue after 0; -EFAULT, -EINVAL when negative. */
let offsetValue = 0;
export function readOffset(t: Task, addr: number): number {
  if (t.mem.copyInExact(addr, scratch, 0, 8) !== 0) return -EFAULT;
  offsetValue = getI64(scratchView, 0);
  return offsetValue < 0 ? -EINVAL : 0;
}

/** What the last readOffset() read. */
export function lastOffset(): number {
  return offsetValue;
}

export function writeOffset(t: Task, addr: number, value: number): number {
  putU64(scratchView, 0, value);
  return t.mem.copyOutExact(addr, scratch, 0, 8);
}

/**
 * Implements sendfile(2). A blocking output waits for room; progress is in call.done, the input's position moves along.
 */
function sendfile(t: Task, outFd: number, inFd: number, offAddr: number, count: number): number {
  const input = fdget(t, inFd);
  if (input === null || !input.readable) return -EBADF;
  const output = fdget(t, outFd);
  if (output === null || !output.writable) return -EBADF;
  if (count < 0) return -EINVAL;
  if ((input.inode.mode & S_IFMT) === S_IFDIR) return -EINVAL;
  if ((output.flags & O_APPEND) !== 0) return -EINVAL;
  const wait = anyHold() ? awaitHold(t, output.inode) : 0;
  if (wait !== 0) return wait;
  // What cannot seek is taken from sockets into pipes alone: elsewhere, bytes that the output refuses would be lost.
  const streams = (input.inode.mode & S_IFMT) === S_IFSOCK && (output.inode.mode & S_IFMT) === S_IFIFO;
  if (!input.seekable && offAddr === 0 && !streams) return -EINVAL;
  let start = input.where();
  if (offAddr !== 0) {
    const r = readOffset(t, offAddr);
    if (r < 0) return r;
    if (!input.seekable) return -ESPIPE;
    start = lastOffset();
  }
  // At a retry the offset in guest memory is still the first one, and the file's position has moved already.
  let done = t.call.active ? t.call.done : 0;
  let pos = offAddr !== 0 ? start + done : start;
  const want = Math.min(count, MAX_RW_COUNT);
  const end = Math.min(want, done + SLICE_BYTES);
  let r = 0;
  while (done < end) {
    r = sendChunk(t, input, output, offAddr !== 0, pos, end - done);
    if (r <= 0) break;
    pos += r;
    done += r;
  }
  if (r > 0 && done < want && !t.signalled) {
    t.pin(inFd, input);
    t.call.done = done;
    const w = t.giveWay();
    if (w === BLOCKED) return w;
  }
  if (r === -EAGAIN) {
    const wait = inputEmpty ? waitReadable(t, inFd, input) : waitWritable(t, outFd, output);
    if (wait === BLOCKED) {
      t.call.done = done;
      return BLOCKED;
    }
    r = wait;
  }
  if (offAddr !== 0 && done > 0 && writeOffset(t, offAddr, pos) !== 0) return -EFAULT;
  return done > 0 ? done : r;
}

/** After sendChunk() said -EAGAIN: it was the input that had nothing. */
let inputEmpty = false;

/** Moves one chunk; bytes, 0 at the end of the input, -errno. Bytes that the output did not take stay in the input. */
function sendChunk(t: Task, input: File, output: File, own: boolean, pos: number, max: number): number {
  inputEmpty = false;
  const len = Math.min(max, CHUNK);
  if (!input.seekable && (output.poll() & (POLLOUT | POLLERR)) === 0 && output.queue() !== null)
    return -EAGAIN;
  const io = new KernelIo(copyBuffer, 0, len);
  const n = input.seekable ? preadWhole(t, input, io, pos) : input.read(t, io);
  if (n <= 0) {
    inputEmpty = n === -EAGAIN;
    return n;
  }
  noteRead(input);
  const w = output.write(t, new KernelIo(copyBuffer, 0, n));
  if (w > 0) {
    if (input.seekable && !own) input.moveTo(pos + w);
    noteWrite(output);
  }
  return w;
}

/** pread() that does not come back before it has an answer. */
export function preadWhole(t: Task, f: File, io: KernelIo, pos: number): number {
  let n = f.pread(t, io, pos);
  while (n === WORKS_ON) n = f.pread(t, io, pos);
  return n;
}

/** Implements copy_file_range(2). -EXDEV between file systems of different kinds, -EINVAL for overlapping ranges. */
function copy_file_range(
  t: Task,
  inFd: number,
  inAddr: number,
  outFd: number,
  outAddr: number,
  len: number,
  flags: number,
): number {
  const input = fdget(t, inFd);
  const output = fdget(t, outFd);
  if (input === null || output === null) return -EBADF;
  const { call } = t;
  const wait = anyHold() ? awaitHold(t, output.inode) : 0;
  if (wait !== 0) return wait;
  let inPos = input.where();
  if (inAddr !== 0) {
    const r = readOffset(t, inAddr);
    if (r < 0) return r;
    inPos = lastOffset();
  }
  let outPos = output.where();
  if (outAddr !== 0) {
    const r = readOffset(t, outAddr);
    if (r < 0) return r;
    outPos = lastOffset();
  }
  if (flags !== 0 || len < 0) return -EINVAL;
  const bad = copyable(input, output);
  if (bad < 0) return bad;
  if (inPos + len > 2 ** 63 || outPos + len > 2 ** 63) return -EOVERFLOW;
  // What others may have made longer says so only when asked.
  input.inode.refresh(t);
  const want = Math.min(len, Math.max(0, input.inode.size - inPos), MAX_RW_COUNT, MAX_FILE_SIZE);
  if (input.inode === output.inode && outPos < inPos + want && inPos < outPos + want) return -EINVAL;
  // Positions stay where they were until the end: `done` bytes were copied by earlier slices of this call.
  let done = call.active ? call.done : 0;
  const end = Math.min(want, done + SLICE_BYTES);
  let r = 0;
  while (done < end) {
    r = preadWhole(t, input, new KernelIo(copyBuffer, 0, Math.min(end - done, CHUNK)), inPos + done);
    if (r <= 0) break;
    r = output.pwrite(t, new KernelIo(copyBuffer, 0, r), outPos + done);
    if (r <= 0) break;
    done += r;
  }
  if (r > 0 && done < want && !t.signalled) {
    t.pin(inFd, input);
    call.done = done;
    const w = t.giveWay();
    if (w === BLOCKED) return w;
  }
  if (done === 0) return r;
  noteRead(input);
  noteWrite(output);
  if (inAddr === 0) input.moveTo(inPos + done);
  else if (writeOffset(t, inAddr, inPos + done) !== 0) return -EFAULT;
  if (outAddr === 0) output.moveTo(outPos + done);
  else if (writeOffset(t, outAddr, outPos + done) !== 0) return -EFAULT;
  return done;
}

function copyable(input: File, output: File): number {
  const inType = input.inode.mode & S_IFMT;
  const outType = output.inode.mode & S_IFMT;
  if (inType === S_IFDIR || outType === S_IFDIR) return -EISDIR;
  if (inType !== S_IFREG || outType !== S_IFREG) return -EINVAL;
  if (!input.readable || !output.writable || (output.flags & O_APPEND) !== 0) return -EBADF;
  return input.inode.fs.name === output.inode.fs.name ? 0 : -EXDEV;
}

export const rows = [
  sys(SYS_sendfile, [FD, FD, ADDR, SIZE], sendfile),
  sys(SYS_copy_file_range, [FD, ADDR, FD, ADDR, SIZE, UINT], copy_file_range),
];
