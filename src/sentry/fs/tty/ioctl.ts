// ioctl_tty(2): requests on either end of a pseudo-terminal. Attributes and the window size belong to the pair; on the
// master, termios requests act on the slave.

import { EAGAIN, EINVAL, EIO, ENOTTY, EPERM, ESRCH } from '../../../abi/errno.ts';
import { O_ACCMODE, O_CLOEXEC, O_NOCTTY, O_NONBLOCK } from '../../../abi/fs/fcntl.ts';
import * as C from '../../../abi/ioctl.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import { SIGTTOU } from '../../../abi/signal/signal.ts';
import * as T from '../../../abi/tty/termios.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Pty } from './pty.ts';
import {
  getTermio,
  getTermios,
  getTermios2,
  putTermio,
  putTermios,
  putTermios2,
  TERMIO_SIZE,
  TERMIOS_SIZE,
  TERMIOS2_SIZE,
} from './termios.ts';

const WINSIZE_SIZE = 8;
const MAX_SIGNAL = 64;

function putInt(ctx: VfsContext, arg: number, value: number): number {
  scratchView.setInt32(0, value, true);
  return ctx.mem.copyOutExact(arg, scratch, 0, 4);
}

/** Copies an int in; its value is then in scratch. 0 or -EFAULT. */
function getInt(ctx: VfsContext, arg: number): number {
  return ctx.mem.copyInExact(arg, scratch, 0, 4);
}

/** Requests on a terminal (/dev/pts/N, /dev/tty). */
export function slaveIoctl(pty: Pty, ctx: VfsContext, cmd: number, arg: number): number {
  switch (cmd) {
    case C.TIOCSETD:
    case C.TIOCSBRK:
    case C.TIOCCBRK:
    case C.TCSBRK:
    case C.TCSBRKP: {
      const access = pty.checkAccess(ctx, SIGTTOU);
      if (access !== 0) return access;
      return cmd === C.TIOCSETD ? setDiscipline(ctx, arg) : 0;
    }
    case C.TIOCSCTTY:
      return setControlling(pty, ctx, arg);
    case C.TIOCNOTTY: {
      const process = pty.host.processOf(ctx);
      if (process.tty !== pty) return -ENOTTY;
      if (pty.host.isSessionLeader(ctx)) pty.disassociate(false);
      process.tty = null;
      return 0;
    }
    case C.TIOCGPGRP:
      return pty.host.processOf(ctx).tty !== pty ? -ENOTTY : putInt(ctx, arg, pty.foreground);
    case C.TIOCGSID:
      return pty.host.processOf(ctx).tty !== pty ? -ENOTTY : sessionId(pty, ctx, arg);
    case C.FIONREAD:
      return putInt(ctx, arg, pty.ldisc.available);
    case C.TCXONC:
      return flowControl(pty, ctx, arg);
    default:
      return pairIoctl(pty, ctx, cmd, arg);
  }
}

/** Requests on the file of /dev/ptmx. */
export function masterIoctl(pty: Pty, ctx: VfsContext, cmd: number, arg: number): number {
  switch (cmd) {
    case C.TIOCGPTN:
      return putInt(ctx, arg, pty.index);
    case C.TIOCSPTLCK: {
      const r = getInt(ctx, arg);
      if (r !== 0) return r;
      pty.locked = scratchView.getInt32(0, true) !== 0;
      return 0;
    }
    case C.TIOCGPTLCK:
      return putInt(ctx, arg, pty.locked ? 1 : 0);
    case C.TIOCPKT: {
      const r = getInt(ctx, arg);
      if (r !== 0) return r;
      const on = scratchView.getInt32(0, true) !== 0;
      if (on && !pty.packet) pty.packetStatus = 0;
      pty.packet = on;
      return 0;
    }
    case C.TIOCGPKT:
      return putInt(ctx, arg, pty.packet ? 1 : 0);
    case C.TIOCSIG: {
      if (arg < 1 || arg > MAX_SIGNAL) return -EINVAL;
      pty.ttySignal(arg);
      return 0;
    }
    case C.TIOCGPTPEER:
      return openPeer(pty, ctx, arg);
    case C.TIOCGPGRP:
      return putInt(ctx, arg, pty.foreground);
    case C.TIOCGSID:
      return sessionId(pty, ctx, arg);
    case C.FIONREAD:
      return putInt(ctx, arg, pty.outputPending);
    case C.TIOCSCTTY:
    case C.TIOCNOTTY:
      return -ENOTTY;
    case C.TCSBRK:
    case C.TCSBRKP:
      return 0;
    case C.TCXONC:
      return 0;
    default:
      return pairIoctl(pty, ctx, cmd, arg);
  }
}

