// Copying a lower file's content up: straight from the host's file where the lower file is one of the host's, unchanged, so that nothing of it
// takes pages in here, and holes cost nothing.

import { EINTR, EIO, ENXIO } from '../../../abi/errno.ts';
import { SEEK_DATA } from '../../../abi/fs/fs.ts';
import { MAP_PRIVATE, PROT_READ } from '../../../abi/memory/mman.ts';
import { SYS_lseek, SYS_pread64 } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import { KernelIo } from '../../base/io.ts';
import type { DonatedFile } from '../../memfile/mappable.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';

/** What one step moves, and the unit in which zeros are left out. */
const COPY_BYTES = 1 << 20;
const BLOCK = 4096;
let buffer: HostBuffer | null = null;
const zeros: Uint8Array = new Uint8Array(BLOCK);

/** Copies the first `size` bytes of `from` to the empty file `out`, without what is zero: 0 or -errno. */
export function copyBytes(ctx: VfsContext, from: File, out: File, size: number): number {
  const source = from.mmap(ctx, PROT_READ, MAP_PRIVATE);
  const host = typeof source === 'number' ? null : source.directFile();
  buffer ??= HostBuffer.alloc(COPY_BYTES);
  for (let at = 0; at < size; at += COPY_BYTES) {
    if (host !== null) at = nextData(host, at);
    if (at >= size) break;
    const want = Math.min(COPY_BYTES, size - at);
    const n =
      host === null ? from.pread(ctx, new KernelIo(buffer.u8, 0, want), at) : readHost(host, want, at);
    const r = n < 0 ? n : n < want ? -EIO : writeData(ctx, out, buffer.u8, want, at);
    if (r < 0) return r;
  }
  return 0;
}

/** Where the next data is from `at` on, at the start of its block; `at` where the host cannot tell. */
function nextData(host: DonatedFile, at: number): number {
  const fd = host.hostFd();
  if (fd < 0) return at;
  const to = hostCall(SYS_lseek, fd, at, SEEK_DATA);
  if (to === -ENXIO) return Number.POSITIVE_INFINITY;
  return to <= at ? at : to - (to % BLOCK);
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
