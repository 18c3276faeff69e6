// ioctl_tty(2): requests on either end of a pseudo-terminal. Attributes and the window size belong to the pair; on the
// master, termios requests act on the slave.

import { EAGAIN, EINVAL, EIO, ENOIOCTLCMD, ENOTTY, EPERM } from '../../../abi/errno.ts';
import { O_ACCMODE, O_CLOEXEC, O_NOCTTY, O_NONBLOCK } from '../../../abi/fs/fcntl.ts';
import * as C from '../../../abi/ioctl.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import { SIGTTOU } from '../../../abi/signal/signal.ts';
import * as T from '../../../abi/tty/termios.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { getInt, jobIoctl, putInt, sessionId } from './job_ioctl.ts';
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
    case C.FIONREAD:
      return putInt(ctx, arg, pty.ldisc.available);
    case C.TCXONC:
      return flowControl(pty, ctx, arg);
    default: {
      const r = jobIoctl(pty, ctx, cmd, arg);
      return r !== -ENOIOCTLCMD ? r : pairIoctl(pty, ctx, cmd, arg);
    }
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
    default: {
      const r = jobIoctl(pty, ctx, cmd, arg);
      return r !== -ENOIOCTLCMD ? r : pairIoctl(pty, ctx, cmd, arg);
    }
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
    case C.TIOCOUTQ:
      return putInt(ctx, arg, 0);
    case C.TIOCGETD:
      return putInt(ctx, arg, pty.termios.line);
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