/** Requests that mean the same on both ends. */
function pairIoctl(pty: Pty, ctx: VfsContext, cmd: number, arg: number): number {
  switch (cmd) {
    case C.TCGETS:
      putTermios(scratchView, pty.termios);
      return ctx.mem.copyOutExact(arg, scratch, 0, TERMIOS_SIZE);
    case C.TCGETS2:
      putTermios2(scratchView, pty.termios);
      return ctx.mem.copyOutExact(arg, scratch, 0, TERMIOS2_SIZE);
    case C.TCGETA:
      putTermio(scratchView, pty.termios);
      return ctx.mem.copyOutExact(arg, scratch, 0, TERMIO_SIZE);
    case C.TCSETS:
    case C.TCSETSW:
    case C.TCSETSF:
      return setAttributes(pty, ctx, arg, TERMIOS_SIZE, cmd === C.TCSETSF);
    case C.TCSETS2:
    case C.TCSETSW2:
    case C.TCSETSF2:
      return setAttributes(pty, ctx, arg, TERMIOS2_SIZE, cmd === C.TCSETSF2);
    case C.TCSETA:
    case C.TCSETAW:
    case C.TCSETAF:
      return setAttributes(pty, ctx, arg, TERMIO_SIZE, cmd === C.TCSETAF);
    case C.TCFLSH: {
      const access = pty.checkAccess(ctx, SIGTTOU);
      if (access !== 0) return access;
      if (arg !== T.TCIFLUSH && arg !== T.TCOFLUSH && arg !== T.TCIOFLUSH) return -EINVAL;
      pty.flush(arg !== T.TCOFLUSH, arg !== T.TCIFLUSH);
      return 0;
    }
    case C.TIOCGWINSZ:
      scratchView.setUint16(0, pty.rows, true);
      scratchView.setUint16(2, pty.cols, true);
      scratchView.setUint16(4, pty.xpixel, true);
      scratchView.setUint16(6, pty.ypixel, true);
      return ctx.mem.copyOutExact(arg, scratch, 0, WINSIZE_SIZE);
    case C.TIOCSWINSZ: {
      const r = ctx.mem.copyInExact(arg, scratch, 0, WINSIZE_SIZE);
      if (r !== 0) return r;
      const v = scratchView;
      pty.resize(v.getUint16(0, true), v.getUint16(2, true), v.getUint16(4, true), v.getUint16(6, true));
      return 0;
    }
    case C.TIOCSPGRP:
      return setForeground(pty, ctx, arg);
    case C.TIOCOUTQ:
      return putInt(ctx, arg, 0);
    case C.TIOCEXCL:
      pty.exclusive = true;
      return 0;
    case C.TIOCNXCL:
      pty.exclusive = false;
      return 0;
    case C.TIOCGEXCL:
      return putInt(ctx, arg, pty.exclusive ? 1 : 0);
    case C.TIOCGETD:
      return putInt(ctx, arg, pty.termios.line);
    case C.TIOCGDEV:
      return putInt(ctx, arg, pty.rdev);
    case C.TIOCGSOFTCAR:
      return putInt(ctx, arg, (pty.termios.cflag & T.CLOCAL) !== 0 ? 1 : 0);
    case C.TIOCSSOFTCAR: {
      const r = getInt(ctx, arg);
      if (r !== 0) return r;
      const on = scratchView.getInt32(0, true) !== 0;
      pty.termios.cflag = (on ? pty.termios.cflag | T.CLOCAL : pty.termios.cflag & ~T.CLOCAL) >>> 0;
      return 0;
    }
    case C.TIOCVHANGUP:
      if (!ctx.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
      pty.hangup();
      return 0;
    case C.TIOCSTI:
      return insertInput(pty, ctx, arg);
    case C.TIOCMGET:
    case C.TIOCMSET:
    case C.TIOCMBIC:
    case C.TIOCMBIS:
      return -ENOTTY;
    case C.TIOCCONS:
      countUnsupported('ioctl TIOCCONS');
      return ctx.cred.capable(CAP_SYS_ADMIN) ? -ENOTTY : -EPERM;
    default:
      return -ENOTTY;
  }
}

function setAttributes(pty: Pty, ctx: VfsContext, arg: number, size: number, flush: boolean): number {
  const access = pty.checkAccess(ctx, SIGTTOU);
  if (access !== 0) return access;
  const r = ctx.mem.copyInExact(arg, scratch, 0, size);
  if (r !== 0) return r;
  const t = pty.termios;
  const { iflag, lflag } = t;
  const standardFlow = pty.flowIsStandard();
  if (flush) pty.flush(true, false);
  if (size === TERMIO_SIZE) getTermio(scratchView, t);
  else if (size === TERMIOS2_SIZE) getTermios2(scratchView, t);
  else getTermios(scratchView, t);
  t.line = 0;
  pty.termiosChanged(iflag, lflag, standardFlow);
  return 0;
}

function setDiscipline(ctx: VfsContext, arg: number): number {
  const r = getInt(ctx, arg);
  if (r !== 0) return r;
  if (scratchView.getInt32(0, true) === 0) return 0;
  countUnsupported('line discipline other than N_TTY');
  return -EINVAL;
}

function sessionId(pty: Pty, ctx: VfsContext, arg: number): number {
  return pty.session === null ? -ENOTTY : putInt(ctx, arg, pty.session.sid);
}

/** TIOCSCTTY: `arg` 1 lets root steal the terminal of another session. */
function setControlling(pty: Pty, ctx: VfsContext, arg: number): number {
  const host = pty.host;
  const process = host.processOf(ctx);
  const session = host.sessionOf(ctx);
  if (host.isSessionLeader(ctx) && pty.session === session) return 0;
  if (!host.isSessionLeader(ctx) || process.tty !== null) return -EPERM;
  if (pty.session !== null) {
    if (arg !== 1 || !ctx.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
    host.clearTty(pty.session, pty);
  }
  pty.adopt(ctx);
  return 0;
}

/** TIOCSPGRP: tcsetpgrp(3). */
function setForeground(pty: Pty, ctx: VfsContext, arg: number): number {
  const access = pty.checkAccess(ctx, SIGTTOU);
  if (access === -EIO) return -ENOTTY;
  if (access !== 0) return access;
  const owned = pty.ownedBy(ctx);
  if (owned !== 0) return owned;
  const r = getInt(ctx, arg);
  if (r !== 0) return r;
  const pgrp = scratchView.getInt32(0, true);
  if (pgrp < 0) return -EINVAL;
  const session = pty.host.sessionOfPgrp(pgrp);
  if (session === null) return -ESRCH;
  if (session !== pty.session) return -EPERM;
  pty.foreground = pgrp;
  return 0;
}

/** TCXONC: tcflow(3). */
function flowControl(pty: Pty, ctx: VfsContext, arg: number): number {
  const access = pty.checkAccess(ctx, SIGTTOU);
  if (access !== 0) return access;
  switch (arg) {
    case T.TCOOFF:
      pty.ldisc.stop();
      pty.ldisc.tcoStopped = true;
      return 0;
    case T.TCOON:
      if (pty.ldisc.tcoStopped) {
        pty.ldisc.tcoStopped = false;
        pty.ldisc.start();
      }
      return 0;
    case T.TCIOFF:
    case T.TCION: {
      const c = pty.termios.cc[arg === T.TCIOFF ? T.VSTOP : T.VSTART]!;
      scratch[0] = c;
      if (c !== 0) pty.output.write(scratch, 0, 1);
      pty.wakeMasterReaders();
      return 0;
    }
    default:
      return -EINVAL;
  }
}

/** TIOCSTI: since Linux 6.2 only for CAP_SYS_ADMIN (dev.tty.legacy_tiocsti = 0). */
function insertInput(pty: Pty, ctx: VfsContext, arg: number): number {
  if (!ctx.cred.capable(CAP_SYS_ADMIN)) return -EIO;
  const r = ctx.mem.copyInExact(arg, scratch, 0, 1);
  if (r !== 0) return r;
  return pty.feed(scratch.slice(0, 1), 0, 1) === 1 ? 0 : -EAGAIN;
}

/** TIOCGPTPEER: opens the slave without a path; `flags` are open(2)'s. */
function openPeer(pty: Pty, ctx: VfsContext, flags: number): number {
  const file = pty.owner.openPeer(pty, ctx, flags & (O_ACCMODE | O_NONBLOCK | O_NOCTTY));
  if (typeof file === 'number') return file;
  const fd = ctx.fds.install(file, (flags & O_CLOEXEC) !== 0, ctx.rlimit(RLIMIT_NOFILE));
  if (fd < 0) file.unref();
  return fd;
}
