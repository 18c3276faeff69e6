// Pipe: what the two ends of a pipe(7) or the openers of a FIFO share. Ends are PipeFiles (pipe_file.ts).
//
// Linux counts pages ("slots"); this pipe counts bytes and calls itself writable when a page is free, which gives the
// same answers: a write of PIPE_BUF bytes never finds a pipe that poll(2) called writable too full.

import { EAGAIN, EBUSY, EINVAL, ENOMEM, EPERM } from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../../abi/events/poll.ts';
import type { Io } from '../../base/io.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import { ByteRing } from '../../base/ring.ts';
import { WaitQueue } from '../../base/wait.ts';

/** Writes of at most this many bytes are never torn apart: PIPE_BUF. */
export const PIPE_BUF = 4096;
export const PIPE_DEFAULT_SIZE = 65536;
/** /proc/sys/fs/pipe-max-size. */
export const PIPE_MAX_SIZE = 1048576;

/** /proc/sys/fs/pipe-user-pages-soft: beyond these pages of pipes, an unprivileged user's new ones are small. */
const USER_PAGES_SOFT = 16384;
/** A bound of ours even for the privileged: the ring lies in the kernel's own memory. */
const LARGEST = 64 << 20;
/** Size of such a pipe. */
const SMALL_SIZE = 8192;
/** Pages that the pipes of each user may take. */
const userPages = new Map<number, number>();

/** Adds to a user's pages; how many there are then. */
function chargeUser(uid: number, pages: number): number {
  const now = (userPages.get(uid) ?? 0) + pages;
  if (now === 0) userPages.delete(uid);
  else userPages.set(uid, now);
  return now;
}

export const READ_EVENTS = POLLIN | POLLRDNORM;
export const WRITE_EVENTS = POLLOUT | POLLWRNORM;
export const ALL_EVENTS = READ_EVENTS | WRITE_EVENTS | POLLERR | POLLHUP;

export class Pipe {
  readonly ring: ByteRing = new ByteRing(PIPE_DEFAULT_SIZE);
  readonly queue: WaitQueue = new WaitQueue();
  /** Open descriptions that may read, that may write. */
  readers = 0;
  writers = 0;
  /** Openings for read and for write ever made: a FIFO's open waits for these to change. */
  readerOpens = 0;
  writerOpens = 0;
  /** Bytes ever read: the stream position of the ring's first byte. */
  private consumed = 0;
  /** Packets (O_DIRECT) not read yet: pairs of stream positions [start, end). */
  private readonly packets: number[] = [];

  /** Who pays for the pages; -1 for nobody. */
  private uid = -1;

  /** The first end is about to open: its user pays from now on (pipe_user_pages_soft, pipe(7)). */
  begin(uid: number, privileged: boolean): void {
    this.uid = uid;
    this.ring.capacity = PIPE_DEFAULT_SIZE;
    if (chargeUser(uid, PIPE_DEFAULT_SIZE / PAGE_SIZE) <= USER_PAGES_SOFT || privileged) return;
    chargeUser(uid, (SMALL_SIZE - PIPE_DEFAULT_SIZE) / PAGE_SIZE);
    this.ring.capacity = SMALL_SIZE;
  }

  /** The last end is closed: what nobody read is gone. */
  end(): void {
    if (this.uid >= 0) chargeUser(this.uid, -this.ring.capacity / PAGE_SIZE);
    this.uid = -1;
    this.ring.clear();
    this.packets.length = 0;
  }

  /** True when a write of PIPE_BUF bytes would succeed now. */
  get writable(): boolean {
    const capacity = this.ring.capacity;
    return this.ring.size <= capacity - PAGE_SIZE && this.packets.length < (capacity / PAGE_SIZE) * 2;
  }

  /** Bytes that can be read. */
  get size(): number {
    return this.ring.size;
  }

