// Pty: one pseudo-terminal, pty(7): the terminal that programs see (the slave) and the end that plays the person (the
// master). It joins the line discipline, the two wait queues and flow control; job control is in terminal.ts, files are in
// pty_file.ts.
//
//   master write -> receive() -> LineDiscipline -> slave read
//   slave write -> TtyOutput -> out queue -> master read      (echo goes the same way)

import { EBUSY, EIO } from '../../../abi/errno.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
} from '../../../abi/events/poll.ts';
import {
  TIOCPKT_DOSTOP,
  TIOCPKT_FLUSHREAD,
  TIOCPKT_FLUSHWRITE,
  TIOCPKT_IOCTL,
  TIOCPKT_NOSTOP,
  TIOCPKT_START,
  TIOCPKT_STOP,
} from '../../../abi/ioctl.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { SIGCONT, SIGHUP, SIGWINCH } from '../../../abi/signal/signal.ts';
import * as T from '../../../abi/tty/termios.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import { ByteQueue } from './byte_queue.ts';
import type { TtyHost } from './job_control.ts';
import { type LdiscHost, LineDiscipline } from './ldisc.ts';
import { TtyOutput } from './output.ts';
import { ReadTimer, type TimedReaders } from './read_timer.ts';
import { Terminal } from './terminal.ts';
import { slaveTermios, type Termios } from './termios.ts';

/** Output that a master has not read: Linux's 8192 bytes in flight and 4095 in the master's own buffer. */
const OUT_LIMIT = 12287;
/** Of which a signal character spares the part that the master's buffer had taken. */
const OUT_TAKEN = 4095;
const READ_EVENTS = POLLIN | POLLRDNORM;
const WRITE_EVENTS = POLLOUT | POLLWRNORM;

/** Who made the pty: devpts, which numbers it and opens its files. */
export interface PtyOwner {
  /** Opens the slave for TIOCGPTPEER: a file with refs 1, or -errno. */
  openPeer(pty: Pty, ctx: VfsContext, flags: number): File | number;
  ptyMasterClosed(pty: Pty): void;
  ptyGone(pty: Pty): void;
}

export class Pty extends Terminal implements LdiscHost, TimedReaders {
  readonly owner: PtyOwner;
  readonly termios: Termios = slaveTermios();
  private readonly out: ByteQueue = new ByteQueue(OUT_LIMIT);
  readonly output: TtyOutput = new TtyOutput(this.termios, this.out);
  readonly ldisc: LineDiscipline;
  /** struct winsize. */
  rows = 0;
  cols = 0;
  xpixel = 0;
  ypixel = 0;
  /** Waiters of slave files and of the master file. */
  readonly slaveQueue: WaitQueue = new WaitQueue();
  readonly masterQueue: WaitQueue = new WaitQueue();
  masterOpen = true;
  slaveOpens = 0;
  /** The last slave file was closed and none opened since: the master reads EIO. */
  slaveClosed = false;
  /** Slave files opened at a lower epoch are hung up. */
  epoch = 0;
  /** TIOCSPTLCK: the slave cannot be opened. */
  locked = true;
  /** TIOCPKT: master reads start with a status byte. */
  packet = false;
  packetStatus = 0;
  private readonly timer: ReadTimer = new ReadTimer(this);

  constructor(index: number, host: TtyHost, owner: PtyOwner) {
    super(index, host);
    this.owner = owner;
    this.ldisc = new LineDiscipline(this.termios, this.output, this);
  }

  // The master's side. The console bridge calls these too.

  /** Input as if typed; returns how many bytes of src[off..off+len] were taken. */
  feed(src: Uint8Array, off: number, len: number): number {
    const n = this.ldisc.receive(src, off, len);
    if (this.timer.running && this.termios.cc[T.VMIN]! > 0) this.timer.start(this.termios.cc[T.VTIME]!);
    if (this.ldisc.readable(1)) this.slaveQueue.wake(READ_EVENTS);
    this.wakeMasterReaders();
    return n;
  }

  /** Takes output of the terminal: up to len bytes to dst[off..]; returns how many. */
  drainOutput(dst: Uint8Array, off: number, len: number): number {
    const n = this.out.read(dst, off, len);
    if (n > 0) {
      this.output.flushEchoes();
      if (!this.output.stopped) this.slaveQueue.wake(WRITE_EVENTS);
    }
    return n;
  }

  /** Bytes of output that wait for the master. */
  get outputPending(): number {
    return this.out.length;
  }

  /** Sets the window size; a change is SIGWINCH for the foreground group. */
  resize(rows: number, cols: number, xpixel: number, ypixel: number): void {
    if (rows === this.rows && cols === this.cols && xpixel === this.xpixel && ypixel === this.ypixel) return;
    this.rows = rows;
    this.cols = cols;
    this.xpixel = xpixel;
    this.ypixel = ypixel;
    this.ttySignal(SIGWINCH);
  }

  masterPoll(): number {
    let events = 0;
    if (this.out.length > 0) events |= READ_EVENTS;
    if (this.packet && this.packetStatus !== 0) events |= READ_EVENTS | POLLPRI;
    if (this.slaveClosed) events |= POLLHUP;
    if (this.ldisc.room > 0) events |= WRITE_EVENTS;
    return events;
  }

