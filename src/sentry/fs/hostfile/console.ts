// ConsoleBridge: connects the host's terminal with a pseudo-terminal inside. The host's line discipline is put in raw
// mode, so that ^C, job control and editing are those of the terminal inside; the old settings come back at the end.
//
//   host terminal bytes -> terminal.feed()           terminal.drainOutput() -> host terminal

import { EAGAIN, EINTR } from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../../abi/events/poll.ts';
import { O_RDWR } from '../../../abi/fs/fcntl.ts';
import { TCGETS, TCSETS, TCSETSW, TIOCGWINSZ } from '../../../abi/ioctl.ts';
import { SYS_close, SYS_ioctl, SYS_poll, SYS_read, SYS_write } from '../../../abi/syscall.ts';
import * as T from '../../../abi/tty/termios.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import type { HostPoller, HostPollTarget } from '../../../host/poller.ts';
import { hostCall } from '../../../host/syscall.ts';
import { Waiter, type WaitQueue, type Wakeable } from '../../base/wait.ts';
import { reopenNonblocking } from './host_inode.ts';

const CHUNK = 4096;
const TERMIOS_SIZE = 36;
const VMIN_OFF = 17 + T.VMIN;
const VTIME_OFF = 17 + T.VTIME;
/** How long the last output waits at the end for a terminal that takes nothing of it, in steps of STEP_MS. */
const IDLE_STEPS = 100;
const STEP_MS = 100;

/** The terminal inside; fs/tty's Pty is one. */
export interface Terminal {
  readonly masterQueue: WaitQueue;
  feed(src: Uint8Array, off: number, len: number): number;
  drainOutput(dst: Uint8Array, off: number, len: number): number;
  readonly outputPending: number;
  resize(rows: number, cols: number, xpixel: number, ypixel: number): void;
  hangup(): void;
}

export class ConsoleBridge implements HostPollTarget, Wakeable {
  private readonly poller: HostPoller;
  private readonly terminal: Terminal;
  /** Our own non-blocking description of the host's terminal. */
  private readonly fd: number;
  private readonly input: HostBuffer = HostBuffer.alloc(CHUNK);
  private inputOff = 0;
  private inputLen = 0;
  private readonly output: HostBuffer = HostBuffer.alloc(CHUNK);
  private outputOff = 0;
  private outputLen = 0;
  /** Bytes that the host's terminal has taken. */
  private sent = 0;
  private readonly saved: HostBuffer = HostBuffer.alloc(64);
  private readonly scratch: HostBuffer = HostBuffer.alloc(64);
  private readonly waiter: Waiter;
  private raw = false;
  /** Events that the poller watches. */
  private watched = 0;
  /** The host's terminal hung up. */
  private gone = false;
  /** Output is under way: waking the writers inside may call onReady again. */
  private writing = false;
  /** Input is under way: a signal character flushes queues and reports room before feed() returns. */
  private feeding = false;

  private constructor(poller: HostPoller, terminal: Terminal, fd: number) {
    this.poller = poller;
    this.terminal = terminal;
    this.fd = fd;
    this.waiter = new Waiter(this, POLLIN | POLLOUT);
  }

  /** A bridge over the terminal that host descriptor `fd` refers to; -errno. */
  static create(poller: HostPoller, terminal: Terminal, fd: number): ConsoleBridge | number {
    const own = reopenNonblocking(fd, O_RDWR);
    return own < 0 ? own : new ConsoleBridge(poller, terminal, own);
  }

  /** Copies the window size, sets raw mode and starts moving bytes. 0 or -errno. */
  start(): number {
    let r = hostCall(SYS_ioctl, this.fd, TCGETS, this.saved.addr);
    if (r < 0) return r;
    this.resize();
    r = this.setRaw();
    if (r < 0) return r;
    this.terminal.masterQueue.add(this.waiter);
    this.watched = POLLIN;
    r = this.poller.add(this.fd, POLLIN, this);
    this.pumpOutput();
    return r;
  }

  /** What cfmakeraw(3) does. */
  private setRaw(): number {
    const v = this.scratch.view;
    this.scratch.u8.set(this.saved.u8.subarray(0, TERMIOS_SIZE));
    const inputOff = T.IGNBRK | T.BRKINT | T.PARMRK | T.ISTRIP | T.INLCR | T.IGNCR | T.ICRNL | T.IXON;
    v.setUint32(0, (v.getUint32(0, true) & ~inputOff) >>> 0, true);
    v.setUint32(4, (v.getUint32(4, true) & ~T.OPOST) >>> 0, true);
    v.setUint32(8, ((v.getUint32(8, true) & ~(T.CSIZE | T.PARENB)) | T.CS8) >>> 0, true);
    v.setUint32(
      12,
      (v.getUint32(12, true) & ~(T.ECHO | T.ECHONL | T.ICANON | T.ISIG | T.IEXTEN)) >>> 0,
      true,
    );
    v.setUint8(VMIN_OFF, 1);
    v.setUint8(VTIME_OFF, 0);
    const r = hostCall(SYS_ioctl, this.fd, TCSETS, this.scratch.addr);
    if (r === 0) this.raw = true;
    return r;
  }

