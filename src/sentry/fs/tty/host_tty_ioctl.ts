// ioctl_tty(2) on a terminal of the host. Every request is known here, and made with arguments that we made of the guest's:
// modes are decoded and built anew, sizes are copied, and nothing that reaches other sessions (TIOCSTI, TIOCSETD, TIOCVHANGUP)
// passes.

import { EINVAL, EIO, ENOIOCTLCMD, ENOTTY, EPERM } from '../../../abi/errno.ts';
import * as C from '../../../abi/ioctl.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { SIGTTOU } from '../../../abi/signal/signal.ts';
import { SYS_ioctl } from '../../../abi/syscall.ts';
import * as T from '../../../abi/tty/termios.ts';
import { N_TTY } from '../../../abi/tty/tty.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall } from '../../../host/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { HostTty } from './host_tty.ts';
import { getInt, jobIoctl, putInt } from './job_ioctl.ts';
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
const buffer = HostBuffer.alloc(64);

/** A request on a file of the terminal, whose descriptor outside is `fd`. */
export function hostTtyIoctl(tty: HostTty, fd: number, ctx: VfsContext, cmd: number, arg: number): number {
  const job = jobIoctl(tty, ctx, cmd, arg);
  if (job !== -ENOIOCTLCMD) return job;
  switch (cmd) {
    case C.TCGETS:
    case C.TCGETS2:
    case C.TCGETA:
      return getAttributes(tty, fd, ctx, cmd, arg);
    case C.TCSETS:
    case C.TCSETSW:
    case C.TCSETSF:
      return setAttributes(tty, fd, ctx, arg, TERMIOS_SIZE, cmd === C.TCSETSF);
    case C.TCSETS2:
    case C.TCSETSW2:
    case C.TCSETSF2:
      return setAttributes(tty, fd, ctx, arg, TERMIOS2_SIZE, cmd === C.TCSETSF2);
    case C.TCSETA:
    case C.TCSETAW:
    case C.TCSETAF:
      return setAttributes(tty, fd, ctx, arg, TERMIO_SIZE, cmd === C.TCSETAF);
    case C.TCFLSH:
      if (arg !== T.TCIFLUSH && arg !== T.TCOFLUSH && arg !== T.TCIOFLUSH) return -EINVAL;
      return change(tty, fd, ctx, cmd, arg);
    case C.TCXONC:
      if (arg < T.TCOOFF || arg > T.TCION) return -EINVAL;
      return change(tty, fd, ctx, cmd, arg);
    case C.TCSBRK:
    case C.TCSBRKP:
    case C.TIOCSBRK:
    case C.TIOCCBRK:
      // A pseudo-terminal knows no breaks, and its output is never under way. We wait for no other line.
      return tty.checkAccess(ctx, SIGTTOU);
    case C.TIOCGWINSZ: {
      const r = hostCall(SYS_ioctl, fd, cmd, buffer.addr);
      return r < 0 ? r : ctx.mem.copyOutExact(arg, buffer.u8, 0, WINSIZE_SIZE);
    }
    case C.TIOCSWINSZ: {
      const r = ctx.mem.copyInExact(arg, buffer.u8, 0, WINSIZE_SIZE);
      return r < 0 ? r : hostCall(SYS_ioctl, fd, cmd, buffer.addr);
    }
    case C.FIONREAD:
    case C.TIOCOUTQ: {
      const r = hostCall(SYS_ioctl, fd, cmd, buffer.addr);
      return r < 0 ? r : putInt(ctx, arg, buffer.view.getInt32(0, true));
    }
    case C.TIOCGETD:
      return putInt(ctx, arg, N_TTY);
    case C.TIOCSETD: {
      const access = tty.checkAccess(ctx, SIGTTOU);
      if (access !== 0) return access;
      const r = getInt(ctx, arg);
      if (r !== 0) return r;
      if (scratchView.getInt32(0, true) === N_TTY) return 0;
      countUnsupported('line discipline other than N_TTY');
      return -EINVAL;
    }
    case C.TIOCGSOFTCAR: {
      const r = tty.readAttributes(fd);
      return r < 0 ? r : putInt(ctx, arg, (tty.attributes.cflag & T.CLOCAL) !== 0 ? 1 : 0);
    }
    case C.TIOCVHANGUP:
      if (!ctx.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
      countUnsupported("ioctl TIOCVHANGUP on the host's terminal");
      return -EPERM;
    case C.TIOCSTI:
      // Since Linux 6.2 nobody may by default (dev.tty.legacy_tiocsti = 0): what is typed is for who comes after us as well.
      return -EIO;
    case C.TIOCCONS:
      countUnsupported('ioctl TIOCCONS');
      return ctx.cred.capable(CAP_SYS_ADMIN) ? -ENOTTY : -EPERM;
    default:
      return -ENOTTY;
  }
}

/** A request that changes the terminal: job control has its say inside and outside. */
function change(tty: HostTty, fd: number, ctx: VfsContext, cmd: number, arg: number): number {
  const access = tty.checkAccess(ctx, SIGTTOU);
  return access !== 0 ? access : tty.guarded(ctx, SIGTTOU, SYS_ioctl, fd, cmd, arg);
}

function getAttributes(tty: HostTty, fd: number, ctx: VfsContext, cmd: number, arg: number): number {
  const r = tty.readAttributes(fd);
  if (r < 0) return r;
  const t = tty.attributes;
  if (cmd === C.TCGETS) putTermios(scratchView, t);
  else if (cmd === C.TCGETS2) putTermios2(scratchView, t);
  else putTermio(scratchView, t);
  const size = cmd === C.TCGETS ? TERMIOS_SIZE : cmd === C.TCGETS2 ? TERMIOS2_SIZE : TERMIO_SIZE;
  return ctx.mem.copyOutExact(arg, scratch, 0, size);
}

/** Never waits for output that is under way (TCSETSW), which pseudo-terminals do not have. */
function setAttributes(
  tty: HostTty,
  fd: number,
  ctx: VfsContext,
  arg: number,
  size: number,
  flush: boolean,
): number {
  const access = tty.checkAccess(ctx, SIGTTOU);
  if (access !== 0) return access;
  let r = ctx.mem.copyInExact(arg, scratch, 0, size);
  if (r !== 0) return r;
  r = tty.readAttributes(fd);
  if (r < 0) return r;
  const t = tty.attributes;
  if (size === TERMIO_SIZE) getTermio(scratchView, t);
  else if (size === TERMIOS2_SIZE) getTermios2(scratchView, t);
  else getTermios(scratchView, t);
  t.line = N_TTY;
  if (flush) {
    r = tty.guarded(ctx, SIGTTOU, SYS_ioctl, fd, C.TCFLSH, T.TCIFLUSH);
    if (r < 0) return r;
  }
  return tty.writeAttributes(ctx, fd);
}