  /** Takes bytes of `io` into the pipe; bytes, or -EAGAIN when they (or none of a long write) do not fit. */
  write(io: Io, packet: boolean): number {
    if (packet) return this.writePackets(io);
    const want = io.remaining;
    const free = this.ring.free;
    if (free === 0 || (want <= PIPE_BUF && want > free)) return -EAGAIN;
    const n = this.ring.fill(io, free);
    if (n > 0) this.queue.wake(READ_EVENTS);
    return n;
  }

  /** Each PIPE_BUF bytes, and the rest, become one packet. */
  private writePackets(io: Io): number {
    let done = 0;
    while (io.remaining > 0) {
      if (!this.writable) {
        if (done === 0) return -EAGAIN;
        break;
      }
      const start = this.consumed + this.ring.size;
      const n = this.ring.fill(io, PIPE_BUF);
      if (n <= 0) {
        if (done === 0) return n;
        break;
      }
      this.packets.push(start, start + n);
      done += n;
    }
    if (done > 0) this.queue.wake(READ_EVENTS);
    return done;
  }

  /** Moves bytes out to `io`: bytes, 0 at the end (no writers), -EAGAIN when empty. */
  read(io: Io): number {
    if (this.ring.size === 0) return this.writers === 0 ? 0 : -EAGAIN;
    const wasWritable = this.writable;
    let n: number;
    if (this.packets.length === 0) {
      n = this.ring.drain(io, io.remaining);
      if (n > 0) this.consumed += n;
    } else n = this.readPackets(io);
    if (n > 0) this.afterRead(wasWritable);
    return n;
  }

  /** A read ends with the first packet that it touches; what did not fit of that packet is dropped. */
  private readPackets(io: Io): number {
    const start = this.packets[0]!;
    const end = this.packets[1]!;
    const n = this.ring.copyTo(io, end - this.consumed);
    if (n <= 0) return n;
    const gone = this.consumed + n <= start ? n : end - this.consumed;
    this.ring.drop(gone);
    this.consumed += gone;
    if (this.consumed === end) this.packets.splice(0, 2);
    return n;
  }

  private afterRead(wasWritable: boolean): void {
    if (!wasWritable && this.writable) this.queue.wake(WRITE_EVENTS);
  }

  /** A view of the first bytes in one piece, for splice(2); consume() then takes what was used. */
  peek(max: number): Uint8Array {
    return this.ring.head(max);
  }

  /** Drops `n` bytes that splice(2) has moved on. */
  consume(n: number): void {
    if (n <= 0) return;
    const wasWritable = this.writable;
    this.ring.drop(n);
    this.consumed += n;
    while (this.packets.length > 0 && this.packets[1]! <= this.consumed) this.packets.splice(0, 2);
    this.afterRead(wasWritable);
  }

  /** Copies up to io.remaining bytes from `skip` on without consuming them: tee(2). */
  copyTo(io: Io, skip: number): number {
    return this.ring.copyTo(io, io.remaining, skip);
  }

  /**
   * Implements fcntl(F_SETPIPE_SZ): rounds up to a power of two of pages; the new size.
   * -EINVAL for a size beyond 2^31, -ENOMEM for one that is too large here, -EBUSY when the content would not fit, -EPERM when an unprivileged user would have
   * too much.
   */
  resize(bytes: number, privileged: boolean): number {
    if (bytes < 0 || bytes > 0x80000000) return -EINVAL;
    let size = PAGE_SIZE;
    while (size < bytes) size *= 2;
    if (size > 0x7fffffff) return -EINVAL;
    if (size > LARGEST) return -ENOMEM;
    if (this.ring.size > size || this.packets.length / 2 > size / PAGE_SIZE) return -EBUSY;
    const more = (size - this.ring.capacity) / PAGE_SIZE;
    if (more > 0 && !privileged) {
      if (size > PIPE_MAX_SIZE) return -EPERM;
      if ((userPages.get(this.uid) ?? 0) + more > USER_PAGES_SOFT) return -EPERM;
    }
    if (this.uid >= 0) chargeUser(this.uid, more);
    const wasWritable = this.writable;
    this.ring.capacity = size;
    this.afterRead(wasWritable);
    return size;
  }
}
