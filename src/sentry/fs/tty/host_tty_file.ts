// Open files of a terminal of the host.

import { EAGAIN, EFAULT } from '../../../abi/errno.ts';
import { POLLERR, POLLHUP } from '../../../abi/events/poll.ts';
import { FIONREAD } from '../../../abi/ioctl.ts';
import { SIGTTIN, SIGTTOU } from '../../../abi/signal/signal.ts';
import { SYS_ioctl, SYS_read, SYS_write } from '../../../abi/syscall.ts';
import { EXTPROC, ICANON, TOSTOP, VMIN, VTIME } from '../../../abi/tty/termios.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import { failed } from '../../base/errno.ts';
import type { Io } from '../../base/io.ts';
import type { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { HostDescriptor, HostTty } from './host_tty.ts';
import { hostTtyIoctl } from './host_tty_ioctl.ts';

const BOUNCE_SIZE = 8192;

const bounce = HostBuffer.alloc(BOUNCE_SIZE);
/** FIONREAD's answer. */
const count = HostBuffer.alloc(8);

/** A descriptor of the terminal: /dev/pts/N, /dev/tty, /dev/console. */
export class HostTtyFile extends File {
  readonly tty: HostTty;
  private readonly end: HostDescriptor;
  /** Bytes that a read waits to become more; 0 when it waits for the first. */
  private part = 0;

  private constructor(inode: Inode, flags: number, tty: HostTty, end: HostDescriptor) {
    super(inode, flags);
    this.tty = tty;
    this.end = end;
  }

  /** A new file of the terminal; -errno. */
  static open(inode: Inode, flags: number, tty: HostTty): HostTtyFile | number {
    const end = tty.fileOpened();
    return failed(end) ? end : new HostTtyFile(inode, flags, tty, end);
  }

  protected override release(): void {
    this.tty.fileClosed(this.end);
  }

  override describe(): string {
    return `/dev/pts/${this.tty.index}`;
  }

  /** Implements read(2) on a terminal: one line in canonical mode, else as VMIN and VTIME say. */
  override read(ctx: VfsContext, io: Io): number {
    const tty = this.tty;
    const access = tty.checkAccess(ctx, SIGTTIN);
    if (access !== 0) return access;
    if (io.remaining <= 0) return 0;
    const len = Math.min(io.remaining, BOUNCE_SIZE);
    const wait = this.mustWait(ctx, len);
    if (wait !== 0) return wait === 1 ? 0 : wait;
    const n = tty.guarded(ctx, SIGTTIN, SYS_read, this.end.fd, bounce.addr, len);
    this.end.queue.rearm(0);
    if (n <= 0) return n;
    tty.timer.done();
    this.part = 0;
    return io.put(bounce.u8, 0, n);
  }

  /**
   * The host's description does not wait, and so knows nothing of VMIN and VTIME. 0: let the host say; -EAGAIN: not yet;
   * 1: the read is over with nothing.
   */
  private mustWait(ctx: VfsContext, len: number): number {
    const { tty, end } = this;
    const r = tty.readAttributes(end.fd);
    // A terminal that hung up: its read knows how to say so.
    if (r < 0) return 0;
    const { lflag, cc } = tty.attributes;
    if ((lflag & (ICANON | EXTPROC)) === ICANON) return 0;
    const min = Math.min(cc[VMIN]!, len);
    const vtime = cc[VTIME]!;
    if (min <= 1 && vtime === 0) return 0;
    if (hostCall(SYS_ioctl, end.fd, FIONREAD, count.addr) < 0) return 0;
    const have = count.view.getInt32(0, true);
    if (have >= Math.max(min, 1) || this.nonblocking) return 0;
    const grew = have > this.part;
    this.part = vtime === 0 ? 0 : have;
    if (vtime !== 0 && (min === 0 || have > 0)) {
      if (tty.timer.isOver(ctx, vtime)) {
        if (!grew || min === 0) return have > 0 ? 0 : 1;
      }
      if (grew) tty.timer.start(vtime);
      return -EAGAIN;
    }
    if (have > 0) return -EAGAIN;
    // Nothing yet. The host would give away the first byte that comes before our call does; only to say that it hung up, or
    // that we are in the background, is it asked.
    return tty.inForeground() && (end.poll() & (POLLHUP | POLLERR)) === 0 ? -EAGAIN : 0;
  }

  override write(ctx: VfsContext, io: Io): number {
    const { tty, end } = this;
    // Only a background group inside need ask for TOSTOP; that of the sandbox is the host's business.
    const { foreground } = tty;
    if (foreground !== 0 && foreground !== tty.host.pgrpOf(ctx) && tty.readAttributes(end.fd) === 0) {
      const access = (tty.attributes.lflag & TOSTOP) !== 0 ? tty.checkAccess(ctx, SIGTTOU) : 0;
      if (access !== 0) return access;
    }
    if (io.remaining <= 0) return 0;
    let total = 0;
    while (io.remaining > 0) {
      const taken = io.take(bounce.u8, 0, Math.min(io.remaining, BOUNCE_SIZE));
      if (taken <= 0) return total > 0 ? total : taken < 0 ? taken : -EFAULT;
      const n = tty.guarded(ctx, SIGTTOU, SYS_write, end.fd, bounce.addr, taken);
      const done = Math.max(n, 0);
      if (done < taken) io.rewind(taken - done);
      total += done;
      if (n < 0 && n !== -EAGAIN && total === 0) return n;
      if (done < taken) break;
    }
    end.queue.rearm(0);
    return total > 0 ? total : -EAGAIN;
  }

  override poll(): number {
    this.part = 0;
    return this.end.poll();
  }

  override queue(): WaitQueue {
    return this.part > 0 ? this.tty.partial : this.end.queue;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    return hostTtyIoctl(this.tty, this.end.fd, ctx, cmd, arg);
  }
}
