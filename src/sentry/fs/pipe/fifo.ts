// Making pipes: pipe2(2) pairs, FIFOs by path (fifo(7)), and /proc/PID/fd re-openings of either.

import { EINVAL, ENXIO } from '../../../abi/errno.ts';
import {
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_EXCL,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from '../../../abi/fs/fcntl.ts';
import { PIPEFS_MAGIC } from '../../../abi/fs/magic.ts';
import { S_IFIFO } from '../../../abi/fs/stat.ts';
import { AnonFs, AnonInode } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { registerFifoOpener } from '../../vfs/devices.ts';
import type { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { Pipe } from './pipe.ts';
import { PipeFile } from './pipe_file.ts';

export const pipeFs: AnonFs = new AnonFs('pipefs', PIPEFS_MAGIC);

/** The pipe of every FIFO inode that was ever opened, and of every pipe(2). */
const pipes = new WeakMap<Inode, Pipe>();

/** Makes a pipe: its read end and its write end. `flags` may hold O_NONBLOCK and O_DIRECT. */
export function makePipe(ctx: VfsContext, flags: number): readonly [PipeFile, PipeFile] {
  const inode = new AnonInode(pipeFs, S_IFIFO | 0o600, ctx);
  const pipe = new Pipe();
  pipes.set(inode, pipe);
  const kept = flags & (O_NONBLOCK | O_DIRECT);
  // As on Linux, only the write end shows O_DIRECT: a read end gets packets by what was written.
  const reader = new PipeFile(ctx, inode, O_RDONLY | (kept & O_NONBLOCK), pipe);
  const writer = new PipeFile(ctx, inode, O_WRONLY | kept, pipe);
  reader.cred = ctx.cred;
  writer.cred = ctx.cred;
  return [reader, writer];
}

/**
 * Opens a FIFO. When the other end is not open yet, the file's openWait() is -EAGAIN until it is.
 * -ENXIO: O_WRONLY | O_NONBLOCK without readers; -EINVAL: access mode 3.
 */
export function openFifo(inode: Inode, ctx: VfsContext, flags: number): File | number {
  const mode = flags & O_ACCMODE;
  if (mode === O_ACCMODE) return -EINVAL;
  let pipe = pipes.get(inode);
  if (pipe === undefined) {
    pipe = new Pipe();
    pipes.set(inode, pipe);
  }
  const anonymous = inode.fs === pipeFs;
  if (!anonymous && mode === O_WRONLY && (flags & O_NONBLOCK) !== 0 && pipe.readers === 0) return -ENXIO;
  const file = new PipeFile(ctx, inode, flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC), pipe);
  file.cred = ctx.cred;
  if (!anonymous) file.rendezvous();
  return file;
}

/** Makes FIFOs of every file system open here. The runtime calls it once. */
export function registerFifos(): void {
  registerFifoOpener(openFifo);
}
