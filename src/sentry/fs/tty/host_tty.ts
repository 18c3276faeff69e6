// HostTty: a terminal of the host, inside. Nothing stands between it and the programs but job control.
//
// What a program does with its terminal natively happens to the terminal itself: the mode that it sets stays for the next
// program, what it does not read is the shell's, the other members of its pipeline write through the same OPOST. A second
// line discipline inside, with the host's made raw for it, could give none of that. So the host's line discipline is the
// only one. It edits, echoes and finds signal characters; reads, writes and requests of guests go to it when they are made,
// and a program that never touches its terminal leaves it untouched.
//
//   read, write, TCSETS of a guest        keys: signals for our process group -> HostSignals
//            |                                            |
//   job control inside (terminal.ts)              ttySignal(): the foreground group inside
//            |
//   the host's call, with job control outside: it knows one process group, that of the sandbox
//
// - The groups inside are the business of the sandbox alone: its foreground group is who gets signals of keys, and who may
//   read while the whole sandbox is in the foreground outside. A shell inside works as it would outside.
// - While the sandbox is in the background outside, the host refuses: it sends SIGTTIN or SIGTTOU to our group, as it would to
//   the program's, and fails the call with EINTR (we catch both without SA_RESTART). The guest's group then gets that signal.
//   By default it stops, the sandbox stops with the first process (runtime/host_stop.ts), and the shell sees what it would
//   have seen; after `fg` the guest's call is made again. A guest that ignores or blocks SIGTTOU has its call made with
//   SIGTTOU blocked, which the host takes for the same. One that ignores SIGTTIN gets EIO.
// - TIOCGPGRP says 0 meanwhile, as it does where the foreground group is of another PID namespace: shells wait for more.
// - The host's descriptor is opened with the first file inside and closed with the last, so that who waits outside for the
//   terminal's end sees it.
//
// The mode that a program leaves is its last word, unless a signal killed it: then restore() puts back what was there before
// the first change from inside. Only a terminal whose foreground we are is touched.

import { EBUSY, EINTR, EIO } from '../../../abi/errno.ts';
import { POLLIN, POLLRDNORM } from '../../../abi/events/poll.ts';
import { TCGETS2, TCSETS2, TIOCGPGRP } from '../../../abi/ioctl.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { SIGTTIN, SIGTTOU } from '../../../abi/signal/signal.ts';
import { SYS_getpgid, SYS_ioctl } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { takeHostSignal, whileBlocked } from '../../../host/signals.ts';
import { hostCall } from '../../../host/syscall.ts';
import { failed } from '../../base/errno.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { TtyHost } from './job_control.ts';
import { ReadTimer, type TimedReaders } from './read_timer.ts';
import { Terminal } from './terminal.ts';
import { getTermios2, putTermios2, TERMIOS2_SIZE, Termios } from './termios.ts';

/** A descriptor of the host that many files use, non-blocking; fs/hostfile's HostEnd is one. */
export interface HostDescriptor {
  readonly fd: number;
  refs: number;
  readonly queue: WaitQueue & { rearm(ready: number): void };
  poll(): number;
  /** Drops a reference; with the last it is closed. */
  unref(): void;
}

/** How to come to a terminal of the host. */
export interface HostDoor {
  /** It is the controlling terminal of the sandbox's own process. */
  readonly controls: boolean;
  /** It is another process's, which hands on what its keys cause. */
  readonly relayed: boolean;
  /** A new descriptor with refs 0; -errno. */
  open(): HostDescriptor | number;
  /** No file of the terminal is open any more. */
  closed(): void;
}

/** Arguments of requests; they fit into one struct termios2. */
const request = HostBuffer.alloc(64);

export class HostTty extends Terminal implements TimedReaders {
  private readonly door: HostDoor;
  private end: HostDescriptor | null = null;
  private readonly before: Uint8Array = new Uint8Array(TERMIOS2_SIZE);
  /** A guest changed the mode: `before` has the one that was there. */
  private changed = false;
  readonly attributes: Termios = new Termios();
  readonly timer: ReadTimer = new ReadTimer(this);
  /** Readers that have part of what they want wait for the timer alone: the host would call the terminal ready. */
  readonly partial: WaitQueue = new WaitQueue();

