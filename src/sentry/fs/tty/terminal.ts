// Terminal: what every terminal of the sandbox is to processes, whoever moves its bytes: the controlling terminal of a
// session, with a process group in the foreground. credentials(7), tty_ioctl(4). Pty and HostTty are the two kinds.

import { EIO, ENOTTY, ERESTARTSYS } from '../../../abi/errno.ts';
import { SIGCONT, SIGHUP, SIGTTIN } from '../../../abi/signal/signal.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { makedev } from '../../vfs/filesystem.ts';
import type { ControllingTty, TtyHost, TtySession } from './job_control.ts';

export const UNIX98_PTY_SLAVE_MAJOR = 136;

export abstract class Terminal implements ControllingTty {
  /** N of /dev/pts/N. */
  readonly index: number;
  readonly rdev: number;
  readonly host: TtyHost;
  session: TtySession | null = null;
  foreground = 0;
  /** TIOCEXCL. */
  exclusive = false;

  constructor(index: number, host: TtyHost) {
    this.index = index;
    this.rdev = makedev(UNIX98_PTY_SLAVE_MAJOR, index);
    this.host = host;
  }

  /** 0 when its file may be opened; -errno. */
  abstract mayOpen(ctx: VfsContext): number;

  /** Opening it can make it a controlling terminal. */
  get adoptable(): boolean {
    return true;
  }

  protected leaveSession(): void {
    const session = this.session;
    this.session = null;
    this.foreground = 0;
    if (session !== null) this.host.clearTty(session, this);
  }

  leaderExited(): void {
    this.disassociate(true);
  }

  /** disassociate_ctty: the session leader gives its terminal up, or exits. */
  disassociate(onExit: boolean): void {
    if (this.session !== null && this.foreground !== 0) {
      this.host.signalPgrp(this.session, this.foreground, SIGHUP);
      if (!onExit) this.host.signalPgrp(this.session, this.foreground, SIGCONT);
    }
    this.leaveSession();
  }

  /** __proc_set_tty: becomes the controlling terminal of the caller, a session leader without one. */
  adopt(ctx: VfsContext): void {
    this.session = this.host.sessionOf(ctx);
    this.foreground = this.host.pgrpOf(ctx);
    this.host.processOf(ctx).tty = this;
  }

  /**
   * __tty_check_change: may the caller read from the terminal (SIGTTIN) or change it (SIGTTOU)? 0 when it is in the
   * foreground; else its group gets the signal and the call is restarted, or fails with -EIO.
   */
  checkAccess(ctx: VfsContext, sig: number): number {
    const host = this.host;
    if (host.processOf(ctx).tty !== this) return 0;
    const pgrp = host.pgrpOf(ctx);
    if (this.foreground === 0 || pgrp === this.foreground) return 0;
    return this.refuse(ctx, sig);
  }

  /** The caller is in the background: what its call comes to. 0 when it may go on all the same. */
  protected refuse(ctx: VfsContext, sig: number): number {
    const host = this.host;
    if (host.blocksOrIgnores(ctx, sig)) return sig === SIGTTIN ? -EIO : 0;
    if (host.isOrphaned(ctx)) return -EIO;
    host.signalPgrp(host.sessionOf(ctx), host.pgrpOf(ctx), sig);
    return -ERESTARTSYS;
  }

  /** What TIOCGPGRP says. */
  foregroundSeen(): number {
    return this.foreground;
  }

  /** Whether the caller, who may change the terminal inside, may do so outside. 0, -ERESTARTSYS or -errno. */
  checkOutside(_ctx: VfsContext): number {
    return 0;
  }

  /** True when this is the caller's controlling terminal; -ENOTTY else. */
  ownedBy(ctx: VfsContext): number {
    return this.host.processOf(ctx).tty === this && this.session === this.host.sessionOf(ctx) ? 0 : -ENOTTY;
  }

  /** A signal for the foreground group: of a key, or because the window changed. */
  ttySignal(sig: number): void {
    if (this.session !== null && this.foreground !== 0) {
      this.host.signalPgrp(this.session, this.foreground, sig);
    }
  }
}
