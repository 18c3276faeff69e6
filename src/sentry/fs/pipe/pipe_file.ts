// PipeFile: one open end of a pipe or FIFO.

import { EAGAIN, EBADF, EPIPE } from '../../../abi/errno.ts';
import { POLLERR, POLLHUP } from '../../../abi/events/poll.ts';
import { O_ACCMODE, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from '../../../abi/fs/fcntl.ts';
import { FIONREAD } from '../../../abi/ioctl.ts';
import { CAP_SYS_ADMIN, CAP_SYS_RESOURCE } from '../../../abi/process/capability.ts';
import { SIGPIPE } from '../../../abi/signal/signal.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { ALL_EVENTS, type Pipe, READ_EVENTS, WRITE_EVENTS } from './pipe.ts';

/** PipeFile.waitsFor: nothing, a writer, a reader. */
const COMPLETE = 0;
const FOR_WRITER = 1;
const FOR_READER = 2;

export class PipeFile extends File {
  readonly pipe: Pipe;
  /** pipe.writerOpens at which POLLHUP stays off: a FIFO opened O_NONBLOCK before its first writer; else -1. */
  private quietAt = -1;
  private waitsFor = COMPLETE;
  /** The count of the other side's openings when this opening began to wait. */
  private waitCount = 0;

  /** Opens an end; the access mode in `flags` says which. */
  constructor(ctx: VfsContext, inode: Inode, flags: number, pipe: Pipe) {
    super(inode, flags);
    this.pipe = pipe;
    if (pipe.readers === 0 && pipe.writers === 0) {
      const cred = ctx.cred;
      pipe.begin(cred.uid, cred.capable(CAP_SYS_RESOURCE) || cred.capable(CAP_SYS_ADMIN));
    }
    if (this.readable) {
      pipe.readers++;
      pipe.readerOpens++;
    }
    if (this.writable) {
      pipe.writers++;
      pipe.writerOpens++;
    }
  }

  /** Begins the rendezvous of a FIFO's open, fifo(7). The caller has refused O_WRONLY | O_NONBLOCK without readers. */
  rendezvous(): void {
    const pipe = this.pipe;
    const mode = this.flags & O_ACCMODE;
    if (mode === O_RDONLY && pipe.writers === 0) {
      if ((this.flags & O_NONBLOCK) !== 0) this.quietAt = pipe.writerOpens;
      else this.wait(FOR_WRITER, pipe.writerOpens);
    } else if (mode === O_WRONLY && pipe.readers === 0) this.wait(FOR_READER, pipe.readerOpens);
    pipe.queue.wake(ALL_EVENTS);
  }

  private wait(what: number, count: number): void {
    this.waitsFor = what;
    this.waitCount = count;
  }

  override openWait(): number {
    if (this.waitsFor === COMPLETE) return 0;
    const now = this.waitsFor === FOR_WRITER ? this.pipe.writerOpens : this.pipe.readerOpens;
    if (now === this.waitCount) return -EAGAIN;
    this.waitsFor = COMPLETE;
    return 0;
  }

  protected override release(): void {
    const pipe = this.pipe;
    if (this.readable) pipe.readers--;
    if (this.writable) pipe.writers--;
    if (pipe.readers === 0 && pipe.writers === 0) pipe.end();
    else if (pipe.readers === 0 || pipe.writers === 0) pipe.queue.wake(ALL_EVENTS);
  }

  override read(_ctx: VfsContext, io: Io): number {
    if (!this.readable) return -EBADF;
    if (io.remaining === 0) return 0;
    return this.pipe.read(io);
  }

  override write(ctx: VfsContext, io: Io): number {
    if (!this.writable) return -EBADF;
    if (io.remaining === 0) return 0;
    if (this.pipe.readers === 0) {
      ctx.raise(SIGPIPE);
      return -EPIPE;
    }
    return this.pipe.write(io, (this.flags & O_DIRECT) !== 0);
  }

  override poll(): number {
    const pipe = this.pipe;
    const mode = this.flags & O_ACCMODE;
    let events = 0;
    if (mode !== O_WRONLY) {
      if (pipe.ring.size > 0) events |= READ_EVENTS;
      if (pipe.writers === 0 && this.quietAt !== pipe.writerOpens) events |= POLLHUP;
    }
    if (mode === O_WRONLY || mode === O_RDWR) {
      if (pipe.writable) events |= WRITE_EVENTS;
      if (pipe.readers === 0) events |= POLLERR;
    }
    return events;
  }

  override queue(): WaitQueue {
    return this.pipe.queue;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    if (cmd !== FIONREAD) return super.ioctl(ctx, cmd, arg);
    scratchView.setInt32(0, this.pipe.size, true);
    return ctx.mem.copyOutExact(arg, scratch, 0, 4);
  }

  /** fcntl(F_SETPIPE_SZ), or F_GETPIPE_SZ for -1: bytes; -EPERM above pipe-max-size without CAP_SYS_RESOURCE, -EBUSY. */
  override pipeSize(ctx: VfsContext, bytes: number): number {
    if (bytes < 0) return this.pipe.ring.capacity;
    return this.pipe.resize(bytes, ctx.cred.capable(CAP_SYS_RESOURCE));
  }

  override describe(): string {
    return `pipe:[${this.inode.ino}]`;
  }
}