  constructor(index: number, host: TtyHost, door: HostDoor) {
    super(index, host);
    this.door = door;
  }

  /** A terminal that is not ours outside sends no signals for its keys: it cannot control a session inside. */
  override get adoptable(): boolean {
    return this.door.controls || this.door.relayed;
  }

  mayOpen(ctx: VfsContext): number {
    return this.exclusive && this.end !== null && !ctx.cred.capable(CAP_SYS_ADMIN) ? -EBUSY : 0;
  }

  /** The descriptor for one more file, which gives it to fileClosed() at its end; -errno. */
  fileOpened(): HostDescriptor | number {
    const end = this.end ?? this.door.open();
    if (failed(end)) return end;
    this.end = end;
    end.refs++;
    return end;
  }

  fileClosed(end: HostDescriptor): void {
    end.unref();
    if (end.refs > 0) return;
    this.end = null;
    this.timer.stop();
    this.door.closed();
  }

  /** True while the sandbox is in the terminal's foreground outside, or the terminal is not ours. */
  inForeground(): boolean {
    const end = this.end ?? this.door.open();
    if (failed(end)) return !this.door.controls;
    end.refs++;
    const r = hostCall(SYS_ioctl, end.fd, TIOCGPGRP, request.addr);
    end.unref();
    return r < 0 ? !this.door.controls : request.view.getInt32(0, true) === hostCall(SYS_getpgid, 0);
  }

  override foregroundSeen(): number {
    return this.inForeground() ? this.foreground : 0;
  }

  override checkOutside(ctx: VfsContext): number {
    return this.inForeground() ? 0 : this.refuse(ctx, SIGTTOU);
  }

  /**
   * Makes a call of the host's that job control may refuse, `sig` being the signal for it: what came of it, or what the guest
   * that asked is to be told.
   */
  guarded(ctx: VfsContext, sig: number, nr: number, a: number, b: number, c: number): number {
    for (;;) {
      const r = hostCall(nr, a, b, c);
      if (r !== -EINTR || !takeHostSignal(sig)) {
        if (r !== -EINTR) return r;
        continue;
      }
      // Another session inside has no job control with this terminal; outside it has.
      const foreign = this.host.processOf(ctx).tty !== this;
      const answer = foreign ? (sig === SIGTTIN ? -EIO : 0) : this.refuse(ctx, sig);
      return answer !== 0 ? answer : whileBlocked(sig, () => hostCall(nr, a, b, c));
    }
  }

  /** Reads the mode into `attributes`; 0 or -errno. */
  readAttributes(fd: number): number {
    const r = hostCall(SYS_ioctl, fd, TCGETS2, request.addr);
    if (r === 0) getTermios2(request.view, this.attributes);
    return r;
  }

  /** Makes `attributes` the mode; 0 or what the guest is to be told. */
  writeAttributes(ctx: VfsContext, fd: number): number {
    const r0 = hostCall(SYS_ioctl, fd, TCGETS2, request.addr);
    if (r0 < 0) return r0;
    const old = request.u8.slice(0, TERMIOS2_SIZE);
    putTermios2(request.view, this.attributes);
    const r = this.guarded(ctx, SIGTTOU, SYS_ioctl, fd, TCSETS2, request.addr);
    if (r === 0 && !this.changed) {
      this.changed = true;
      this.before.set(old);
    }
    return r;
  }

  /** Puts the mode back that was there before the first change from inside. */
  restore(): void {
    if (!this.changed || this.adoptable === false) return;
    this.changed = false;
    const end = this.fileOpened();
    if (failed(end)) return;
    if (this.inForeground()) {
      request.u8.set(this.before);
      hostCall(SYS_ioctl, end.fd, TCSETS2, request.addr);
    }
    this.fileClosed(end);
  }

  readTimeOver(): void {
    this.partial.wake(POLLIN | POLLRDNORM);
    this.end?.queue.wake(POLLIN | POLLRDNORM);
  }
}