  /** The master's last file was closed: the slave is hung up. */
  closeMaster(): void {
    this.masterOpen = false;
    this.packet = false;
    this.owner.ptyMasterClosed(this);
    this.hangup();
    if (this.slaveOpens === 0) this.owner.ptyGone(this);
  }

  // The slave's side.

  /** Attributes of the terminal changed in place, from the given old flags. */
  termiosChanged(oldIflag: number, oldLflag: number, oldFlowIsStandard: boolean): void {
    this.termios.cflag = ((this.termios.cflag & ~(T.CSIZE | T.PARENB)) | T.CS8 | T.CREAD) >>> 0;
    if (this.packet) {
      const standard = this.flowIsStandard();
      let status = this.packetStatus;
      if (standard !== oldFlowIsStandard) {
        status = (status & ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) | (standard ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
      }
      if (((oldLflag | this.termios.lflag) & T.EXTPROC) !== 0) status |= TIOCPKT_IOCTL;
      this.setPacketStatus(status);
    }
    this.ldisc.termiosChanged(oldIflag, oldLflag);
    this.slaveQueue.wake(READ_EVENTS | WRITE_EVENTS);
    this.wakeMasterReaders();
  }

  /** True when output is stopped by ^S and started by ^Q (what TIOCPKT_DOSTOP reports). */
  flowIsStandard(): boolean {
    const { iflag, cc } = this.termios;
    return (iflag & T.IXON) !== 0 && cc[T.VSTOP] === 19 && cc[T.VSTART] === 17;
  }

  /** After slave output: tells the master's readers. */
  wakeMasterReaders(): void {
    if (this.out.length > 0) this.masterQueue.wake(READ_EVENTS);
  }

  /** After a slave read made room. */
  wakeMasterWriters(): void {
    if (this.ldisc.room > 0) this.masterQueue.wake(WRITE_EVENTS);
  }

  slavePoll(): number {
    let events = 0;
    const { cc } = this.termios;
    const min = cc[T.VTIME] === 0 && cc[T.VMIN] !== 0 ? cc[T.VMIN]! : 1;
    if (this.ldisc.readable(min)) events |= READ_EVENTS;
    if (!this.masterOpen) events |= POLLHUP | POLLERR | READ_EVENTS | WRITE_EVENTS;
    if (!this.output.stopped && this.out.room > 0) events |= WRITE_EVENTS;
    return events;
  }

  mayOpen(ctx: VfsContext): number {
    if (!this.masterOpen || this.locked) return -EIO;
    return this.exclusive && this.slaveOpens > 0 && !ctx.cred.capable(CAP_SYS_ADMIN) ? -EBUSY : 0;
  }

  slaveOpened(): void {
    this.slaveOpens++;
    this.slaveClosed = false;
  }

  slaveFileClosed(): void {
    if (--this.slaveOpens > 0) return;
    this.timer.stop();
    this.leaveSession();
    if (!this.masterOpen) {
      this.owner.ptyGone(this);
      return;
    }
    this.slaveClosed = true;
    this.masterQueue.wake(READ_EVENTS | WRITE_EVENTS | POLLHUP);
  }

  /** vhangup(2) on the slave: its files read end of file and fail to write; the session loses its terminal. */
  hangup(): void {
    this.epoch++;
    const session = this.session;
    if (session !== null) {
      this.host.signalLeader(session, SIGHUP);
      this.host.signalLeader(session, SIGCONT);
      if (this.foreground !== 0) this.host.keepForeground(session, this.foreground);
    }
    this.leaveSession();
    this.slaveQueue.wake(READ_EVENTS | WRITE_EVENTS | POLLHUP | POLLERR);
  }

  // What the line discipline reports.

  ttyFlushed(): void {
    this.out.truncate(OUT_TAKEN);
    if (this.packet) this.setPacketStatus(this.packetStatus | TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
    this.slaveQueue.wake(WRITE_EVENTS);
    this.wakeMasterWriters();
  }

  ttyFlow(stopped: boolean): void {
    if (this.packet) {
      const kept = this.packetStatus & ~(TIOCPKT_STOP | TIOCPKT_START);
      this.setPacketStatus(kept | (stopped ? TIOCPKT_STOP : TIOCPKT_START));
    }
    if (!stopped) {
      this.slaveQueue.wake(WRITE_EVENTS);
      this.wakeMasterReaders();
    }
  }

  /** tcflush(3) on the slave. */
  flush(input: boolean, output: boolean): void {
    let status = this.packetStatus;
    if (input) {
      this.ldisc.flushInput();
      status |= TIOCPKT_FLUSHREAD;
      this.wakeMasterWriters();
    }
    if (output) {
      this.out.truncate(OUT_TAKEN);
      status |= TIOCPKT_FLUSHWRITE;
      this.slaveQueue.wake(WRITE_EVENTS);
    }
    if (this.packet) this.setPacketStatus(status);
  }

  private setPacketStatus(status: number): void {
    this.packetStatus = status;
    if (status !== 0) this.masterQueue.wake(READ_EVENTS | POLLPRI);
  }

  /** Waits for VTIME to pass: true when it just did (the read returns what it has), false when it now counts. */
  readTimedOut(ctx: VfsContext): boolean {
    return this.timer.isOver(ctx, this.termios.cc[T.VTIME]!);
  }

  /** A read got its bytes. */
  readDone(): void {
    this.timer.done();
  }

  readTimeOver(): void {
    this.slaveQueue.wake(READ_EVENTS);
  }
}