  /** The host's window changed (SIGWINCH), or the sandbox came back from a stop. */
  resize(): void {
    const v = this.scratch.view;
    if (hostCall(SYS_ioctl, this.fd, TIOCGWINSZ, this.scratch.addr) < 0) return;
    this.terminal.resize(
      v.getUint16(0, true),
      v.getUint16(2, true),
      v.getUint16(4, true),
      v.getUint16(6, true),
    );
  }

  onHostReady(_fd: number, events: number): void {
    if ((events & (POLLOUT | POLLERR)) !== 0) this.pumpOutput();
    if ((events & (POLLIN | POLLHUP | POLLERR)) !== 0) this.pumpInput();
    this.watch();
  }

  onReady(_waiter: Waiter, events: number): void {
    if ((events & POLLIN) !== 0) this.pumpOutput();
    if ((events & POLLOUT) !== 0 && this.inputLen > 0) this.pumpInput();
    this.watch();
  }

  /** The poller is level-triggered: it watches what can be acted on, no more. */
  private watch(): void {
    if (this.gone) return;
    const events = (this.inputLen === 0 ? POLLIN : 0) | (this.outputLen > 0 ? POLLOUT : 0);
    if (events === this.watched) return;
    this.watched = events;
    this.poller.modify(this.fd, events);
  }

  private pumpInput(): void {
    if (this.feeding) return;
    for (;;) {
      if (this.inputLen > 0) {
        this.feeding = true;
        const n = this.terminal.feed(this.input.u8, this.inputOff, this.inputLen);
        this.feeding = false;
        this.inputOff += n;
        this.inputLen -= n;
        if (this.inputLen > 0) return;
      }
      const n = hostCall(SYS_read, this.fd, this.input.addr, CHUNK);
      if (n === -EINTR) continue;
      if (n === -EAGAIN) return;
      if (n <= 0) {
        // The host's terminal is gone: so is the one inside.
        this.gone = true;
        this.poller.remove(this.fd);
        this.terminal.hangup();
        return;
      }
      this.inputOff = 0;
      this.inputLen = n;
    }
  }

  private pumpOutput(): void {
    if (this.writing) return;
    this.writing = true;
    for (;;) {
      if (this.outputLen === 0) {
        this.outputOff = 0;
        this.outputLen = this.terminal.drainOutput(this.output.u8, 0, CHUNK);
        if (this.outputLen === 0) break;
      }
      const n = hostCall(SYS_write, this.fd, this.output.addr + this.outputOff, this.outputLen);
      if (n === -EINTR) continue;
      if (n < 0) {
        // With -EAGAIN the rest goes when the host's terminal has room; other errors lose it.
        if (n !== -EAGAIN) this.outputLen = 0;
        break;
      }
      this.outputOff += n;
      this.outputLen -= n;
      this.sent += n;
    }
    this.writing = false;
  }

  /**
   * Sends the last output, however slowly it is taken, and gives the terminal its old settings back. Who wrote it is gone and was
   * told that it is written; only a terminal that takes nothing for a while loses it. Callable twice.
   */
  restore(): void {
    for (let idle = 0; idle < IDLE_STEPS; idle++) {
      const before = this.sent;
      this.pumpOutput();
      if (this.outputLen === 0 && this.terminal.outputPending === 0) break;
      if (this.sent !== before) idle = 0;
      const v = this.scratch.view;
      v.setInt32(0, this.fd, true);
      v.setInt16(4, POLLOUT, true);
      hostCall(SYS_poll, this.scratch.addr, 1, STEP_MS);
    }
    if (this.raw) hostCall(SYS_ioctl, this.fd, TCSETSW, this.saved.addr);
    this.raw = false;
  }

  /** Raw mode again after a stop of the sandbox by the host's job control. */
  resume(): void {
    this.setRaw();
    this.resize();
  }

  /** Ends the bridge after restore(). */
  close(): void {
    this.waiter.remove();
    this.poller.remove(this.fd);
    hostCall(SYS_close, this.fd);
  }
}
