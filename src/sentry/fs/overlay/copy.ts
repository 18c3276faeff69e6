// CopyUp: copying a lower file's content up, a slice at a time, into a file of the work directory that nobody sees. Straight from the
// host's file where the lower file is one of the host's, unchanged, so that nothing of it takes pages in here; and then the host
// copies by itself where it can, which with reflinks moves nothing at all. Holes stay holes.

import { EINTR, EIO, ENXIO } from '../../../abi/errno.ts';
import { POLLIN } from '../../../abi/events/poll.ts';
import { SEEK_DATA, SEEK_HOLE } from '../../../abi/fs/fs.ts';
import { MAP_PRIVATE, PROT_READ } from '../../../abi/memory/mman.ts';
import { SYS_copy_file_range, SYS_lseek, SYS_pread64 } from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import { KernelIo } from '../../base/io.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { DonatedFile } from '../../memfile/mappable.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { SharedWork } from '../../vfs/shared_work.ts';

/** What one slice moves at most, and the unit in which zeros are left out. */
const SLICE_BYTES = 1 << 18;
const BLOCK = 4096;
/** Runs of data that one slice goes over: a file may be nearly all holes. */
const SLICE_RUNS = 16;
/** Results of a step. */
export const COPIED = 0;
export const MORE = 1;

let buffer: HostBuffer | null = null;
const zeros: Uint8Array = new Uint8Array(BLOCK);
/** Two loff_t. */
const offsets: HostBuffer = HostBuffer.alloc(16);

/** Whose copy it is: told when that is given up. */
export interface CopyTaker {
  copyGivenUp(copy: CopyUp): void;
}

export class CopyUp implements SharedWork {
  readonly owner: VfsContext;
  readonly queue: WaitQueue = new WaitQueue();
  /** The upper file, and its name in the work directory. */
  readonly made: Inode;
  readonly name: string;
  private readonly taker: CopyTaker;
  private readonly from: File | null;
  private readonly out: File;
  private readonly size: number;
  private readonly host: DonatedFile | null;
  private hostCopies: boolean;
  private at = 0;
  /** Data until here. */
  private runEnd = 0;
  private ended = false;

  /** Copies the first `size` bytes of `from`, which is null for none, to the empty file `made`, open as `out`: both files are its own. */
  constructor(
    ctx: VfsContext,
    owner: VfsContext,
    taker: CopyTaker,
    name: string,
    made: Inode,
    from: File | null,
    out: File,
    size: number,
  ) {
    this.owner = owner;
    this.taker = taker;
    this.name = name;
    this.made = made;
    this.from = from;
    this.out = out;
    this.size = size;
    const source = from === null ? 0 : from.mmap(ctx, PROT_READ, MAP_PRIVATE);
    this.host = typeof source === 'number' ? null : source.directFile();
    this.hostCopies = this.host !== null && out.writeFd >= 0;
    // Held, so that it is not forgotten between two slices.
    made.aliases++;
  }

  /** One slice: MORE, or the end: COPIED, or -errno. */
  step(ctx: VfsContext): number {
    let room = SLICE_BYTES;
    for (let runs = 0; runs < SLICE_RUNS && room > 0; runs++) {
      const end = this.findRun();
      if (this.at >= this.size) return this.finish(ctx);
      const n = this.copy(ctx, Math.min(end - this.at, room));
      if (n <= 0) return this.end(n < 0 ? n : -EIO);
      this.at += n;
      room -= n;
    }
    return MORE;
  }

  /** Moves on to where the next data is; the end of that run, or of what may be one where the host cannot tell. */
  private findRun(): number {
    const { host, size } = this;
    if (this.at < this.runEnd) return this.runEnd;
    const fd = host === null ? -1 : host.hostFd();
    if (fd < 0 || this.at >= size) return size;
    const to = hostCall(SYS_lseek, fd, this.at, SEEK_DATA);
    if (to === -ENXIO) this.at = size;
    else if (to > this.at) this.at = Math.min(size, to - (to % BLOCK));
    if (this.at >= size || !this.hostCopies) return size;
    const hole = hostCall(SYS_lseek, fd, Math.max(this.at, to), SEEK_HOLE);
    this.runEnd = hole > this.at ? Math.min(size, hole) : size;
    return this.runEnd;
  }

  /** Copies at most `want` bytes from where it is: how many, 0 when there are less than there should be, -errno. */
  private copy(ctx: VfsContext, want: number): number {
    if (this.hostCopies) {
      const n = this.copyByHost(want);
      if (n > 0) return n;
      // Across file systems, and where there is something else in the way: by hand, which also tells what is really wrong.
      this.hostCopies = false;
    }
    buffer ??= HostBuffer.alloc(SLICE_BYTES);
    const { host, from, at } = this;
    const n =
      host === null ? from!.pread(ctx, new KernelIo(buffer.u8, 0, want), at) : readHost(host, want, at);
    const r = n > 0 ? writeData(ctx, this.out, buffer.u8, n, at) : n;
    return r < 0 ? r : n;
  }

  private copyByHost(want: number): number {
    const fd = this.host!.hostFd();
    if (fd < 0) return fd;
    putU64(offsets.view, 0, this.at);
    putU64(offsets.view, 8, this.at);
    let n: number;
    do n = hostCall(SYS_copy_file_range, fd, offsets.addr, this.out.writeFd, offsets.addr + 8, want, 0);
    while (n === -EINTR);
    return n;
  }

  private finish(ctx: VfsContext): number {
    const r = this.made.truncate(ctx, this.size);
    return this.end(r < 0 ? r : COPIED);
  }

  private end(result: number): number {
    this.ended = true;
    this.from?.unref();
    this.out.unref();
    this.made.aliases--;
    // They look again, and find the upper file or have the same to do.
    this.queue.wake(POLLIN);
    return result;
  }

  abandon(): void {
    if (this.ended) return;
    this.end(0);
    this.taker.copyGivenUp(this);
  }
}

/** Reads into the buffer, as much as there is. */
function readHost(host: DonatedFile, want: number, at: number): number {
  const fd = host.hostFd();
  if (fd < 0) return fd;
  let done = 0;
  while (done < want) {
    const n = hostCall(SYS_pread64, fd, buffer!.addr + done, want - done, at + done);
    if (n === -EINTR) continue;
    if (n < 0) return n;
    if (n === 0) break;
    done += n;
  }
  return done;
}

/** Writes what is not zero of the first `len` bytes to `at`. */
function writeData(ctx: VfsContext, out: File, bytes: Uint8Array, len: number, at: number): number {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, len);
  const isZero = (i: number) => {
    const n = Math.min(BLOCK, len - i);
    return whole.compare(zeros, 0, n, i, i + n) === 0;
  };
  for (let i = 0; i < len; ) {
    if (isZero(i)) {
      i += BLOCK;
      continue;
    }
    let end = i + BLOCK;
    while (end < len && !isZero(end)) end += BLOCK;
    end = Math.min(end, len);
    const io = new KernelIo(bytes, i, end - i);
    while (io.remaining > 0) {
      const n = out.pwrite(ctx, io, at + end - io.remaining);
      if (n <= 0) return n < 0 ? n : -EIO;
    }
    i = end;
  }
  return 0;
}
