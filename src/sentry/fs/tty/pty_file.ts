// Open files of a pseudo-terminal: the slave (a terminal) and the master.

import { EAGAIN, EFAULT, EIO, ENOTTY, ESPIPE } from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../../abi/events/poll.ts';
import { TIOCSPGRP } from '../../../abi/ioctl.ts';
import { SIGTTIN, SIGTTOU } from '../../../abi/signal/signal.ts';
import { EXTPROC, ICANON, TOSTOP, VMIN, VTIME } from '../../../abi/tty/termios.ts';
import type { Io } from '../../base/io.ts';
import type { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { masterIoctl, slaveIoctl } from './ioctl.ts';
import type { Pty } from './pty.ts';

const CHUNK = 4096;
/** Bytes on their way between a transfer and the terminal; used within one call. */
const chunk = new Uint8Array(CHUNK);
const HUNG_UP_EVENTS = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;

/** A descriptor of the terminal itself: /dev/pts/N, /dev/tty, /dev/console. */
export class SlaveFile extends File {
  readonly pty: Pty;
  private readonly epoch: number;

  constructor(inode: Inode, flags: number, pty: Pty) {
    super(inode, flags);
    this.pty = pty;
    this.epoch = pty.epoch;
    pty.slaveOpened();
  }

  get hungUp(): boolean {
    return this.epoch !== this.pty.epoch;
  }

  protected override release(): void {
    this.pty.slaveFileClosed();
  }

  override describe(): string {
    return `/dev/pts/${this.pty.index}`;
  }

  /** Implements read(2) on a terminal: one line in canonical mode, else as VMIN and VTIME say. */
  override read(ctx: VfsContext, io: Io): number {
    if (this.hungUp) return 0;
    const pty = this.pty;
    const access = pty.checkAccess(ctx, SIGTTIN);
    if (access !== 0) return access;
    if (io.remaining <= 0) return 0;
    const wait = this.mustWait(ctx, io.remaining);
    if (wait !== 0) return wait === 1 ? 0 : wait;
    let total = 0;
    const canonical = (pty.termios.lflag & (ICANON | EXTPROC)) === ICANON;
    do {
      // A line is at most one chunk long, and comes back whole.
      const n = pty.ldisc.read(chunk, 0, Math.min(io.remaining, CHUNK));
      if (n === 0) break;
      const moved = io.put(chunk, 0, n);
      if (moved < 0) {
        if (total === 0) total = moved;
        break;
      }
      total += moved;
      if (moved < n) break;
    } while (!canonical && io.remaining > 0);
    pty.readDone();
    pty.wakeMasterWriters();
    pty.wakeMasterReaders();
    return total;
  }

  /** 0: read now; -EAGAIN: not yet; 1: the read is over with nothing; -EIO. */
  private mustWait(ctx: VfsContext, len: number): number {
    const pty = this.pty;
    const ldisc = pty.ldisc;
    if (!ldisc.readable(1) && !pty.masterOpen) return -EIO;
    const { lflag, cc } = pty.termios;
    if ((lflag & (ICANON | EXTPROC)) === ICANON) return ldisc.readable(1) ? 0 : -EAGAIN;
    const min = Math.min(cc[VMIN]!, len);
    const timed = cc[VTIME] !== 0;
    const some = ldisc.readable(1);
    if (min === 0) {
      if (some) return 0;
      if (!timed) return 1;
      if (this.nonblocking) return -EAGAIN;
      return pty.readTimedOut(ctx) ? 1 : -EAGAIN;
    }
    if (ldisc.readable(min)) return 0;
    if (!some) return -EAGAIN;
    if (this.nonblocking) return 0;
    return timed && pty.readTimedOut(ctx) ? 0 : -EAGAIN;
  }

  override write(ctx: VfsContext, io: Io): number {
    const pty = this.pty;
    if (this.hungUp) return -EIO;
    if ((pty.termios.lflag & TOSTOP) !== 0) {
      const access = pty.checkAccess(ctx, SIGTTOU);
      if (access !== 0) return access;
    }
    if (!pty.masterOpen) return -EIO;
    if (io.remaining <= 0) return 0;
    let total = 0;
    while (io.remaining > 0) {
      const n = io.take(chunk, 0, Math.min(io.remaining, CHUNK));
      if (n <= 0) return total > 0 ? total : n < 0 ? n : -EFAULT;
      const done = pty.output.write(chunk, 0, n);
      total += done;
      if (done < n) {
        io.rewind(n - done);
        break;
      }
    }
    pty.wakeMasterReaders();
    return total > 0 ? total : -EAGAIN;
  }

  override pread(): number {
    return -ESPIPE;
  }

  override pwrite(): number {
    return -ESPIPE;
  }

  override poll(): number {
    return this.hungUp ? HUNG_UP_EVENTS : this.pty.slavePoll();
  }

  override queue(): WaitQueue {
    return this.pty.slaveQueue;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    if (this.hungUp) return cmd === TIOCSPGRP ? -ENOTTY : -EIO;
    return slaveIoctl(this.pty, ctx, cmd, arg);
  }
}

/** The descriptor that opening /dev/ptmx gives. */
export class MasterFile extends File {
  readonly pty: Pty;

  constructor(inode: Inode, flags: number, pty: Pty) {
    super(inode, flags);
    this.pty = pty;
  }

  protected override release(): void {
    this.pty.closeMaster();
  }

  override describe(): string {
    return '/dev/ptmx';
  }

  /** Reads what the terminal shows; in packet mode a status byte comes first. -EIO when no slave is open any more. */
  override read(_ctx: VfsContext, io: Io): number {
    const pty = this.pty;
    if (io.remaining <= 0) return 0;
    let total = 0;
    if (pty.packet) {
      if (pty.packetStatus !== 0) {
        chunk[0] = pty.packetStatus;
        pty.packetStatus = 0;
        return io.put(chunk, 0, 1);
      }
      if (pty.outputPending > 0) {
        chunk[0] = 0;
        total = io.put(chunk, 0, 1);
        if (total < 0) return total;
      }
    }
    while (io.remaining > 0) {
      const n = pty.drainOutput(chunk, 0, Math.min(io.remaining, CHUNK));
      if (n === 0) break;
      const moved = io.put(chunk, 0, n);
      if (moved < 0) return total > 0 ? total : moved;
      total += moved;
      if (moved < n) break;
    }
    if (total > 0) return total;
    return pty.slaveClosed ? -EIO : -EAGAIN;
  }

  /** Types into the terminal; -EIO while no slave is open. */
  override write(_ctx: VfsContext, io: Io): number {
    const pty = this.pty;
    if (pty.slaveOpens === 0) return -EIO;
    if (io.remaining <= 0) return 0;
    let total = 0;
    while (io.remaining > 0) {
      const n = io.take(chunk, 0, Math.min(io.remaining, CHUNK));
      if (n <= 0) return total > 0 ? total : n < 0 ? n : -EFAULT;
      const done = pty.feed(chunk, 0, n);
      total += done;
      if (done < n) {
        io.rewind(n - done);
        break;
      }
    }
    return total > 0 ? total : -EAGAIN;
  }

  override pread(): number {
    return -ESPIPE;
  }

  override pwrite(): number {
    return -ESPIPE;
  }

  override poll(): number {
    return this.pty.masterPoll();
  }

  override queue(): WaitQueue {
    return this.pty.masterQueue;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    return masterIoctl(this.pty, ctx, cmd, arg);
  }
}
